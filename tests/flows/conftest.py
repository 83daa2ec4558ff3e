from typing import Any

import pytest

# design.md section 7, with the end that it leaves out
PIZZA: dict[str, Any] = {
    "start": "ask",
    "nodes": {
        "ask": {
            "type": "send-sms",
            "text": "Which size? S, M or L",
            "on": {"success": "size", "error": "end:102"},
        },
        "size": {"type": "receive", "timeout": "10m", "on": {"message": "check", "timeout": "end:103"}},
        "check": {
            "type": "branch",
            "cases": [{"when": 'sms.words[0] in ["s", "m", "l"]', "go": "confirm"}],
            "else": "again",
        },
        "again": {
            "type": "send-sms",
            "text": "$(size.text) is no size. S, M or L",
            "on": {"success": "size", "error": "end:102"},
        },
        "confirm": {
            "type": "send-sms",
            "text": "One pizza $(sms.words) for $(customer.address). Thank you!",
            "on": {"success": "end", "error": "end:102"},
        },
    },
}


@pytest.fixture
def pizza() -> dict[str, Any]:
    return PIZZA
