"""Datasets, batches, augmentation and training."""

import numpy as np
from misuse.table import NAN, NO_FLAGS, NO_INTEGERS, NO_NAMES, NO_NUMBERS, case, dense, each, random, works, zeros
from support import strided

from mininet import datasets, nn, optim
from mininet.datasets import Batches, augmentation
from mininet.datasets.image_folder import ImageFolder
from mininet.training import Training, accuracy, confusion, count_right, draw_curves

IMAGES = (100 * random(4, 5, 6, 3)).astype(np.int64).astype(np.uint8)
LABELS = np.array([0, 1, 2, 1])
RANDOM = np.random.default_rng(0)
NO_IMAGES = (None, 3, "images", IMAGES.astype(np.float32), IMAGES.astype(np.int64), IMAGES.tolist(), IMAGES > 0)


def batches(**settings):
    return Batches(random(6, 4), np.arange(6) % 4, 2, **settings)


def training(**changes):
    net = dense()
    optimizer = optim.SGD(net.parameters(), 0.1)
    settings = {
        "net": net,
        "optimizer": optimizer,
        "schedule": None,
        "batches": batches(),
        "test_batches": batches(),
        "epochs": 1,
        "progress": False,
    }
    return Training(**(settings | changes))


def prepared(f, images=IMAGES, mean=(0.5,) * 3, deviation=(0.5,) * 3):
    return f(images, mean, deviation)


CASES = [
    # Batches
    *each(Batches, "batch_size", NO_INTEGERS, lambda f, v: f(IMAGES, LABELS, v), TypeError, "batch_size must be an integer, got"),
    *each(Batches, "batch_size", (0, -1), lambda f, v: f(IMAGES, LABELS, v), ValueError, "batch_size must be at least 1, got"),
    case(Batches, "a batch_size beyond the data with drop_last", lambda f: f(IMAGES, LABELS, 5, drop_last=True), ValueError, "batch_size must be at most the number of images 4 with drop_last, got 5"),
    *each(Batches, "seed", NO_INTEGERS, lambda f, v: f(IMAGES, LABELS, 2, v), TypeError, "seed must be an integer, got"),
    *each(Batches, "seed", (-1, 2**64), lambda f, v: f(IMAGES, LABELS, 2, v), ValueError, "seed must be at least 0 and below 2**64, got"),
    *each(Batches, "shuffle", NO_FLAGS, lambda f, v: f(IMAGES, LABELS, 2, shuffle=v), TypeError, "shuffle must be True or False, got"),
    *each(Batches, "drop_last", NO_FLAGS, lambda f, v: f(IMAGES, LABELS, 2, drop_last=v), TypeError, "drop_last must be True or False, got"),
    *each(Batches, "transform", (3, "flip", [abs]), lambda f, v: f(IMAGES, LABELS, 2, transform=v), TypeError, "transform must be callable or None, got"),
    *each(Batches, "prefetch", NO_INTEGERS, lambda f, v: f(IMAGES, LABELS, 2, prefetch=v), TypeError, "prefetch must be an integer, got"),
    case(Batches, "prefetch below 0", lambda f: f(IMAGES, LABELS, 2, prefetch=-1), ValueError, "prefetch must be at least 0, got -1"),
    case(Batches, "fewer labels than images", lambda f: f(IMAGES, LABELS[:3], 2), ValueError, "images and labels must have the same length, at least 1, got 4 and 3"),
    case(Batches, "nothing", lambda f: f(IMAGES[:0], LABELS[:0], 2), ValueError, "images and labels must have the same length, at least 1, got 0 and 0"),
    *each(Batches, "images", (None, 3, np.zeros(())), lambda f, v: f(v, LABELS, 2), ValueError, "images and labels must be sequences of the same length, got"),
    *each(Batches, "labels", (None, 3), lambda f, v: f(IMAGES, v, 2), ValueError, "images and labels must be sequences of the same length, got"),
    case(Batches, "images of different lengths", lambda f: f([[1.0], [1.0, 2.0]], [0, 1], 2), ValueError, "images must be an array or lists of equal lengths"),
    case(Batches, "labels of different lengths", lambda f: f(IMAGES, [[0], [0, 1], [0], [1]], 2), ValueError, "labels must be an array or lists of equal lengths"),
    works(Batches, "lists, and a batch larger than the data", lambda f: next(iter(f([[1.0], [2.0]], [0, 1], 99, shuffle=False)))[0], lambda: np.array([[1.0], [2.0]])),
    works(Batches, "a strided array", lambda f: next(iter(f(strided(random(4, 3)), LABELS, 4, shuffle=False)))[0], lambda: random(4, 3)),
    *each(Batches.of_epoch, "epoch", NO_INTEGERS, lambda f, v: f(batches(), v), TypeError, "epoch must be an integer, got"),
    *each(Batches.of_epoch, "epoch", (-1, 2**31), lambda f, v: f(batches(), v), ValueError, "epoch must be at least 0 and below 2**31, got"),
    *each(Batches.of_epoch, "first", (-1, 4), lambda f, v: f(batches(), 0, v), ValueError, "first must be at least 0 and at most the number of batches 3, got"),
    *each(Batches.of_epoch, "first", ("0", None, 1.5), lambda f, v: f(batches(), 0, v), TypeError, "first must be an integer, got"),
    works(Batches.of_epoch, "first at the end", lambda f: list(f(batches(), 0, 3)), lambda: []),
    *each(Batches.random_for, "number", (-1, 2**32), lambda f, v: f(batches(), 0, v), ValueError, "number must be at least 0 and below 2**32, got"),
    *each(Batches.random_for, "number", ("0", None, 1.5), lambda f, v: f(batches(), 0, v), TypeError, "number must be an integer, got"),
    case(Batches.random_for, "an epoch below 0", lambda f: f(batches(), -1, 0), ValueError, "epoch must be at least 0 and below 2**31, got -1"),
    # Augmentation
    *(row for f, call in ((augmentation.normalized, lambda f, v: prepared(f, v)), (augmentation.shifted, lambda f, v: f(v, RANDOM)), (augmentation.statistics, lambda f, v: f(v))) for row in (
        *each(f, "images", NO_IMAGES, call, TypeError, "images must be an array of uint8"),
        *each(f, "images", (IMAGES[0], IMAGES[:, :0], IMAGES[..., :0], IMAGES[None]), call, ValueError, "images must have the shape (n, height, width, channels), got"),
    )),
    case(augmentation.statistics, "no images", lambda f: f(IMAGES[:0]), ValueError, "images must be at least one, got none"),
    works(augmentation.statistics, "strided images", lambda f: f(strided_bytes()), lambda: augmentation.statistics(IMAGES)),
    *each(augmentation.normalized, "mean", (0.5, (0.5, 0.5), ((0.5,) * 3,), None), lambda f, v: prepared(f, mean=v), ValueError, "mean must have the shape (3,), one value a channel, got"),
    *each(augmentation.normalized, "mean", ((NAN, 0, 0), ("a", "b", "c"), (None,) * 3), lambda f, v: prepared(f, mean=v), ValueError, "mean must hold finite numbers, got"),
    *each(augmentation.normalized, "deviation", ((0, 1, 1), (-1, 1, 1)), lambda f, v: prepared(f, deviation=v), ValueError, "deviation must be above 0 in every channel, got"),
    case(augmentation.normalized, "a deviation of NaN", lambda f: prepared(f, deviation=(NAN, 1, 1)), ValueError, "deviation must hold finite numbers, got"),
    case(augmentation.normalized, "a mean of different lengths", lambda f: prepared(f, mean=[[0.5], [0.5, 0.5]]), ValueError, "mean must be an array or lists of equal lengths"),
    works(augmentation.normalized, "no images", lambda f: prepared(f, IMAGES[:0]), lambda: zeros(0, 5, 6, 3)),
    works(augmentation.normalized, "strided images", lambda f: prepared(f, strided_bytes()), lambda: prepared(augmentation.normalized)),
    *each(augmentation.shifted, "random", (None, 0, np.random, np.random.default_rng), lambda f, v: f(IMAGES, v), TypeError, "random must be a Generator, got"),
    *each(augmentation.shifted, "padding", NO_INTEGERS, lambda f, v: f(IMAGES, RANDOM, v), TypeError, "padding must be an integer, got"),
    case(augmentation.shifted, "padding below 0", lambda f: f(IMAGES, RANDOM, -1), ValueError, "padding must be at least 0, got -1"),
    *each(augmentation.shifted, "flips", NO_FLAGS, lambda f, v: f(IMAGES, RANDOM, 1, v), TypeError, "flips must be True or False, got"),
    works(augmentation.shifted, "no padding", lambda f: f(strided_bytes(), RANDOM, 0, False), lambda: IMAGES),
    works(augmentation.shifted, "no images", lambda f: f(IMAGES[:0], RANDOM), lambda: IMAGES[:0]),
    # Files of data; damaged ones are in tests/hostile
    *(row for f in (datasets.cifar10, datasets.cifar100) for row in (
        *each(f, "folder", (3, ["data"], True), lambda f, v: f(v), TypeError, "folder must be a path, got"),
        *each(f, "download", NO_FLAGS, lambda f, v: f("nowhere", v), TypeError, "download must be True or False, got"),
        case(f, "a folder that is not there", lambda f: f("nowhere"), FileNotFoundError, "not found in"),
    )),
    *each(datasets.cifar100, "labels", NO_NAMES, lambda f, v: f("nowhere", labels=v), ValueError, "labels must be one of fine, coarse, got"),
    *each(ImageFolder, "folder", (None, 3, ["data"]), lambda f, v: f(v, 8), TypeError, "folder must be a path, got"),
    case(ImageFolder, "a folder that is not there", lambda f: f("nowhere", 8), FileNotFoundError, "nowhere"),
    *each(ImageFolder, "size", NO_INTEGERS, lambda f, v: f("nowhere", v), TypeError, "size must be an integer, got"),
    *each(ImageFolder, "size", (0, -1), lambda f, v: f("nowhere", v), ValueError, "size must be at least 1, got"),
    *each(ImageFolder, "shorter", ("9", 9.0, True), lambda f, v: f("nowhere", 8, v), TypeError, "shorter must be an integer, got"),
    case(ImageFolder, "shorter below size", lambda f: f("nowhere", 8, 7), ValueError, "shorter must be at least the size 8, got 7"),
    # Training
    *each(Training, "net", (None, abs, nn.Tanh), lambda f, v: training(net=v), TypeError, "net must be a Module, got"),
    *each(Training, "optimizer", (None, 0.1, optim.SGD), lambda f, v: training(optimizer=v), TypeError, "optimizer must be an Optimizer, got"),
    *each(Training, "schedule", (0.1, "cosine", optim.CosineDecay), lambda f, v: training(schedule=v), TypeError, "schedule must be a Schedule, got"),
    *each(Training, "batches", (None, [(IMAGES, LABELS)], IMAGES), lambda f, v: training(batches=v), TypeError, "batches must be a Batches, got"),
    *each(Training, "test_batches", (None, IMAGES), lambda f, v: training(test_batches=v), TypeError, "test_batches must be a Batches, got"),
    *each(Training, "epochs", NO_INTEGERS, lambda f, v: training(epochs=v), TypeError, "epochs must be an integer, got"),
    case(Training, "epochs below 0", lambda f: training(epochs=-1), ValueError, "epochs must be at least 0, got -1"),
    *each(Training, "folder", (3, ["results"], True), lambda f, v: training(folder=v), TypeError, "folder must be a path, got"),
    *each(Training, "description", ("mine", [1], 3), lambda f, v: training(description=v), TypeError, "description must be a dict, got"),
    *each(Training, "checkpoint_seconds", (*NO_NUMBERS[:5], -1), lambda f, v: training(checkpoint_seconds=v), ValueError, "checkpoint_seconds must be a finite number of at least 0, got"),
    *each(Training, "progress", NO_FLAGS, lambda f, v: training(progress=v), TypeError, "progress must be True or False, got"),
    case(Training, "a checkpoint without a folder", lambda f: training().save(), ValueError, "folder must be given for checkpoints, got None"),
    case(Training, "going on without a folder", lambda f: training().resume(), ValueError, "folder must be given for checkpoints, got None"),
    case(Training, "images of NaN", lambda f: training(batches=Batches(random(6, 4) * np.float32(NAN), np.arange(6) % 4, 2)).run(), FloatingPointError, "the loss is nan in epoch 1"),
    case(Training, "labels that the net has no class for", lambda f: training(batches=Batches(random(6, 4), np.arange(6), 2)).run(), ValueError, "labels must lie between 0 and 3, got"),
    works(Training, "no epochs", lambda f: training(epochs=0).run(), lambda: []),
    *(row for f, more in ((accuracy, ()), (count_right, ()), (confusion, (4,))) for row in (
        *each(f, "net", (None, abs, nn.Tanh), lambda f, v, m=more: f(v, batches(), *m), TypeError, "net must be a Module, got"),
        *each(f, "batches", (None, [(IMAGES, LABELS)]), lambda f, v, m=more: f(dense(), v, *m), TypeError, "batches must be a Batches, got"),
    )),
    *each(confusion, "classes", NO_INTEGERS, lambda f, v: f(dense(), batches(), v), TypeError, "classes must be an integer, got"),
    *each(confusion, "classes", (0, -1), lambda f, v: f(dense(), batches(), v), ValueError, "classes must be at least 1, got"),
    case(confusion, "fewer classes than labels", lambda f: f(dense(), batches(), 3), ValueError, "classes must be above all labels and predictions, 3 among them, got 3"),
    *each(draw_curves, "histories", (None, [], [[]]), lambda f, v: f(v), TypeError, "histories must be a dict, got"),
]  # fmt: skip


def strided_bytes():
    large = np.zeros((8, 10, 12, 6), np.uint8)
    large[::2, ::2, ::2, ::2] = IMAGES
    return large[::2, ::2, ::2, ::2]
