from gateway.protocol.sip.strangers import MUTED_SECONDS, REQUESTS, WINDOW_SECONDS, Strangers, Verdict


def test_an_address_that_probes_is_answered_for_a_while_then_muted_once() -> None:
    one = Strangers()
    assert {one.verdict("a", 0.0) for _ in range(REQUESTS)} == {Verdict.ANSWER}
    assert one.verdict("a", 1.0) is Verdict.MUTE
    assert one.verdict("a", 2.0) is Verdict.IGNORE
    assert one.verdict("b", 2.0) is Verdict.ANSWER
    assert one.muted == 1


def test_who_goes_on_stays_muted_and_who_stops_is_heard_again() -> None:
    one = Strangers()
    for _ in range(REQUESTS + 1):
        one.verdict("a", 0.0)
    assert one.verdict("a", MUTED_SECONDS - 1) is Verdict.IGNORE
    assert one.is_muted("a", MUTED_SECONDS + 1)
    assert one.verdict("a", 2 * MUTED_SECONDS) is Verdict.ANSWER


def test_a_request_now_and_then_is_answered_for_ever() -> None:
    one = Strangers()
    step = 2 * WINDOW_SECONDS / REQUESTS
    assert {one.verdict("a", n * step) for n in range(10 * REQUESTS)} == {Verdict.ANSWER}


def test_a_flood_of_addresses_fills_no_memory() -> None:
    one = Strangers()
    for n in range(12_000):
        one.verdict(f"a{n}", 0.0)
    assert len(one._windows) == 10_000
    for n in range(12_000):
        for _ in range(REQUESTS + 1):
            one.verdict(f"b{n}", 0.0)
    assert one.muted == 10_000
