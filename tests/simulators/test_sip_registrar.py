import pytest

from simulators.sip_message import Malformed, Request
from simulators.sip_registrar import Registrar

SOURCE = ("127.0.0.9", 5099)


def register(
    *contacts: str, expires: str = "", cseq: int = 1, call_id: str = "a", user: str = "acme"
) -> Request:
    headers = [
        ("To", f"<sip:{user}@127.0.0.1>"),
        ("Call-ID", call_id),
        ("CSeq", f"{cseq} REGISTER"),
        *(("Contact", contact) for contact in contacts),
        *([("Expires", expires)] if expires else []),
    ]
    return Request(headers, b"", "REGISTER", "sip:127.0.0.1")


def uris(registrar: Registrar, now: float = 0.0) -> list[str]:
    return [binding.uri for binding in registrar.live(now)]


def test_a_contact_holds_as_long_as_was_asked_for() -> None:
    registrar = Registrar()
    answer = registrar.register(register("<sip:acme@127.0.0.1:5060>", expires="60"), SOURCE, 0.0)
    assert answer == (200, [("Contact", "<sip:acme@127.0.0.1:5060>;expires=60")])
    assert uris(registrar, 59.0) == ["sip:acme@127.0.0.1:5060"]
    assert uris(registrar, 60.0) == []


def test_the_contacts_own_time_comes_first_and_nobody_gets_more_than_the_longest() -> None:
    registrar = Registrar(longest=100)
    contacts = "<sip:a@127.0.0.1:1>;expires=30, <sip:a@127.0.0.1:2>"
    answer = registrar.register(register(contacts, expires="600"), SOURCE, 0.0)
    assert [value.partition("expires=")[2] for _, value in answer[1]] == ["30", "100"]


def test_too_short_a_time_is_refused_and_the_least_is_told() -> None:
    registrar = Registrar(shortest=60)
    answer = registrar.register(register("<sip:a@127.0.0.1>", expires="59"), SOURCE, 0.0)
    assert answer == (423, [("Min-Expires", "60")])
    assert uris(registrar) == []


@pytest.mark.parametrize("contact", ["<sip:a@127.0.0.1:1>", "*"])
def test_a_contact_is_removed_by_no_time_at_all(contact: str) -> None:
    registrar = Registrar(shortest=60)
    registrar.register(register("<sip:a@127.0.0.1:1>"), SOURCE, 0.0)
    assert registrar.register(register(contact, expires="0", cseq=2), SOURCE, 1.0) == (200, [])
    assert uris(registrar) == []


def test_without_a_contact_one_asks_what_there_is() -> None:
    registrar = Registrar()
    registrar.register(register("<sip:a@127.0.0.1:1>", expires="60"), SOURCE, 0.0)
    asked = registrar.register(register(cseq=2), SOURCE, 20.0)
    assert asked == (200, [("Contact", "<sip:a@127.0.0.1:1>;expires=40")])


def test_an_old_register_that_comes_late_changes_nothing() -> None:
    registrar = Registrar()
    registrar.register(register("<sip:a@127.0.0.1:1>", expires="60", cseq=5), SOURCE, 0.0)
    assert registrar.register(register("<sip:a@127.0.0.1:1>", expires="0", cseq=4), SOURCE, 1.0)[0] == 500
    assert uris(registrar) == ["sip:a@127.0.0.1:1"]
    assert (
        registrar.register(register("<sip:a@127.0.0.1:1>", expires="0", call_id="b"), SOURCE, 1.0)[0] == 200
    )


def test_a_number_is_found_at_its_own_contact_else_at_that_of_a_trunk() -> None:
    registrar = Registrar()
    assert registrar.find("+442079460000", 0.0) is None
    registrar.register(register("<sip:acme@127.0.0.1:1>"), SOURCE, 0.0)
    registrar.register(register("<sip:x@pbx.example:2>", expires="60", user="+442079460001"), SOURCE, 0.0)
    found = [registrar.find(number, 0.0) for number in ("+442079460000", "442079460001")]
    assert [binding and binding.peer for binding in found] == [("127.0.0.1", 1), SOURCE]


def test_a_flood_of_contacts_is_bounded() -> None:
    registrar = Registrar()
    for port in range(1, 11):
        assert registrar.register(register(f"<sip:a@127.0.0.1:{port}>", cseq=port), SOURCE, 0.0)[0] == 200
    assert registrar.register(register("<sip:a@127.0.0.1:11>", cseq=11), SOURCE, 0.0)[0] == 503
    assert len(uris(registrar)) == 10


@pytest.mark.parametrize(
    "request_",
    [
        register("*", expires="60"),
        register("*", "<sip:a@127.0.0.1>", expires="0"),
        register("<sip:a@127.0.0.1>;expires=soon"),
        register("<nobody>"),
    ],
)
def test_what_cannot_be_meant_is_malformed(request_: Request) -> None:
    with pytest.raises(Malformed):
        Registrar().register(request_, SOURCE, 0.0)
