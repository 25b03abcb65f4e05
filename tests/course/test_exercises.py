"""Wrong answers to the exercises are refused with a message that names the matter, and right ones are not."""

import importlib

import pytest

from mininet.course import CHAPTERS, NotYet
from mininet.course.checking import find
from mininet.course.exercises import optimisation

ANSWERS = {chapter.number: importlib.import_module(f"course.answers.{chapter.exercises}") for chapter in CHAPTERS}
WRONG = [
    (f"{number}.{exercise}", *row)
    for number, answers in ANSWERS.items()
    for exercise, rows in answers.WRONG.items()
    for row in rows
]
RIGHT = [
    (f"{number}.{row[0]}", *row[1:]) for number, answers in ANSWERS.items() for row in getattr(answers, "RIGHT", [])
]


@pytest.mark.parametrize("row", WRONG, ids=lambda row: f"{row[0]}: {row[-1]}")
def test_wrong_answers(row):
    number, *answers, message = row
    with pytest.raises(NotYet, match=message):
        find(number)(*answers)


@pytest.mark.parametrize("row", RIGHT, ids=lambda row: row[0])
def test_right_answers(row):
    number, *answers = row
    find(number)(*answers)


def test_predictions_are_compared_with_what_the_networks_do():
    ends = {case: optimisation._end(*case) for case in optimisation.CASES}
    assert {kind: [end < 1 for case, end in ends.items() if case[0] == kind] for kind in ("resnet", "momentum")} == {
        "resnet": [True, True, False, False],
        "momentum": [True, True, False, True, False],
    }
    for end in ends.values():  # all are settled
        assert end < 1e-8 or end > 1e8
