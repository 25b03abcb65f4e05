"""Two small comparisons that all tests of the experiment look at."""

import dataclasses

import pytest

from mininet.experiments.compare.comparison import Settings, compare

SMALL = Settings(depth=3, width=6, epochs=2, batch_size=64)
DEPTHS = (2, 20)


@pytest.fixture(scope="session")
def exact():
    return compare(SMALL, DEPTHS, progress=False)


@pytest.fixture(scope="session")
def in_floats():
    return compare(dataclasses.replace(SMALL, arithmetic="float", gamma=0.5, epochs=1), (), progress=False)
