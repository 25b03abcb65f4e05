"""What the course and the grader refuse; learners' own mistakes are their subject, see tests/course and tests/grader."""

import numpy as np
from misuse.table import case, each, works

from mininet import course, grader

ONES = np.ones(3)

CASES = [
    *each(course.check, "number", lambda f, v: f(v), values=("99.1", "01.9", "00.1", "1.1", "01", 1.1, "01.1 ", "", None)),
    case(course.require, "a condition that does not hold", lambda f: f(False, "the reason"), course.NotYet, "the reason"),
    *each(course.expect, "y", lambda f, v: f("y", v, ONES), other=(course.NotYet, (None, "text", [[1.0], [1.0, 2.0]], 1.0, ONES * np.nan))),
    works(course.expect, "no elements", lambda f: f("y", [], []), lambda: None),
    *each(grader.load, "source", lambda f, v: f(v), other=(grader.CannotLoad, ("nowhere.py", ".")), says="cannot read"),
    *each(grader.load, "source", lambda f, v: f(v), other=(grader.CannotLoad, (None, 3)), says="forward, invert, backward"),
    *each(grader.grade, "implementation", lambda f, v: f(v), other=(grader.CannotLoad, (None, "nowhere.py")), says=""),
    case(grader.write_template, "a folder that is not there", lambda f: f("nowhere/mine.py"), FileNotFoundError, "nowhere"),
]  # fmt: skip
