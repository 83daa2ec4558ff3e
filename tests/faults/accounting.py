"""What the SMSCs, the webhook receiver and the account have seen, beside what the store says: lost, doubled.

Lost: acknowledged, and never at its SMSC or never notified.  Doubled: at its SMSC twice although
on_in_doubt is "fail", one event notified under two ids, or one id again although its receiver had taken it
and the daemon has lived on.  After a crash a repeat under the same id is what receivers know an id for: a
figure, not a fault.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from tests.faults.traffic import LOST, Site, Traffic

Figures = dict[str, int]
Death = tuple[float, float]  # Unix seconds: it was alive before the first, dead after the second

Text = tuple[str, str, str]  # bind, recipient, text


class Seen:
    """Once everything has come to rest.

    `deaths`: when the daemon was killed.  `in_time`: no fault kept it from taking receipts while a chain
    waited for them.
    """

    def __init__(self, site: Site, deaths: Sequence[Death] = (), *, in_time: bool = False) -> None:
        self.arrived: dict[Text, Counter[int]] = defaultdict(Counter)  # how often each part
        self.got: Counter[tuple[str, str]] = Counter()  # texts from customers that the gateway took
        self.offered: Counter[tuple[str, str]] = Counter()
        for name, smsc in site.smscs.items():
            for event in smsc.heard("submit", status=0):
                # the parts of a long message have texts of their own, but it is the only one of its recipient
                what = event["text"] if event["total"] == 1 else "long"
                self.arrived[name, event["to"], what][event["part"]] += 1
            self.got.update((ack["from"], ack["id"]) for ack in smsc.heard("mo_ack", status=0))
            self.offered.update((sent["from"], sent["id"]) for sent in smsc.heard("mo_sent"))
        self.rows = site.daemon.rows(
            "SELECT id, direction, sender, recipient, text, status, chain FROM messages"
        )
        logs = site.daemon.events(row[0] for row in self.rows)
        self.resent = {ref for ref, log in logs.items() if any(event.type == "step.resent" for event in log)}
        self.statuses = {  # in the order in which they come, which a clock that was set back hides
            ref: sorted(
                (event.data["status"] for event in log if event.type == "sms.status"),
                key=lambda status: status != "sent",
            )
            for ref, log in logs.items()
        }
        self.told: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))  # X-Hub-Ids
        self.taken: dict[str, list[float]] = defaultdict(list)  # by X-Hub-Id: when it was answered 200
        for told in site.webhook.heard("notification"):
            assert told["valid"], told["reason"]
            body, id = told["body"], told["headers"]["x-hub-id"]
            self.told[body["transid"]][body.get("status", body["type"])].append(id)
            if told["status"] == 200:
                self.taken[id].append(told["at"])
        self.account = site.account
        self.deaths = deaths
        self.in_time = in_time

    def judge(self, traffic: Traffic) -> tuple[Figures, list[str]]:
        """Figures for people, and what is wrong."""
        wrong = [
            *self._acknowledged(traffic.acked),
            *self._acknowledged(self.account.acked),
            *self._outbound(),
            *self._chains(),
            *self._inbound(),
            *self._conversations(traffic.orderers),
            *self._notifications(),
            *self._receipts(),
            *traffic.hasty,
        ]
        statuses = Counter(row[5] for row in self.rows if row[1] == "mt")
        figures = {
            "posted": traffic.answers.total(),
            "acknowledged": len(traffic.acked),
            "acknowledged to the account": len(self.account.acked),
            "texts from customers": len(self.got),
            "messages": statuses.total(),
            **statuses,
            "resent": len(self.resent),
            "notified": sum(len(ids) for told in self.told.values() for ids in told.values()),
            "notified again": sum(len(times) - 1 for times in self.taken.values()),
            "receipts to the account": len(self.account.receipts),
            "receipts again": len(self.account.receipts) - len({id for _, id, _ in self.account.receipts}),
        }
        return figures, wrong

    def _acknowledged(self, acked: Iterable[str]) -> Iterator[str]:
        ids = {row[0] for row in self.rows}
        yield from (f"lost: {id} was acknowledged" for id in acked if id not in ids)

    def _conversations(self, orderers: Iterable[str]) -> Iterator[str]:
        for customer in orderers:
            if self.got[customer, "m please"] and not self.arrived["again", customer, "On its way!"]:
                yield f"lost: {customer}'s conversation has stopped"

    def _outbound(self) -> Iterator[str]:
        rows: dict[Text, list[tuple[str, str]]] = defaultdict(list)
        for id, direction, sender, recipient, what, status, chain in self.rows:
            if direction == "mt" and not chain:
                bind = "once" if sender == "12345" else "again"
                key = (bind, recipient.removeprefix("+"), what if len(what) < 160 else "long")
                rows[key].append((id, status))
        for key, found in rows.items():
            parts = self.arrived[key]
            counts = [parts[part] for part in ((1, 2, 3) if key[2] == "long" else (1,))]
            taken = sum(status in ("sent", "delivered") for _, status in found)
            doubtful = sum(status == "in-doubt" for _, status in found) if key[0] == "once" else 0
            if taken + doubtful != len(found) or min(counts) < taken:
                yield f"lost: {found} to {key}, which arrived {counts} times"
            if max(counts) > len(found) and not (key[0] == "again" and self.resent & {id for id, _ in found}):
                yield f"doubled: {found} to {key} arrived {counts} times"
        for key in self.arrived:
            if key not in rows and not key[2].startswith("alert"):
                yield f"doubled: {key} arrived and is not in the store"

    def _chains(self) -> Iterator[str]:
        for id, _, _, recipient, what, status, chain in self.rows:
            if not chain:
                continue
            first, second = (self.arrived[bind, recipient[1:], what][1] for bind in ("once", "again"))
            if status != "delivered" or not first + second:
                yield f"lost: {id} to {recipient} is {status}, arrived {first} and {second} times"
            if first > 1 or (second > 1 and id not in self.resent):
                yield f"doubled: {id} to {recipient} arrived {first} and {second} times"
            if self.in_time and first and second and not recipient[1:].startswith(LOST):
                yield f"doubled: {id} to {recipient} went on although its first step had been delivered"

    def _inbound(self) -> Iterator[str]:
        stored = Counter((row[2].removeprefix("+"), row[4]) for row in self.rows if row[1] == "mo")
        for key, count in self.got.items():
            if not stored[key]:
                yield f"lost: {key} was taken {count} times"
        for key, count in stored.items():
            if count > self.offered[key]:
                yield f"doubled: {key} was offered {self.offered[key]} times and is there {count} times"

    def _notifications(self) -> Iterator[str]:
        for id, direction, *_ in self.rows:
            owed = ["sms.received"] if direction == "mo" else self.statuses[id]
            told = self.told[id]
            # the log may pass over what was not the last word: in doubt, then delivered after all
            if [status for status in told if status in owed] != owed or list(told)[-1:] != owed[-1:]:
                yield f"lost: {id} has been {owed}, notified were {list(told)}"
            for status, ids in told.items():
                if len(set(ids)) > 1:
                    yield f"doubled: {id} {status} was notified under the ids {ids}"
        for id, times in self.taken.items():
            if not all(map(self._died_between, times, times[1:])):
                yield f"doubled: notification {id} was taken and came again, at {times}"

    def _died_between(self, first: float, second: float) -> bool:
        return any(first <= dead and alive <= second for alive, dead in self.deaths)

    def _receipts(self) -> Iterator[str]:
        """Of the account: each message has its one receipt; in one session never two."""
        stats = {id: stat for _, id, stat in self.account.receipts}
        statuses = {row[0]: row[5] for row in self.rows}
        for id in self.account.acked:
            if (statuses.get(id) == "delivered") != (stats.get(id) == "DELIVRD") or id not in stats:
                yield f"lost: {id} is {statuses.get(id)}, the account's receipt says {stats.get(id)}"
        for (connection, id, _), count in Counter(self.account.receipts).items():
            if count > 1:
                yield f"doubled: the receipt of {id} came {count} times in session {connection}"


def counted(wrong: Iterable[str]) -> Figures:
    """How much was lost, and how much doubled."""
    kinds = Counter(line.partition(":")[0] for line in wrong)
    return {"lost": 0, "doubled": 0} | kinds


def report(what: str, figures: Figures, wrong: Sequence[str]) -> None:
    """Print what was lost and doubled, and fail above zero."""
    print(f"{what}:", ", ".join(f"{name} {count}" for name, count in (figures | counted(wrong)).items()))
    assert not wrong, "\n".join(wrong[:20])
