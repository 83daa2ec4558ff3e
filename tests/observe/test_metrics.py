from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from gateway.observe.health import CarrierState
from gateway.observe.metrics import COUNTERS, Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """(name, label values in the order of their names): value, as Prometheus reads it."""
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, tuple(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


def test_every_counter_can_be_counted_and_read() -> None:
    metrics = Metrics()
    metrics.accepted("alerts", 3)
    metrics.accepted("alerts", by="smpp")
    metrics.status("alerts", "delivered")
    metrics.segment("north", "accepted")
    metrics.segment("north", "accepted")
    metrics.receipt("north", "delivered")
    metrics.query("north", "delivered")
    metrics.orphan_receipt("north")
    metrics.received("north")
    metrics.call("east", "in", "caller-cancelled")
    metrics.call_shed("east")
    metrics.flood("east")
    metrics.otp("alerts", "issued")
    metrics.link("alerts", "click")
    metrics.nlp_left_out("parcels", "intent")
    metrics.request("POST", "/v2/messages", 202)
    read = samples(metrics)
    assert read == {
        ("trunkline_messages_accepted_total", ("http", "alerts")): 3,
        ("trunkline_messages_accepted_total", ("smpp", "alerts")): 1,
        ("trunkline_message_status_total", ("alerts", "delivered")): 1,
        ("trunkline_segments_total", ("north", "accepted")): 2,
        ("trunkline_receipts_total", ("north", "delivered")): 1,
        ("trunkline_queries_total", ("north", "delivered")): 1,
        ("trunkline_receipts_orphaned_total", ("north",)): 1,
        ("trunkline_messages_received_total", ("north",)): 1,
        ("trunkline_calls_total", ("caller-cancelled", "in", "east")): 1,
        ("trunkline_calls_shed_total", ("east",)): 1,
        ("trunkline_calls_in_flood_total", ("east",)): 1,
        ("trunkline_otp_total", ("alerts", "issued")): 1,
        ("trunkline_links_total", ("alerts", "click")): 1,
        ("trunkline_nlp_left_out_total", ("parcels", "intent")): 1,
        ("trunkline_http_requests_total", ("POST", "/v2/messages", "202")): 1,
    }
    assert {name for name, _ in read} == {f"trunkline_{name}_total" for name in COUNTERS}


def test_observed_values_are_read_when_somebody_asks() -> None:
    metrics, waiting = Metrics(), {"store_queue": 7.0, "notifications_sent_total": 2.0}
    metrics.observe(lambda: waiting)
    assert samples(metrics)["trunkline_store_queue", ()] == 7
    waiting["store_queue"] = 0.0
    assert samples(metrics)["trunkline_store_queue", ()] == 0
    text = metrics.text().decode()
    assert "# TYPE trunkline_store_queue gauge" in text
    assert "# TYPE trunkline_notifications_sent_total counter" in text
    assert "trunkline_notifications_sent_total 2.0" in text


def test_carriers_are_gauges_by_name_and_kind() -> None:
    metrics = Metrics()
    metrics.observe_carriers(
        lambda: [
            CarrierState(name="north", kind="bind", up=True, queued=5, outstanding=2),
            CarrierState(name="east", kind="trunk", up=False, reason="no answer"),
        ]
    )
    read = samples(metrics)
    assert read["trunkline_carrier_up", ("bind", "north")] == 1
    assert read["trunkline_carrier_up", ("trunk", "east")] == 0
    assert read["trunkline_carrier_queued", ("bind", "north")] == 5
    assert read["trunkline_carrier_outstanding", ("bind", "north")] == 2


def test_two_gateways_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.received("north")
    assert samples(other) == {}
