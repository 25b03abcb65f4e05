"""Two ways to run tests on mutants, each in a forked process.

In place: the parent has collected all tests.  A child exchanges the code of the changed functions and runs the tests
that pass through the changed line, until one fails: some tenths of a second.

Imported: the parent has imported what takes long, but nothing of mininet.  A child imports mininet anew, with the
mutant in place of one module: seconds.  This is for what runs only once, when a module is imported, and for mutants
that survived in place, since something that was computed before the exchange may have hidden them.  Numba keeps nothing
of the mutated module on disk and takes nothing from there: its kernels are compiled again, or, with
NUMBA_DISABLE_JIT=1, stay Python.
"""

import gc
import importlib.abc
import importlib.util
import json
import os
import pathlib
import signal
import sys

import matplotlib.pyplot  # noqa: F401 - the tests import it, which takes long
import numba
import pytest

from .exchange import exchange, exchanges, functions_of
from .processes import in_child, judge, run_pytest
from .selection import is_compiled

FIRST = 25
"""So many tests are tried first, since collecting them all takes longer than most mutants live."""
NOT_IN_PLACE = 64


def judge_in_place(mutants, selection, arguments, accepted, processes, told):
    """Judge those that change functions; of others the verdict is "not judged".

    arguments : of pytest, to collect tests
    accepted : texts of mutants that meet few cases of each test, not all
    told : callable(text, verdict)
    """
    mutants = [mutant for mutant in mutants if not is_compiled(mutant)]
    if not mutants:
        return
    reading, writing = os.pipe()
    child = in_child(lambda: run_pytest(arguments, Judging(mutants, selection, processes, accepted, writing)))
    os.close(writing)
    try:
        with open(reading) as answers:
            for line in answers:
                told(*json.loads(line))
    except BaseException:
        os.killpg(child, signal.SIGKILL)
        raise
    finally:
        os.waitpid(child, 0)


class Judging:
    """A plugin of pytest that judges mutants instead of running the tests it has collected."""

    def __init__(self, mutants, selection, processes, accepted, answer):
        self.mutants, self.selection, self.processes, self.accepted = mutants, selection, processes, accepted
        self.answer, self.has_failed = answer, False  # the end of a pipe

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        """Judge all."""
        self.items = {item.nodeid: item for item in session.items}
        gc.unfreeze()  # what our conftest has frozen would not be among the objects
        self.functions = functions_of(pathlib.Path("mininet").resolve())
        with open(self.answer, "w") as answer:

            def told(mutant, verdict):
                print(json.dumps([mutant.text, verdict]), file=answer, flush=True)

            judge(self.mutants, self._batches, self._run, self.selection, self.processes, told)
        return True

    def pytest_runtest_logreport(self, report):
        """One failure will do."""
        self.has_failed |= report.failed

    def _batches(self, mutant):
        few, others = self.selection.few_and_others(mutant)
        return [batch for batch in (few, others if mutant.text not in self.accepted else []) if batch]

    def _run(self, mutant, tests, alarm):
        pairs = exchanges(mutant)
        if not pairs or not exchange(pairs, self.functions.get(pairs[0][0].co_filename, ())):
            return NOT_IN_PLACE
        items = [self.items[test] for test in tests]
        for item, following in zip(items, [*items[1:], None], strict=True):
            alarm.set(item.nodeid)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.has_failed:
                return 1
        return 0


def judge_imported(mutants, selection, processes, told):
    """Judge all; `told` is called with the text of each and the verdict."""

    def batches(mutant):
        few, _ = selection.few_and_others(mutant)
        files = list(dict.fromkeys(test.partition("::")[0] for test in few))[:2]
        first = [test for test in few if test.partition("::")[0] in files][:FIRST]
        rest = [test for test in few if test not in set(first)]
        return [batch for batch in (first, rest) if batch]

    judge(mutants, batches, _run_imported, selection, processes, lambda mutant, verdict: told(mutant.text, verdict))


def _run_imported(mutant, tests, alarm):
    path = pathlib.Path(mutant.file).resolve()
    name = ".".join(pathlib.Path(mutant.file).with_suffix("").parts)
    sys.meta_path.insert(0, Importer(name, path, mutant.make()))
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    return run_pytest(["-x", *files], Chosen(tests, alarm))


class Chosen:
    """A plugin of pytest that runs the `chosen` tests in their order."""

    def __init__(self, chosen, alarm):
        self.rank = {test: number for number, test in enumerate(chosen)}
        self.alarm = alarm

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        """Only the chosen ones."""
        items[:] = sorted((item for item in items if item.nodeid in self.rank), key=lambda item: self.rank[item.nodeid])

    def pytest_runtest_logstart(self, nodeid):
        """Before each test."""
        self.alarm.set(nodeid)


class Importer(importlib.abc.MetaPathFinder):
    """Gives the module `name`, the file `path`, the code of a mutant."""

    def __init__(self, name, path, tree):
        self.name, self.path, self.tree = name, path, tree

    def find_spec(self, fullname, path, target=None):
        """The module's specification, if it is the one."""
        if fullname == self.name:
            return importlib.util.spec_from_file_location(fullname, self.path, loader=Loader(fullname, self))


class Loader(importlib.machinery.SourceFileLoader):
    """Runs the mutant instead of the file."""

    def __init__(self, fullname, importer):
        super().__init__(fullname, str(importer.path))
        self._tree = importer.tree

    def get_code(self, fullname):
        """The mutant, compiled."""
        return compile(self._tree, self.path, "exec")

    def exec_module(self, module):
        """Run it, with Numba's cache on disk out of reach."""
        njit = numba.njit
        numba.njit = lambda *functions, cache=False, **options: njit(*functions, **options)
        try:
            super().exec_module(module)
        finally:
            numba.njit = njit
