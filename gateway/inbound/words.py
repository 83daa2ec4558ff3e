"""What flows need the service's settings for: one-time passwords, links, what a text says, what is sealed.

Each act is one of flows.word_effects, carried out in the unit of the step that decided on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from gateway.config.model import Service
from gateway.content import seal
from gateway.flows import word_effects as effects
from gateway.flows.inputs import EffectDone
from gateway.inbound.acts import Perform
from gateway.inbound.listening import Listening
from gateway.outbound.links import Links
from gateway.outbound.otp import Otps, Refused, Wanted
from gateway.store.base import Unit
from gateway.values.clock import Clock
from gateway.values.errors import BadInput
from gateway.values.work import Run


class Words:
    def __init__(
        self,
        *,
        services: Mapping[str, Service],
        otps: Otps,
        links: Links,
        listening: Listening,
        clock: Clock,
        randomness: Callable[[int], bytes],
    ) -> None:
        self._services = services
        self._otps = otps
        self._links = links
        self._listening = listening
        self._clock = clock
        self._randomness = randomness
        self.acts: Mapping[type[Struct], Perform] = {
            effects.IssueOtp: self._issue,
            effects.CheckOtp: self._check,
            effects.MakeLink: self._link,
            effects.ReadText: self._read,
            effects.Seal: self._seal,
        }

    def _issue(self, unit: Unit, run: Run, effect: effects.IssueOtp) -> EffectDone:
        wanted = Wanted(
            to=effect.address,
            reference=effect.reference,
            format=effect.format,
            length=effect.length,
            validity_seconds=effect.validity_seconds,
            attempts=effect.attempts,
            resend=effect.resend,
        )
        try:
            issued = self._otps.issue(unit, run.service, wanted)
        except Refused as refusal:
            wait = round(refusal.wait_seconds)
            return EffectDone(effect.key, "refused", {"wait": wait, "reason": refusal.reason})
        data = {
            "id": issued.otp.id,
            "code": issued.token,
            "reference": issued.otp.reference,
            "resent": issued.resent,
            "minutes": max(1, round(issued.otp.validity_seconds / 60)),
            "wait": 0,
            "reason": "",
        }
        return EffectDone(effect.key, "success", data)

    def _check(self, unit: Unit, run: Run, effect: effects.CheckOtp) -> EffectDone:
        if effect.otp:
            otp = self._otps.get(run.service, effect.otp)
        else:
            otp = self._otps.latest(run.service, effect.address, effect.reference)
        if otp is None:
            raise BadInput("no one-time password was sent there for that")
        verdict = self._otps.check(unit, otp, effect.given)
        return EffectDone(effect.key, verdict.outcome, {"left": verdict.attempts_left, "reason": ""})

    def _link(self, unit: Unit, run: Run, effect: effects.MakeLink) -> EffectDone:
        url = self._links.make(unit, run.service, effect.name, effect.address, run.id)
        return EffectDone(effect.key, "success", {"url": url, "reason": ""})

    def _read(self, unit: Unit, run: Run, effect: effects.ReadText) -> EffectDone:
        reader = self._listening.reader(run.service)
        if reader is None:
            raise BadInput(f"service {run.service!r} reads nothing out of texts: its file has no [nlp]")
        data: dict[str, Any] = reader.read(effect.text, self._clock.now(), effect.stages).variables
        return EffectDone(effect.key, "success", {**data, "reason": ""})

    def _seal(self, unit: Unit, run: Run, effect: effects.Seal) -> EffectDone:
        service = self._services.get(run.service)
        secret = service.secrets.get(effect.secret) if service is not None else None
        if not secret:
            raise BadInput(f"service {run.service!r} has no secret {effect.secret!r}")
        match effect.how:
            case "encrypt":
                nonce = self._randomness(seal.NONCE_OCTETS)
                result = seal.seal(secret, effect.text, effect.context, nonce)
            case "decrypt":
                result = seal.unseal(secret, effect.text, effect.context)
            case algorithm:
                result = seal.keyed_hash(secret, effect.text, algorithm)
        return EffectDone(effect.key, "success", {"result": result, "reason": ""})
