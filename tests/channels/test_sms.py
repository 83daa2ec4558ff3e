from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from gateway.channels.base import Carrier
from gateway.channels.sms import Flight, SmsChannel
from gateway.config.model import Bind
from gateway.content.otp import Codes
from gateway.protocol.smpp import constants
from gateway.protocol.smpp.pdu import SubmitSm
from gateway.values.message import Message, Segment, StepPlan, StepRecord
from gateway.values.otp import Code
from gateway.values.outcome import Outcome, Result

BOB = "+447700900001"
LONG = "x" * 200  # two segments
WIDE = "ж" * 140  # three
Report = tuple[str, int, Outcome | None, tuple[Segment, ...]]


class FakeClock:
    def now(self) -> float:
        return 1000.0

    def monotonic(self) -> float:
        return 1.0


@dataclass
class Answer:
    """A SegmentResult; `part` counts from 0 among the flight's PDUs."""

    part: int
    kind: str
    message_id: str = ""
    status_text: str = ""


@dataclass
class Bench:
    """A channel over binds "north" and "south", with what it did."""

    binds: dict[str, Bind]
    up: dict[str, tuple[bool, str]] = field(default_factory=dict)
    candidates: list[str] = field(default_factory=lambda: ["north", "south"])
    refusal: str = ""
    room: bool = True
    flights: list[Flight] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    known: list[Segment] = field(default_factory=list)
    answered: list[tuple[str, int, str]] = field(default_factory=list)
    doubted: list[tuple[Segment, str, str]] = field(default_factory=list)
    given_back: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.channel = SmsChannel(
            binds=self.binds,
            clock=FakeClock(),
            routes=lambda message, step: self.candidates,
            refusal=lambda service, address: self.refusal,
            codes=Codes(b"key"),
            enqueue=self.enqueue,
            state=lambda name: self.up.get(name, (True, "")),
            report=lambda id, index, outcome, segments: self.reports.append(
                (id, index, outcome, tuple(segments))
            ),
            known=self.known.append,
            answered=lambda message, segment, id: self.answered.append((message.id, segment.part, id)),
            doubted=lambda segment, recipient, sender: self.doubted.append((segment, recipient, sender)),
            give_back=lambda key, carrier: self.given_back.append((key, carrier)),
        )

    def enqueue(self, flight: Flight) -> bool:
        if self.room:
            self.flights.append(flight)
        return self.room

    def send(self, text: str = "hi", sender: str = "12345", done: tuple[int, ...] = ()) -> list[SubmitSm]:
        assert self.channel.send(message(text, sender), 0, "north", done)
        return self.flights[-1].pdus

    def answer(self, part: int, kind: str, *, flight: int = 0, **fields: str) -> None:
        self.channel.result(self.flights[flight], Answer(part, kind, **fields))

    @property
    def outcomes(self) -> list[Outcome]:
        return [outcome for _, _, outcome, _ in self.reports if outcome is not None]

    @property
    def segments(self) -> list[tuple[int, str]]:
        return [(s.part, s.state) for _, _, _, segments in self.reports for s in segments]


def bench(**settings: object) -> Bench:
    return Bench({"north": Bind(host="n", **settings), "south": Bind(host="s", system_id="gw")})  # type: ignore[arg-type]


@pytest.fixture
def plain() -> Bench:
    return bench(system_id="gw")


@pytest.fixture
def resending() -> Bench:
    return bench(system_id="gw", on_in_doubt="resend")


def message(text: str = "hi", sender: str = "12345", recipient: str = BOB, **fields: object) -> Message:
    step = StepPlan(channel="sms", sender=sender, text=text)
    whole = Message(
        id="m1",
        direction="mt",
        service="alerts",
        sender=sender,
        recipient=recipient,
        plan=(step,),
        steps=(StepRecord(),),
        step=0,
        created_at=0.0,
        updated_at=0.0,
    )
    return replace(whole, **fields)


# the two tests


def test_a_step_without_a_route_is_not_applicable(plain: Bench) -> None:
    plain.candidates = []
    one = message()
    assert (
        plain.channel.applicable(one, one.plan[0])
        == "no bind carries '12345' and the service names no routes"
    )
    named = replace(one.plan[0], via="west")
    assert plain.channel.applicable(one, named) == "no bind named 'west' sends SMS"
    assert plain.channel.available(one, one.plan[0]) == Carrier("", "no bind")


def test_a_customer_who_opted_out_gets_only_the_answer_to_stop(plain: Bench) -> None:
    plain.refusal = "the customer has opted out"
    one = message()
    assert plain.channel.applicable(one, one.plan[0]) == "the customer has opted out"
    exempt = message(consent_exempt=True)
    assert plain.channel.applicable(exempt, exempt.plan[0]) == ""


def test_the_first_candidate_that_is_up_takes_it(plain: Bench) -> None:
    one = message()
    assert plain.channel.available(one, one.plan[0]) == Carrier("north")
    plain.up["north"] = (False, "bind refused")
    assert plain.channel.available(one, one.plan[0]) == Carrier("south")
    plain.up["south"] = (False, "")
    assert plain.channel.available(one, one.plan[0]) == Carrier(
        "north", "north is down: bind refused; south is down"
    )


# what goes on air


@pytest.mark.parametrize(
    ("sender", "ton", "npi", "octets"),
    [
        ("12345", 3, 0, b"12345"),
        ("+442079460000", 1, 1, b"442079460000"),
        ("PIZZA & Co", 5, 0, b"PIZZA & Co"),
    ],
)
def test_type_of_number_and_plan_follow_the_kind_of_address(
    plain: Bench, sender: str, ton: int, npi: int, octets: bytes
) -> None:
    [pdu] = plain.send(sender=sender)
    assert (pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr) == (ton, npi, octets)
    assert (pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr) == (1, 1, b"447700900001")


@pytest.mark.parametrize(("receipts", "registered"), [(True, 1), (False, 0)])
def test_a_short_text_is_one_plain_pdu(receipts: bool, registered: int) -> None:
    [pdu] = bench(system_id="gw", receipts=receipts).send("hi @")
    assert (pdu.esm_class, pdu.data_coding, pdu.short_message) == (0, 0, b"hi \x00")
    assert pdu.registered_delivery == registered and pdu.tlvs == {}


@pytest.mark.parametrize(("method", "header"), [("udh8", 6), ("udh16", 7)])
def test_long_texts_by_user_data_header(method: str, header: int) -> None:
    one, two = bench(system_id="gw", long_messages=method).send(LONG)
    assert one.esm_class == two.esm_class == 0x40
    assert one.tlvs == two.tlvs == {}
    assert one.short_message[0] == header - 1 and one.short_message[1] == (0 if method == "udh8" else 8)
    assert one.short_message[3 : header - 2] == two.short_message[3 : header - 2], "one reference"
    assert [p.short_message[header - 2 : header] for p in (one, two)] == [b"\x02\x01", b"\x02\x02"]
    assert (one.short_message[header:] + two.short_message[header:]) == LONG.encode()


def test_long_texts_by_sar_parameters() -> None:
    one, two = bench(system_id="gw", long_messages="sar").send(LONG)
    assert one.esm_class == two.esm_class == 0
    assert one.short_message + two.short_message == LONG.encode()
    reference = one.tlvs[constants.TLV_SAR_MSG_REF_NUM]
    assert len(reference) == 2
    for part, pdu in ((b"\x01", one), (b"\x02", two)):
        assert pdu.tlvs == {
            constants.TLV_SAR_MSG_REF_NUM: reference,
            constants.TLV_SAR_TOTAL_SEGMENTS: b"\x02",
            constants.TLV_SAR_SEGMENT_SEQNUM: part,
        }


def test_long_texts_by_message_payload() -> None:
    payload = bench(system_id="gw", long_messages="payload")
    [pdu] = payload.send(WIDE)
    assert (pdu.esm_class, pdu.data_coding, pdu.short_message) == (0, 8, b"")
    assert pdu.tlvs == {constants.TLV_MESSAGE_PAYLOAD: WIDE.encode("utf-16-be")}
    payload.answer(0, "accepted", message_id="A1")
    assert payload.outcomes == [Outcome(Result.ACCEPTED, carrier="north")]


@pytest.mark.parametrize(
    ("chain", "until", "validity"),
    [
        ("alert", Result.DELIVERED, b"000000000050000R"),
        ("alert", Result.ACCEPTED, b""),  # the next step waits for the answer no longer than so
        ("", Result.DELIVERED, b"000000000050000R"),
        ("", Result.ACCEPTED, b"000000000050000R"),  # its sender said so
    ],
)
def test_within_is_how_long_a_message_that_is_to_be_delivered_is_valid(
    chain: str, until: Result, validity: bytes
) -> None:
    one = bench(system_id="gw")
    plain = message(chain=chain)
    step = replace(plain.plan[0], until=until, within_seconds=60.0)
    begun = replace(plain, plan=(step,), steps=(StepRecord(started_at=990.0),))
    assert one.channel.send(begun, 0, "north")
    [flight] = one.flights
    assert flight.pdus[0].validity_period == validity
    assert (flight.validity() if flight.validity else b"") == validity


def test_a_validity_of_a_moment_need_not_be_told_anew() -> None:
    one = bench(system_id="gw", validity_format="absolute")
    step = replace(message().plan[0], within_seconds=60.0)
    assert one.channel.send(message(plan=(step,), steps=(StepRecord(started_at=990.0),)), 0, "north")
    [flight] = one.flights
    assert flight.pdus[0].validity_period == b"700101001730000+"
    assert flight.validity is None


def test_segments_are_counted_by_the_settings_of_the_carrier() -> None:
    turkish = bench(system_id="gw", national_languages=["turkish"])
    text = "ş" + "a" * 152
    assert [turkish.channel.count(text, carrier) for carrier in ("north", "south", "")] == [1, 3, 3]


def test_text_outside_gsm_is_ucs2(plain: Bench) -> None:
    pdus = plain.send(WIDE)
    assert [p.data_coding for p in pdus] == [8, 8, 8]


def test_a_text_that_fits_no_255_segments_is_rejected_and_not_sent(plain: Bench) -> None:
    assert plain.channel.send(message("ж" * 20_000), 0, "north")
    assert plain.flights == [] and plain.outcomes[0].result is Result.REJECTED
    assert "299 segments" in plain.outcomes[0].reason


def test_a_bind_that_is_gone_rejects(plain: Bench) -> None:
    assert plain.channel.send(message(), 0, "west")
    assert plain.flights == [] and plain.outcomes == [
        Outcome(Result.REJECTED, "there is no bind 'west' any more", carrier="west")
    ]


def test_a_full_bind_leaves_the_step_where_it_is(plain: Bench) -> None:
    plain.room = False
    assert not plain.channel.send(message(), 0, "north")
    assert plain.reports == []


def test_after_a_restart_the_missing_parts_join_those_that_were_sent(plain: Bench) -> None:
    assert plain.channel.send(replace(message(WIDE), id="m0"), 0, "north")
    before = plain.send(WIDE)
    after = bench(system_id="gw")
    assert after.send(WIDE, done=(1,)) == before[1:], "the same reference, or no handset puts them together"
    after.answer(0, "accepted", message_id="A2")
    assert after.outcomes == []
    after.answer(1, "accepted", message_id="A3")
    assert after.outcomes == [Outcome(Result.ACCEPTED, carrier="north")]
    assert after.segments == [(2, "accepted"), (3, "accepted")]


def test_a_step_whose_parts_had_all_been_taken_is_accepted(plain: Bench) -> None:
    assert plain.channel.send(message(LONG), 0, "north", {1, 2})
    assert plain.flights == [] and plain.outcomes == [Outcome(Result.ACCEPTED, carrier="north")]


# what comes back


@pytest.mark.parametrize(("query_sm", "told"), [(0.0, []), (600.0, [("m1", 1, "00aB"), ("m1", 2, "00aC")])])
def test_where_the_bind_may_be_asked_ids_are_told_as_they_were_written(
    query_sm: float, told: list[tuple[str, int, str]]
) -> None:
    asking = bench(system_id="gw", query_sm=query_sm, receipt_id="decimal")
    asking.send(LONG)
    asking.answer(0, "accepted", message_id="00aB")
    asking.answer(1, "accepted", message_id="00aC")
    assert asking.answered == told
    assert [segment.smsc_id for segment in asking.known] == ["ab", "ac"]


def test_an_accepted_segment_is_reported_and_made_known(plain: Bench) -> None:
    plain.send()
    plain.answer(0, "accepted", message_id="A1")
    [segment] = plain.known
    assert (segment.message, segment.step, segment.part, segment.total) == ("m1", 0, 1, 1)
    assert (segment.bind, segment.smsc_id, segment.state, segment.updated_at) == (
        "north",
        "A1",
        "accepted",
        1000.0,
    )
    assert plain.reports == [("m1", 0, Outcome(Result.ACCEPTED, carrier="north"), (segment,))]


def test_no_receipt_is_waited_for_where_none_is_asked_for() -> None:
    one = bench(system_id="gw", receipts=False)
    one.send()
    one.answer(0, "accepted", message_id="A1")
    assert one.known == [] and [segment.smsc_id for segment in one.reports[0][3]] == ["A1"]


@pytest.mark.parametrize(("form", "id"), [("same", "0A"), ("decimal", "a"), ("hex", "0A")])
def test_ids_are_kept_as_receipts_will_write_them(form: str, id: str) -> None:
    one = bench(system_id="gw", receipt_id=form)
    one.send()
    one.answer(0, "accepted", message_id="0A")
    assert one.known[0].smsc_id == id


def test_where_a_carrier_gives_no_id_its_receipts_are_found_by_their_addresses(plain: Bench) -> None:
    plain.send()
    plain.answer(0, "accepted")
    assert plain.known == [] and plain.outcomes[0].result is Result.ACCEPTED
    assert [(s.state, *addresses) for s, *addresses in plain.doubted] == [("accepted", BOB, "12345")]


def test_a_long_message_is_accepted_when_all_its_parts_are(plain: Bench) -> None:
    plain.send(LONG)
    plain.answer(1, "accepted", message_id="A2")
    assert plain.outcomes == [] and plain.segments == [(2, "accepted")]
    plain.answer(0, "accepted", message_id="A1")
    assert plain.outcomes == [Outcome(Result.ACCEPTED, carrier="north")]
    assert [s.part for s in plain.known] == [2, 1]


def test_the_first_part_that_fails_is_the_outcome(plain: Bench) -> None:
    plain.send(WIDE)
    plain.answer(0, "accepted", message_id="A1")
    plain.answer(1, "rejected", status_text="ESME_RINVDSTADR")
    plain.answer(2, "unsent")
    assert plain.outcomes == [
        Outcome(Result.REJECTED, "north answered ESME_RINVDSTADR", "ESME_RINVDSTADR", "north")
    ]
    assert plain.segments == [(1, "accepted"), (2, "rejected")]
    plain.answer(2, "rejected", status_text="ESME_RSYSERR")
    assert len(plain.outcomes) == 1 and plain.segments[-1] == (3, "rejected")


@pytest.mark.parametrize(
    ("status_text", "code", "reason"),
    [
        (constants.status_text(0x0B), "ESME_RINVDSTADR", "north answered ESME_RINVDSTADR: "),
        (constants.status_text(0x777), "status 0x00000777", "north answered status 0x00000777"),
        ("destination_addr has 25 octets", "", "destination_addr has 25 octets"),
    ],
)
def test_the_code_of_a_rejection_is_the_carriers_status_without_its_description(
    plain: Bench, status_text: str, code: str, reason: str
) -> None:
    plain.send()
    plain.answer(0, "rejected", status_text=status_text)
    [outcome] = plain.outcomes
    assert outcome.code == code
    assert outcome.reason.startswith(reason)


def test_a_lost_answer_leaves_the_step_in_doubt(plain: Bench) -> None:
    plain.send(LONG, sender="12345")
    plain.answer(0, "in_doubt")
    plain.answer(1, "unsent")
    assert plain.outcomes == [Outcome(Result.IN_DOUBT, "north did not answer submit_sm", carrier="north")]
    [(segment, recipient, sender)] = plain.doubted
    assert (segment.part, segment.state, recipient, sender) == (1, "in-doubt", BOB, "12345")
    assert plain.given_back == [] and len(plain.flights) == 1


def test_an_answer_that_comes_late_ends_the_doubt(plain: Bench) -> None:
    plain.send()
    plain.answer(0, "in_doubt")
    plain.answer(0, "accepted", message_id="A1")
    assert [o.result for o in plain.outcomes] == [Result.IN_DOUBT, Result.ACCEPTED]
    assert plain.known[0].smsc_id == "A1"


def test_a_lost_answer_is_sent_again_where_the_bind_says_so(resending: Bench) -> None:
    pdus = resending.send(LONG)
    resending.answer(1, "in_doubt")
    assert resending.reports == [] and resending.flights[1].pdus == [pdus[1]]
    assert resending.flights[1].key == "m1/0"
    resending.answer(0, "accepted", message_id="A1")
    resending.answer(0, "accepted", flight=1, message_id="A2")
    assert resending.outcomes == [Outcome(Result.ACCEPTED, carrier="north")]
    assert resending.segments == [(1, "accepted"), (2, "accepted")]


def test_a_carrier_that_never_answers_gets_a_segment_a_few_times_only(resending: Bench) -> None:
    resending.send()
    for n in range(20):
        if n < len(resending.flights):
            resending.answer(0, "in_doubt", flight=n)
    assert len(resending.flights) == 4
    assert [o.result for o in resending.outcomes] == [Result.IN_DOUBT]


def test_an_answer_that_comes_after_all_makes_the_second_copy_needless(resending: Bench) -> None:
    resending.send()
    resending.answer(0, "in_doubt")
    resending.channel.late(resending.flights[0], Answer(0, "accepted", message_id="A1"))
    assert not resending.flights[1].wanted()
    for kind in ("rejected", "in_doubt", "unsent"):  # what comes of it if it was written already
        resending.answer(0, kind, flight=1, status_text="ESME_RINVDSTADR")
    assert resending.outcomes == [Outcome(Result.ACCEPTED, carrier="north")]
    assert resending.segments == [(1, "accepted")] and len(resending.flights) == 2


def test_a_late_refusal_says_nothing_of_the_copy_that_is_under_way(resending: Bench) -> None:
    resending.send()
    resending.answer(0, "in_doubt")
    resending.channel.late(resending.flights[0], Answer(0, "rejected", status_text="ESME_RTHROTTLED"))
    assert resending.reports == [] and resending.flights[1].wanted()
    resending.answer(0, "accepted", flight=1, message_id="A2")
    assert resending.outcomes == [Outcome(Result.ACCEPTED, carrier="north")]


def test_a_late_refusal_is_told_where_nothing_is_sent_again(plain: Bench) -> None:
    plain.send()
    plain.answer(0, "in_doubt")
    plain.channel.late(plain.flights[0], Answer(0, "rejected", status_text="ESME_RINVDSTADR: no"))
    assert plain.segments == [(1, "in-doubt"), (1, "rejected")]
    assert [outcome.result for outcome in plain.outcomes] == [Result.IN_DOUBT, Result.REJECTED]


def test_a_copy_is_not_sent_once_another_part_has_failed(resending: Bench) -> None:
    resending.send(LONG)
    resending.answer(0, "in_doubt")
    resending.answer(1, "rejected", status_text="ESME_RINVDSTADR")
    assert not resending.flights[1].wanted()


def test_nothing_is_sent_again_once_the_step_has_failed(resending: Bench) -> None:
    resending.send(LONG)
    resending.answer(0, "rejected", status_text="ESME_RINVDSTADR")
    resending.answer(1, "in_doubt")
    assert len(resending.flights) == 1 and len(resending.outcomes) == 1


def test_nothing_is_sent_again_once_the_step_is_abandoned(resending: Bench) -> None:
    resending.send()
    resending.answer(0, "in_doubt")
    resending.channel.abandon("m1", 0)
    assert [flight.wanted() for flight in resending.flights] == [False, False]
    resending.answer(0, "in_doubt", flight=1)
    assert len(resending.flights) == 2
    assert [o.result for o in resending.outcomes] == [Result.IN_DOUBT]


def test_abandoning_what_is_not_under_way_does_nothing(plain: Bench) -> None:
    plain.channel.abandon("m9", 0)
    plain.send()
    plain.answer(0, "accepted", message_id="A1")
    plain.channel.abandon("m1", 0)
    assert not plain.flights[0].tally.cancelled


def test_a_part_that_a_stopped_bind_has_not_written_goes_back_to_the_store(plain: Bench) -> None:
    plain.channel.stopping = True
    plain.send(WIDE)
    plain.answer(0, "accepted", message_id="A1")
    plain.answer(1, "unsent")
    assert plain.given_back == [("m1/0", "north")] and plain.outcomes == []


def test_a_reload_that_stops_a_bind_gives_its_messages_back_too(plain: Bench) -> None:
    plain.send()
    del plain.binds["north"]
    plain.answer(0, "unsent")
    assert plain.given_back == [("m1/0", "north")] and plain.outcomes == []


def test_what_is_in_doubt_when_the_gateway_stops_is_left_for_the_next_start_to_resend(
    resending: Bench,
) -> None:
    resending.send()
    resending.channel.stopping = True
    resending.answer(0, "in_doubt")
    assert resending.given_back == [("m1/0", "north")]
    assert resending.outcomes == [] and len(resending.flights) == 1


def test_what_is_in_doubt_when_the_gateway_stops_fails_where_the_bind_says_so(plain: Bench) -> None:
    plain.send()
    plain.channel.stopping = True
    plain.answer(0, "in_doubt")
    assert plain.given_back == [] and plain.outcomes[0].result is Result.IN_DOUBT


def test_what_went_back_to_the_store_in_between_is_sent_again_no_more_often(resending: Bench) -> None:
    resending.send()
    for n in range(3):
        resending.room = False
        resending.answer(0, "in_doubt", flight=-1)
        resending.room = True
        resending.send()
        assert resending.outcomes == [] and len(resending.given_back) == n + 1
    resending.answer(0, "in_doubt", flight=-1)
    assert [o.result for o in resending.outcomes] == [Result.IN_DOUBT]
    assert len(resending.flights) == 4


def test_a_resend_that_finds_no_room_waits_in_the_store(resending: Bench) -> None:
    resending.send()
    resending.room = False
    resending.answer(0, "in_doubt")
    assert resending.given_back == [("m1/0", "north")] and resending.outcomes == []


def test_a_one_time_password_is_said_on_air_and_nowhere_before(plain: Bench) -> None:
    said = Code("o1", 1, "numeric", 6, (6,))
    step = StepPlan(channel="sms", sender="12345", text="Code: ******.", code=said)
    assert plain.channel.send(message(plan=(step,)), 0, "north")
    [flight] = plain.flights
    code = Codes(b"key").code("alerts", BOB, said)
    assert flight.pdus[0].short_message == f"Code: {code}.".encode()
    assert code not in repr(flight.message)
