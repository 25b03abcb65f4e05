"""A grader for your own implementation of a momentum block, in floats and in exact arithmetic.

``python -m mininet grade PATH``, ``pytest --implementation PATH``, or here ``grade(path or object)``.  What functions
it needs is said in `contract`, and a file to begin with is `template`.  What is tried is in `float_promises` and
`exact_promises`, on the examples in `cases`; how the likely cause of a mistake is found, among `mistakes` and
`exact_mistakes`, in `diagnosis`.  `own` is mininet's own network, seen as an implementation.
"""

from .contract import CannotLoad, load
from .report import PROMISES, Outcome, Report, grade, promises_for, try_promise, write_template

__all__ = [
    "PROMISES", "CannotLoad", "Outcome", "Report", "grade", "load", "promises_for", "try_promise", "write_template",
]  # fmt: skip
