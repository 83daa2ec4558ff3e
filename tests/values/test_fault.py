from gateway.values.fault import Fault, nearest


def test_a_fault_reads_as_path_and_sentence() -> None:
    assert str(Fault("flows.order.start", "no such node")) == "flows.order.start: no such node"


def test_the_nearest_known_word_is_offered_and_a_far_one_is_not() -> None:
    assert nearest("windw", ["window", "host"]) == '; did you mean "window"?'
    assert nearest("xyz", ["window", "host"]) == ""


def test_no_word_is_near_a_very_long_one() -> None:
    assert nearest("window" * 50_000, ["window" * 50_000 + "s"]) == ""
