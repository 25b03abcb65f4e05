"""How many examples the generated tests try, and how many they, and the tests of hostile files, have tried.

`pytest` runs the profile "suite": few examples, always the same.  `make fuzz` runs "long": many, and others each time.
What fails is printed in its smallest form, with a line ``@reproduce_failure(...)`` that repeats it when it is put above
the test; the long form also keeps it in ``.hypothesis``, and tries it first the next time.
"""

import collections
import functools
import os
import pathlib

from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import run_state_machine_as_test

LONG = 50
"""How many examples the long form tries for each one of the suite."""

TRIED = collections.Counter()
"""Examples that ran to their end, by the file of the test."""


def count(tried=1):
    """Of the test that runs now."""
    TRIED[pathlib.Path(os.environ["PYTEST_CURRENT_TEST"].partition("::")[0]).stem] += tried


def register_profiles():
    """Make the profiles known, and "suite" the one that is used without ``--hypothesis-profile``."""
    # how long drawing takes, and whether it is even, depends on what else the machine does
    common = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}
    settings.register_profile("suite", max_examples=3, derandomize=True, **common)
    settings.register_profile("long", max_examples=3 * LONG, **common)
    settings.load_profile("suite")


def generated(share=1, at_least=1, **strategies):
    """`given`, with `share` times the profile's number of examples, or `at_least` so many, each of which is counted.

    The test may have other arguments, from fixtures that last longer than one example or from parametrisation.
    """

    def decorate(test):
        @settings(max_examples=max(at_least, _share(share)))
        @given(**strategies)
        @functools.wraps(test)
        def counted(*arguments, **keywords):
            test(*arguments, **keywords)
            count()

        return counted

    return decorate


def stateful(machine, share=1, steps=30):
    """A test that runs a `RuleBasedStateMachine`, whose teardown ends the example, with `share` as for `generated`."""

    class Counted(machine):
        def teardown(self):
            super().teardown()
            count()

    Counted.__name__ = Counted.__qualname__ = machine.__name__

    def test():
        run_state_machine_as_test(Counted, settings=settings(max_examples=_share(share), stateful_step_count=steps))

    return test


def _share(share):
    return max(1, round(share * settings.default.max_examples))
