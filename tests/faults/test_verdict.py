"""The verdict itself: what it calls lost, doubled and inverted."""

from command.chaos.looking import Rows, differences
from command.chaos.verdict import Fact, judge

ALL: list[Fact] = [("a", 1), ("a", 2), ("b", 1), ("a", 3)]


def test_what_came_once_and_in_order_of_its_stream_is_kept() -> None:
    assert judge(ALL, [("b", 1), ("a", 1), ("a", 2), ("a", 3)]).kept


def test_what_is_not_there_is_lost() -> None:
    found = judge(ALL, [("a", 1), ("b", 1), ("a", 3)])
    assert (found.lost, found.doubled, found.inverted) == ([("a", 2)], [], [])
    assert str(found) == "4 promised, 1 lost (a@2), 0 doubled, 0 inverted"


def test_what_came_twice_or_was_promised_to_nobody_is_doubled_unless_it_may_be_there() -> None:
    assert judge(ALL, [*ALL, ("a", 3)]).doubled == [("a", 3)]
    assert judge(ALL, [*ALL, ("b", 2)]).doubled == [("b", 2)]
    assert judge(ALL, [*ALL, ("b", 2)], unsure=[("b", 2)]).kept
    assert judge(ALL, [*ALL, ("b", 2), ("b", 2)], unsure=[("b", 2)]).doubled == [("b", 2)]


def test_two_promises_of_one_event_need_two() -> None:
    assert judge([("a", 1), ("a", 1)], [("a", 1)]).lost == [("a", 1)]


def test_what_came_after_a_later_one_is_inverted() -> None:
    found = judge(ALL, [("a", 2), ("a", 1), ("b", 1), ("a", 3)])
    assert (found.lost, found.doubled, found.inverted) == ([], [], [("a", 1)])


def test_a_posting_that_is_shown_otherwise_or_not_at_all_or_was_never_commanded_differs() -> None:
    expected: Rows = {"P1": {"status": "serving"}, "P2": {"status": "ended"}, "P3": {"status": "approved"}}
    shown: Rows = {"P1": {"status": "serving", "more": 1}, "P2": {"status": "serving"}, "P4": {"status": "proposed"}}
    assert differences(shown, expected) == ["P2", "P3", "P4"]
    assert differences(shown, expected, unsure=["posting-P4"]) == ["P2", "P3"]
