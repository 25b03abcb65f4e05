"""Batches: their order, what is done to them, and preparing them ahead."""

import threading
import time

import numpy as np
import pytest

from mininet import seeding
from mininet.datasets import Batches
from mininet.datasets.prefetching import THREAD_NAME


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 11, "drop_last": True}, "batch_size"),
        ({"images": np.arange(9), "batch_size": 2}, "images"),
        ({"batch_size": 2, "seed": -1}, "seed"),
        ({"batch_size": 2, "prefetch": -1}, "prefetch"),
        ({"images": np.arange(0), "labels": np.arange(0), "batch_size": 2}, "images"),
    ],
)
def test_misuse_names_the_argument(arguments, message):
    images, labels = _pairs()
    with pytest.raises(ValueError, match=message):
        Batches(**({"images": images, "labels": labels} | arguments))


@pytest.mark.parametrize(("epoch", "first", "message"), [(-1, 0, "epoch"), (2**31, 0, "epoch"), (0, 4, "first")])
def test_an_epoch_that_cannot_be_is_refused_at_once(epoch, first, message):
    with pytest.raises(ValueError, match=message):
        Batches(*_pairs(), 4).of_epoch(epoch, first)


def test_transform_must_be_callable():
    with pytest.raises(TypeError, match="transform"):
        Batches(*_pairs(), 4, transform=3)


def _with_noise(images, random):
    return images + random.random(len(images))


def assert_same(ours, theirs):
    assert len(ours) == len(theirs)
    for (images, labels), (other_images, other_labels) in zip(ours, theirs, strict=True):
        assert images.tobytes() == other_images.tobytes()
        assert labels.tobytes() == other_labels.tobytes()


@pytest.mark.parametrize("prefetch", [0, 1, 3, 100])
@pytest.mark.parametrize("first", [0, 1, 4, 5])
def test_later_start_and_prefetching_change_no_bit(prefetch, first):
    whole = list(Batches(*_pairs(33), 7, seed=3, transform=_with_noise).of_epoch(2))
    assert len(whole) == 5
    again = Batches(*_pairs(33), 7, seed=3, transform=_with_noise, prefetch=prefetch)
    assert_same(list(again.of_epoch(2, first)), whole[first:])


def test_skipped_batches_are_not_computed():
    sizes = []

    def note(images, random):
        sizes.append(len(images))
        return images

    assert len(list(Batches(*_pairs(10), 4, transform=note).of_epoch(0, 2))) == 1
    assert sizes == [2]


def test_transform_draws_by_seed_epoch_and_number_alone():
    def draws(seed, epoch):
        return [
            images.tobytes()
            for images, _ in Batches(
                *_pairs(12), 4, seed, transform=lambda images, random: random.random(4), shuffle=False
            ).of_epoch(epoch)
        ]

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
    with pytest.raises(ValueError, match="number"):
        batches.random_for(0, 2**32)


class Squares:
    """A sequence that is no array, but gives some."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        assert isinstance(index, np.ndarray)
        return index**2


def test_images_may_be_any_sequence_that_gives_arrays():
    for images, labels in Batches(Squares(), np.arange(10), 4):
        assert (images == labels**2).all()
    found = np.concatenate([images for images, _ in Batches([3, 4, 5], [6, 7, 8], 2)])  # lists become arrays
    assert sorted(found.tolist()) == [3, 4, 5]


def test_transform_may_overwrite_what_it_gets():
    images, labels = _pairs()

    def overwrite(images, random):
        images *= 0
        return images

    for shuffle in (False, True):
        list(Batches(images, labels, 4, shuffle=shuffle, transform=overwrite))
    assert images.tolist() == list(range(10))


def test_prefetching_overlaps_with_the_work_on_a_batch():
    reached = threading.Event()

    def note(images, random):
        if images[0] == 8:
            reached.set()
        return images

    batches = Batches(*_pairs(40), 4, shuffle=False, transform=note, prefetch=2)
    iterator = batches.of_epoch(0)
    next(iterator)
    assert reached.wait(10)  # the third, while we hold the first
    iterator.close()


def test_an_error_of_the_transform_reaches_whoever_iterates_and_no_thread_is_left():
    def fail(images, random):
        if images[0] == 8:
            raise ZeroDivisionError("in the transform")
        return images

    iterator = Batches(*_pairs(), 4, shuffle=False, transform=fail, prefetch=1).of_epoch(0)
    assert [images[0] for images, _ in (next(iterator), next(iterator))] == [0, 4]
    with pytest.raises(ZeroDivisionError, match="in the transform") as caught:
        next(iterator)
    assert "fail" in [entry.name for entry in caught.traceback]
    assert not [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


def test_prefetching_waits_for_a_free_place():
    computed = []

    def note(images, random):
        computed.append(images[0])
        return images

    iterator = Batches(*_pairs(100), 4, shuffle=False, transform=note, prefetch=3).of_epoch(0)
    next(iterator)
    time.sleep(0.1)
    assert computed == [0, 4, 8, 12]  # the one we have and three ahead
    iterator.close()
