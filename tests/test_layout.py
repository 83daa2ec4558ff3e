"""The house as `gateway/__init__.py` draws it, against the code as it stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gateway

ROOT = Path(__file__).parents[1]
PACKAGE, TESTS, SIMULATORS = ROOT / "gateway", ROOT / "tests", ROOT / "simulators"

# What makes a part impure: the loop, the clock, the network, chance, the disk.  datetime only calculates.
IMPURE = {"asyncio", "time", "socket", "random", "sqlite3"}

# Modules with functions and no test file of their own, and where they are tested instead
TESTED_ELSEWHERE = {
    "cli/demo.py": "tests/e2e/test_demo.py plays it",
    "cli/stage.py": "tests/e2e/test_demo.py plays it",
    "cli/run.py": "tests/e2e starts it as a process",
    "daemon/__init__.py": "tests/e2e starts it as a process",
    "daemon/sip.py": "tests/e2e starts it as a process",
    "daemon/smpp.py": "tests/e2e starts it as a process",
    "http/models.py": "tests/http/test_messages.py reads and writes all of it",
    "channels/base.py": "one property; tests/outbound/test_chain.py chooses carriers by it",
    "protocol/smpp/constants.py": "one look-up; tests/protocol/smpp/test_session.py reads its texts",
    "protocol/smpp/fields.py": "tests/protocol/smpp/test_codec.py: every PDU is a row of these fields",
    "protocol/smpp/operations.py": "tests/protocol/smpp/test_codec.py: every PDU type both ways",
    "protocol/smpp/pdu.py": "tests/protocol/smpp/test_codec.py: every PDU type both ways",
    "store/sqlite.py": "tests/store/test_queries.py asks it all, test_base.py holds it to its contract",
    "store/migrations/__init__.py": "tests/store/migrations/test_m0001_first.py migrates with it",
    "transport/smpp_dispatch.py": "tests/transport/test_smpp_client.py: a bind's queue over its links",
    "transport/smpp_submission.py": "tests/transport/test_smpp_client.py: what comes back of each",
    "store/migrations/tables.py": "tests/store/migrations/test_m0001_first.py makes its tables with it",
}
# Folders of tests that mirror no package of gateway/
OWN_FOLDERS = {
    "e2e": "the whole program, from outside",
    "faults": "the whole program, while what it stands on breaks",
    "peers": "programs and scenarios that the tests talk to",
    "simulators": "mirrors simulators/",
    "systemd": "the unit file",
}

_NOT_OURS = re.compile(r"nothing of ours")
_ALL_BUT = re.compile(r"all but (.*)")


def modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def imports(path: Path) -> Iterator[str]:
    """Dotted names of modules, those imported inside functions included; relative ones resolved."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = path.relative_to(ROOT).parts[: -node.level]
                base = ".".join([*package, base] if base else package)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if is_module(inner) else base


def is_module(dotted: str) -> bool:
    place = ROOT.joinpath(*dotted.split("."))
    return place.is_dir() or place.with_suffix(".py").is_file()


def ours(path: Path) -> list[str]:
    """What it imports of the gateway, without the leading "gateway."; __version__ is everybody's."""
    found = {name.removeprefix("gateway.") for name in imports(path) if name.startswith("gateway.")}
    return sorted(found)


def part_of(path: Path) -> str:
    """The package of a module, or the module itself where it lies beside the packages."""
    first, *rest = path.relative_to(PACKAGE).parts
    return first if rest else first.removesuffix(".py")


def house_map() -> str:
    doc = gateway.__doc__ or ""
    return doc[: doc.index("Who may import whom")]


def pure() -> set[str]:
    """Starred packages ("rules") and modules ("config.model"; "config.check" stands for check_* too)."""
    found: set[str] = set()
    for line in re.findall(r"^    (\S.*(?:\n {18}\S.*)*)", house_map(), re.MULTILINE):
        name, star, rest = re.fullmatch(r"(\w+)(?:\.py|/)( \*)?\s+([\s\S]*)", line).groups()  # type: ignore[union-attr]
        found |= {name} if star else {f"{name}.{module}" for module in re.findall(r"(\w+) \*", rest)}
    return found


def is_pure(path: Path) -> bool:
    dotted = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    return any(
        dotted == name or dotted.startswith((f"{name}.", f"{name}_") if "." in name else f"{name}.")
        for name in pure()
    )


def table() -> dict[str, str]:
    """Each package with what it may import, in the docstring's words."""
    doc = gateway.__doc__ or ""
    rows = doc[doc.index("Who may import whom") :].split("\n\n")[1]
    found: dict[str, str] = {}
    for names, may in re.findall(r"^    (\w+(?:, \w+)*) {2,}(\S.*(?:\n {20,}\S.*)*)", rows, re.MULTILINE):
        found |= dict.fromkeys(names.split(", "), " ".join(may.split()))
    return found


def may_import(package: str, wanted: str) -> bool:
    """Whether a module of `package` may import `wanted`, dotted and without "gateway."."""
    top = wanted.partition(".")[0]
    words = table()[package]
    if top == package or words == "everything":
        return True
    if within(wanted, "config.model") and package not in ("values", "protocol"):
        return True
    if top == "observe" and package not in pure():
        return True
    if _NOT_OURS.fullmatch(words):
        return False
    if but := _ALL_BUT.fullmatch(words):
        return top not in but[1].split(", ")
    return any(within(wanted, allowed) for allowed in words.split(", "))


def within(wanted: str, allowed: str) -> bool:
    return wanted == allowed or wanted.startswith(f"{allowed}.")


def has_functions(path: Path) -> bool:
    """Whether anything in it can go wrong: a function that is more than a Protocol's promise."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _is_promise(node)
        for node in ast.walk(ast.parse(path.read_text()))
    )


def _is_promise(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    body = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    return not body  # a docstring and "..." are constants


def test_the_map_names_every_package() -> None:
    drawn = set(re.findall(r"^    (\w+)(?:\.py|/)", house_map(), re.MULTILINE))
    built = {part_of(path) for path in modules(PACKAGE)} - {"__init__", "__main__"}
    assert drawn == built == set(table())


def test_the_starred_parts_are_there() -> None:
    assert {"values", "protocol", "text", "rules", "flows"} <= pure()
    assert {"config.model", "config.check", "outbound.chain", "outbound.routes"} <= pure()
    assert [name for name in pure() if not is_module(f"gateway.{name}")] == []


@pytest.mark.parametrize(("package", "wanted", "may"), [
    ("values", "config.model", False),
    ("values", "values.address", True),
    ("rules", "config.model", True),
    ("rules", "config.load", False),
    ("rules", "observe.log", False),
    ("inbound", "outbound.accept", True),
    ("inbound", "outbound.acceptance", False),
    ("inbound", "outbound.pipeline", False),
    ("inbound", "observe.system", True),
    ("http", "protocol.smpp", False),
    ("http", "store.sqlite", True),
    ("daemon", "cli", True),
])  # fmt: skip
def test_the_table_is_read_as_it_is_written(package: str, wanted: str, may: bool) -> None:
    assert may_import(package, wanted) is may


def test_imports_keep_to_the_table() -> None:
    forbidden = [
        f"{path.relative_to(ROOT)} imports gateway.{wanted}"
        for path in modules(PACKAGE)
        if (package := part_of(path)) not in ("__init__", "__main__")
        for wanted in ours(path)
        if not may_import(package, wanted)
    ]
    assert forbidden == []


def test_pure_parts_know_no_loop_clock_network_chance_or_disk() -> None:
    impure = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(PACKAGE)
        if is_pure(path)
        for name in imports(path)
        if name.partition(".")[0] in IMPURE
    ]
    assert impure == []


def test_the_simulators_and_the_gateway_do_not_know_each_other() -> None:
    crossing = [
        f"{path.relative_to(ROOT)} imports {name}"
        for folder, other in ((PACKAGE, "simulators"), (SIMULATORS, "gateway"))
        for path in modules(folder)
        for name in imports(path)
        if name.partition(".")[0] == other
    ]
    assert crossing == []


def test_every_module_that_does_something_has_its_test_file() -> None:
    untested = []
    for path in modules(PACKAGE):
        place = path.relative_to(PACKAGE)
        name = "init" if path.stem == "__init__" else path.stem
        test = TESTS / place.parent / f"test_{name}.py"
        if has_functions(path) and not test.is_file() and str(place) not in TESTED_ELSEWHERE:
            untested.append(f"{path.relative_to(ROOT)} has no {test.relative_to(ROOT)}")
    assert untested == []


def test_the_exceptions_are_needed() -> None:
    gone = [place for place in TESTED_ELSEWHERE if not (PACKAGE / place).is_file()]
    named = [
        reason
        for reason in TESTED_ELSEWHERE.values()
        for mentioned in re.findall(r"tests/[\w/.]+\w", reason)
        if not (ROOT / mentioned).exists()
    ]
    assert (gone, named) == ([], [])


def test_every_test_file_has_its_module() -> None:
    """tests/PACKAGE/test_MODULE.py; a second file of one module says more after it: test_MODULE_MORE.py."""
    stray = []
    for path in modules(TESTS):
        place = path.relative_to(TESTS)
        if not path.name.startswith("test_") or place.parts[0] in OWN_FOLDERS or path == Path(__file__):
            continue
        name = path.stem.removeprefix("test_")
        folder = PACKAGE / place.parent
        known = {"init" if m.stem == "__init__" else m.stem for m in folder.glob("*.py")}
        if not any(name == module or name.startswith(f"{module}_") for module in known):
            stray.append(str(path.relative_to(ROOT)))
    assert stray == []
