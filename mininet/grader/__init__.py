"""A grader for your own implementation of a momentum block, in floats and in exact arithmetic.

Run ``mininet grade PATH``, ``pytest --implementation PATH``, or here ``grade(path or object)``.  `template`
is a file to begin with, and says what each function must do.  `float_promises` and `exact_promises` say what is tried,
on the examples in `cases`; `diagnosis` looks for the likely cause of a mistake among `mistakes`.
"""

from .contract import CannotLoad, load
from .report import PROMISES, Outcome, Report, grade, promises_for, try_promise, write_template

__all__ = [
    "PROMISES", "CannotLoad", "Outcome", "Report", "grade", "load", "promises_for", "try_promise", "write_template",
]  # fmt: skip
