"""What a template says, in each of its languages, and whether its parameters are those that it names."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gateway.config.locate import join
from gateway.config.model import Template, Wording
from gateway.values.errors import BadInput
from gateway.values.fault import Fault, nearest
from gateway.values.parameters import filled
from gateway.values.variables import names

_GIVEN = "to"  # every template may name it


def template_faults(path: str, template: Template, links: Collection[str]) -> Iterator[Fault]:
    if not _says(template):
        yield Fault(path, "says nothing; set text, voice, wav or app")
    wordings: list[tuple[str, Wording]] = [(path, template)]
    for tag, wording in template.languages.items():
        at = join(f"{path}.languages", tag)
        wordings.append((at, wording))
        if tag == template.language:
            yield Fault(at, f'"{tag}" is the language of the words outside already')
        elif not _says(wording):
            yield Fault(at, "says nothing; set text, voice, wav or app")
        for key in ("text", "voice", "app"):
            if getattr(template, key) and not getattr(wording, key) and not wording.text:
                yield Fault(f"{at}.{key}", f"missing; the template has {key} in its own language")
    if template.parameters:
        yield from _parameters(path, template, wordings, links)


def _parameters(
    path: str, template: Template, wordings: list[tuple[str, Wording]], links: Collection[str]
) -> Iterator[Fault]:
    used: set[str] = set()
    for at, wording in wordings:
        for key in ("text", "voice", "app"):
            for name in names(getattr(wording, key)):
                root = name.partition(".")[0]
                used |= {name, root}
                known = root in template.parameters or name == _GIVEN or (root == "link" and bool(links))
                if not known:
                    near = nearest(name, template.parameters) or "; declare it among the parameters"
                    yield Fault(f"{at}.{key}", f"names $({name}), which is no parameter{near}")
    for name, parameter in template.parameters.items():
        at = join(f"{path}.parameters", name)
        if name not in used:
            yield Fault(at, "nothing that the template says names it", warning=True)
        if parameter.default is not None:
            try:
                filled({name: parameter}, {name: parameter.default}, of="", field="")
            except BadInput as error:
                yield Fault(f"{at}.default", error.reason)


def _says(wording: Wording) -> bool:
    return bool(wording.text or wording.voice or wording.wav or wording.app)
