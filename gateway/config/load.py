"""From files to a Gateway: read, shaped, checked, with every fault located as `file:line: path: what`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gateway.config.check import check
from gateway.config.locate import join, line_of, lines
from gateway.config.model import Gateway, Service
from gateway.config.secrets import resolve
from gateway.config.shape import Reader, empty
from gateway.values.fault import Fault

# What rules, conditions and flows know to be wrong; paths from "services.NAME" on
Lint = Callable[[Mapping[str, Service]], list[Fault]]

_PROMPTS = ("wav", "invalid_wav", "hold")  # what names a file, or several, in a node of a flow
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class Located(Struct, frozen=True, order=True):
    """A fault and where it stands.  `path` is the key inside `file`; `line` 0: the file as a whole."""

    file: str
    line: int
    path: str
    what: str
    warning: bool = False

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        what = f"{'warning: ' if self.warning else ''}{self.what}"
        return f"{place}: {self.path}: {what}" if self.path else f"{place}: {what}"


class Loaded(Struct, frozen=True):
    """`gateway` is None when there are faults that are no mere warnings.  `services` are the names of the
    service files found."""

    gateway: Gateway | None
    faults: list[Located]
    services: list[str]


def places(path: str | Path) -> Callable[[str], str]:
    """Where settings stand in the main file and `services/*.toml` beside it, by their paths in the whole:
    "services.NAME.rules.R" -> "conf/services/NAME.toml:12"; "" for one that no file has that could be read.
    """
    files = _files(Path(path))

    def place(setting: str) -> str:
        file = next((file for file in reversed(files) if file.holds(setting)), files[0])
        return file.place(setting)

    return place


def no_lint(services: Mapping[str, Service]) -> list[Fault]:
    return []


def load(
    path: str | Path, *, environ: Mapping[str, str], lint: Lint = no_lint, secrets: bool = True
) -> Loaded:
    """Read the main file and `services/*.toml` beside it.

    `environ` holds what `$env:` names, CREDENTIALS_DIRECTORY, and STATE_DIRECTORY, which wins over
    `state_directory`.  Paths of prompts (`wav`) come out joined to the folder of their service file.
    Without `secrets` they stay as they are written: an operator may look without being able to read them.
    """
    main, *files = _files(Path(path))
    services = {file.name: _service(file, _reader(file, environ, secrets)) for file in files}
    gateway = replace(_gateway(main, environ, _reader(main, environ, secrets)), services=services)
    # without the main file every bind and trunk that a service names would seem unknown
    meaning = [*(check(gateway) if main.readable else []), *lint(services)]
    shape = [fault for file in (main, *files) for fault in file.faults]
    meaning = [fault for fault in meaning if not any(_follows(fault, cause) for cause in shape)]
    faults = _located([main, *files], [*shape, *meaning])
    good = all(fault.warning for fault in faults)
    return Loaded(gateway if good else None, faults, list(services))


def _files(path: Path) -> list[_File]:
    """The main file, then the services'."""
    services = sorted((path.parent / "services").glob("*.toml"))
    named = [_File(file, f"services.{file.stem}") for file in services if not file.name.startswith(".")]
    return [_File(path, ""), *named]


class _File:
    """One file: its table (empty if it cannot be read), and what is wrong with it, as faults of the whole."""

    def __init__(self, path: Path, prefix: str) -> None:
        self.path = path
        self.prefix = prefix
        self.name = path.stem
        self.faults: list[Fault] = []
        self.table: dict[str, Any] = {}
        self.readable = False
        self._lines: dict[str, int] = {}
        self._broken_line = 0
        if prefix and not _NAME.fullmatch(self.name):
            self._broken("a service is named by its file: letters, digits, hyphen and underscore")
            return
        try:
            # as tomllib reads it, so that positions agree
            text = path.read_bytes().decode("utf-8").replace("\r\n", "\n")
            self.table = tomllib.loads(text)
            self._lines = lines(text)
            self.readable = True
        except OSError as error:
            self._broken(f"cannot be read: {error.strerror}")
        except UnicodeDecodeError as error:
            self._broken("is not UTF-8 text", error.object.count(b"\n", 0, error.start) + 1)
        except tomllib.TOMLDecodeError as error:
            at = _AT.search(str(error))
            line = int(at[1]) if at and at[1] else max(1, len(text.splitlines()))
            self._broken(f"is no TOML: {_AT.sub('', str(error))}", line)

    def _broken(self, what: str, line: int = 0) -> None:
        self._broken_line = line
        self.faults.append(Fault(self.prefix, what))

    def holds(self, path: str) -> bool:
        return not self.prefix or path == self.prefix or path.startswith(self.prefix + ".")

    def place(self, setting: str) -> str:
        line = self._lines.get(self._within(setting), 0)
        return f"{self.path}:{line}" if line else ""

    def _within(self, path: str) -> str:
        return path.removeprefix(self.prefix).removeprefix(".") if self.prefix else path

    def locate(self, fault: Fault) -> Located:
        path = self._within(fault.path)
        line = line_of(self._lines, path) if self.readable else self._broken_line
        return Located(str(self.path), line, path, fault.what, fault.warning)


def _gateway(file: _File, environ: Mapping[str, str], reader: Reader) -> Gateway:
    table = {key: value for key, value in file.table.items() if key != "services"}
    gateway = reader.struct(Gateway, table, "")
    file.faults += reader.faults
    if "services" in file.table:
        what = f"a service has a file of its own: {file.path.parent / 'services' / 'NAME.toml'}"
        file.faults.append(Fault("services", what))
    if directory := environ.get("STATE_DIRECTORY"):
        gateway = replace(gateway, state_directory=directory)
    return gateway


def _service(file: _File, reader: Reader) -> Service:
    if not file.readable:
        return empty(Service)
    service = reader.struct(Service, file.table, file.prefix)
    file.faults += reader.faults
    templates = {
        name: replace(
            template,
            wav=_prompt(file, f"templates.{name}.wav", template.wav),
            languages={
                tag: replace(said, wav=_prompt(file, f"templates.{name}.languages.{tag}.wav", said.wav))
                for tag, said in template.languages.items()
            },
        )
        for name, template in service.templates.items()
    }
    call_lists = {
        name: replace(wanted, file=_prompt(file, f"call_lists.{name}.file", wanted.file))
        for name, wanted in service.call_lists.items()
    }
    flows = {name: _with_prompts(file, f"flows.{name}", flow) for name, flow in service.flows.items()}
    return replace(service, templates=templates, flows=flows, call_lists=call_lists)


def _with_prompts(file: _File, path: str, flow: dict[str, Any]) -> dict[str, Any]:
    nodes = flow.get("nodes")
    if not isinstance(nodes, dict):
        return flow  # flows.definition says so
    found = {
        name: node
        | {key: _prompts(file, f"{path}.nodes.{name}.{key}", node[key]) for key in _PROMPTS if key in node}
        if isinstance(node, dict)
        else node
        for name, node in nodes.items()
    }
    return flow | {"nodes": found}


def _prompts(file: _File, path: str, written: Any) -> Any:
    if isinstance(written, list):
        return [_prompts(file, f"{path}[{index}]", one) for index, one in enumerate(written)]
    return _prompt(file, path, written) if isinstance(written, str) else written


def _prompt(file: _File, path: str, wav: str) -> str:
    if not wav:
        return ""
    prompt = file.path.parent / wav
    if not prompt.is_file():
        file.faults.append(Fault(join(file.prefix, path), f"there is no file {prompt}"))
    return str(prompt)


def _reader(file: _File, environ: Mapping[str, str], secrets: bool) -> Reader:
    if not secrets:
        return Reader(str)
    return Reader(lambda written: resolve(written, environ=environ, folder=file.path.parent))


def _follows(fault: Fault, cause: Fault) -> bool:
    """Whether a fault of meaning may be no more than a consequence: what it speaks of could not be read."""
    return _around(fault.path, cause.path) or _around(cause.path, fault.path)


def _around(outer: str, inner: str) -> bool:
    return bool(outer) and inner.startswith(outer) and inner[len(outer) :][:1] in ("", ".", "[")


def _located(files: list[_File], faults: list[Fault]) -> list[Located]:
    """In the order of the files, each from top to bottom."""
    placed: dict[Located, tuple[int, Located]] = {}
    for fault in faults:
        # the main file holds everything: it is asked last
        number = max(n for n, file in enumerate(files) if file.holds(fault.path))
        located = files[number].locate(fault)
        placed[located] = (number, located)
    return sorted(placed, key=placed.__getitem__)
