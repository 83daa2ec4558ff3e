"""The first schema: one table for each record of store.base, a column for each field."""

from __future__ import annotations

from typing import Any

from gateway.store.migrations.tables import create

_TABLES: dict[str, tuple[str | tuple[str, ...], dict[str, type]]] = {
    "messages": (
        "id",
        {
            "id": str,
            "direction": str,
            "service": str,
            "sender": str,
            "recipient": str,
            "text": str,
            "status": str,
            "reason": str,
            "code": str,
            "carrier": str,
            "account": str,
            "chain": str,
            "plan": str,
            "steps": str,
            "step": int,
            "correlationid": str,
            "notify_url": str,
            "run": str,
            "run_key": str,
            "consent_exempt": int,
            "receipt_wanted": int,
            "part_receipts": bytes,
            "incomplete": int,
            "waits": str,
            "created_at": float,
            "updated_at": float,
        },
    ),
    "segments": (
        ("message", "step", "part"),
        {
            "message": str,
            "step": int,
            "part": int,
            "total": int,
            "bind": str,
            "smsc_id": str,
            "state": str,
            "code": str,
            "receipt": str,
            "updated_at": float,
        },
    ),
    "parts": (
        "id",
        {
            "id": str,
            "bind": str,
            "sender": str,
            "recipient": str,
            "reference": int,
            "total": int,
            "part": int,
            "wide": int,
            "sar": int,
            "octets": bytes,
            "data_coding": int,
            "header": bytes,
            "registered_delivery": int,
            "received_at": float,
        },
    ),
    "receipts": (
        "id",
        {
            "id": str,
            "bind": str,
            "smsc_id": str,
            "state": str,
            "final": int,
            "code": str,
            "message": str,
            "received_at": float,
        },
    ),
    "consents": (
        ("service", "channel", "address"),
        {
            "service": str,
            "channel": str,
            "address": str,
            "opted_out": int,
            "reason": str,
            "by": str,
            "ref": str,
            "at": float,
        },
    ),
    "consent_changes": (
        "seq",
        {
            "seq": int,
            "service": str,
            "channel": str,
            "address": str,
            "opted_out": int,
            "reason": str,
            "by": str,
            "ref": str,
            "at": float,
        },
    ),
    "customers": (
        ("service", "address"),
        {"service": str, "address": str, "customerid": str, "attributes": str, "updated_at": float},
    ),
    "raised": (
        ("service", "correlationid"),
        {"service": str, "correlationid": str, "id": str, "at": float},
    ),
    "offences": (
        ("service", "address"),
        {"service": str, "address": str, "count": int, "at": float},
    ),
    "calls": (
        "id",
        {
            "id": str,
            "direction": str,
            "service": str,
            "trunk": str,
            "caller": str,
            "called": str,
            "state": str,
            "cause": str,
            "status": int,
            "q850": int,
            "reason": str,
            "ended_by": str,
            "message": str,
            "step": int,
            "sip_call_id": str,
            "started_at": float,
            "rung_at": float,
            "answered_at": float,
            "ended_at": float,
            "flood": int,
            "uncounted": str,
            "codec": str,
            "dtmf": int,
            "packets_sent": int,
            "packets_received": int,
            "packets_lost": int,
            "jitter_ms": float,
            "recording": str,
        },
    ),
    "events": (
        "seq",  # the order of writing
        {"seq": int, "ref": str, "type": str, "service": str, "at": float, "data": str},
    ),
    "effects": (
        "key",
        {
            "key": str,
            "kind": str,
            "ref": str,
            "state": str,
            "data": str,
            "created_at": float,
        },
    ),
    "begun": ("id", {"id": str, "carrier": str, "keys": str, "created_at": float}),
    "timers": (("kind", "ref"), {"kind": str, "ref": str, "due": float, "data": str}),
    "notifications": (
        "id",
        {
            "id": str,
            "ref": str,
            "service": str,
            "url": str,
            "receiver": str,
            "body": bytes,
            "state": str,
            "attempts": int,
            "due": float,
            "reason": str,
            "created_at": float,
        },
    ),
    "flow_versions": (
        ("service", "flow", "version"),
        {"service": str, "flow": str, "version": str, "definition": str, "created_at": float},
    ),
    "runs": (
        "id",
        {
            "id": str,
            "service": str,
            "flow": str,
            "version": str,
            "customer": str,
            "number": str,
            "state": str,
            "node": str,
            "waiting": str,
            "data": str,
            "inbox": str,
            "effects": int,
            "logged": int,
            "parent": str,
            "parent_key": str,
            "depth": int,
            "key": str,
            "due": float,
            "result": int,
            "reason": str,
            "created_at": float,
            "updated_at": float,
        },
    ),
    "logbook_rows": (
        "id",
        {"id": str, "service": str, "book": str, "run": str, "at": float, "data": str},
    ),
}

# Small rows that are only found by their key: the row lies in the key's own tree, one page less to write.
# Not messages and runs: big rows would make that tree deep, and each index would repeat the 36-character id.
_WITHOUT_ROWID = {
    "segments",
    "consents",
    "customers",
    "raised",
    "offences",
    "effects",
    "begun",
    "timers",
    "notifications",
}

_INDEXES = (
    # not only the open ones: operators search for `failed`, and counts by status need no walk over the table
    "messages_status ON messages (status)",
    "messages_service ON messages (service)",
    "messages_recipient ON messages (recipient)",
    "messages_sender ON messages (sender)",
    "messages_waits ON messages (waits, id) WHERE waits != ''",
    "messages_correlationid ON messages (correlationid) WHERE correlationid != ''",
    # receipts write an id with more zeros, or in other case, than the response did
    "segments_smsc_id ON segments (bind, ltrim(lower(smsc_id), '0')) WHERE smsc_id != ''",
    "segments_in_doubt ON segments (message, step, part) WHERE state = 'in-doubt'",
    "receipts_unmatched_at ON receipts (received_at, id) WHERE message = ''",
    "receipts_unmatched ON receipts (bind, smsc_id, received_at, id) WHERE message = ''",
    "consents_opted_out ON consents (service, address) WHERE opted_out = 1",
    "consents_address ON consents (address, service)",
    "consent_changes_address ON consent_changes (address, service)",
    "calls_started_at ON calls (started_at, id)",
    "calls_caller ON calls (caller, started_at, id)",
    "calls_open ON calls (started_at, id) WHERE state != 'ended'",
    "events_ref ON events (ref)",
    "notifications_pending ON notifications (receiver, due, id) WHERE state = 'pending'",
    "notifications_state ON notifications (state, due, id) WHERE state != 'pending'",
    "runs_open ON runs (created_at, id) WHERE state != 'ended'",
    "runs_keyed ON runs (created_at, id) WHERE key != ''",
    "logbook_rows_book ON logbook_rows (service, book, id)",
)


def apply(database: Any) -> None:
    """`database` is a sqlite_utils.Database."""
    for name, (key, columns) in _TABLES.items():
        create(database, name, key, columns, rowid=name not in _WITHOUT_ROWID)
    for index in _INDEXES:
        database.execute(f"CREATE INDEX {index}")
