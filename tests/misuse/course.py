"""What the course and the grader refuse; learners' own mistakes are their subject, see tests/course and tests/grader."""

import numpy as np
from misuse.table import case, each, works

from mininet import course, grader
from mininet.course import checking

ONES = np.ones(3)


class Empty:
    """An object without any of the functions."""


CASES = [
    *each(course.check, "number", ("02.9", "99.1", "2.1", "", None, 2.1, "02.1 "), lambda f, v: f(v), ValueError, "number must be that of an exercise, as '02.1', got"),
    *each(checking.find, "number", ("00.1", "01", b"01.1", ["01.1"]), lambda f, v: f(v), ValueError, "number must be that of an exercise, as '02.1', got"),
    case(course.require, "a condition that does not hold", lambda f: f(False, "the reason"), course.NotYet, "the reason"),
    *each(course.expect, "value", (None,), lambda f, v: f("y", v, ONES), course.NotYet, "y: nothing was returned"),
    case(course.expect, "a text", lambda f: f("y", "text", ONES), course.NotYet, "y is not made of numbers, but"),
    case(course.expect, "lists of different lengths", lambda f: f("y", [[1.0], [1.0, 2.0]], ONES), course.NotYet, "y is not an array, but [[1.0], [1.0, 2.0]]"),
    case(course.expect, "shapes that would broadcast", lambda f: f("y", 1.0, ONES), course.NotYet, "y has shape (), and should have (3,)"),
    case(course.expect, "NaN", lambda f: f("y", ONES * np.nan, ONES, within=1.0), course.NotYet, "y at 0 is nan, and should be 1.0"),
    works(course.expect, "no elements", lambda f: f("y", [], []), lambda: None),
    *each(grader.load, "source", ("nowhere.py", "", "."), lambda f, v: f(v), grader.CannotLoad, "cannot read"),
    *each(grader.load, "source", (None, 3, {}, Empty()), lambda f, v: f(v), grader.CannotLoad, "defines none of the functions forward, invert, backward"),
    *each(grader.grade, "implementation", (None, 3, {}, "nowhere.py"), lambda f, v: f(v), grader.CannotLoad, ""),
    case(grader.write_template, "a folder that is not there", lambda f: f("nowhere/mine.py"), FileNotFoundError, "nowhere"),
    case(grader.write_template, "None", lambda f: f(None), TypeError, "not NoneType"),
]  # fmt: skip
