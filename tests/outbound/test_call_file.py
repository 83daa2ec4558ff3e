from __future__ import annotations

from pathlib import Path

import pytest

from gateway.outbound.call_file import read_file
from gateway.values.errors import BadInput


def write(folder: Path, text: str | bytes) -> str:
    path = folder / "people.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_every_line_is_an_entry_and_every_other_column_a_variable(tmp_path: Path) -> None:
    path = write(tmp_path, '\ufeffname,number\nAnne,07700 900401\n"Bob, Jr.",+44 7700 900402\n')
    first, second = read_file(path, "l", "GB", 5.0)
    assert (first.list, first.position, first.number) == ("l", 1, "+447700900401")
    assert first.variables == {"name": "Anne"} and (first.state, first.due) == ("waiting", 5.0)
    assert (second.number, second.variables) == ("+447700900402", {"name": "Bob, Jr."})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nobody", "nobody"),
        ("", ""),
        ("12345", "'12345' is not an E.164 number"),
        ("+447700900401", "is in the list twice"),
        ("0044 7700 900401", "is in the list twice"),
    ],
)
def test_what_cannot_be_called_is_there_with_its_reason(tmp_path: Path, line: str, reason: str) -> None:
    entries = read_file(write(tmp_path, f'number,x\n+447700900401,1\n"{line}",2\n'), "l", "", 0.0)
    assert [entry.state for entry in entries] == ["waiting", "skipped"]
    assert reason in entries[1].reason and entries[1].reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("phone,name\n1,2\n", 'must name a column "number"; it has: phone, name'),
        ("", "it has: nothing"),
        (b"number\n\xff\xfe\n", "utf-8"),
    ],
)
def test_a_file_without_numbers_is_refused(tmp_path: Path, text: str | bytes, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        read_file(write(tmp_path, text), "l", "", 0.0)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        read_file(str(tmp_path / "none.csv"), "l", "", 0.0)
