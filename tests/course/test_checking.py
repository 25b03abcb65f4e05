"""Comparisons and verdicts: what a learner reads."""

import numpy as np
import pytest

from mininet import Tensor
from mininet.course import CHAPTERS, NotYet, check, checking, expect


@pytest.mark.parametrize("value", [1.5, [1, 2], np.arange(3.0), np.array(7), True, Tensor(np.ones(2)), 2**100, 1 + 2j])
def test_equal_values_are_exact(value, capsys):
    expect("it", value, value)
    assert capsys.readouterr().out == "it: exact\n"


def test_nearly_equal_values_are_close_with_their_difference(capsys):
    expect("it", [1.0, 2.0], [1.0, 2.0 + 2**-20], within=1e-6)
    assert capsys.readouterr().out == "it: close, largest difference 9.54e-07\n"


def test_the_difference_allowed_is_relative_to_the_largest_value_unless_that_is_zero():
    expect("it", [1000.0, 0.0], [1000.0, 1e-4], within=1e-6)
    expect("it", [1e-7], [0.0], within=1e-6)
    for value, right in (([1.0, 0.0], [1.0, 1e-4]), ([1e-5], [0.0])):
        with pytest.raises(NotYet):
            expect("it", value, right, within=1e-6)


@pytest.mark.parametrize(
    ("value", "right", "message"),
    [
        (None, 1.0, "it: nothing was returned"),
        (3.0, 4.0, "it: got 3.0, should be 4.0"),
        ([1, 2, 3], [1, 5, 3], "it at 1: got 2, should be 5"),
        (np.zeros((2, 2)), np.eye(2), r"it at \(0, 0\): got 0.0, should be 1.0"),
        (np.zeros(3), np.zeros((3, 1)), r"it has shape \(3,\), and should have \(3, 1\)"),
        ([1.0, np.nan], [1.0, 2.0], "it at 1: got nan, should be 2.0"),
        ([[1], [1, 2]], [1, 2], "it is not an array"),
        ("four", 4, "it is not made of numbers, but"),
        (2**70 + 1, 2**70, "should be 1180591620717411303424"),
        (True, False, "it: got True, should be False"),
        (1 + 1e-16j, 1, "should be"),
    ],
)
def test_what_is_wrong_is_said(value, right, message):
    with pytest.raises(NotYet, match=message):
        expect("it", value, right)


@pytest.mark.parametrize("value", [np.nan, np.inf, [np.nan]])
def test_nothing_that_is_not_a_number_is_near(value):
    with pytest.raises(NotYet):
        expect("it", value, np.ones_like(value), within=1e300)


def test_a_right_answer(capsys):
    check("01.2", lambda gamma, depth: [1, 0, 0, 0] if gamma == 0 else [1, 0.5, 0, -0.25, -0.25])
    assert capsys.readouterr().out == "gamma = 0: exact\ngamma = 0.5: exact\nright\n"


def test_a_wrong_answer_is_shown(capsys):
    check("01.2", lambda gamma, depth: [1] * (depth + 1))
    assert capsys.readouterr().out == "not yet: gamma = 0 at 1: got 1, should be 0\n"
    check("01.2", lambda gamma, depth: 1 / 0)
    assert capsys.readouterr().out.startswith("not yet: ZeroDivisionError: division by zero (in <lambda>: ")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=[chapter.number for chapter in CHAPTERS])
def test_every_chapter_has_exercises(chapter):
    assert callable(checking.find(f"{chapter.number}.1"))
