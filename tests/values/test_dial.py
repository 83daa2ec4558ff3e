from gateway.values.dial import DIALLED, DialEntry


def test_the_owner_of_a_call_names_list_and_line() -> None:
    entry = DialEntry(list="l1", position=7, number="+447700900401", updated_at=0.0)
    assert entry.owner == "dial:l1:7" and entry.owner.startswith(DIALLED)
