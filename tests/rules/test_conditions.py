from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.conditions import BadCondition, Condition, Verdict, compiled

SEEN = {
    "sms": {"text": "Order 2", "words": ["order", "2"], "from": "+447700900123"},
    "customer": {"opted_out": False},
    "call": {"ring_ms": 2500},
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("true", True),
        ('sms.text == "Order 2"', True),
        ('"order" in sms.words && !customer.opted_out', True),
        ("call.ring_ms > 3000", False),
        ('sms.from.startsWith("+44")', True),
        ("has(sms.nothing)", False),
        ('sms.text.matches("^[A-Z]")', True),
        ("nowhere.text == 1 || true", True),
    ],
)
def test_conditions_over_the_variables(expression: str, expected: bool) -> None:
    assert Condition(expression).holds(SEEN) is expected
    assert Condition(expression).evaluate(SEEN).error == ""


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("nowhere", "Undefined variable or function: 'nowhere'"),
        ("sms.txet == 'a'", "nothing is called 'txet' there"),
        ("sms.text > 3", "No such overload"),
        ("sms.text", "the result is 'Order 2', neither true nor false"),
        ("1 / 0 == 1", "division by zero in CEL expression"),
        ("sms.words[5] == 'a'", "index out of bounds: 5"),
        ("sms.text.matches('(')", "Function 'matches' error: '(' not a valid regex:"),
        ("9223372036854775807 + 1 > 0", "Arithmetic overflow"),
    ],
)
def test_what_cannot_be_evaluated_does_not_hold_and_says_why(expression: str, reason: str) -> None:
    verdict = Condition(expression).evaluate(SEEN)
    assert not verdict.holds
    assert verdict.error.startswith(reason)
    assert "\n" not in verdict.error


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("sms.text ==", "line 1, column 12: Syntax error: mismatched input '<EOF>'"),
        ("", "line 1, column 1: Syntax error"),
        ("'a", "line 1, column 1: Syntax error: token recognition error"),
        ("true &&\n(", "line 2, column 2: Syntax error"),
        ("(" * 3000, "line 1"),
        ("1" * 4001, "longer than 4000 characters"),
    ],
)
def test_an_expression_that_does_not_parse_says_where(expression: str, reason: str) -> None:
    with pytest.raises(BadCondition) as raised:
        Condition(expression)
    assert raised.value.reason.startswith(reason)


def test_a_value_nested_too_deep_is_refused_before_it_can_end_the_process() -> None:
    deep: dict[str, Any] = {}
    for _ in range(20_000):
        deep = {"a": deep}
    assert "deeper than 64" in Condition("has(custom.a)").evaluate({"custom": deep}).error
    assert Condition("true").holds({"custom": deep})


def test_a_value_that_no_condition_names_does_no_harm() -> None:
    assert Condition("true").holds({"object": object()})
    assert "Conversion Error" in Condition("object == 1").evaluate({"object": object()}).error


def test_a_panic_is_a_reason_and_an_interrupt_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Panic(BaseException):
        pass

    class Program:
        def __init__(self, error: BaseException) -> None:
            self.error = error

        def execute(self, variables: dict[str, Any]) -> bool:
            raise self.error

    condition = Condition("true")
    monkeypatch.setattr(condition, "_program", Program(Panic("index out of range")))
    assert condition.evaluate({}).error == "index out of range"
    monkeypatch.setattr(condition, "_program", Program(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        condition.evaluate({})


@pytest.mark.parametrize(
    "expression",
    [
        'sms.text == "Order 2" && sms . from == "+447700900123"',
        'sms["text"] == "Order 2" && sms.from != ""',
        "sms.exists(key, key == 'words')",
        '[sms].all(sms, sms.text == "Order 2")',
        r'"sms.\"" != sms.text && sms["text"] == "Order 2"',
        r"sms.text != 'it\'s' && size(sms) == 3",
        '"""sms.""" != sms.text && size(sms) == 3',
        "size(sms) == 3 // sms.text",
        "{'a': sms}.a.text == 'Order 2'",
        "has(sms.words) && sms.words.size() == 2",
        '"sms.from" != sms.text && "words" in sms',
    ],
)
def test_a_condition_sees_every_field_that_it_reads_however_it_names_it(expression: str) -> None:
    assert Condition(expression).evaluate(SEEN) == Verdict(True)


def test_an_expression_is_compiled_once() -> None:
    assert compiled("1 == 1") is compiled("1 == 1")


@given(st.text(alphabet="sms.text()[]{}'\"&|!=<>+-*/0123 ,?:abc\n", max_size=40))
def test_any_text_is_a_condition_or_a_reason(text: str) -> None:
    try:
        condition = Condition(text)
    except BadCondition as error:
        assert error.reason
    else:
        verdict = condition.evaluate(SEEN)
        assert not (verdict.holds and verdict.error)
