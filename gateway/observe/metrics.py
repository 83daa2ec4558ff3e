"""Counts and gauges in the form that Prometheus reads.

The hot path adds to a dictionary; labels and text are made when somebody asks.  All names begin with
`trunkline_`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.observe.health import CarrierState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"  # the text format of generate_latest

# name: help, labels
COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "messages_accepted": ("Outbound messages that were accepted, durably", ("service", "by")),
    "message_status": ("Statuses that outbound messages have come to", ("service", "status")),
    "segments": ("What carriers have answered to segments", ("bind", "result")),
    "receipts": ("Delivery receipts", ("bind", "state")),
    "queries": ("Carriers that were asked by query_sm about a message", ("bind", "result")),
    "receipts_orphaned": ("Delivery receipts that speak of no segment known here", ("bind",)),
    "messages_received": ("Inbound messages", ("bind",)),
    "calls": ("Calls that have ended", ("trunk", "direction", "cause")),
    "calls_shed": ("Calls turned away by 503: too many records wait for the store", ("trunk",)),
    "calls_in_flood": ("Calls of a flood: many callers of one range of numbers", ("trunk",)),
    "nlp_left_out": ("Stages of [nlp] that took too long, or failed", ("service", "stage")),
    "otp": ("One-time passwords: issued, resent, refused, held, and what was entered", ("service", "what")),
    "links": ("Looks at smart links, by people (click) and programs (preview)", ("service", "what")),
    "http_requests": ("Requests to the HTTP API", ("method", "route", "status")),
}

# Read when somebody asks.  A name that ends in `_total` is a counter, any other a gauge
Gauges = Callable[[], Mapping[str, float]]
Carriers = Callable[[], Iterable[CarrierState]]


class Metrics:
    """The counters of one gateway, in a registry of their own."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[tuple[str, ...]]] = {name: Counter() for name in COUNTERS}
        self._gauges: list[Gauges] = []
        self._carriers: list[Carriers] = []
        self._registry = CollectorRegistry()
        self._registry.register(_Reading(self._families))

    def accepted(self, service: str, number: int = 1, *, by: str = "http") -> None:
        """Outbound messages; `by` http, smpp, rule or flow."""
        self._counts["messages_accepted"][service, by] += number

    def status(self, service: str, status: str) -> None:
        self._counts["message_status"][service, status] += 1

    def segment(self, bind: str, result: str) -> None:
        """`result`: accepted, rejected, throttled, retried (the last two come again), in_doubt, unsent."""
        self._counts["segments"][bind, result] += 1

    def receipt(self, bind: str, state: str) -> None:
        self._counts["receipts"][bind, state] += 1

    def query(self, bind: str, result: str) -> None:
        """`result`: a message state, refused, unanswered."""
        self._counts["queries"][bind, result] += 1

    def orphan_receipt(self, bind: str) -> None:
        self._counts["receipts_orphaned"][bind,] += 1

    def received(self, bind: str) -> None:
        self._counts["messages_received"][bind,] += 1

    def call(self, trunk: str, direction: str, cause: str) -> None:
        self._counts["calls"][trunk, direction, cause] += 1

    def call_shed(self, trunk: str) -> None:
        self._counts["calls_shed"][trunk,] += 1

    def flood(self, trunk: str) -> None:
        self._counts["calls_in_flood"][trunk,] += 1

    def otp(self, service: str, what: str) -> None:
        """`what`: issued, resent, refused, held, success, invalid, expired, max-attempts."""
        self._counts["otp"][service, what] += 1

    def link(self, service: str, what: str) -> None:
        """`what`: click, preview."""
        self._counts["links"][service, what] += 1

    def nlp_left_out(self, service: str, stage: str) -> None:
        self._counts["nlp_left_out"][service, stage] += 1

    def request(self, method: str, route: str, status: int) -> None:
        """`route` is the pattern, not the path: there are only so many."""
        self._counts["http_requests"][method, route, str(status)] += 1

    def observe(self, gauges: Gauges) -> None:
        """Report what `gauges()` gives whenever somebody asks, by its names."""
        self._gauges.append(gauges)

    def observe_carriers(self, carriers: Carriers) -> None:
        self._carriers.append(carriers)

    def text(self) -> bytes:
        """All of it, in the text format (CONTENT_TYPE)."""
        return generate_latest(self._registry)

    def _families(self) -> Iterator[Metric]:
        for name, (help, labels) in COUNTERS.items():
            counter = CounterMetricFamily(f"trunkline_{name}", help, labels=labels)
            for values, number in self._counts[name].items():
                counter.add_metric(values, number)
            yield counter
        for gauges in self._gauges:
            for name, value in gauges().items():
                family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
                help = name.removesuffix("_total").replace("_", " ").capitalize()
                yield family(f"trunkline_{name}", help, value=value)
        yield from self._carrier_families()

    def _carrier_families(self) -> Iterator[Metric]:
        carriers = [carrier for source in self._carriers for carrier in source()]
        for field, help in (
            ("up", "1 while the bind or trunk can take traffic"),
            ("queued", "Messages in memory that wait for the carrier"),
            ("outstanding", "Segments or calls without an answer"),
        ):
            gauge = GaugeMetricFamily(f"trunkline_carrier_{field}", help, labels=("name", "kind"))
            for carrier in carriers:
                gauge.add_metric((carrier.name, carrier.kind), float(getattr(carrier, field)))
            yield gauge
        labels = ("trunk", "host")
        up = GaugeMetricFamily("trunkline_trunk_host_up", "1 while a trunk's host answers", labels=labels)
        rtt = GaugeMetricFamily(
            "trunkline_trunk_host_rtt_seconds", "What a host took to answer the latest OPTIONS", labels=labels
        )
        for carrier in carriers:
            for host in carrier.hosts:
                up.add_metric((carrier.name, host.address), float(host.up))
                if host.rtt_ms is not None:
                    rtt.add_metric((carrier.name, host.address), host.rtt_ms / 1000)
        yield from (up, rtt)


class _Reading(Collector):
    def __init__(self, families: Callable[[], Iterable[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families()
