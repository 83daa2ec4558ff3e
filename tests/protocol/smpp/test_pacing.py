from gateway.protocol.smpp.pacing import Backoff, Breaker, Throttle, TokenBucket


def test_the_bucket_lets_through_its_rate_and_no_more() -> None:
    bucket = TokenBucket(50.0, 0.0)
    taken = sum(bucket.take(step / 1000) for step in range(10_001))
    assert 500 <= taken <= 505  # ten seconds, and the burst


def test_an_idle_bucket_saves_up_a_tenth_of_a_second() -> None:
    bucket = TokenBucket(200.0, 0.0)
    for _ in range(20):
        assert bucket.take(1000.0)
    assert not bucket.take(1000.0)
    assert abs(bucket.wait(1000.0) - 0.005) < 1e-9


def test_a_slow_bucket_still_lets_one_through() -> None:
    bucket = TokenBucket(0.5, 0.0)
    assert bucket.take(0.0) and not bucket.take(1.9)
    assert bucket.take(2.0)


def test_no_rate_is_no_limit() -> None:
    bucket = TokenBucket(0, 0.0)
    assert all(bucket.take(0.0) for _ in range(10_000))
    assert bucket.wait(0.0) == 0.0


def test_a_wait_asks_for_no_more_than_the_burst() -> None:
    bucket = TokenBucket(10.0, 0.0)
    assert bucket.take(0.0)
    assert abs(bucket.wait(0.0, 100.0) - 0.1) < 1e-9


def test_a_clock_that_stands_still_or_jumps_back_gives_nothing() -> None:
    bucket = TokenBucket(1.0, 10.0)
    assert bucket.take(10.0) and not bucket.take(9.0) and not bucket.take(10.0)


def test_rests_double_in_a_row_up_to_thirty_seconds_and_start_anew_after_success() -> None:
    throttle, now, rests = Throttle(1.0), 100.0, []
    for _ in range(7):
        throttle.refused(now)
        throttle.refused(now)  # the rest of the window: the same rest
        assert throttle.resting(now) and throttle.probing
        rests.append(throttle.until - now)
        now = throttle.until
    assert rests == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    throttle.accepted(now)
    assert not throttle.probing
    throttle.refused(now)
    assert throttle.until - now == 1.0


def test_success_of_what_was_on_its_way_does_not_end_a_rest() -> None:
    throttle = Throttle(2.0)
    throttle.refused(0.0)
    throttle.accepted(0.5)
    assert throttle.resting(1.9) and throttle.probing


def test_waits_to_connect_double_with_a_random_cut() -> None:
    backoff = Backoff(1.0, 10.0)
    assert [backoff.wait(0.0) for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert backoff.wait(0.5) == 7.5
    backoff.reset()
    assert backoff.wait(0.0) == 1.0


def test_failures_in_a_row_open_the_breaker_for_a_while_and_each_further_one_again() -> None:
    breaker = Breaker(3, 30.0)
    assert [breaker.failed(1.0) for _ in range(4)] == [False, False, True, False]
    assert breaker.open(30.9) and not breaker.open(31.0)
    assert breaker.failed(40.0) and breaker.open(69.9)


def test_a_success_closes_the_breaker_and_begins_to_count_anew() -> None:
    breaker = Breaker(2, 30.0)
    breaker.failed(1.0)
    breaker.succeeded()
    assert not breaker.failed(2.0)
    assert breaker.failed(3.0)
    breaker.succeeded()
    assert not breaker.open(3.0)


def test_a_breaker_without_a_limit_never_opens() -> None:
    breaker = Breaker(0, 30.0)
    assert not any(breaker.failed(1.0) for _ in range(100)) and not breaker.open(1.0)
