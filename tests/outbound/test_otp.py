from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.model import OtpGuard, OtpSettings, Seconds, Service
from gateway.content.otp import Codes
from gateway.outbound.otp import Otps, Refused, Wanted
from gateway.store.base import Delete, Unit
from gateway.store.sqlite import SqliteStore
from gateway.values.otp import Otp, taken_out

ADDRESS = "+447700900123"
CODES = Codes(b"key")


class Bench:
    def __init__(self, **settings: Any) -> None:
        self.at = 1_000_000.0
        self.service = Service(name="Login", otp=OtpSettings(**settings))
        self.counts: list[str] = []
        self.otps = self.new()

    def new(self) -> Otps:
        ids = itertools.count(1)
        octets = itertools.count(1)
        return Otps(
            services={"login": self.service},
            codes=CODES,
            clock=self,
            new_id=lambda: f"{next(ids):04d}",
            randomness=lambda n: next(octets).to_bytes(n, "big"),
            count=lambda service, what: self.counts.append(what),
        )

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def issue(self, to: str = ADDRESS, **wanted: Any) -> Otp:
        return self.otps.issue(Unit(), "login", Wanted(to=to, **wanted)).otp

    def check(self, otp: Otp, given: str) -> str:
        current = self.otps.get("login", otp.id)
        assert current is not None
        return self.otps.check(Unit(), current, given).outcome

    def refusal(self, **wanted: Any) -> tuple[str, float]:
        with pytest.raises(Refused) as refused:
            self.issue(**wanted)
        assert f" {refused.value.wait_seconds:.0f} s" in refused.value.reason  # people are told too
        return refused.value.code, refused.value.wait_seconds


def wrong(otp: Otp) -> str:
    return f"{(int(CODES.of(otp)) + 1) % 10**otp.length:0{otp.length}d}"


def test_a_right_code_is_right_once() -> None:
    bench = Bench()
    otp = bench.issue()
    assert bench.check(otp, CODES.of(otp)) == "success"
    assert bench.check(otp, CODES.of(otp)) == "invalid"
    assert bench.counts == ["issued", "success", "invalid"]


def test_too_many_wrong_codes_lock_it_for_the_right_one_too() -> None:
    bench = Bench(attempts=3)
    otp = bench.issue()
    assert [bench.check(otp, wrong(otp)) for _ in range(3)] == ["invalid", "invalid", "max-attempts"]
    assert bench.check(otp, CODES.of(otp)) == "max-attempts"
    bench.at += 60
    assert bench.refusal() == ("locked", 240.0)  # nor does a new one bring new attempts
    bench.at += 240
    assert bench.issue().id != otp.id


def test_a_code_expires() -> None:
    bench = Bench(validity=Seconds(60))
    otp = bench.issue()
    bench.at += 60
    assert bench.check(otp, CODES.of(otp)) == "expired"


def test_sending_it_again_says_the_same_code_and_gives_no_new_attempts() -> None:
    bench = Bench()
    otp = bench.issue()
    bench.check(otp, wrong(otp))
    bench.at += 30
    issued = bench.otps.issue(Unit(), "login", Wanted(to=ADDRESS))
    assert issued.resent and issued.otp.id == otp.id and CODES.of(issued.otp) == CODES.of(otp)
    assert (issued.otp.sends, issued.otp.attempts, issued.otp.expires_at) == (2, 1, bench.at + 300)
    assert bench.check(otp, CODES.of(otp)) == "success"


def test_sending_it_again_may_say_a_new_code_which_ends_the_old_one() -> None:
    bench = Bench(resend="new")
    otp = bench.issue()
    bench.at += 30
    after = bench.issue()
    assert after.id == otp.id and CODES.of(after) != CODES.of(otp)
    assert bench.check(otp, CODES.of(otp)) == "invalid"
    assert bench.check(otp, CODES.of(after)) == "success"


def test_there_is_a_pause_between_codes_and_an_end_of_them() -> None:
    bench = Bench(sends=2)
    bench.issue()
    assert bench.refusal() == ("cooldown", 30.0)
    assert bench.refusal(reference="another")[0] == "cooldown"  # the number is pestered all the same
    bench.at += 30
    bench.issue()
    bench.at += 30
    assert bench.refusal() == ("too_many", 270.0)


def test_references_keep_codes_apart() -> None:
    bench = Bench(cooldown=Seconds(0))
    one, other = bench.issue(reference="order 1"), bench.issue(reference="order 2")
    assert one.id != other.id
    assert bench.otps.latest("login", ADDRESS, "order 1") == one
    assert bench.otps.get("other", one.id) is None


def test_a_request_may_say_what_it_is_to_be_like() -> None:
    otp = Bench().issue(format="alphanumeric", length=8, validity_seconds=60.0, attempts=1)
    assert (otp.format, otp.length, otp.validity_seconds, otp.most_attempts) == ("alphanumeric", 8, 60.0, 1)


def test_what_did_not_become_durable_did_not_happen() -> None:
    bench = Bench()
    unit = Unit()
    otp = bench.otps.issue(unit, "login", Wanted(to=ADDRESS)).otp
    unit.take_back()
    assert bench.otps.get("login", otp.id) is None
    otp = bench.issue()  # and no pause is due
    unit = Unit()
    assert bench.otps.check(unit, otp, CODES.of(otp)).outcome == "success"
    unit.take_back()
    assert bench.check(otp, CODES.of(otp)) == "success"


async def test_all_of_it_survives_a_restart_and_the_store_holds_no_code(tmp_path: Path) -> None:
    bench = Bench(attempts=2)
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    unit = Unit()
    otp = bench.otps.issue(unit, "login", Wanted(to=ADDRESS, length=12)).otp
    bench.otps.check(unit, otp, wrong(otp))
    await unit.commit(store)
    bench.otps = bench.new()
    await bench.otps.load(store)
    assert bench.refusal()[0] == "cooldown"
    assert bench.check(otp, wrong(otp)) == "max-attempts"
    await store.close()
    assert CODES.of(otp).encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_what_is_long_over_is_forgotten() -> None:
    bench = Bench()
    otp = bench.issue()
    bench.at += 3_000
    again = bench.issue()  # under the same reference, after the first has expired
    unit = Unit()
    bench.otps.expire(unit)
    assert unit.writes == []
    bench.at += 900
    bench.otps.expire(unit)
    assert unit.writes == [Delete(Otp, (otp.id,))]
    assert bench.otps.latest("login", ADDRESS, "") == again
    bench.at += 4_000
    bench.otps.expire(unit)
    assert len(bench.otps) == 0


def guarded(**guard: Any) -> Bench:
    return Bench(guard=OtpGuard(least=10, **guard), cooldown=Seconds(0))


def test_a_range_that_enters_none_of_its_codes_is_held_and_others_are_not() -> None:
    bench = guarded()
    for n in range(10):
        bench.issue(f"+44770090{n:04d}")
    assert bench.refusal(to="+447700909999") == ("held", 3600.0)
    assert bench.otps.holds == 1 and bench.counts[-1] == "held"
    bench.issue("+491701234567")
    bench.at += 3600
    bench.issue("+447700909999")
    assert bench.otps.holds == 0


def test_a_range_whose_codes_are_entered_is_not_held() -> None:
    bench = guarded()
    for n in range(30):
        otp = bench.issue(f"+44770090{n:04d}")
        if n % 5 == 0:
            bench.check(otp, CODES.of(otp))
    assert bench.otps.holds == 0


def test_only_what_was_sent_lately_counts() -> None:
    bench = guarded(window=Seconds(100))
    for n in range(30):
        bench.at += 11
        bench.issue(f"+44770090{n:04d}")
    assert bench.otps.holds == 0


async def test_the_guard_remembers_over_a_restart(tmp_path: Path) -> None:
    bench = guarded()
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    unit = Unit()
    for n in range(10):
        bench.otps.issue(unit, "login", Wanted(to=f"+44770090{n:04d}"))
    await unit.commit(store)
    bench.otps = bench.new()
    await bench.otps.load(store)
    await store.close()
    assert bench.refusal(to="+447700909999")[0] == "held"


@given(
    st.lists(
        st.sampled_from(["issue", "right", "wrong", "old", "wait", "long", "restart", "lost"]), max_size=40
    ),
    st.sampled_from(["same", "new"]),
)
def test_whatever_happens_no_code_is_right_twice_nor_after_too_many_tries(
    acts: list[str], resend: str
) -> None:
    bench = Bench(attempts=3, resend=resend)
    kept: dict[str, Otp] = {}  # as the store has them
    otp: Otp | None = None
    old = ""
    wrongs: dict[str, int] = {}
    used = set[str]()

    def durable(unit: Unit) -> None:
        kept.update({write.id: write for write in unit.writes if isinstance(write, Otp)})

    for act in acts:
        unit = Unit()
        if act == "issue":
            try:
                issued = bench.otps.issue(unit, "login", Wanted(to=ADDRESS)).otp
            except Refused:
                continue
            if otp is not None and issued.id == otp.id:
                assert issued.id not in used and wrongs.get(issued.id, 0) < 3
                old = CODES.of(otp) if resend == "new" else ""
            otp = issued
            durable(unit)
        elif act == "wait":
            bench.at += 31
        elif act == "long":
            bench.at += 400
        elif act == "restart":
            bench.otps = bench.new()
            for known in kept.values():
                bench.otps._keep(known)
        elif otp is not None and (current := bench.otps.get("login", otp.id)) is not None:
            code = {"right": CODES.of(otp), "lost": CODES.of(otp), "old": old}.get(act) or wrong(otp)
            outcome = bench.otps.check(unit, current, code).outcome
            if act == "lost":
                unit.take_back()  # the store refused: nothing of it happened
                continue
            durable(unit)
            good = code == CODES.of(otp) and otp.id not in used
            if outcome == "success":
                assert good and wrongs.get(otp.id, 0) < 3 and bench.at < current.expires_at
                used.add(otp.id)
            elif good and wrongs.get(otp.id, 0) < 3:
                assert outcome == "expired" and bench.at >= current.expires_at
            if (outcome == "invalid" and otp.id not in used) or (outcome == "max-attempts" and not good):
                wrongs[otp.id] = wrongs.get(otp.id, 0) + 1


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("{code}", "******"),
        ("my code is {code}!", "my code is ******!"),
        ("{code} or 654321?", "****** or 654321?"),
        ("{first}-{rest}", "******"),
        (" 999999 ", " ****** "),
        ("order 99", None),
        ("1{code}", None),
        ("x999999", None),
    ],
)
def test_what_a_customer_sends_back_is_hidden(text: str, masked: str | None) -> None:
    bench = Bench()
    code = CODES.of(bench.issue())
    said = text.format(code=code, first=code[:3], rest=code[3:])
    hidden = bench.otps.hide(["other", "login"], ADDRESS, said)
    assert (hidden.masked if hidden is not None else None) == masked
    assert bench.otps.hide(["login"], "+447700900999", said) is None
    bench.at += 301.0
    assert bench.otps.hide(["login"], ADDRESS, said) is None


def test_what_is_hidden_can_be_compared_by_whom_it_was_sent_to_alone() -> None:
    bench = Bench()
    otp, other = bench.issue(), bench.issue(to="+447700900999")
    hidden = bench.otps.hide(["login"], ADDRESS, f"it is {CODES.of(otp)}")
    assert hidden is not None and hidden.otp == otp.id
    spoken = hidden.spoken(hidden.masked)
    assert CODES.of(otp) not in spoken and taken_out(spoken) == ("it is ******", None)
    assert bench.check(other, spoken) == "invalid" and bench.check(otp, spoken) == "success"
