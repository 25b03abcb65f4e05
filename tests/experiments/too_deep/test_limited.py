"""What fits into little memory, and how the search finds it."""

import subprocess
import sys

import pytest
from support import run_python

from mininet.experiments.claim import Options
from mininet.experiments.too_deep import limited, too_deep
from mininet.experiments.too_deep.limited import search, unavailable

FRESH = """
from mininet import set_num_threads
from mininet.experiments.too_deep.limited import buffers, step, trial
set_num_threads(1)
buffers.set_limit(0)
step("stored", 2, 64)
print("enough:", trial("stored", 512, 1, 2))
print("too little:", trial("stored", 1, 100, 64))
"""


@pytest.mark.parametrize("most", [0, 1, 2, 3, 37, 64])
def test_the_search_finds_the_largest(most):
    found = search(lambda number: "" if number <= most else f"{number} is too large")
    assert found == {"largest": most, "message": f"{most + 1} is too large"}


@pytest.mark.slow
@pytest.mark.skipif(unavailable() != "", reason=unavailable())
def test_a_trial_says_how_much_was_asked_for():
    done = run_python("-c", FRESH)  # this process has memory from other tests that a fork can use again
    assert done.returncode == 0, done.stderr
    enough, too_little = done.stdout.splitlines()
    assert enough == "enough: "
    assert "Unable to allocate" in too_little


def test_elsewhere_it_is_skipped(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "darwin")
    report = too_deep.reproduce(Options(tmp_path))
    assert report.text == "Skipped: memory is limited on Linux only, this is darwin."
    assert not report.figures


def test_a_failing_process_is_an_error(monkeypatch):
    failed = subprocess.CompletedProcess((), 1, stdout="", stderr="KeyError: 'unknown'")
    monkeypatch.setattr(limited.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(RuntimeError, match=r"KeyError: .unknown."):
        limited.largest("unknown", [8])
