"""Where the time of a training step goes: both ways side by side, by name, per step."""

import pytest

from mininet.experiments import step_profile

SMALL = {"depth": 3, "width": 4, "batch_size": 3, "size": 8}


@pytest.fixture(scope="module")
def profiles():
    return step_profile.profile_steps(**SMALL)


def test_both_ways_are_profiled_and_steps_counted(profiles):
    assert list(profiles) == ["stored", "reversible"]
    stored, reversible = profiles.values()
    steps, depth = step_profile.STEPS, SMALL["depth"]
    for entry in (stored, reversible):
        assert entry.calls["MomentumNet"] == entry.calls["optimizer step"] == entry.calls["cross_entropy"] == steps
        assert entry.calls["exact momentum step"] == steps * depth
    assert "exact momentum step, undone" not in stored.calls
    assert reversible.calls["exact momentum step, undone"] == steps * depth
    assert reversible.calls["conv2d"] > stored.calls["conv2d"]
    assert reversible.calls["conv2d, backward"] == stored.calls["conv2d, backward"]


def test_arithmetic_is_passed_on():
    for entry in step_profile.profile_steps(**SMALL, arithmetic="float").values():
        assert "float momentum step" in entry.calls
        assert "exact momentum step" not in entry.calls
