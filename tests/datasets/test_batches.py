"""Batches: their order, what is done to them, and preparing them ahead."""

import threading
import time

import numpy as np
import pytest

from mininet import seeding
from mininet.datasets import Batches


def _pairs(count=10):
    return np.arange(count), np.arange(count) * 10


@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [4, 4, 2]), (True, [4, 4])])
def test_an_epoch_has_each_image_once_with_its_label(drop_last, sizes):
    batches = Batches(*_pairs(), 4, drop_last=drop_last)
    assert len(batches) == len(sizes)
    found = list(batches)
    assert [len(images) for images, _ in found] == sizes
    images = np.concatenate([images for images, _ in found])
    labels = np.concatenate([labels for _, labels in found])
    assert (labels == 10 * images).all()
    assert len(set(images.tolist())) == sum(sizes)


def _order(batches, epoch):
    return np.concatenate([images for images, _ in batches.of_epoch(epoch)]).tolist()


def test_order_is_a_function_of_seed_and_epoch():
    batches = Batches(*_pairs(50), 7, seed=3)
    first, second = (np.concatenate([images for images, _ in batches]).tolist() for _ in range(2))
    assert batches.epoch == 2
    assert first != second
    again = Batches(*_pairs(50), 7, seed=3)
    assert [_order(again, 1), _order(again, 0)] == [second, first]
    assert _order(Batches(*_pairs(50), 7, seed=4), 0) != first
    assert _order(Batches(*_pairs(50), 7, shuffle=False), 5) == list(range(50))


def _with_noise(images, random):
    return images + random.random(len(images))


@pytest.mark.parametrize(("prefetch", "first"), [(0, 1), (0, 5), (1, 4), (3, 0), (100, 5)])
def test_later_start_and_prefetching_change_no_bit(prefetch, first):
    whole = list(Batches(*_pairs(33), 7, seed=3, transform=_with_noise).of_epoch(2))
    assert len(whole) == 5
    again = Batches(*_pairs(33), 7, seed=3, transform=_with_noise, prefetch=prefetch)
    for ours, theirs in zip(again.of_epoch(2, first), whole[first:], strict=True):
        assert [array.tobytes() for array in ours] == [array.tobytes() for array in theirs]


def test_transform_draws_by_seed_epoch_and_number_alone():
    def draws(seed, epoch):
        batches = Batches(*_pairs(12), 4, seed, transform=lambda images, random: random.random(4), shuffle=False)
        return [images.tobytes() for images, _ in batches.of_epoch(epoch)]

    assert draws(0, 0) == draws(0, 0)
    everything = [draw for seed in (0, 1) for epoch in (0, 1, 2) for draw in draws(seed, epoch)]
    assert len(set(everything)) == 2 * 3 * 3


def test_generators_of_transforms_have_keys_of_their_own(monkeypatch):
    monkeypatch.setattr(seeding, "generator_for", lambda seed, number: (seed, number))
    batches = Batches(*_pairs(), 4, seed=5)
    last = 2**31 - 1, 2**32 - 1
    keys = [batches.random_for(epoch, number) for epoch in (0, 1, last[0]) for number in (0, 1, 2**31, last[1])]
    assert len(set(keys)) == 12
    # above those of the orders, and still 64 bits
    assert all(seed == 5 and 2**31 <= number < 2**64 for seed, number in keys)


def test_images_may_be_lists():
    found = np.concatenate([images for images, _ in Batches([3, 4, 5], [6, 7, 8], 2)])
    assert sorted(found.tolist()) == [3, 4, 5]


def test_transform_may_overwrite_what_it_gets():
    images, labels = _pairs()

    def overwrite(images, random):
        images *= 0
        return images

    for shuffle in (False, True):
        list(Batches(images, labels, 4, shuffle=shuffle, transform=overwrite))
    assert images.tolist() == list(range(10))


def test_prefetching_computes_as_many_ahead_as_wanted():
    computed, reached = [], threading.Event()

    def note(images, random):
        computed.append(images[0])
        if len(computed) == 4:
            reached.set()
        return images

    iterator = Batches(*_pairs(100), 4, shuffle=False, transform=note, prefetch=3).of_epoch(0)
    next(iterator)
    assert reached.wait(10)
    time.sleep(0.1)
    assert computed == [0, 4, 8, 12]  # the one we have and three ahead
    iterator.close()
