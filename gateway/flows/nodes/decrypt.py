"""decrypt: what encrypt has sealed; anything else, or with another `context`, is an error."""

from __future__ import annotations

from typing import ClassVar, Literal

from gateway.flows.nodes.encrypt import EncryptNode


class DecryptNode(EncryptNode, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`$(node.result)` is the text."""

    type: ClassVar[str] = "decrypt"
    how: ClassVar[Literal["encrypt", "decrypt"]] = "decrypt"
