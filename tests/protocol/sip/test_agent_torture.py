"""What the messages of RFC 4475, and mutants of them, get from the parser and from an agent."""

import random

import pytest

from gateway.protocol.sip.address import Address
from gateway.protocol.sip.agent import UserAgent
from gateway.protocol.sip.call import IncomingCall
from gateway.protocol.sip.message import Request, Response, SipParseError, parse
from tests.protocol.sip.torture import MESSAGES

PEER = Address("192.0.2.2", 5060)
MUTANTS = 4_000

# What the agent answers: a call rings after 100.  None: nothing, since it is a response or cannot be answered
ANSWERS: dict[str, int | None] = {
    # 3.1.1 valid
    "wsinv": 481,  # its To has a tag of no dialog
    "intmeth": 501,
    "esc01": 100,
    "escnull": 405,
    "esc02": 501,
    "lwsdisp": 200,
    "longreq": 100,
    "dblreq": 405,  # and what follows in the datagram is dropped
    "semiuri": 200,
    "transports": 200,
    "mpart01": 405,
    "unreason": None,
    "noreason": None,
    # 3.1.2 invalid
    "badinv01": 400,
    "clerr": 400,
    "ncl": 400,
    "scalar02": 400,
    "scalarlg": None,
    "quotbal": 400,
    "ltgtruri": 400,
    "lwsruri": 400,
    "lwsstart": 400,
    "trws": 400,
    "escruri": 400,
    "baddate": 100,  # nobody asks for the Date
    "regbadct": 405,
    "badaspec": 200,  # blanks inside the brackets: what is meant is clear
    "baddn": 200,  # and so it is here
    "badvers": 505,
    "mismatch01": 400,
    "mismatch02": 400,
    "bigcode": None,
    # 3.2 transaction layer
    "badbranch": 200,
    # 3.3 application layer
    "insuf": 400,
    "unkscm": 416,
    "novelsc": 416,
    "unksm2": 405,
    "bext01": 420,
    "invut": 415,
    "regaut01": 405,
    "multi01": 400,
    "mcl01": 400,
    "bcast": None,
    "zeromf": 200,  # an endpoint answers for itself
    "cparam01": 405,
    "cparam02": 405,
    "regescrt": 405,
    "sdp01": 406,
    # 3.4 RFC 2543
    "inv2543": 100,
}
MALFORMED = {400, 505}  # what the parser finds by itself
NO_FAULT_OF_THE_MESSAGE = {"escruri"}  # the agent's 400: a Request-URI that is one, but may not stand there
UNREADABLE_RESPONSES = {"scalarlg", "bigcode"}


def new_agent() -> UserAgent:
    return UserAgent(
        "192.0.2.1", 5060, admit=lambda source: "east", rng=random.Random(1), user_agent="trunkline"
    )


def answers(agent: UserAgent, data: bytes) -> list[int]:
    """By their status lines: what is broken in a request may come back in its answer."""
    agent.receive(data, PEER, 0.0)
    sent = [datagram.data.split(b" ", 2) for datagram in agent.datagrams()]
    assert all(words[0] == b"SIP/2.0" for words in sent)
    return [int(words[1]) for words in sent]


def test_every_message_of_the_standard_is_here() -> None:
    assert len(MESSAGES) == 49
    assert set(MESSAGES) == set(ANSWERS)


@pytest.mark.parametrize("name", MESSAGES)
def test_the_parser_takes_what_is_well_formed_and_nothing_else(name: str) -> None:
    status = ANSWERS[name]
    if name in UNREADABLE_RESPONSES or (status in MALFORMED and name not in NO_FAULT_OF_THE_MESSAGE):
        with pytest.raises(SipParseError) as error:
            parse(MESSAGES[name])
        assert error.value.status == status
    else:
        assert isinstance(parse(MESSAGES[name]), Response if status is None else Request)


@pytest.mark.parametrize("name", MESSAGES)
def test_the_agent_answers_as_the_standard_asks(name: str) -> None:
    agent = new_agent()
    status = ANSWERS[name]
    assert answers(agent, MESSAGES[name]) == ([] if status is None else [status])
    event = agent.next_event()
    assert isinstance(event, IncomingCall) if status == 100 else event is None


def test_one_agent_survives_them_all_and_is_empty_in_the_end() -> None:
    agent = new_agent()
    names = [name for name in MESSAGES for _ in range(2)]
    random.Random(4475).shuffle(names)
    for name in names:
        answers(agent, MESSAGES[name])
    while (event := agent.next_event()) is not None:
        assert isinstance(event, IncomingCall)
        agent.reject(event.call, 486, 0.0)
    agent.datagrams()
    assert answers(agent, MESSAGES["lwsdisp"].replace(b"kkdjuw", b"z")) == [200]
    while (deadline := agent.deadline()) is not None:
        agent.tick(deadline)
    assert (agent.layer.servers, agent.layer.clients, agent.calls) == ({}, {}, frozenset())


def test_what_a_tortuous_invite_says() -> None:
    invite = parse(MESSAGES["wsinv"])
    assert isinstance(invite, Request)
    assert (invite.method, invite.uri) == ("INVITE", "sip:vivekg@chair-dnrc.example.com;unknownparam")
    assert (invite.to_tag, invite.from_tag, invite.cseq, invite.max_forwards) == (
        "1918181833n",
        "98asjd8",
        9,
        68,
    )
    assert invite.address("From").display == 'J Rosenberg \\"'
    assert (invite.via.host, invite.via.branch) == ("192.0.2.2", "390skdjuw")
    assert [value.split()[-1] for value in invite.headers.values("Via")][1:] == [
        "z9hG4bK9ikj8",
        "z9hG4bK30239",
    ]
    assert invite.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert invite.headers.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    contact = invite.address("Contact")
    assert (contact.uri, contact.display) == ("sip:jdrosen@example.com", 'Quoted string ""')
    assert contact.parameters == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}
    assert len(invite.body) == 150


def test_percent_escapes_are_no_other_spelling_of_a_method_or_a_header() -> None:
    message = parse(MESSAGES["esc02"])
    assert isinstance(message, Request)
    assert message.method == "RE%47IST%45R"
    assert message.headers.lines("C%6Fntact") == ["<sip:alias2@host2.example.com>"]
    assert len(message.headers.lines("Contact")) == 2


def test_a_branch_that_is_nothing_but_the_cookie_tells_no_transaction_from_another() -> None:
    agent = new_agent()
    first = MESSAGES["badbranch"]
    assert answers(agent, first) == [200]
    assert answers(agent, first) == [200]  # a repetition
    second = first.replace(b"sadonfo23i420jv0as0derf3j3n", b"another")
    assert answers(agent, second) == [200]
    assert len(agent.layer.servers) == 2


def test_mutants_of_them_raise_nothing_but_what_the_parser_promises() -> None:
    rng = random.Random(4475)
    agent = new_agent()
    wires = list(MESSAGES.values())
    for number in range(MUTANTS):
        data = mutant(rng, wires)
        try:
            parse(data)
        except SipParseError:
            pass
        agent.receive(data, PEER, number / 100)
        while (event := agent.next_event()) is not None:
            if isinstance(event, IncomingCall):
                agent.ring(event.call, number / 100)
                rng.choice([agent.hang_up, lambda call, now: agent.answer(call, b"v=0", now)])(
                    event.call, number / 100
                )
        agent.datagrams()
        agent.tick(number / 100)
    while (deadline := agent.deadline()) is not None:
        agent.tick(deadline)
    assert (agent.layer.servers, agent.layer.clients, agent.calls) == ({}, {}, frozenset())


def mutant(rng: random.Random, wires: list[bytes]) -> bytes:
    data = bytearray(rng.choice(wires))
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0:
                data[at:at] = rng.choice(
                    [b"\r\n", b"\0", b'"', b"<", b">", b";", b",", b"\xff\xfe", b" ", b"%", b":"]
                )
            case 1:
                del data[at : at + rng.choice([1, 2, 40])]
            case 2 if at < len(data):
                data[at] = rng.randrange(256)
            case 3:
                other = rng.choice(wires)
                data[at:] = other[rng.randrange(len(other)) :]
            case 4:
                data[at:at] = data[at : at + rng.choice([5, 80])] * rng.choice([1, 30])
            case _:
                data[at:at] = str(rng.choice([-1, 0, 2**31, 2**64, 10**40])).encode()
    return bytes(data)
