from __future__ import annotations

import json
import time
from typing import Any

from gateway.values.link import Link


def link(token: str, number: int, **fields: Any) -> Link:
    plain = {
        "service": "pizza",
        "name": "offer",
        "address": "+447700900123",
        "ref": "m1",
        "android": "",
        "ios": "",
        "other": "https://example.org/",
        "after": "",
        "created_at": time.time(),
        "expires_at": time.time() + 9,
    }
    return Link(token=token, number=number, **plain | fields)


def test_links_are_counted_by_name(place: Any) -> None:
    long_ago = time.time() - 8 * 86_400
    place.fill([link("a", 1, clicks=2, previews=1), link("b", 2), link("c", 3, created_at=long_ago)])
    result = place.run("links", "pizza", "--days", "7")
    assert (result.exit_code, result.stdout) == (0, "offer\t2\t1\t2\t1\n")
    found = json.loads(place.run("links", "pizza", "--json").stdout)
    assert found == [{"name": "offer", "sent": 3, "clicked": 1, "clicks": 2, "previews": 1}]


def test_a_service_that_there_is_not(place: Any) -> None:
    result = place.run("links", "piza")
    assert result.exit_code == 1 and "no service is named 'piza'" in result.output
