"""Which tests pass through which lines, and so which of them to run on a mutant."""

import collections
import itertools
import json
import os
import pathlib
import tempfile
import time

import numba
import pytest

from .processes import in_child, run_pytest


class Watcher:
    """A plugin of pytest that asks coverage which lines each test passes through, and how long it takes."""

    def __init__(self, coverage, longest):
        self.coverage, self.longest, self.seconds, self.failed = coverage, longest, {}, set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        """Give the test its context."""
        self.coverage.switch_context(item.nodeid)
        begin = time.perf_counter()
        result = yield
        self.seconds[item.nodeid] = time.perf_counter() - begin
        if self.seconds[item.nodeid] > self.longest:
            self.failed.add(item.nodeid)
        self.coverage.switch_context("")
        return result

    def pytest_runtest_logreport(self, report):
        """Tests that do not pass are of no use."""
        if report.outcome != "passed":
            self.failed.add(report.nodeid)


def watch(arguments, folder, longest):
    """Run the tests once, on the code as it is.

    Returns
    -------
    dict
        "seconds": by test; "lines": by file, line and then a list of their numbers; "failed": tests that are left out.
    """
    with tempfile.TemporaryDirectory() as scratch:
        answer = pathlib.Path(scratch, "watched.json")

        def work():
            import coverage

            measured = coverage.Coverage(data_file=None, source=[str(folder)], config_file=False)
            measured.start()
            watcher = Watcher(measured, longest)
            run_pytest(arguments, watcher)
            measured.stop()
            data, lines = measured.get_data(), {}
            number = {test: number for number, test in enumerate(watcher.seconds)}
            for file in data.measured_files():
                by_line = data.contexts_by_lineno(file)
                name = str(pathlib.Path(file).relative_to(pathlib.Path.cwd()))
                lines[name] = {
                    line: sorted(number[test] for test in set(tests) - {""} - watcher.failed)
                    for line, tests in by_line.items()
                }
            answer.write_text(json.dumps({"seconds": watcher.seconds, "lines": lines, "failed": [*watcher.failed]}))
            return 0

        os.waitpid(in_child(work), 0)
        return json.loads(answer.read_text())


class Selection:
    """Which tests to run on a mutant: those that pass through its line, the quickest killers first."""

    def __init__(self, watched, cases):
        self.seconds, self._lines, self._tests = watched["seconds"], watched["lines"], list(watched["seconds"])
        self._failed = {self._tests.index(test) for test in watched["failed"] if test in self.seconds}
        self._cases = cases
        self.kills = collections.Counter()

    def few_and_others(self, mutant):
        """Up to so many cases of each parametrised test, spread evenly, and the other cases."""
        by_line = self._lines.get(mutant.file, {})
        passed = [by_line[str(line)] for line in mutant.lines if str(line) in by_line]
        covering = set(itertools.chain.from_iterable(passed))
        if not covering and (passed or is_compiled(mutant)):  # runs at import, or compiled: may concern all
            covering = range(len(self._tests))
        tests = [self._tests[number] for number in covering if number not in self._failed]
        few = set(self._few(tests))
        return self._ordered(few), self._ordered(set(tests) - few)

    def _ordered(self, tests):
        return sorted(tests, key=lambda test: (self.seconds[test] / (1 + self.kills[test]), test))

    def _few(self, tests):
        for _, cases in itertools.groupby(sorted(tests, key=self._group), key=self._group):
            cases = list(cases)
            limit = min(len(cases), self._cases)
            yield from (cases[len(cases) * i // limit] for i in range(limit))

    @staticmethod
    def _group(test):
        """The test without its case; in the tables of misuse, which are one test, with function and argument."""
        return test.partition(" = " if " = " in test else "[")[0]


def is_compiled(mutant):
    """Whether Numba makes machine code of the changed file."""
    return "kernels" in mutant.file and not numba.config.DISABLE_JIT
