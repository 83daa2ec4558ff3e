import json
import shutil
from pathlib import Path

from click.testing import CliRunner

from gateway.cli import main


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def test_the_benchmarks_configuration_has_no_findings() -> None:
    status, said = run("check", "-c", "benchmarks/kit/gateway.toml")
    assert (status, said) == (0, "benchmarks/kit/gateway.toml and 1 service: no findings\n")


def test_the_example_configuration_has_no_findings() -> None:
    services = len(list(Path("conf/services").glob("*.toml")))
    assert run("check") == (0, f"conf/gateway.toml and {services} services: no findings\n")


def test_every_finding_is_printed_and_the_exit_status_is_1(tmp_path: Path) -> None:
    (tmp_path / "services").mkdir()
    main_file, service = tmp_path / "gateway.toml", tmp_path / "services" / "pizza.toml"
    main_file.write_text('[http]\nlisten = "8080"\n')
    service.write_text('name = "Pizza"\nstat = "live"\n[rules.r]\non = "call.mised"\ndo = [{ opt = "in" }]\n')
    status, output = run("check", "-c", str(main_file))
    what = '"call.mised" is no event; did you mean "call.missed"? (custom.NAME is one too)'
    assert status == 1
    assert output.splitlines() == [
        f'{main_file}:2: http.listen: "8080" is no ADDRESS:PORT; write "127.0.0.1:8080" or "[::1]:8080"',
        f'{service}:2: stat: unknown key; did you mean "status"?',
        f"{service}:4: rules.r.on: {what}",
        "3 findings",
    ]


def test_a_service_file_with_three_mistakes_gives_three_findings(tmp_path: Path) -> None:
    shutil.copytree("conf", tmp_path / "conf")
    service = tmp_path / "conf" / "services" / "pizza.toml"
    written = service.read_text()
    for right, wrong in (
        ("aliases =", "alias ="),
        ('message = "which"', 'message = "witch"'),
        ('"s" in sms.words ||', '"s" in sms.words or'),
    ):
        assert right in written
        written = written.replace(right, wrong, 1)
    service.write_text(written)
    status, output = run("check", "-c", str(tmp_path / "conf" / "gateway.toml"))
    *findings, count = output.splitlines()
    assert (status, count) == (1, "3 findings")
    assert [finding.split(": ")[1] for finding in findings] == [
        "keywords.ORDER.alias",
        "flows.order.nodes.answer",
        "flows.order.nodes.which.cases[0].when",
    ]


def test_findings_as_json(tmp_path: Path) -> None:
    main_file = tmp_path / "gateway.toml"
    main_file.write_text("\nhtpt = 1\n")
    status, output = run("check", "-c", str(main_file), "--json")
    assert status == 1
    assert json.loads(output) == {
        "config": str(main_file),
        "services": [],
        "findings": [
            {
                "file": str(main_file),
                "line": 2,
                "path": "htpt",
                "what": 'unknown key; did you mean "http"?',
                "warning": False,
            }
        ],
    }


def test_one_finding_is_one_finding() -> None:
    status, output = run("check", "-c", "nowhere.toml")
    assert (status, output) == (1, "nowhere.toml: cannot be read: No such file or directory\n1 finding\n")
