"""A message on its way to a carrier: what the caller hands in, and what it learns about each segment.

A segment's `SubmitResult` is one of

    accepted    submit_sm_resp with ESME_ROK; `message_id` is what receipts will name
    rejected    any other status but those of THROTTLED, which are retried here.  `temporary` (TEMPORARY) says
                that the segment may be taken later or by another carrier; else the fault is its own
    in_doubt    written, and the answer never came: nobody knows whether the carrier has it
    unsent      not written: another segment of the message failed or is in doubt, or the bind was stopped

What counts as what among statuses is the default for every carrier: ESME_RTHROTTLED and ESME_RMSGQFUL are
back-pressure; ESME_RSYSERR, ESME_RINVBNDSTS, ESME_RX_T_APPN and ESME_RUNKNOWNERR tell of the carrier's state
and not of the message: temporary, but not retried on the same bind, since carriers also mean them for good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from msgspec import Struct

from gateway.protocol.smpp.constants import (
    ESME_RINVBNDSTS,
    ESME_RMSGQFUL,
    ESME_RSYSERR,
    ESME_RTHROTTLED,
    ESME_RUNKNOWNERR,
    ESME_RX_T_APPN,
)
from gateway.protocol.smpp.pdu import SubmitSm

THROTTLED = frozenset({ESME_RTHROTTLED, ESME_RMSGQFUL})
TEMPORARY = frozenset({ESME_RSYSERR, ESME_RINVBNDSTS, ESME_RX_T_APPN, ESME_RUNKNOWNERR})

Kind: TypeAlias = Literal["accepted", "rejected", "in_doubt", "unsent"]


class SubmitResult(Struct, frozen=True):
    """What became of segment `part` (from 0).  `status` is the command_status, 0 where there is none."""

    part: int
    kind: Kind
    message_id: str = ""
    status: int = 0
    status_text: str = ""
    temporary: bool = False


class Submission:
    """A message: `pdus` are its segments in order, `ref` is the caller's own.

    `results` fills up segment by segment; `done` is called once, when each segment has its result.  `wanted`
    is asked before the message is handed over: one that nobody wants any more is dropped without a word.
    """

    __slots__ = ("done", "pdus", "ref", "results", "wanted")

    def __init__(
        self,
        ref: object,
        pdus: list[SubmitSm],
        done: Callable[[Submission], None] | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self.ref = ref
        self.pdus = pdus
        self.done = done
        self.wanted = wanted
        self.results: list[SubmitResult | None] = [None] * len(pdus)


class Begun:
    """A submission that was handed over: its place in the order, and the segments that wait to be written."""

    __slots__ = ("given_up", "left", "order", "submission", "unwritten")

    def __init__(self, submission: Submission, order: int) -> None:
        self.submission = submission
        self.order = order
        self.unwritten = set(range(len(submission.pdus)))
        self.left = len(submission.pdus)  # segments without a result
        self.given_up = False  # a segment failed: the message cannot become whole, the rest stays unsent
