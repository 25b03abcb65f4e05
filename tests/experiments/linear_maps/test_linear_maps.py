"""The experiment on linear maps: verdicts that can fail, text, and the figure."""

import dataclasses

import pytest

from mininet.experiments.continuous_limit import Convergence
from mininet.experiments.linear_maps import linear_maps
from mininet.experiments.linear_maps.linear_networks import Settings
from mininet.experiments.linear_maps.representable import is_representable

TRAINING = Settings(depth=8, steps=150, learning_rates=(0.3,), seeds=1, random_targets=2, reached=0.1)


@pytest.fixture(scope="module")
def measured():
    return linear_maps.measure(16, (2,), 8, 20, (64, 128), TRAINING)


def verdicts(measured):
    return [claim.holds for claim in linear_maps.claims(measured)]


def without(*failing):
    return [number not in failing for number in range(7)]


def test_claims_hold(measured):
    assert verdicts(measured) == without()
    evidence = linear_maps.claims(measured)[1].evidence
    count = sum(is_representable(one.matrix, one.epsilon) for one in measured.attempts)
    assert evidence.startswith("16 agree")
    assert f"for the {count} that are possible" in evidence
    assert len(measured.made) == len(measured.convergences) == count


def test_a_wrong_search_is_no_claim(measured):
    for index in (next(k for k, one in enumerate(measured.attempts) if one.found is found) for found in (True, False)):
        attempts = list(measured.attempts)
        attempts[index] = dataclasses.replace(attempts[index], distance=0.0 if attempts[index].distance > 0.01 else 0.1)
        assert verdicts(dataclasses.replace(measured, attempts=attempts)) == without(1)
    easy = [one for one in measured.attempts if one.found]  # nothing that could have been missed
    assert verdicts(dataclasses.replace(measured, attempts=easy)) == without(1)


def test_a_wrong_theta_is_no_claim(measured):
    made = [dataclasses.replace(measured.made[0], error=2e-8), *measured.made[1:]]
    assert verdicts(dataclasses.replace(measured, made=made)) == without(2)


def test_another_order_is_no_claim(measured):
    steps = measured.convergences[0].small
    other = [*measured.convergences[1:], Convergence(steps, tuple(h**1.2 for h in steps))]
    assert verdicts(dataclasses.replace(measured, convergences=other)) == without(3)


def changed(measured, name, **distances):
    trained = [
        dataclasses.replace(one, distances=one.distances | distances) if one.name == name else one
        for one in measured.trained
    ]
    return dataclasses.replace(measured, trained=trained)


def test_other_trainings_are_no_claim(measured):
    assert verdicts(changed(measured, "mirror", momentum=0.01)) == without(4)  # learned the impossible
    assert verdicts(changed(measured, "mirror / 2", momentum=0.5)) == without(4)  # missed the possible
    assert verdicts(changed(measured, "−1 / 2", residual=0.01)) == without(5)
    assert verdicts(changed(measured, "random 2", momentum=0.5)) == without(4, 6)
    assert verdicts(changed(measured, "random 2", residual=0.0)) == without(5, 6)
