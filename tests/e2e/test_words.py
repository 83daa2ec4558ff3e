"""One-time passwords, smart links and what is read out of texts, from outside: a handset, a browser, the
disk, and a gateway that is killed in between."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.processes import KEY, Daemon, Simulator, until

pytestmark = pytest.mark.e2e

CUSTOMER = "447700900123"
SETTINGS = """
[smpp.binds.north]
host = "127.0.0.1"
port = {smsc}
system_id = "gw"
addresses = ["12345"]
"""
SERVICE = f"""
name = "Shop"
key = "{KEY}"
assets = ["12345"]
[nlp]
languages = ["en", "de"]
[nlp.intents.track]
examples = ["where is my parcel", "wo ist mein Paket"]
[links.offer]
other = "https://example.org/offer"
ios = "https://example.org/ios"
[rules.track]
on = "sms.received"
when = 'nlp.intent == "track"'
do = [{{ reply = "On its way ($(nlp.language)): $(link.offer)" }}]
[rules.clicked]
on = "link.clicked"
when = "click.count == 1"
do = [{{ send = {{ to = "$(customer.address)", text = "Seen on $(click.device)" }} }}]
"""


class Site:
    def __init__(self, daemon: Daemon, smsc: Simulator) -> None:
        self.daemon, self.smsc = daemon, smsc

    def texts(self) -> list[str]:
        """What the handset has got."""
        return [message["text"] for message in self.smsc.heard("message")]

    def text(self, text: str) -> str:
        """The handset texts; what it is answered."""
        before = len(self.texts())
        self.smsc.tell("mo", **{"from": CUSTOMER, "to": "12345", "text": text})
        return self.next(before)

    def next(self, before: int) -> str:
        until(lambda: len(self.texts()) > before, "another text has come")
        return self.texts()[before]

    def post(self, path: str, **body: object) -> tuple[int, dict[str, object]]:
        return self.daemon.request("POST", path, body)

    def browse(self, path: str, agent: str) -> tuple[int, str]:
        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_: object) -> None:
                return None

        port = self.daemon.http_port
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"User-Agent": agent})
        try:
            with urllib.request.build_opener(Stay).open(request, timeout=5) as answer:
                return answer.status, ""
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.headers.get("Location", "")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Simulator("smsc", "--listen=127.0.0.1:0") as smsc:
        settings = SETTINGS.format(smsc=smsc.port)
        with Daemon(tmp_path / "site", settings, {"shop": SERVICE}) as daemon:
            until(lambda: daemon.log("bind.up"), "the bind is up")
            yield Site(daemon, smsc)


def test_a_code_survives_kill_9_and_is_on_no_disk(site: Site) -> None:
    status, sent = site.post("/v2/otp", to=f"+{CUSTOMER}", length=12)
    assert status == 202
    code = re.findall(r"\d{12}", site.next(0))[0]
    assert site.post(f"/v2/otp/{sent['id']}/check", code="0" * 12)[1]["attempts_left"] == 4
    site.daemon.kill9()
    site.daemon.start()
    _, checked = site.post(f"/v2/otp/{sent['id']}/check", code="1" * 12)
    assert checked == {"id": sent["id"], "outcome": "invalid", "attempts_left": 3}
    assert site.post(f"/v2/otp/{sent['id']}/check", code=code)[1]["outcome"] == "success"
    assert site.post(f"/v2/otp/{sent['id']}/check", code=code)[1]["outcome"] == "invalid"
    assert "************ is your code" in str(site.daemon.message(str(sent["transid"]))["text"])
    files = [path for path in site.daemon.folder.rglob("*") if path.is_file()]
    assert any(path.name == "gateway.db" for path in files)
    assert [path for path in files if code.encode() in path.read_bytes()] == []


def test_a_text_is_read_and_its_answer_has_a_link_that_tells_of_its_click(site: Site) -> None:
    answer = site.text("Wo ist denn mein Pakett?")
    assert answer.startswith("On its way (de): ")
    path = "/l/" + answer.rpartition("/")[2]
    assert site.browse(path, "WhatsApp/2.24") == (302, "https://example.org/offer")
    assert site.browse(path, "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) Safari/604.1") == (
        302,
        "https://example.org/ios",
    )
    assert site.next(1) == "Seen on ios"
    [counts] = site.daemon.get("/v2/links")[1]["links"]
    assert counts == {"name": "offer", "sent": 1, "clicked": 1, "clicks": 1, "previews": 1}
    assert site.browse("/l/00000000", "Mozilla/5.0")[0] == 404
