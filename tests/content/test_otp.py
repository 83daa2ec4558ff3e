from __future__ import annotations

from collections import Counter

import pytest
from msgspec.structs import replace

from gateway.content.otp import Codes, entered
from gateway.values.otp import Code, Format, Otp, taken_out, token

KEY = b"0123456789abcdef"
CODES = Codes(KEY)
OTP = Otp(
    id="019ab2f0-6c1e-7d3a-8f4b-2b1c9d0e7a55",
    service="login",
    address="+447700900123",
    salt="0011223344556677",
    hash="",
    most_attempts=5,
    created_at=0.0,
    sent_at=0.0,
    expires_at=300.0,
    validity_seconds=300.0,
)


def kept(otp: Otp, codes: Codes = CODES) -> Otp:
    return replace(otp, hash=codes.hash(otp.salt, codes.of(otp)))


def test_a_code_is_the_same_whenever_it_is_asked_for() -> None:
    assert CODES.of(OTP) == Codes(KEY).of(OTP)
    assert len(CODES.of(OTP)) == 6 and CODES.of(OTP).isdigit()


@pytest.mark.parametrize(
    "other",
    [
        replace(OTP, id="019ab2f0-6c1e-7d3a-8f4b-2b1c9d0e7a56"),
        replace(OTP, generation=2),
        replace(OTP, address="+447700900124"),
        replace(OTP, service="other"),
        replace(OTP, length=7),
    ],
)
def test_whatever_it_is_for_makes_another_one(other: Otp) -> None:
    long, others = replace(OTP, length=16), replace(other, length=16 if other.length == 6 else 17)
    assert CODES.of(long) != CODES.of(others)[:16]
    assert CODES.of(long) != Codes(b"another key").of(long)


@pytest.mark.parametrize(
    ("format", "letters"),
    [
        (Format.NUMERIC, "0123456789"),
        (Format.ALPHABETIC, "ABCDEFGHJKLMNPQRSTUVWXYZ"),
        (Format.ALPHANUMERIC, "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"),
    ],
)
def test_each_letter_of_a_format_is_as_likely_as_the_others(format: Format, letters: str) -> None:
    said: Counter[str] = Counter()
    for n in range(2000):
        said.update(CODES.of(replace(OTP, id=str(n), format=format, length=8)))
    assert set(said) == set(letters)
    expected = 16_000 / len(letters)
    assert all(0.75 * expected < number < 1.25 * expected for number in said.values())


def test_what_is_kept_is_no_code_and_differs_by_its_salt() -> None:
    one, other = kept(OTP), kept(replace(OTP, salt="8899aabbccddeeff"))
    assert CODES.of(OTP) not in one.hash and one.hash != other.hash


@pytest.mark.parametrize("written", ["{}", " {} ", "{}.", "\n{}\n", "'{}'"])
def test_the_right_code_however_it_is_written(written: str) -> None:
    assert CODES.right(kept(OTP), written.format(CODES.of(OTP)))
    code = CODES.of(OTP)
    assert CODES.right(kept(OTP), f"{code[:3]}-{code[3:]}")


def test_letters_in_any_case() -> None:
    otp = replace(OTP, format=Format.ALPHANUMERIC, length=8)
    assert CODES.right(kept(otp), CODES.of(otp).lower())


@pytest.mark.parametrize("given", ["", "000000000", "abc", "******", "\x00", "１２３４５６"])
def test_wrong_codes(given: str) -> None:
    assert not CODES.right(kept(OTP), given)
    wrong = f"{(int(CODES.of(OTP)) + 1) % 1_000_000:06d}"
    assert not CODES.right(kept(OTP), wrong)


def test_a_text_says_its_code_only_on_its_way_to_its_own_address() -> None:
    text, code = taken_out(f"{token(OTP)} is your code, {token(OTP)}")
    assert code is not None and CODES.of(OTP) not in text
    said = CODES.of(OTP)
    assert CODES.reveal(text, code, "login", OTP.address) == f"{said} is your code, {said}"
    assert said not in CODES.reveal(text, code, "login", "+447700900124")
    assert said not in CODES.reveal(text, code, "other", OTP.address)


def test_a_code_is_spoken_character_by_character() -> None:
    text, code = taken_out(f"Your code: {token(OTP)}")
    assert code is not None
    assert (
        CODES.reveal(text, code, "login", OTP.address, spoken=True)
        == f"Your code: {', '.join(CODES.of(OTP))}"
    )


def test_a_token_of_an_unknown_format_says_nothing() -> None:
    assert CODES.code("login", OTP.address, Code(OTP.id, 1, "roman", 6)) == "******"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (" 123-456. ", "123456"),
        ("ab c\u00a0d12", "ABCD12"),
        ("my code is 123456, thanks", "123456"),
        ("123456 or 654321", "123456OR654321"),  # one text is one try
        ("111111 111111", "111111111111"),
        ("1234", "1234"),
    ],
)
def test_what_of_a_text_may_be_the_code(given: str, code: str) -> None:
    assert entered(given, 6, Format.NUMERIC) == code
