"""Against a real web server and the real store; only the clock is set by hand."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.observe.system import IdSource
from gateway.outbound.notify import backlog
from gateway.outbound.notify import receivers as memory
from gateway.outbound.notify.hub import Hub
from gateway.outbound.notify.notifier import AWAY_LIMIT_SECONDS, SCHEDULE, Done, Notifier
from gateway.outbound.notify.receivers import receiver_of
from gateway.outbound.webhook.client import Client
from gateway.store.base import Told, Unit, Write
from gateway.store.sqlite import SqliteStore
from gateway.values.errors import StoreError
from gateway.values.work import Notification
from tests.peers.callbacks import answering


class Away(Exception):
    """The receiver is not there to be asked."""


class Awaited:
    """A Post that is a coroutine function: gives "" or why not, raises Away."""

    def __init__(self, post: Callable[[Notification], Awaitable[str]]) -> None:
        self._post = answering(post)

    def together(self, notification: Notification) -> int:
        return 1

    def send(self, notifications: Sequence[Notification], done: Done) -> None:
        def told(result: str | Exception) -> None:
            if isinstance(result, str):
                done(result, False)
            else:
                reason = str(result) if isinstance(result, Away) else f"{type(result).__name__}: {result}"
                done(reason, isinstance(result, Away))

        self._post(notifications[0], told)


class Hands:
    """A clock that is set by hand; `set_by` is what its wall clock is ahead."""

    def __init__(self) -> None:
        self.time = 1_763_906_709.5
        self.set_by = 0.0

    def now(self) -> float:
        return self.time + self.set_by

    def monotonic(self) -> float:
        return self.time


class Moody(SqliteStore):
    """A store that refuses to write while it is `full`, and keeps what was read until `delivered`."""

    full = False
    found = False
    delivered: asyncio.Event | None = None

    async def notifications(
        self, *, state: str = "pending", receiver: str = "", due_before: float, limit: int
    ) -> list[Notification]:
        found = await super().notifications(
            state=state, receiver=receiver, due_before=due_before, limit=limit
        )
        if self.delivered is not None:
            self.found = True
            await self.delivered.wait()
        return found

    def write(self, writes: Sequence[Write], done: Told) -> None:
        if self.full:
            done(StoreError("disk full"))
        else:
            super().write(writes, done)


class Receiver:
    """A web server that keeps what it was sent and answers `status`; `open` cleared: it does not answer."""

    def __init__(self) -> None:
        self.status = 200
        self.open = asyncio.Event()
        self.open.set()
        self.arrived: list[str] = []  # X-Hub-Id
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        app = web.Application()
        app.router.add_post("/{tail:.*}", self._take)
        self.server = TestServer(app)

    async def _take(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        self.bodies.append(await request.read())
        self.arrived.append(request.headers["X-Hub-Id"])
        await self.open.wait()
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})

    def url(self, path: str = "/dlr") -> str:
        return str(self.server.make_url(path))

    @property
    def numbers(self) -> list[int]:
        return [msgspec.json.decode(body)["n"] for body in self.bodies]


Receivers = Callable[[], Awaitable[Receiver]]
Notifiers = Callable[..., Awaitable[Notifier]]


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Moody]:
    store = Moody(tmp_path / "gateway.db")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def receivers() -> AsyncIterator[Receivers]:
    started: list[Receiver] = []

    async def start() -> Receiver:
        receiver = Receiver()
        await receiver.server.start_server()
        started.append(receiver)
        return receiver

    yield start
    for receiver in started:
        receiver.open.set()
        await receiver.server.close()


@pytest.fixture
async def notifiers(store: Moody, clock: Hands) -> AsyncIterator[Notifiers]:
    """Gives a notifier that has done its first sweep: as after a start of the gateway."""
    posts: list[Hub] = []
    started: list[Notifier] = []

    async def start(timeout_seconds: float = 10.0) -> Notifier:
        post = Hub(
            lambda service: "s3cret" if service == "alerts" else "",
            clock,
            client=Client(timeout_seconds=timeout_seconds),
        )
        notifier = Notifier(store=store, clock=clock, new_id=IdSource(clock), posts={"http": post})
        posts.append(post)
        started.append(notifier)
        await notifier.sweep()
        return notifier

    yield start
    for notifier in started:
        await notifier.stop()
    for post in posts:
        await post.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - several parties change what is waited for
            await asyncio.sleep(0.001)


async def owe(
    notifier: Notifier, store: Moody, url: str, n: int = 1, ref: str = "m1", service: str = "alerts"
) -> None:
    unit = Unit()
    notifier.owe(unit, service=service, ref=ref, url=url, body={"n": n})
    await unit.commit(store)


async def owed(store: Moody, state: str = "pending") -> list[Notification]:
    return await store.notifications(state=state, due_before=1e12, limit=100)


async def log(store: Moody, ref: str = "m1") -> list[str]:
    return [event.type for event in await store.events(ref)]


async def test_notification_arrives_signed_and_is_forgotten(
    store: Moody, receivers: Receivers, notifiers: Notifiers
) -> None:
    receiver, notifier = await receivers(), await notifiers()
    await owe(notifier, store, receiver.url("/dlr?a=b"))
    await until(lambda: not notifier.waiting)
    [request], [body] = receiver.requests, receiver.bodies
    assert body == b'{"n":1}'
    assert request.path_qs == "/dlr?a=b"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["X-Hub-Timestamp"] == "1763906709"
    expected = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert request.headers["X-Hub-Signature-256"] == f"sha256={expected}"
    assert await owed(store) == []
    assert await log(store) == ["notify.sent"]
    assert (notifier.sent, notifier.failed, notifier.dead) == (1, 0, 0)


async def test_service_without_hub_secret_sends_unsigned(
    store: Moody, receivers: Receivers, notifiers: Notifiers
) -> None:
    receiver, notifier = await receivers(), await notifiers()
    await owe(notifier, store, receiver.url(), service="plain")
    await until(lambda: not notifier.waiting)
    assert "X-Hub-Signature-256" not in receiver.requests[0].headers


async def test_nothing_goes_out_when_the_unit_was_not_recorded(
    store: Moody, receivers: Receivers, notifiers: Notifiers
) -> None:
    receiver, notifier = await receivers(), await notifiers()
    store.full = True
    with pytest.raises(StoreError):
        await owe(notifier, store, receiver.url())
    store.full = False
    await notifier.sweep()
    assert (notifier.waiting, receiver.arrived) == (0, [])


async def test_failed_attempts_follow_the_schedule_and_the_last_leaves_it_dead(
    store: Moody, clock: Hands, receivers: Receivers, notifiers: Notifiers
) -> None:
    receiver, notifier = await receivers(), await notifiers()
    receiver.status = 503
    await owe(notifier, store, receiver.url())
    for attempt, wait in enumerate(SCHEDULE, 1):
        await until(lambda: not notifier.waiting)
        [waiting] = await owed(store)
        assert (waiting.attempts, waiting.reason) == (attempt, "HTTP 503")
        assert waiting.due == pytest.approx(clock.time + wait)
        clock.time += wait - 0.01
        await notifier.sweep()
        assert not notifier.waiting
        clock.time += 0.02
        await notifier.sweep()
    await until(lambda: not notifier.waiting)
    assert await owed(store) == []
    [dead] = await owed(store, "dead")
    assert (dead.attempts, dead.reason) == (len(SCHEDULE) + 1, "HTTP 503")
    assert len(receiver.arrived) == len(SCHEDULE) + 1
    assert len(set(receiver.arrived)) == 1  # the same id each time, so that a receiver can drop repeats
    assert await log(store) == ["notify.failed"] * len(SCHEDULE) + ["notify.dead"]
    assert (notifier.failed, notifier.dead) == (len(SCHEDULE), 1)


@pytest.mark.parametrize("status", [199 + 101, 302, 401, 404, 500])
async def test_anything_but_2xx_is_a_failure_and_redirects_are_not_followed(
    status: int, store: Moody, receivers: Receivers, notifiers: Notifiers
) -> None:
    receiver, notifier = await receivers(), await notifiers()
    receiver.status = status
    await owe(notifier, store, receiver.url())
    await until(lambda: not notifier.waiting)
    [waiting] = await owed(store)
    assert waiting.reason == f"HTTP {status}"
    assert [request.path for request in receiver.requests] == ["/dlr"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1/", "cannot connect"),
        ("http://[bad/", "is no URL"),
        ("gopher://example.org/", "no way to reach"),
        ("nonsense", "no way to reach"),
    ],
)
async def test_unreachable_receiver_is_tried_again_and_the_log_says_why(
    url: str, reason: str, store: Moody, notifiers: Notifiers
) -> None:
    notifier = await notifiers()
    await owe(notifier, store, url)
    await until(lambda: not notifier.waiting)
    [waiting] = await owed(store)
    assert reason in waiting.reason
    assert waiting.attempts == 1


async def test_silent_receiver_is_given_up_on_after_the_timeout(
    store: Moody, receivers: Receivers, notifiers: Notifiers
) -> None:
    receiver, notifier = await receivers(), await notifiers(timeout_seconds=0.05)
    receiver.open.clear()
    await owe(notifier, store, receiver.url())
    await until(lambda: not notifier.waiting)
    [waiting] = await owed(store)
    assert waiting.reason == "no answer within 0.05 s"


async def test_transaction_keeps_its_order_while_one_is_under_way(
    store: Moody, receivers: Receivers, notifiers: Notifiers
) -> None:
    receiver, notifier = await receivers(), await notifiers()
    receiver.open.clear()
    for n in range(4):
        await owe(notifier, store, receiver.url(), n)
    await until(lambda: bool(receiver.arrived))
    assert receiver.numbers == [0]
    receiver.open.set()
    await until(lambda: not notifier.waiting)
    assert receiver.numbers == [0, 1, 2, 3]


async def test_what_is_owed_after_a_failure_waits_behind_it(
    store: Moody, clock: Hands, receivers: Receivers, notifiers: Notifiers
) -> None:
    receiver, notifier = await receivers(), await notifiers()
    receiver.status = 500
    await owe(notifier, store, receiver.url(), 1)
    await until(lambda: not notifier.waiting)
    receiver.status = 200
    await owe(notifier, store, receiver.url(), 2)
    await owe(notifier, store, receiver.url(), 9, ref="m2")  # another transaction is not held up
    await until(lambda: not notifier.waiting)
    assert receiver.numbers == [1, 9]
    clock.time += SCHEDULE[0]
    await owe(notifier, store, receiver.url(), 3)  # it is time for the first again, but no sweep has come
    await notifier.sweep()
    await notifier.sweep()
    await until(lambda: not notifier.waiting)
    assert receiver.numbers == [1, 9, 1, 2, 3]


async def test_those_in_turn_go_back_behind_the_one_that_failed(
    store: Moody, clock: Hands, receivers: Receivers, notifiers: Notifiers
) -> None:
    receiver, notifier = await receivers(), await notifiers()
    receiver.status = 500
    receiver.open.clear()
    for n in (1, 2, 3):
        await owe(notifier, store, receiver.url(), n)
    await until(lambda: bool(receiver.arrived))
    receiver.open.set()
    await until(lambda: not notifier.waiting)
    assert receiver.numbers == [1]
    clock.time += SCHEDULE[0]
    await notifier.sweep()
    await until(lambda: not notifier.waiting)
    assert receiver.numbers == [1, 1]
    clock.time += SCHEDULE[1]
    receiver.status = 200
    await notifier.sweep()
    await until(lambda: not notifier.waiting)
    assert receiver.numbers == [1, 1, 1, 2, 3]
    assert [waiting.attempts for waiting in await owed(store)] == []


async def test_what_waits_for_another_attempt_does_not_wait_for_a_clock_that_was_set_back(
    store: Moody, clock: Hands, receivers: Receivers, notifiers: Notifiers
) -> None:
    receiver, notifier = await receivers(), await notifiers()
    receiver.status = 500
    await owe(notifier, store, receiver.url(), 1)
    await until(lambda: not notifier.waiting)
    receiver.status = 200
    clock.set_by = -3600.0
    await owe(notifier, store, receiver.url(), 2)
    clock.time += SCHEDULE[0]
    await notifier.sweep()
    clock.time += 1.0
    await notifier.sweep()
    await until(lambda: len(receiver.arrived) == 3)
    assert receiver.numbers == [1, 1, 2]


async def test_order_survives_a_restart(
    store: Moody, clock: Hands, receivers: Receivers, notifiers: Notifiers
) -> None:
    receiver, before = await receivers(), await notifiers()
    receiver.status = 500
    await owe(before, store, receiver.url(), 1)
    await until(lambda: not before.waiting)
    await before.stop()
    receiver.status = 200
    clock.time += 0.1
    after = await notifiers()
    await owe(after, store, receiver.url(), 2)
    await after.sweep()
    assert receiver.numbers == [1]
    clock.time += SCHEDULE[0]
    await after.sweep()
    await until(lambda: not after.waiting)
    assert receiver.numbers == [1, 1, 2]


async def test_what_is_owed_before_the_first_sweep_does_not_overtake_what_waits_for_another_attempt(
    store: Moody, clock: Hands
) -> None:
    told: list[bytes] = []

    async def post(notification: Notification) -> str:
        told.append(notification.body)
        return "HTTP 503" if len(told) == 1 else ""

    def notifier() -> Notifier:
        return Notifier(store=store, clock=clock, new_id=IdSource(clock), posts={"http": Awaited(post)})

    before, after = notifier(), notifier()
    await owe(before, store, "http://there/", 1)
    await before.sweep()
    await until(lambda: not before.waiting)
    await before.stop()
    clock.time += SCHEDULE[0] - 0.1
    await after.load()
    await owe(after, store, "http://there/", 2)
    clock.time += 0.2
    await after.sweep()
    await until(lambda: len(told) == 3)
    await after.stop()
    assert [msgspec.json.decode(body)["n"] for body in told] == [1, 1, 2]


async def test_what_was_under_way_at_the_stop_goes_out_after_the_next_start_with_the_same_id(
    store: Moody, receivers: Receivers, notifiers: Notifiers
) -> None:
    receiver, before = await receivers(), await notifiers()
    receiver.open.clear()
    await owe(before, store, receiver.url())
    await until(lambda: bool(receiver.arrived))
    await before.stop()
    receiver.open.set()
    after = await notifiers()
    await until(lambda: not after.waiting)
    assert len(receiver.arrived) == 2
    assert len(set(receiver.arrived)) == 1
    assert await log(store) == ["notify.sent"]


async def test_stop_with_grace_lets_one_under_way_finish_and_starts_no_other(
    store: Moody, receivers: Receivers, notifiers: Notifiers
) -> None:
    receiver, notifier = await receivers(), await notifiers()
    receiver.open.clear()
    await owe(notifier, store, receiver.url(), 1)
    await owe(notifier, store, receiver.url(), 2)
    await until(lambda: bool(receiver.arrived))
    stopping = asyncio.create_task(notifier.stop(5.0))
    await asyncio.sleep(0)
    receiver.open.set()
    await stopping
    assert receiver.numbers == [1]
    assert [waiting.body for waiting in await owed(store)] == [b'{"n":2}']


async def test_silent_receiver_delays_no_other_even_for_the_same_transaction(
    store: Moody, receivers: Receivers, notifiers: Notifiers
) -> None:
    silent, prompt, notifier = await receivers(), await receivers(), await notifiers()
    silent.open.clear()
    for n in range(30):
        await owe(notifier, store, silent.url(), n, ref=f"m{n}")
        await owe(notifier, store, prompt.url(), n, ref=f"m{n}")
    await until(lambda: len(prompt.arrived) == 30)
    assert len(silent.arrived) <= 8  # no flood of connections to one that does not keep up


async def test_backlog_of_a_silent_receiver_leaves_memory_to_others(
    store: Moody, clock: Hands, receivers: Receivers, notifiers: Notifiers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "IN_MEMORY", 60)
    monkeypatch.setattr(backlog, "PAGE", 10)
    silent, prompt, notifier = await receivers(), await receivers(), await notifiers()
    silent.open.clear()
    for n in range(100):
        await owe(notifier, store, silent.url(), n, ref=f"m{n}")
    await owe(notifier, store, prompt.url(), ref="mine")
    await until(lambda: len(prompt.arrived) == 1)
    prompt.status = 500
    await owe(notifier, store, prompt.url(), ref="mine")
    await until(lambda: len(prompt.arrived) == 2 and notifier.failed == 1)
    prompt.status = 200
    clock.time += SCHEDULE[0]
    await notifier.sweep()  # the retry lies behind a hundred of the silent one's in the store
    await until(lambda: len(prompt.arrived) == 3)
    assert notifier.waiting < 60
    silent.open.set()
    for _ in range(100):
        await until(lambda: not notifier.waiting)
        clock.time += 1.0
        await notifier.sweep()
    assert len(silent.arrived) == len(set(silent.arrived)) == 100
    assert await owed(store) == []


@pytest.mark.parametrize("status", [200, 500])
async def test_what_is_done_while_a_sweep_reads_is_not_taken_again_from_what_it_read(
    status: int, store: Moody, clock: Hands, receivers: Receivers, notifiers: Notifiers
) -> None:
    receiver = await receivers()
    name, due = receiver_of(receiver.url()), clock.now() + 1.0
    later = Notification(
        id="9",
        ref="m9",
        service="alerts",
        url=receiver.url(),
        receiver=name,
        body=b'{"n":9}',
        due=due,
        created_at=due,
    )
    await store.commit([later])
    notifier = await notifiers()
    receiver.status = status
    receiver.open.clear()
    await owe(notifier, store, receiver.url(), 1)
    await owe(notifier, store, receiver.url(), 2)
    await until(lambda: bool(receiver.arrived))
    clock.time = due  # there is a reason to read
    store.delivered = asyncio.Event()
    sweep = asyncio.create_task(notifier.sweep())
    await until(lambda: store.found)
    receiver.open.set()
    await until(lambda: not notifier.waiting)
    store.delivered.set()
    await sweep
    await until(lambda: not notifier.waiting)
    assert receiver.numbers == ([1, 2, 9] if status == 200 else [1, 9])
    assert len(await owed(store)) == (0 if status == 200 else 3)


async def test_taken_notification_is_not_repeated_while_the_store_refuses_to_record_it(
    store: Moody, receivers: Receivers, notifiers: Notifiers
) -> None:
    receiver, notifier = await receivers(), await notifiers()
    receiver.open.clear()
    await owe(notifier, store, receiver.url())
    await until(lambda: bool(receiver.arrived))
    store.full = True
    receiver.open.set()
    await until(lambda: notifier.sent == 1)
    await notifier.sweep()
    await notifier.sweep()
    assert notifier.waiting == 1
    store.full = False
    await notifier.sweep()
    assert notifier.waiting == 0
    assert len(receiver.arrived) == 1
    assert await owed(store) == []


async def test_other_schemes_are_carried_out_by_their_own_post(store: Moody, clock: Hands) -> None:
    taken: list[Notification] = []

    async def post(notification: Notification) -> str:
        taken.append(notification)
        if len(taken) == 1:
            raise RuntimeError("surprise")
        return ""

    notifier = Notifier(store=store, clock=clock, new_id=IdSource(clock), posts={"smpp": Awaited(post)})
    await notifier.sweep()
    await owe(notifier, store, "smpp:acme")
    await until(lambda: not notifier.waiting)
    [waiting] = await owed(store)
    assert waiting.reason == "RuntimeError: surprise"
    clock.time += SCHEDULE[0]
    await notifier.sweep()
    await until(lambda: not notifier.waiting)
    assert [notification.url for notification in taken] == ["smpp:acme"] * 2
    assert await owed(store) == []
    await notifier.stop()


async def test_sweeper_brings_in_what_an_earlier_run_of_the_gateway_left(store: Moody, clock: Hands) -> None:
    taken: list[str] = []

    async def post(notification: Notification) -> str:
        taken.append(notification.id)
        return ""

    left = Notification(id="n1", ref="m1", service="s", url="smpp:acme", body=b"{}", due=1.0, created_at=1.0)
    await store.commit([left])
    notifier = Notifier(store=store, clock=clock, new_id=IdSource(clock), posts={"smpp": Awaited(post)})
    notifier.start()
    await until(lambda: taken == ["n1"] and not notifier.waiting)
    await notifier.stop()


class Account:
    """A receiver that is there or not."""

    def __init__(self, store: Moody, clock: Hands) -> None:
        self.there = False
        self.asked = 0
        self.got: list[int] = []
        self.clock = clock
        posts = {"smpp": Awaited(self.post)}
        self.notifier = Notifier(store=store, clock=clock, new_id=IdSource(clock), posts=posts)

    async def post(self, notification: Notification) -> str:
        self.asked += 1
        if not self.there:
            raise Away("not bound")
        self.got.append(msgspec.json.decode(notification.body)["n"])
        return ""

    async def owe(self, store: Moody, *numbers: int) -> None:
        for number in numbers:
            unit = Unit()
            self.notifier.owe(unit, service="shop", ref=f"m{number}", url="smpp:acme", body={"n": number})
            await unit.commit(store)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.got) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def settled(self) -> None:
        await until(lambda: not self.notifier.waiting)


async def test_what_is_owed_to_a_receiver_that_is_away_waits_and_comes_in_order_when_it_is_back(
    store: Moody, clock: Hands
) -> None:
    account = Account(store, clock)
    account.notifier.start()
    await account.notifier.sweep()
    await account.owe(store, *range(30))
    await account.settled()
    asked = account.asked
    await account.owe(store, *range(30, 60))
    await account.notifier.sweep()
    await account.settled()
    assert account.asked == asked and account.got == []  # nobody asks again and again
    waiting = await store.notifications(due_before=clock.now() + 1e6, limit=100)
    assert len(waiting) == 60 and {n.attempts for n in waiting} == {0}
    account.there = True
    account.notifier.back("smpp:acme")  # without the clock having moved
    await account.until(60)
    assert account.got == list(range(60))
    await account.owe(store, 60)
    await account.until(61)
    await account.notifier.stop(1)
    assert await store.notifications(due_before=clock.now() + 1e6, limit=100) == []


async def test_a_receiver_that_comes_back_after_a_restart_gets_what_waited(
    store: Moody, clock: Hands
) -> None:
    before = Account(store, clock)
    before.notifier.start()
    await before.notifier.sweep()
    await before.owe(store, 1, 2)
    await before.settled()
    await before.notifier.stop()
    after = Account(store, clock)
    after.there = True
    after.notifier.start()
    after.notifier.back("smpp:acme")
    await after.until(2)
    await after.notifier.stop(1)
    assert after.got == [1, 2]


async def test_a_receiver_that_never_comes_back_is_given_up(store: Moody, clock: Hands) -> None:
    account = Account(store, clock)
    await account.notifier.sweep()
    await account.owe(store, 1)
    await account.settled()
    clock.time += AWAY_LIMIT_SECONDS + 1
    await account.notifier.sweep()
    await account.settled()
    assert account.notifier.dead == 1
    [dead] = await store.notifications(state="dead", due_before=clock.now() + 1e6, limit=10)
    assert dead.reason == "not bound"
    await account.notifier.stop()


async def test_stopping_just_when_the_sweeper_is_woken_does_not_hang(store: Moody, clock: Hands) -> None:
    account = Account(store, clock)
    await account.notifier.sweep()
    await account.owe(store, 1)
    await account.settled()
    account.notifier.start()
    for _ in range(200):  # until it waits, with nothing to do
        await asyncio.sleep(0)
    account.notifier.back("smpp:acme")
    await asyncio.sleep(0)  # it is woken and has not run
    async with asyncio.timeout(30):
        await account.notifier.stop()
