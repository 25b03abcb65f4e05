"""All that is public and takes arguments: what the tables must speak of."""

import importlib
import inspect

from test_public_names import NAMES

EXCEPTIONS = ["CannotLoad", "InversionReport", "Outcome", "Report", "Split", "Text", "promises_for", "try_promise"]
"""Records, an exception, and what takes only what `grade` gives it."""


def callables():
    """{name: object} of public functions and classes that take arguments."""
    every = {
        f"{module}.{name}": getattr(importlib.import_module(module), name)
        for module, names in NAMES.items() if module != "mininet.typing"
        for name in names.split() if name not in EXCEPTIONS
    }  # fmt: skip
    return {name: each for name, each in every.items() if callable(each) and inspect.signature(each).parameters}
