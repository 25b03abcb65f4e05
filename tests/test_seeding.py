"""Random numbers that can be drawn again."""

import threading

import numpy as np
import pytest

from mininet import manual_seed, seeding
from mininet.seeding import generator_for, next_draw, position, rewound


@pytest.fixture(autouse=True)
def stream_restored():
    seed, draw = position()
    with rewound((seed, draw)):
        yield


def numbers():
    return generator_for(*next_draw()).random(5)


def test_same_seed_same_numbers():
    manual_seed(7)
    first = [numbers() for _ in range(3)]
    manual_seed(7)
    assert np.array_equal(first, [numbers() for _ in range(3)])
    manual_seed(8)
    assert not np.array_equal(first[0], numbers())


def test_a_generator_is_a_function_of_seed_and_number():
    assert np.array_equal(generator_for(3, 4).random(9), generator_for(3, 4).random(9))
    assert not np.array_equal(generator_for(3, 4).random(9), generator_for(4, 3).random(9))
    # a known answer: masks and weights stay what they were, whatever changes
    assert generator_for(1, 2).bit_generator.random_raw(2).tolist() == [5705853004827290377, 6584680345644299050]


@pytest.mark.parametrize("seed", [0, 2**64 - 1, np.uint64(2**63)])
def test_seeds(seed):
    manual_seed(seed)
    assert position() == (int(seed), 0)
    assert next_draw() == (int(seed), 0)
    assert next_draw() == (int(seed), 1)
    numbers()


def test_rewound_draws_again_and_goes_on_afterwards():
    manual_seed(7)
    start = position()
    first = [numbers() for _ in range(3)]
    with rewound(start):
        assert np.array_equal([numbers() for _ in range(2)], first[:2])
        with rewound((7, 1)):
            assert np.array_equal(numbers(), first[1])
        with pytest.raises(KeyError), rewound((7, 1)):
            raise KeyError
        assert np.array_equal(numbers(), first[2])
    assert position() == (7, 3)


def test_each_thread_has_its_own_stream():
    manual_seed(7)
    next_draw()
    seen = []

    def elsewhere():
        seen.append(position())
        manual_seed(9)
        next_draw()
        with rewound((1, 1)):
            seen.append(position())
        seen.append(position())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(60)
    assert seen == [(0, 0), (1, 1), (9, 1)]
    assert position() == (7, 1)


def test_until_the_first_call_the_seed_is_0():
    assert seeding._Stream.seed == seeding._Stream.draw == 0
