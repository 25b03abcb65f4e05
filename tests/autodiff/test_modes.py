"""The switches: recording and replaying, each thread's own; that they are put back shows `tests/test_changes.py`."""

import threading

import numpy as np

from mininet import Tensor, enable_grad, manual_seed, no_grad, seeding
from mininet.autodiff import is_recording, is_replaying, replaying


def leaf():
    return Tensor(np.ones(2), requires_grad=True)


def in_another_thread(function):
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join(60)
    return results[0]


def test_no_grad_leaves_no_tape():
    x = leaf()
    with no_grad():
        assert not is_recording()
        y = x * 2
    assert is_recording()
    assert not y.requires_grad
    assert y.tape() == []
    assert (x * 2).requires_grad


def test_enable_grad_records_within_no_grad():
    x = leaf()
    with no_grad():
        with enable_grad():
            y = x * 2
        assert not (y * 2).requires_grad
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_modes_belong_to_their_thread():
    with no_grad(), replaying(seeding.position()):
        assert in_another_thread(is_recording)
        assert not in_another_thread(is_replaying)
        assert not is_recording()
        assert is_replaying()

    @no_grad()
    def elsewhere():
        return in_another_thread(lambda: (leaf() * 2).requires_grad)

    assert elsewhere()


def test_replaying_draws_the_same_numbers_and_goes_on_where_it_stood():
    manual_seed(3)
    before = seeding.position()
    first = [seeding.next_draw() for _ in range(3)]
    assert not is_replaying()
    with replaying(before):
        assert is_replaying()
        assert [seeding.next_draw() for _ in range(3)] == first
    assert not is_replaying()
    assert seeding.position() == (3, 3)
