"""Effects that need the service's settings, its secrets or chance: one-time passwords, links, what a text
says, what is to be sealed.  Their outcome comes at once.

    effect      events expected                                  data expected
    IssueOtp    success, refused, error                          id, code, reference, resent, minutes, wait,
                                                                 reason
    CheckOtp    success, invalid, expired, max-attempts, error   left, reason
    MakeLink    success, error                                   url, reason
    ReadText    success, error                                   the variables of text.pipeline
    Seal        success, error                                   result, reason

`code` is a token in place of the code (values.otp), which only a message to that customer can say.
"""

from __future__ import annotations

from msgspec import Struct


class IssueOtp(Struct, frozen=True, kw_only=True, tag="otp-generate", tag_field="act"):
    """What is "" or 0 is as the service has it."""

    key: str
    address: str
    reference: str
    format: str = ""
    length: int = 0
    validity_seconds: float
    attempts: int = 0
    resend: str = ""


class CheckOtp(Struct, frozen=True, kw_only=True, tag="otp-validate", tag_field="act"):
    """By its id, or else by address and reference."""

    key: str
    otp: str
    address: str
    reference: str
    given: str


class MakeLink(Struct, frozen=True, kw_only=True, tag="smart-link", tag_field="act"):
    key: str
    name: str
    address: str


class ReadText(Struct, frozen=True, kw_only=True, tag="nlp", tag_field="act"):
    """Read a text as the service's [nlp] has it, by these stages."""

    key: str
    text: str
    stages: tuple[str, ...]


class Seal(Struct, frozen=True, kw_only=True, tag="seal", tag_field="act"):
    """`how` is encrypt, decrypt or a hash's name; `secret` names one of the service's [secrets]."""

    key: str
    how: str
    secret: str
    text: str
    context: str = ""  # what belongs to a text and is not in it: with another one it does not open


WordEffect = IssueOtp | CheckOtp | MakeLink | ReadText | Seal
