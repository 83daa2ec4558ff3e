import re

from gateway.config.model import Keyword, Service
from gateway.rules import variables
from gateway.rules.keywords import Keywords
from gateway.values.call import Call
from gateway.values.event import Trigger
from gateway.values.variables import flat, render

KEYWORDS = Keywords.build(
    {
        "s": Service(
            name="S", assets=["12345"], default=Keyword(reply="?"), keywords={"ORDER": Keyword(reply="a")}
        )
    }
)


CALL = Call(
    id="c1",
    direction="in",
    service="s",
    trunk="east",
    caller="+447700900123",
    called="+442079460000",
    started_at=1.0,
)


def everything() -> variables.Variables:
    match = KEYWORDS.match("12345", "order: Two")
    return (
        variables.sms(sender="+447700900123", recipient="12345", text="order: Two", match=match)
        | variables.received(Trigger.APP_RECEIVED, sender="+447700900123", recipient="shop", text="Hello")
        | variables.call(CALL)
        | {"link": {"NAME": "$(link.NAME)"}}
        | variables.click(link="offer", device="ios", count=1, ref="m1")
        | {"nlp": {"NAME": 1, "offences": 0}}
        | variables.status(value="failed", transid="t", sender="12345", recipient="+447700900123")
        | variables.session(id="r", flow="order", transid="t", result=102)
        | variables.custom({"NAME": 1})
        | variables.subject(
            service="s", customer="+447700900123", opted_out=False, known={"customerid": "7", "NAME": 1}
        )
    )


def test_the_documented_names_are_the_ones_there_are() -> None:
    documented = set(re.findall(rf"\b(?:{'|'.join(variables.GROUPS)})\.\w+", variables.__doc__ or ""))
    assert documented - set(Trigger) == set(flat(everything()))
    assert set(everything()) == set(variables.GROUPS)


def test_a_matched_word_is_taken_off_the_rest() -> None:
    text = "$(sms.keyword)|$(sms.rest)|$(sms.words)|$(sms.text)"
    assert render(text, everything()) == "ORDER|Two|order two|order: Two"


def test_a_default_is_no_keyword_and_leaves_the_whole_text() -> None:
    match = KEYWORDS.match("12345", " hello you ")
    seen = variables.sms(sender="+447700900123", recipient="12345", text=" hello you ", match=match)
    assert (seen["sms"]["keyword"], seen["sms"]["rest"]) == ("", "hello you")
