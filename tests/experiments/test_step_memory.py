"""What a training step holds, counted on one thread and without reuse of memory."""

import numpy as np
import pytest

from mininet import nn
from mininet.experiments.step_memory import held_by, held_by_a_step
from mininet.kernels import buffers, threads


def fail_after_looking():
    assert (buffers.get_limit(), threads.get_num_threads()) == (0, 1)
    raise KeyError


def test_counting_is_on_one_thread_without_reuse_and_leaves_both_as_they_were():
    before = buffers.get_limit(), threads.get_num_threads()
    buffers.set_limit(12_345)
    threads.set_num_threads(2)
    try:
        found = held_by(lambda: buffers.zeros(1000, np.float32, "state"))
        assert (found.peak_bytes, found.current_bytes) == (4000, 0)
        with pytest.raises(KeyError):
            held_by(fail_after_looking)
        assert (buffers.get_limit(), threads.get_num_threads()) == (12_345, 2)
    finally:
        buffers.set_limit(before[0])
        threads.set_num_threads(before[1])


def test_all_parameters_are_held_to_the_end():
    found = held_by_a_step(lambda: nn.Linear(100, 10), np.zeros((2, 100), np.float32), np.array([0, 1]))
    assert found.by_kind["parameters"] == found.at_peak["parameters"] == 4 * (100 * 10 + 10)
