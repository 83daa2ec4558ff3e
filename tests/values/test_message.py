import pytest

from gateway.values.message import Message


@pytest.mark.parametrize(("run", "session"), [("", ""), ("r1", "r1"), ("dial:reminder:7", "")])
def test_a_message_knows_the_session_that_it_is_sent_for(run: str, session: str) -> None:
    message = Message(
        id="m1",
        direction="mt",
        service="s",
        sender="1",
        recipient="2",
        run=run,
        created_at=1.0,
        updated_at=1.0,
    )
    assert message.session == session
