"""Wrong answers to the exercises are refused with a message that names the matter, and right ones are not."""

import functools
import importlib

import pytest
from course.answers import storing

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
RIGHT = [(f"{number}.{row[0]}", *row[1:]) for number, answers in ANSWERS.items() for row in answers.RIGHT]


@pytest.mark.parametrize("row", WRONG, ids=lambda row: f"{row[0]}: {row[-1]}")
def test_wrong_answers(row):
    number, *answers, message = row
    with pytest.raises(NotYet, match=message):
        find(number)(*answers)


@pytest.mark.parametrize("row", RIGHT, ids=lambda row: row[0])
def test_right_answers(row):
    number, *answers = row
    find(number)(*answers)


@pytest.mark.parametrize(
    ("number", "answers", "printed"),
    [
        ("07.5", [lambda *arguments: None] * 3, "backward is not written yet"),
        # in ResNet-20: norms behind the stem and 18 convolutions, and a classifier from 64 channels to ten classes
        ("11.1", [lambda *sizes: 0], "267,696 in the convolutions, 650 in the classifier, 1,376 in the norms"),
    ],
)
def test_what_is_wrong_is_printed_before(number, answers, printed, capsys):
    with pytest.raises(NotYet):
        find(number)(*answers)
    assert printed in capsys.readouterr().out


def test_predictions_are_compared_with_what_the_networks_do():
    ends = {case: optimisation._end(*case) for case in optimisation.CASES}
    assert {kind: [end < 1 for case, end in ends.items() if case[0] == kind] for kind in ("resnet", "momentum")} == {
        "resnet": [True, True, False, False],
        "momentum": [True, True, False, True, False],
    }
    for end in ends.values():  # all are settled
        assert end < 1e-8 or end > 1e8


def test_the_binomial_coefficient_is_the_longest_chain():
    @functools.cache
    def most_evaluated(layers, slots):
        """How often some layer is evaluated if checkpoints are placed so that this is least."""
        if layers == 1 or slots == 0:
            return layers
        return min(max(1 + most_evaluated(m, slots), most_evaluated(layers - m, slots - 1)) for m in range(1, layers))

    for slots in range(4):
        for times in range(1, 5):
            length = storing.longest(slots, times)
            assert most_evaluated(length, slots) == times
            assert most_evaluated(length + 1, slots) == times + 1
