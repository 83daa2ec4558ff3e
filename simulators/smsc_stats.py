"""What the SMSC counts."""

import time

from smpplib import consts

from simulators.smpp_pdu import Pdu
from simulators.smsc_behaviour import Fate, Verdict


class Stats:
    def __init__(self) -> None:
        self.counts = dict.fromkeys(
            (
                "submits",
                "accepted",
                "refused",
                "throttled",
                "queue_full",
                "swallowed",
                "messages",
                "enquires",
                "queries",
            ),
            0,
        )
        self._unique: set[int] = set()
        self._first_submit_at: float | None = None
        self._last_submit_at: float | None = None

    def submitted(self, pdu: Pdu, verdict: Verdict, data: bytes) -> None:
        counts = self.counts
        counts["submits"] += 1
        self._last_submit_at = time.time()
        self._first_submit_at = self._first_submit_at or self._last_submit_at
        match verdict.fate:
            case Fate.REFUSE:
                counts["refused"] += 1
                counts["throttled"] += verdict.status == consts.SMPP_ESME_RTHROTTLED
                counts["queue_full"] += verdict.status == consts.SMPP_ESME_RMSGQFUL
            case Fate.SWALLOW:
                counts["swallowed"] += 1
            case _:
                counts["accepted"] += 1
                self._unique.add(hash((pdu.fields["source_addr"], pdu.fields["destination_addr"], data)))

    def fields(self) -> dict[str, object]:
        """For the event."""
        return {
            **self.counts,
            "unique": len(self._unique),
            "first_submit_at": self._first_submit_at,
            "last_submit_at": self._last_submit_at,
        }
