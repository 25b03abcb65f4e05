"""What fits into little memory, and how the search finds it."""

import sys

import pytest

from mininet.experiments.claim import Options
from mininet.experiments.too_deep import limited, too_deep
from mininet.experiments.too_deep.limited import search, trial, unavailable


@pytest.mark.parametrize("most", [0, 1, 2, 3, 37, 64])
def test_the_search_finds_the_largest(most):
    found = search(lambda number: "" if number <= most else f"{number} is too large")
    assert found == {"largest": most, "message": f"{most + 1} is too large"}


@pytest.mark.skipif(unavailable() != "", reason=unavailable())
def test_a_trial_says_how_much_was_asked_for():
    assert trial("stored", 512, 1, 2) == ""
    assert "Unable to allocate" in trial("stored", 1, 100, 64)


def test_elsewhere_it_is_skipped(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "darwin")
    report = too_deep.reproduce(Options(tmp_path))
    assert report.text == "Skipped: memory is limited on Linux only, this is darwin."
    assert not report.figures


def test_a_failing_process_is_an_error():
    with pytest.raises(RuntimeError, match=r"KeyError: .unknown."):
        limited.largest("unknown", [8])
