from pathlib import Path

import pytest

from gateway.config.secrets import resolve


def test_plain_text_is_the_secret_itself() -> None:
    for written in ("secret", "", "pa$$word", "$5", "costs $env:X"):
        assert resolve(written, environ={"X": "no"}, folder=Path("/")) == written


def test_a_secret_from_the_environment() -> None:
    assert resolve("$env:ACME", environ={"ACME": "s3cret"}, folder=Path("/")) == "s3cret"


def test_a_secret_from_a_file_beside_the_configuration_loses_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "acme").write_bytes(b" s3cret \r\n")
    assert resolve("$file:acme", environ={}, folder=tmp_path) == " s3cret "
    assert resolve(f"$file:{tmp_path / 'acme'}", environ={}, folder=Path("/")) == " s3cret "


def test_a_secret_from_systemd(tmp_path: Path) -> None:
    (tmp_path / "acme").write_text("s3cret\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert resolve("$credential:acme", environ=environ, folder=Path("/")) == "s3cret"


@pytest.mark.parametrize(
    ("written", "environ", "says"),
    [
        ("$env:ACME", {}, "variable ACME is not set"),
        ("$env:ACME", {"ACME": ""}, "variable ACME is empty"),
        ("$file:nowhere", {}, "nowhere cannot be read: No such file"),
        ("$file:empty", {}, "empty is empty"),
        ("$file:binary", {}, "binary is not UTF-8 text"),
        ("$credential:acme", {}, "CREDENTIALS_DIRECTORY is not set; systemd sets it"),
        ("$credential:acme", {"CREDENTIALS_DIRECTORY": "/nonexistent"}, "acme (/nonexistent/acme) cannot be"),
        ("$evn:ACME", {"ACME": "x"}, 'did you mean "$env:"?'),
        ("$vaultlike:x", {}, "There are $env:, $file:, $credential:"),
    ],
)
def test_a_secret_that_cannot_be_read_says_which(
    tmp_path: Path, written: str, environ: dict[str, str], says: str
) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError) as caught:
        resolve(written, environ=environ, folder=tmp_path)
    assert says in str(caught.value)
