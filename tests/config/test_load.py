from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from gateway.config.load import Loaded, load, places
from gateway.config.model import Service
from gateway.values.fault import Fault

MAIN = """\
    [smpp.binds.north]
    host = "127.0.0.1"
    system_id = "gw"
    addresses = ["12345"]
    """
PIZZA = """\
    name = "Pizza"
    assets = ["12345"]

    [keywords.ORDER]
    flow = "order"

    [flows.order]
    start = "ask"
    """


class Conf:
    """A folder of configuration files; `findings` are printed with their place, the folder left out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "services").mkdir()
        self.write("gateway.toml", MAIN)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(dedent(text))

    def load(self, environ: Mapping[str, str] | None = None) -> Loaded:
        return load(self.folder / "gateway.toml", environ=environ or {})

    def findings(self) -> list[str]:
        loaded = self.load()
        assert (loaded.gateway is None) == bool(loaded.faults)
        return [str(fault).removeprefix(f"{self.folder}/") for fault in loaded.faults]


@pytest.fixture
def conf(tmp_path: Path) -> Conf:
    return Conf(tmp_path)


def test_the_main_file_and_the_services_beside_it_become_one_model(conf: Conf) -> None:
    conf.write("services/pizza.toml", PIZZA)
    conf.write("services/callback-2.toml", 'name = "Callback"')
    conf.write("services/.hidden.toml", "not toml")
    conf.write("services/notes.txt", "not toml")
    loaded = conf.load()
    assert loaded.faults == []
    assert loaded.services == ["callback-2", "pizza"]
    assert loaded.gateway is not None
    assert loaded.gateway.smpp.binds["north"].host == "127.0.0.1"
    assert {name: service.name for name, service in loaded.gateway.services.items()} == {
        "callback-2": "Callback",
        "pizza": "Pizza",
    }


def test_three_mistakes_in_a_service_file_give_three_findings(conf: Conf) -> None:
    conf.write(
        "services/pizza.toml",
        """\
        name = "Pizza"
        assets = ["12345", "12"]

        [keywords.ORDER]
        aliasses = ["PIZZA"]
        flow = "odrer"

        [flows.order]
        start = "ask"
        """,
    )
    asset, *others = conf.findings()
    assert asset.startswith("services/pizza.toml:2: assets[1]: '12' is neither an E.164 number")
    assert others == [
        'services/pizza.toml:5: keywords.ORDER.aliasses: unknown key; did you mean "aliases"?',
        'services/pizza.toml:6: keywords.ORDER.flow: "odrer" is no flow; did you mean "order"?',
    ]


def test_findings_come_from_all_files_each_from_top_to_bottom(conf: Conf) -> None:
    conf.write("gateway.toml", '[http]\nlisten = "x"\nprot = 1\n[lgo]\n')
    conf.write("services/b.toml", 'name = 5\nstatus = "alive"')
    conf.write("services/a.toml", "\n\nkey = 1\n")
    places = [finding.rsplit(": ", 1)[0].split(": unknown")[0] for finding in conf.findings()]
    assert [place.split(": ")[:2] for place in places] == [
        ["gateway.toml:2", "http.listen"],
        ["gateway.toml:3", "http.prot"],
        ["gateway.toml:4", "lgo"],
        ["services/a.toml:1", "name"],
        ["services/a.toml:3", "key"],
        ["services/b.toml:1", "name"],
        ["services/b.toml:2", "status"],
    ]


def test_a_syntax_error_is_one_finding_with_its_line(conf: Conf) -> None:
    conf.write("services/pizza.toml", 'name = "Pizza"\nstatus = live\n')
    conf.write("services/quiz.toml", 'name = "Quiz"\nassets = [\n\n')
    pizza, quiz = conf.findings()
    assert pizza == "services/pizza.toml:2: is no TOML: Invalid value"
    assert quiz.startswith("services/quiz.toml:3: is no TOML: ")


def test_a_broken_file_brings_no_findings_in_the_others(conf: Conf) -> None:
    conf.write("services/pizza.toml", PIZZA)
    conf.write("gateway.toml", "[smpp")
    assert [finding.split(": ")[0] for finding in conf.findings()] == ["gateway.toml:1"]

    account = '[smpp.listen]\n[smpp.accounts.a]\nsystem_id = "a"\npassword = "p"\nservice = "pizza"'
    conf.write("gateway.toml", dedent(MAIN) + account)
    conf.write("services/pizza.toml", "name =")
    assert [finding.split(": ")[0] for finding in conf.findings()] == ["services/pizza.toml:1"]


def test_the_mistakes_of_the_services_are_found_while_the_main_file_is_broken(conf: Conf) -> None:
    conf.write("gateway.toml", "[smpp")
    conf.write("services/pizza.toml", PIZZA + '\n    stat = "x"\n')
    assert [finding.split(": ")[0] for finding in conf.findings()] == ["gateway.toml:1"]
    conf.write("services/pizza.toml", '    stat = "x"\n' + PIZZA)
    assert [finding.split(": ")[0] for finding in conf.findings()] == [
        "gateway.toml:1",
        "services/pizza.toml:1",
    ]


def test_a_mistake_brings_no_second_finding_about_what_it_spoiled(conf: Conf) -> None:
    conf.write(
        "services/pizza.toml",
        """\
        name = "Pizza"
        assets = ["12345"]
        [keywords.ORDER]
        flwo = "order"
        [chains.alert]
        steps = "north"
        [keywords.ALERT]
        chain = "alert"
        [rules.r]
        on = "sms.received"
        do = [{ sned = { to = "x", text = "y" } }]
        """,
    )
    assert [finding.split(": ")[1] for finding in conf.findings()] == [
        "keywords.ORDER.flwo",
        "chains.alert.steps",
        "rules.r.do[0].sned",
    ]


def test_a_file_that_cannot_be_read_is_a_finding(conf: Conf) -> None:
    (conf.folder / "services" / "latin.toml").write_bytes(b'# fine\nname = "Caf\xe9"\n')
    (conf.folder / "gateway.toml").unlink()
    assert conf.findings() == [
        "gateway.toml: cannot be read: No such file or directory",
        "services/latin.toml:2: is not UTF-8 text",
    ]


def test_without_services_there_are_none(conf: Conf) -> None:
    (conf.folder / "services").rmdir()
    loaded = conf.load()
    assert (loaded.faults, loaded.services) == ([], [])


def test_services_do_not_stand_in_the_main_file(conf: Conf) -> None:
    conf.write("gateway.toml", '[services.pizza]\nname = "Pizza"')
    (finding,) = conf.findings()
    assert finding.startswith("gateway.toml:1: services: a service has a file of its own")


def test_a_service_file_s_name_is_a_plain_word(conf: Conf) -> None:
    conf.write("services/my pizza.v2.toml", 'name = "x"')
    (finding,) = conf.findings()
    assert finding.startswith("services/my pizza.v2.toml: a service is named by its file")


def test_secrets_are_resolved_in_both_kinds_of_file(conf: Conf) -> None:
    conf.write("gateway.toml", dedent(MAIN) + 'password = "$env:NORTH"')
    conf.write("services/key", "from-a-file\n")
    conf.write("services/pizza.toml", 'name = "$env:NORTH"\nkey = "$file:key"')
    loaded = conf.load({"NORTH": "s3cret"})
    assert loaded.gateway is not None
    assert loaded.gateway.smpp.binds["north"].password == "s3cret"
    assert loaded.gateway.services["pizza"].key == "from-a-file"
    assert loaded.gateway.services["pizza"].name == "$env:NORTH"
    assert conf.findings() == [
        "gateway.toml:5: smpp.binds.north.password: the environment variable NORTH is not set"
    ]


def test_without_secrets_they_stay_as_written(conf: Conf) -> None:
    conf.write("gateway.toml", dedent(MAIN) + 'password = "$env:NORTH"')
    conf.write("services/pizza.toml", 'name = "Pizza"\nkey = "$credential:key"')
    loaded = load(conf.folder / "gateway.toml", environ={}, secrets=False)
    assert loaded.gateway is not None
    assert loaded.gateway.smpp.binds["north"].password == "$env:NORTH"
    assert loaded.gateway.services["pizza"].key == "$credential:key"


def test_the_state_directory_of_systemd_wins(conf: Conf) -> None:
    conf.write("gateway.toml", 'state_directory = "here"')
    plain, systemd = conf.load(), conf.load({"STATE_DIRECTORY": "/var/lib/trunkline"})
    assert plain.gateway and plain.gateway.state_directory == "here"
    assert systemd.gateway and systemd.gateway.state_directory == "/var/lib/trunkline"


def test_prompts_lie_beside_the_file_that_names_them(conf: Conf) -> None:
    conf.write("services/hello.wav", "RIFF")
    conf.write(
        "services/pizza.toml",
        """\
        name = "Pizza"
        [templates.hello]
        wav = "hello.wav"
        [flows.f.nodes.ring]
        type = "end"
        wav = "hello.wav"
        """,
    )
    loaded = conf.load()
    assert loaded.gateway is not None
    service, prompt = loaded.gateway.services["pizza"], str(conf.folder / "services" / "hello.wav")
    assert service.templates["hello"].wav == prompt
    assert service.flows["f"]["nodes"]["ring"] == {"type": "end", "wav": prompt}

    (conf.folder / "services" / "hello.wav").unlink()
    assert [finding.split(": ")[:2] for finding in conf.findings()] == [
        ["services/pizza.toml:3", "templates.hello.wav"],
        ["services/pizza.toml:6", "flows.f.nodes.ring.wav"],
    ]


def test_a_node_may_name_several_prompts(conf: Conf) -> None:
    conf.write("services/hello.wav", "RIFF")
    conf.write(
        "services/pizza.toml",
        """\
        name = "Pizza"
        [flows.f.nodes.ring]
        type = "end"
        wav = ["hello.wav", "bye.wav"]
        """,
    )
    assert [finding.split(": ")[:2] for finding in conf.findings()] == [
        ["services/pizza.toml:4", "flows.f.nodes.ring.wav[1]"]
    ]
    conf.write("services/bye.wav", "RIFF")
    loaded = conf.load()
    assert loaded.gateway is not None
    folder = conf.folder / "services"
    ring = loaded.gateway.services["pizza"].flows["f"]["nodes"]["ring"]
    assert ring["wav"] == [str(folder / "hello.wav"), str(folder / "bye.wav")]


def test_the_findings_of_the_lint_are_located_too(conf: Conf) -> None:
    conf.write("services/pizza.toml", PIZZA)

    def lint(services: Mapping[str, Service]) -> list[Fault]:
        assert list(services) == ["pizza"]
        return [Fault(f"services.pizza.flows.order.{key}", "is bad") for key in ("start", "nodes")]

    loaded = load(conf.folder / "gateway.toml", environ={}, lint=lint)
    assert loaded.gateway is None
    assert [(fault.line, fault.path) for fault in loaded.faults] == [
        (7, "flows.order.nodes"),
        (8, "flows.order.start"),
    ]


def test_windows_line_ends_do_not_shift_the_lines(conf: Conf) -> None:
    (conf.folder / "services" / "pizza.toml").write_bytes(b'name = "x"\r\n\r\nkye = "x"\r\n')
    assert conf.findings() == ['services/pizza.toml:3: kye: unknown key; did you mean "key"?']


def test_the_example_configuration_has_no_findings_with_an_empty_environment() -> None:
    loaded = load("conf/gateway.toml", environ={})
    assert loaded.faults == []
    assert loaded.services == sorted(file.stem for file in Path("conf/services").glob("*.toml"))


def test_a_setting_is_found_in_its_file(conf: Conf) -> None:
    conf.write("services/pizza.toml", PIZZA)
    place = places(conf.folder / "gateway.toml")
    lines = (conf.folder / "services" / "pizza.toml").read_text().splitlines()
    expected = f"{conf.folder}/services/pizza.toml:{lines.index('[keywords.ORDER]') + 1}"
    assert place("services.pizza.keywords.ORDER") == expected
    assert place("services.pizza.keywords.GONE") == place("services.nobody.rules.x") == place("") == ""


def test_no_setting_is_found_in_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert places(tmp_path / "gateway.toml")("services.pizza.keywords.ORDER") == ""
