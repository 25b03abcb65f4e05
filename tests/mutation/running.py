"""Tests on mutants, each in a forked process that imports mininet anew, with the mutant in place of one module.

The parent has imported what takes long, but nothing of mininet.  Numba keeps nothing of the mutated module on disk and
takes nothing from there: its kernels are compiled again, or, with NUMBA_DISABLE_JIT=1, stay Python.
"""

import collections
import importlib.machinery
import itertools
import json
import os
import pathlib
import resource
import signal
import tempfile
import time
import traceback

import hypothesis
import matplotlib.pyplot  # noqa: F401 - the tests import it, which takes long
import numba
import pytest

LONGEST, SECONDS_PER_TEST, TIMES_SLOWER = 10, 8, 20
"""Seconds beyond which tests are left out; and beyond which, or so many times as usual, one met an endless loop."""
MEMORY = 12 * 2**30


def in_child(work):
    """The process id of a forked child that does `work` in silence and exits with the number it returns."""
    pid = os.fork()
    if pid:
        return pid
    errors = os.fdopen(os.dup(2), "w")
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        hypothesis.settings.register_profile("mutants", deadline=None, database=None, derandomize=True)
        hypothesis.settings.load_profile("mutants")
        status = work()
    except BaseException:
        traceback.print_exc(file=errors)
        errors.flush()
        status = 70
    os._exit(status)


def run_pytest(arguments, plugin):
    quiet = ["-q", "-p", "no:cacheprovider", "--tb=no", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main([*quiet, *arguments], plugins=[plugin]))


class Watcher:
    """A plugin of pytest that asks coverage which lines each test passes through, and how long it takes."""

    def __init__(self, coverage):
        self.coverage, self.seconds, self.failed = coverage, {}, set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.coverage.switch_context(item.nodeid)
        begin = time.perf_counter()
        result = yield
        self.seconds[item.nodeid] = time.perf_counter() - begin
        self.coverage.switch_context("")
        return result

    def pytest_runtest_logreport(self, report):
        if report.outcome != "passed":
            self.failed.add(report.nodeid)


def watch(arguments, folder):
    """Run the tests on the code as it is: ({test: seconds}, {file: {line: tests}}), of those that pass in time."""
    with tempfile.TemporaryDirectory() as scratch:
        answer = pathlib.Path(scratch, "watched.json")

        def work():
            import coverage

            measured = coverage.Coverage(data_file=None, source=[str(folder)], config_file=False)
            measured.start()
            watcher = Watcher(measured)
            run_pytest(arguments, watcher)
            measured.stop()
            data = measured.get_data()
            lines = {os.path.relpath(file): data.contexts_by_lineno(file) for file in data.measured_files()}
            kept = {test: s for test, s in watcher.seconds.items() if test not in watcher.failed and s < LONGEST}
            answer.write_text(json.dumps([kept, lines]))
            return 0

        os.waitpid(in_child(work), 0)
        return json.loads(answer.read_text())


def chosen(mutant, watched, cases=None):
    """The tests that pass through the mutant's lines, the quickest first, with so many cases of each at most, or all.

    All where none does: code that runs at import or is compiled may concern any.
    """
    seconds, lines = watched
    by_line = lines.get(mutant.file, {})
    tests = {test for line in mutant.lines for test in by_line.get(str(line), ())} & seconds.keys() or set(seconds)
    few = []
    for _, group in itertools.groupby(sorted(tests, key=lambda test: (_function(test), test)), key=_function):
        group = list(group)
        limit = min(len(group), cases or len(group))
        few += [group[len(group) * i // limit] for i in range(limit)]
    return sorted(few, key=lambda test: (seconds[test], test))


def _function(test):
    """The test without its case; in the tables of misuse, which are one test, with function and argument."""
    return test.partition(" = " if " = " in test else "[")[0]


class Chosen:
    """A plugin of pytest that runs these tests, in their order, and ends the process if one takes too long."""

    def __init__(self, tests, seconds):
        self.rank, self.seconds = {test: number for number, test in enumerate(tests)}, seconds

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        items[:] = sorted((item for item in items if item.nodeid in self.rank), key=lambda item: self.rank[item.nodeid])

    def pytest_runtest_logstart(self, nodeid):
        signal.setitimer(signal.ITIMER_PROF, max(SECONDS_PER_TEST, TIMES_SLOWER * self.seconds[nodeid]))


def judge(mutants, watched, cases, processes=2):
    """Yield (mutant, verdict) of each: "killed", "survived", or "not judged" where pytest itself failed.

    One that survives so many cases of each test is tried on all of them, in the end.
    """
    running, waiting = {}, collections.deque((mutant, cases) for mutant in mutants)
    while waiting or running:
        while waiting and len(running) < processes:
            mutant, few = waiting.popleft()
            tests = chosen(mutant, watched, few)
            running[in_child(lambda mutant=mutant, tests=tests: _run(mutant, tests, watched[0]))] = mutant, few
        pid, status = os.wait()
        mutant, few = running.pop(pid)
        code = os.waitstatus_to_exitcode(status)  # 1: a test failed; 2, 4: an import did
        killed = code in (1, 2, 4, -signal.SIGPROF, -signal.SIGALRM, -signal.SIGSEGV, -signal.SIGABRT)
        if code == 0 and few:
            waiting.append((mutant, None))
        else:
            yield mutant, "killed" if killed else "survived" if code == 0 else f"not judged: exit code {code}"


def _run(mutant, tests, seconds):
    signal.setitimer(signal.ITIMER_PROF, 240)  # for importing it
    give(str(pathlib.Path(mutant.file).resolve()), mutant.make())
    return run_pytest(["-x", *dict.fromkeys(test.partition("::")[0] for test in tests)], Chosen(tests, seconds))


def give(path, tree):
    """Have the file `path` imported as the mutant `tree`, with Numba's cache on disk out of its reach."""
    loader, njit = importlib.machinery.SourceFileLoader, numba.njit
    get_code, exec_module = loader.get_code, loader.exec_module

    def mutated(self, name):
        return compile(tree, self.path, "exec") if self.path == path else get_code(self, name)

    def without_cache(self, module):
        if self.path == path:
            numba.njit = lambda *functions, cache=False, **options: njit(*functions, **options)
        try:
            exec_module(self, module)
        finally:
            numba.njit = njit

    loader.get_code, loader.exec_module = mutated, without_cache
