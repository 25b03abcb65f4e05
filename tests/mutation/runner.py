"""Tests on mutants, each in a forked process, and which tests to run.

The parent has imported what takes long, but nothing of mininet.  A child imports mininet anew, with the mutant in place
of one module, and runs tests that pass through the changed line, until one fails.  What the child ends with is the
verdict.  Numba keeps nothing of the mutated module on disk and takes nothing from there: its kernels are compiled
again, or, with NUMBA_DISABLE_JIT=1, stay Python.
"""

import collections
import gc
import importlib.abc
import importlib.util
import itertools
import json
import os
import pathlib
import resource
import signal
import sys
import tempfile
import time
import traceback

import hypothesis
import matplotlib.pyplot  # noqa: F401 - the tests import it, which takes long
import numba
import pytest

SECONDS_PER_TEST, TIMES_SLOWER = 8, 20
"""A test that takes longer, or more times its usual time, has met an endless loop."""
MEMORY = 12 * 2**30
FIRST = 25
"""So many tests are tried first, since collecting them all takes longer than most mutants live."""


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


class Chosen:
    """A plugin of pytest that runs the `chosen` tests in their order and writes down who fails."""

    def __init__(self, chosen, seconds, killer):
        self.rank = {test: number for number, test in enumerate(chosen)}
        self.seconds, self.killer = seconds, killer

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        """Only the chosen ones."""
        items[:] = sorted((item for item in items if item.nodeid in self.rank), key=lambda item: self.rank[item.nodeid])

    def pytest_runtest_logstart(self, nodeid):
        """The alarm ends the process, also within compiled code."""
        self.killer.write_text(nodeid)
        signal.setitimer(signal.ITIMER_REAL, max(SECONDS_PER_TEST, TIMES_SLOWER * self.seconds[nodeid]))


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


def _in_child(work):
    """The process id of a forked child that does `work` in silence and exits with the number it returns."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    loud = os.fdopen(os.dup(2), "w")
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        hypothesis.settings.register_profile("mutants", deadline=None, database=None, derandomize=True)
        hypothesis.settings.load_profile("mutants")
        status = work()
    except BaseException:
        traceback.print_exc(file=loud)
        loud.flush()
        status = 70
    os._exit(status)


def _pytest(arguments, plugin):
    quiet = ["-q", "-p", "no:cacheprovider", "--tb=no", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main([*quiet, *arguments], plugins=[plugin]))


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
            _pytest(arguments, watcher)
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

        os.waitpid(_in_child(work), 0)
        return json.loads(answer.read_text())


class Selection:
    """Which tests to run on a mutant: those that pass through its line, the quickest killers first."""

    def __init__(self, watched, cases):
        self.seconds, self._lines, self._tests = watched["seconds"], watched["lines"], list(watched["seconds"])
        self._failed = {self._tests.index(test) for test in watched["failed"] if test in self.seconds}
        self._cases = cases
        self.kills = collections.Counter()

    def tests(self, mutant):
        """In two batches; none if no test passes there."""
        by_line = self._lines.get(mutant.file, {})
        passed = [by_line[str(line)] for line in mutant.lines if str(line) in by_line]
        covering = set(itertools.chain.from_iterable(passed))
        if not covering and (passed or self._is_compiled(mutant)):  # runs at import, or compiled: may concern all
            covering = range(len(self._tests))
        chosen = list(self._few(self._tests[number] for number in covering if number not in self._failed))
        chosen.sort(key=lambda test: self.seconds[test] / (1 + self.kills[test]))
        files = list(dict.fromkeys(test.partition("::")[0] for test in chosen))[:2]
        first = [test for test in chosen if test.partition("::")[0] in files][:FIRST]
        rest = [test for test in chosen if test not in set(first)]
        return [batch for batch in (first, rest) if batch]

    def _few(self, tests):
        """Some cases of each parametrised test, spread evenly."""
        for _, cases in itertools.groupby(sorted(tests, key=self._group), key=self._group):
            cases = list(cases)
            limit = min(len(cases), self._cases)
            yield from (cases[len(cases) * i // limit] for i in range(limit))

    @staticmethod
    def _group(test):
        """The test without its case; in the tables of misuse, which are one test, with function and argument."""
        return test.partition(" = " if " = " in test else "[")[0]

    @staticmethod
    def _is_compiled(mutant):
        return "kernels" in mutant.file and not numba.config.DISABLE_JIT


def judge(mutants, selection, processes=2, told=lambda mutant, verdict: None):
    """Run tests on every mutant, so many at once; returns a list of (mutant, verdict).

    The verdict is "survived", "killed by <test>", "killed by time in <test>" or "no test passes here".
    """
    verdicts, running, waiting = {}, {}, collections.deque((number, 0) for number in range(len(mutants)))
    scratch = tempfile.TemporaryDirectory()
    gc.freeze()

    def end(number, verdict):
        verdicts[number] = verdict
        told(mutants[number], verdict)

    with scratch:
        while waiting or running:
            while waiting and len(running) < processes:
                number, tried = waiting.popleft()
                batches = selection.tests(mutants[number]) if tried == 0 else tried
                if not batches:
                    end(number, "no test passes here")
                    continue
                killer = pathlib.Path(scratch.name, str(number))
                pid = _in_child(lambda number=number, batch=batches[0], killer=killer: _work(
                    mutants[number], Chosen(batch, selection.seconds, killer)))  # fmt: skip
                patience = 60 + 5 * sum(selection.seconds[test] for test in batches[0])
                running[pid] = number, batches[1:], killer, time.monotonic() + patience
            time.sleep(0.01)
            for pid, (number, rest, killer, deadline) in list(running.items()):
                if time.monotonic() > deadline:
                    os.killpg(pid, signal.SIGKILL)
                ended, status = os.waitpid(pid, os.WNOHANG)
                if not ended:
                    continue
                del running[pid]
                code = os.waitstatus_to_exitcode(status)
                test = killer.read_text() if killer.exists() else "importing it"
                if code == 0 and rest:
                    waiting.appendleft((number, rest))
                elif code == 0:
                    end(number, "survived")
                elif code > 2:  # nothing of pytest's about failed tests
                    end(number, f"not judged: exit code {code}")
                else:
                    selection.kills[test] += 1
                    end(number, f"killed by {'time in ' * (code in (-signal.SIGALRM, -signal.SIGKILL))}{test}")
    return [(mutant, verdicts[number]) for number, mutant in enumerate(mutants)]


def _work(mutant, chosen):
    path = pathlib.Path(mutant.file).resolve()
    name = ".".join(pathlib.Path(mutant.file).with_suffix("").parts)
    sys.meta_path.insert(0, Importer(name, path, mutant.make()))
    files = dict.fromkeys(test.partition("::")[0] for test in chosen.rank)
    return _pytest(["-x", *files], chosen)
