"""What the effects of runs come to: each becomes durable with the step that decided on it.

Those whose outcome is known at once answer with it; the others are answered for later, by whoever carries
them out (a carrier's news, a web server's answer, the end of another session).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway.config.model import Service
from gateway.directory.consent import Consents
from gateway.directory.customer import Customers
from gateway.flows import effects
from gateway.flows.inputs import EffectDone
from gateway.outbound.accept import Accepting, Owing, SendRequest
from gateway.store.base import Unit
from gateway.values.clock import Clock, iso
from gateway.values.errors import BadInput
from gateway.values.message import Consent
from gateway.values.outcome import Result
from gateway.values.work import Effect, Run

_Sending = effects.SendSms | effects.SendApp | effects.PlaceCall | effects.StartChain
# Carries out one effect; its outcome, or None where that comes later.  Raises BadInput, which is `error`.
Perform = Callable[[Unit, Run, Any], EffectDone | None]


class Acts:
    """`others` are effects that other parts carry out, by type; `fetch` begins what an HTTP effect wants once
    that is durable; `randomness(n)` gives n octets."""

    def __init__(
        self,
        *,
        services: Mapping[str, Service],
        accepting: Accepting,
        owing: Owing,
        consents: Consents,
        customers: Customers,
        clock: Clock,
        fetch: Callable[[Effect], None],
        randomness: Callable[[int], bytes],
        others: Mapping[type[msgspec.Struct], Perform],
    ) -> None:
        self._services = services
        self._accepting = accepting
        self._owing = owing
        self._consents = consents
        self._customers = customers
        self._clock = clock
        self._fetch = fetch
        self._randomness = randomness
        self._perform: dict[type[msgspec.Struct], Perform] = {
            effects.SendSms: self._send_sms,
            effects.SendApp: self._send_app,
            effects.PlaceCall: self._place_call,
            effects.StartChain: self._chain,
            effects.HttpRequest: self._http,
            effects.Draw: self._draw,
            effects.UseProfile: self._profile,
            effects.UseConsent: self._consent,
            effects.Notify: self._notify,
            **others,
        }

    def carry_out(self, unit: Unit, run: Run, effect: effects.Effect) -> EffectDone | None:
        """The outcome, or None where it comes later."""
        try:
            return self._perform[type(effect)](unit, run, effect)
        except BadInput as error:
            data = {"transid": "", "status": "failed", "reason": str(error), "code": error.code}
            return EffectDone(effect.key, "error", data)

    def _send_sms(self, unit: Unit, run: Run, effect: effects.SendSms) -> None:
        self._send(unit, run, effect, sender=effect.sender, text=effect.text, until=effect.until)

    def _send_app(self, unit: Unit, run: Run, effect: effects.SendApp) -> None:
        self._send(
            unit,
            run,
            effect,
            channel="app",
            sender=effect.app,
            text=effect.text,
            until=effect.until,
            validity_seconds=effect.within_seconds,
            hold=effect.within_seconds > 0,
        )

    def _place_call(self, unit: Unit, run: Run, effect: effects.PlaceCall) -> None:
        self._send(
            unit,
            run,
            effect,
            sender=effect.sender,
            channel="voice",
            text=effect.text,
            wav=effect.wav,
            language=effect.language,
            keep=effect.keep,
            until=Result.ANSWERED,
        )

    def _chain(self, unit: Unit, run: Run, effect: effects.StartChain) -> None:
        self._send(unit, run, effect, chain=effect.name, variables=effect.variables)

    def _send(self, unit: Unit, run: Run, effect: _Sending, **given: Any) -> None:
        """What is sent to a customer is answered for when its message comes to its end."""
        given |= {"service": run.service, "to": effect.recipient, "run": run.id, "run_key": effect.key}
        given["hops"] = run.data.get("session.hops", 0)
        self._accepting.accept(unit, SendRequest(**given))

    def _http(self, unit: Unit, run: Run, effect: effects.HttpRequest) -> None:
        stored = Effect(
            key=effect.key,
            kind="http",
            ref=run.id,
            data={
                "method": effect.method,
                "url": effect.url,
                "headers": effect.headers,
                "body": effect.body,
                "timeout": effect.timeout_seconds,
                "retries": effect.retries,
                "retry": effect.retry_seconds,
                "service": run.service,
                "auth": effect.auth,
                "transid": run.data.get("session.transid", ""),
            },
            created_at=self._clock.now(),
        )
        unit.writes.append(stored)
        unit.acts.append(lambda: self._fetch(stored))

    def _draw(self, unit: Unit, run: Run, effect: effects.Draw) -> EffectDone:
        return EffectDone(effect.key, "success", {"hex": self._randomness(effect.octets).hex()})

    def _profile(self, unit: Unit, run: Run, effect: effects.UseProfile) -> EffectDone:
        if not effect.address:
            raise BadInput("nobody is known whose profile it would be: the number is withheld")
        if effect.attributes:
            now = self._clock.now()
            self._customers.set(unit, run.service, effect.address, effect.attributes, now)
        found = self._customers.get(run.service, effect.address)
        if found is None:
            return EffectDone(effect.key, "missing", {"attributes": {}, "customerid": ""})
        data = {"attributes": found.attributes, "customerid": found.customerid}
        return EffectDone(effect.key, "success", data)

    def _consent(self, unit: Unit, run: Run, effect: effects.UseConsent) -> EffectDone:
        if not effect.address:
            raise BadInput("nobody is known to opt in or out: the number is withheld")
        if effect.what != "check":
            consent = Consent(
                service=run.service,
                address=effect.address,
                opted_out=effect.what == "out",
                reason=effect.reason,
                by="flow",
                ref=run.id,
                at=self._clock.now(),
            )
            self._consents.record(unit, consent)
        refusal = self._consents.refusal(run.service, effect.address)
        return EffectDone(effect.key, "opted-out" if refusal else "opted-in", {"reason": refusal})

    def _notify(self, unit: Unit, run: Run, effect: effects.Notify) -> EffectDone:
        service = self._services.get(run.service)
        url = effect.url or (service.notify.inbound if service is not None else "")
        if not url:
            raise BadInput("there is nobody to notify: neither the node has a url nor the service")
        body = {
            "type": "session.notify",
            "session": run.id,
            "transid": run.data.get("session.transid", ""),
            "flow": run.flow,
            "service": run.service,
            "timestamp": iso(self._clock.now()),
            **effect.body,
        }
        self._owing.owe(unit, service=run.service, ref=run.id, url=url, body=body)
        return EffectDone(effect.key, "success", {"reason": ""})
