"""Effects that act on the call of the session, which is up only in memory.

    effect        events expected                                              data expected
    Answer        answered, hangup, error                 transid, reason
    Play          done, hangup, error                                          digit, reason
    Collect       digits, invalid, timeout, hangup, error                      digits, tries, reason
    Record        stored, hangup, error                                        file, seconds, cause, reason
    Detect        human, machine, unsure, hangup, error              answerer, cause, seconds, reason
    Patch         ended, hangup, error                                         seconds, reason
    Transfer      transferred, busy, no-answer, rejected, unreachable, hangup,  code, reason
                  error
    HangUp        done                                                         reason

`hangup`: the other side has hung up, before or meanwhile; or there is no call, because the session never had
one or the gateway was restarted.  `reason` says which.
"""

from __future__ import annotations

from msgspec import Struct

from gateway.values.dialogue import Ask, Taping, Utterance


class Answer(Struct, frozen=True, kw_only=True, tag="answer", tag_field="act"):
    key: str


class Play(Struct, frozen=True, kw_only=True, tag="play", tag_field="act"):
    """Play one after another, to the end of the last; with `barge_in` until a key is pressed, which stays for
    the next Collect.  `early`: a call that rings is not answered for it.  `meanwhile` is heard again and
    again after that, until the next act on the call; an empty one is the ringing tone."""

    key: str
    prompt: tuple[Utterance, ...]
    barge_in: bool = False
    early: bool = False
    meanwhile: Utterance | None = None


class Collect(Struct, frozen=True, kw_only=True, tag="collect", tag_field="act"):
    """Play `prompt` and take keys; `invalid` is said before it when it is asked again after wrong ones."""

    key: str
    prompt: tuple[Utterance, ...]
    invalid: tuple[Utterance, ...] = ()
    ask: Ask = Ask()


class Record(Struct, frozen=True, kw_only=True, tag="record", tag_field="act"):
    key: str
    prompt: tuple[Utterance, ...]
    taping: Taping = Taping()


class Detect(Struct, frozen=True, kw_only=True, tag="detect", tag_field="act"):
    """Tell by the first seconds who has answered."""

    key: str


class Patch(Struct, frozen=True, kw_only=True, tag="patch", tag_field="act"):
    """Connect the two calls of the session until one of them ends; `ended` is the end of the second one,
    which the session has placed while its first was up."""

    key: str


class Transfer(Struct, frozen=True, kw_only=True, tag="transfer", tag_field="act"):
    """Blind: the carrier is asked to call `to` instead (REFER, RFC 3515); our call ends when that is
    answered."""

    key: str
    to: str


class HangUp(Struct, frozen=True, kw_only=True, tag="hangup", tag_field="act"):
    """End the call.  One that was not answered is refused, by `status` or as its number says."""

    key: str
    status: int = 0


CallEffect = Answer | Play | Collect | Record | Detect | Patch | Transfer | HangUp
