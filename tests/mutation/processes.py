"""Tests in forked processes, several at once, with an eye on those that do not end."""

import collections
import gc
import os
import pathlib
import resource
import signal
import sys
import tempfile
import time
import traceback

import hypothesis
import pytest

SECONDS_PER_TEST, TIMES_SLOWER = 8, 20
"""A test that takes longer, or more times its usual time, has met an endless loop."""
MEMORY = 12 * 2**30

_errors = os.fdopen(os.dup(2), "w")
"""Where the processes, which are silent otherwise, say why they failed."""


def in_child(work):
    """The process id of a forked child that does `work` in silence and exits with the number it returns."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
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
        traceback.print_exc(file=_errors)
        _errors.flush()
        status = 70
    os._exit(status)


def run_pytest(arguments, plugin):
    """Pytest's exit code."""
    quiet = ["-q", "-p", "no:cacheprovider", "--capture=sys", "--tb=no",
             "-W", "ignore::pytest.PytestAssertRewriteWarning"]  # fmt: skip
    return int(pytest.main([*quiet, *arguments], plugins=[plugin]))


class Alarm:
    """Written down before each test: which it is, for the one who waits, and when it is to end by force."""

    def __init__(self, killer, seconds):
        self.killer, self.seconds = killer, seconds

    def set(self, test):
        """The alarm ends the process, also within compiled code."""
        self.killer.write_text(test)
        signal.setitimer(signal.ITIMER_REAL, max(SECONDS_PER_TEST, TIMES_SLOWER * self.seconds[test]))


def judge(mutants, batches, run, selection, processes, told=lambda mutant, verdict: None):
    """Run tests on every mutant, so many at once.

    Parameters
    ----------
    batches : callable(mutant)
        Lists of tests, to be run in turn until one fails.
    run : callable(mutant, tests, alarm)
        Does so in a child, sets the alarm before each test, and returns 0, or 1 if one failed.
    told : callable(mutant, verdict)
        Gets "survived", "killed by <test>", "killed by time in <test>", "no test passes here" or "not judged: <why>".
    """
    running, waiting = {}, collections.deque((number, None) for number in range(len(mutants)))
    gc.freeze()
    with tempfile.TemporaryDirectory() as scratch:
        while waiting or running:
            while waiting and len(running) < processes:
                number, left = waiting.popleft()
                left = batches(mutants[number]) if left is None else left
                if not left:
                    told(mutants[number], "no test passes here")
                    continue
                killer = pathlib.Path(scratch, str(number))
                pid = in_child(lambda number=number, tests=left[0], killer=killer: run(
                    mutants[number], tests, Alarm(killer, selection.seconds)))  # fmt: skip
                patience = 60 + 5 * sum(selection.seconds[test] for test in left[0])
                running[pid] = number, left[1:], killer, time.monotonic() + patience
            time.sleep(0.01)
            for pid, (number, left, killer, deadline) in list(running.items()):
                if time.monotonic() > deadline:
                    os.killpg(pid, signal.SIGKILL)
                ended, status = os.waitpid(pid, os.WNOHANG)
                if not ended:
                    continue
                del running[pid]
                code = os.waitstatus_to_exitcode(status)
                test = killer.read_text() if killer.exists() else "importing it"
                if code == 0 and left:
                    waiting.appendleft((number, left))
                elif code == 0:
                    told(mutants[number], "survived")
                elif code > 2:  # nothing of pytest's about failed tests
                    told(mutants[number], f"not judged: exit code {code}")
                else:
                    selection.kills[test] += 1
                    by_time = "time in " * (code in (-signal.SIGALRM, -signal.SIGKILL))
                    told(mutants[number], f"killed by {by_time}{test}")
