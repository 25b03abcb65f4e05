"""Where the time of a training step goes: both ways side by side, by name, per step."""

import re

import pytest

from mininet.experiments import step_profile
from mininet.profiling import Profile

SMALL = {"depth": 3, "width": 4, "batch_size": 3, "size": 8}


@pytest.fixture(scope="module")
def profiles():
    return step_profile.profile_steps(**SMALL)


def test_both_ways_are_profiled_and_steps_counted(profiles):
    assert list(profiles) == ["stored", "reversible"]
    stored, reversible = profiles.values()
    steps, depth = step_profile.STEPS, SMALL["depth"]
    for entry in (stored, reversible):
        assert entry.calls["momentum_net"] == entry.calls["optimizer step"] == entry.calls["cross_entropy"] == steps
        assert entry.calls["exact momentum step"] == steps * depth
        assert entry.calls["adjoint step"] == 2 * steps * depth
    assert "exact step undone" not in stored.calls
    assert reversible.calls["exact step undone"] == 2 * steps * depth
    assert reversible.calls["conv2d"] > stored.calls["conv2d"]
    assert reversible.calls["conv2d, backward"] == stored.calls["conv2d, backward"]


def test_arithmetic_is_passed_on():
    for entry in step_profile.profile_steps(**SMALL, arithmetic="float").values():
        assert "float momentum step" in entry.calls
        assert "exact momentum step" not in entry.calls


def rows_of(table):
    """Numbers for each name, (calls, milliseconds, share in percent) of stored activations and of memory-free."""
    number = r"\s+(\d*\.?\d*)\s+(\d+\.\d\d)\s+(\d+\.?\d*)%"
    rows = {}
    for line in table.splitlines()[2:]:
        found = re.fullmatch(f"(.*?){number}{number}", line)
        if line.startswith("total"):
            found = re.fullmatch(r"(total)()\s+(\d+\.\d\d)\s+(\d+)%()\s+(\d+\.\d\d)\s+(\d+)%", line)
        name, *numbers = found.groups()
        rows[name.strip()] = [float(text or 0) for text in numbers]
    return rows


def test_table_has_numbers_of_one_step():
    stored, reversible = Profile(), Profile()
    steps = step_profile.STEPS
    stored.seconds, stored.calls = {"everything else": 0.002 * steps, "conv2d": 0.006 * steps}, {"conv2d": 4 * steps}
    reversible.seconds = {"everything else": 0.001 * steps, "conv2d": 0.006 * steps, "adjoint step": 0.003 * steps}
    reversible.calls = {"conv2d": 8 * steps, "adjoint step": 2 * steps}
    rows = rows_of(step_profile.table({"stored": stored, "reversible": reversible}))
    assert rows == {
        "conv2d": [4, 6, 75, 8, 6, 60],
        "adjoint step": [0, 0, 0, 2, 3, 30],
        "everything else": [0, 2, 25, 0, 1, 10],
        "total": [0, 8, 100, 0, 10, 100],
    }
    assert list(rows) == ["conv2d", "adjoint step", "everything else", "total"], "the costliest of memory-free first"


def test_table_adds_up(profiles):
    table = step_profile.table(profiles)
    assert "stored activations" in table
    assert "memory-free" in table
    rows = rows_of(table)
    total = rows.pop("total")
    assert rows.keys() == {*profiles["stored"].seconds, *profiles["reversible"].seconds}
    for column, digits in ((1, 0.005), (2, 0.05), (4, 0.005), (5, 0.05)):
        # each number is rounded to its last digit
        assert sum(row[column] for row in rows.values()) == pytest.approx(total[column], abs=digits * (len(rows) + 1))
