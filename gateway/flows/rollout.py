"""Which version of a flow new sessions get.

Versions are numbered and never change.  A definition that a service file brings becomes the next number,
unless the flow has one of the very same content, and live at once; one that is marked `draft = true` becomes
the draft, which only test numbers get.  As long as the file stays as it is, what an operator has chosen since
then holds (another version, a split between two, a roll back), also after a restart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gateway.flows import definition
from gateway.values.errors import BadInput
from gateway.values.work import FlowState, FlowVersion

Heads = Mapping[int, str]  # the versions of one flow: number -> content hash


class Written(Struct, frozen=True, kw_only=True):
    """A flow as its service file has it: `bundled`, with all that is said about it."""

    service: str
    flow: str
    version: str  # content hash
    table: dict[str, Any]

    @property
    def draft(self) -> bool:
        return self.table.get("draft") is True

    @property
    def mark(self) -> str:
        """What tells this state of the file from others."""
        return f"{self.version} draft" if self.draft else self.version


def taken(
    written: Written, state: FlowState | None, heads: Heads, now: float
) -> tuple[FlowState, FlowVersion | None]:
    """What the flow's state becomes with that file, and the version to be stored, if it is a new one."""
    if state is None:
        state = FlowState(service=written.service, flow=written.flow, updated_at=now)
    if state.file == written.mark:
        return state, None
    known = [number for number, version in heads.items() if version == written.version]
    number = max(known) if known else following(heads)
    changed = replace(state, file=written.mark, updated_at=now)
    if written.draft:
        changed = replace(changed, draft=number)
    else:
        changed = replace(changed, live=number, other=0, percent=0, draft=0)
    return changed, None if known else _version(written, number, now)


def following(heads: Heads) -> int:
    return max(heads, default=0) + 1


def chosen(state: FlowState, customer: str, *, tester: bool) -> int:
    """The number of the version that a session of this customer gets: always the same while nothing changes.

    Raises BadInput while none is live.
    """
    if tester and state.draft:
        return state.draft
    if state.other and share(state.flow, customer) < state.percent:
        return state.other
    if not state.live:
        reason = f"flow {state.flow!r} has no live version: it is a draft, for test numbers"
        raise BadInput(reason, field="flow", code="draft")
    return state.live


def share(flow: str, customer: str) -> int:
    """Where a customer stands between 0 and 99: whom a split sends to which side."""
    return int.from_bytes(hashlib.sha256(f"{flow}/{customer}".encode()).digest()[:8], "big") % 100


def made_live(state: FlowState, number: int, now: float) -> FlowState:
    draft = 0 if state.draft == number else state.draft
    return replace(state, live=number, other=0, percent=0, draft=draft, updated_at=now)


def rolled_back(
    state: FlowState, old: FlowVersion, heads: Heads, author: str, now: float
) -> tuple[FlowState, FlowVersion]:
    """The old definition under a new number, which is live."""
    number = following(heads)
    fork = replace(
        old, number=number, author=author, note=f"rolled back to version {old.number}", created_at=now
    )
    return made_live(state, number, now), fork


def split(state: FlowState, other: int, percent: int, now: float) -> FlowState:
    """So many of a hundred customers get `other`, the rest what is live.  Raises BadInput."""
    if not 1 <= percent <= 99:
        raise BadInput(f"{percent} is no share; write 1 to 99 (percent)")
    if not state.live or other == state.live:
        raise BadInput("a split is between the live version and another one")
    return replace(state, other=other, percent=percent, updated_at=now)


def standing(state: FlowState | None, number: int) -> str:
    """What a version is now, in words; "" for one of the past."""
    if state is None:
        return ""
    if state.percent and number in (state.live, state.other):
        percent = state.percent if number == state.other else 100 - state.percent
        return f"live {percent} %"
    return "live" if number == state.live else "draft" if number == state.draft else ""


def _version(written: Written, number: int, now: float) -> FlowVersion:
    return FlowVersion(
        service=written.service,
        flow=written.flow,
        number=number,
        version=written.version,
        author=str(written.table.get("author", "")),
        note=str(written.table.get("note", "")),
        definition={k: v for k, v in written.table.items() if k in (*definition.CONTENT, "tests")},
        created_at=now,
    )
