"""Datasets, batches, augmentation and training."""

import numpy as np
from misuse.table import NAN, NO_FLAGS, NO_INTEGERS, NO_NAMES, NO_NUMBERS, case, dense, each, random

from mininet import datasets, nn, optim
from mininet.datasets import Batches, augmentation
from mininet.datasets.image_folder import ImageFolder
from mininet.sharding import Shards
from mininet.training import Training, accuracy, confusion
from mininet.training.curves import draw

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
    *each(Batches, "batch_size", lambda f, v: f(IMAGES, LABELS, v), types=NO_INTEGERS, values=(0, -1)),
    case(Batches, "a batch_size beyond the data with drop_last", lambda f: f(IMAGES, LABELS, 5, drop_last=True), ValueError, "batch_size"),
    *each(Batches, "seed", lambda f, v: f(IMAGES, LABELS, 2, v), types=NO_INTEGERS, values=(-1, 2**64)),
    *each(Batches, "shuffle", lambda f, v: f(IMAGES, LABELS, 2, shuffle=v), types=NO_FLAGS),
    *each(Batches, "drop_last", lambda f, v: f(IMAGES, LABELS, 2, drop_last=v), types=NO_FLAGS),
    *each(Batches, "transform", lambda f, v: f(IMAGES, LABELS, 2, transform=v), types=(3, "flip", [abs])),
    *each(Batches, "prefetch", lambda f, v: f(IMAGES, LABELS, 2, prefetch=v), types=NO_INTEGERS, values=(-1,)),
    case(Batches, "fewer labels than images", lambda f: f(IMAGES, LABELS[:3], 2), ValueError, "images"),
    case(Batches, "nothing", lambda f: f(IMAGES[:0], LABELS[:0], 2), ValueError, "images"),
    *each(Batches, "images", lambda f, v: f(v, LABELS, 2), values=(None, 3, np.zeros(()))),
    *each(Batches, "labels", lambda f, v: f(IMAGES, v, 2), values=(None, 3)),
    *each(Batches.of_epoch, "epoch", lambda f, v: f(batches(), v), types=NO_INTEGERS, values=(-1, 2**31)),
    *each(Batches.of_epoch, "first", lambda f, v: f(batches(), 0, v), types=("0", None, 1.5), values=(-1, 4)),
    *each(Batches.random_for, "number", lambda f, v: f(batches(), 0, v), types=("0", None, 1.5), values=(-1, 2**32)),
    *each(datasets.TextBatches, "tokens", lambda f, v: f(v, 2, 1), values=(np.zeros(5), np.zeros((9, 1), int), np.zeros(3, int))),
    *each(datasets.TextBatches, "context", lambda f, v: f(np.zeros(9, int), v, 1), types=NO_INTEGERS, values=(0,)),
    *each(datasets.Text.encode, "text", lambda f, v: f(datasets.Text(LABELS, LABELS, LABELS, "ab"), v), types=(None, 3, ["a"]), values=("abc",)),
    # Augmentation
    *(row for f, call in ((augmentation.normalized, lambda f, v: prepared(f, v)), (augmentation.shifted, lambda f, v: f(v, RANDOM)), (augmentation.statistics, lambda f, v: f(v))) for row in (
        *each(f, "images", call, types=NO_IMAGES, values=(IMAGES[0], IMAGES[:, :0], IMAGES[..., :0], IMAGES[None])),
    )),
    case(augmentation.statistics, "no images", lambda f: f(IMAGES[:0]), ValueError, "images"),
    *each(augmentation.normalized, "mean", lambda f, v: prepared(f, mean=v), values=(0.5, (0.5, 0.5), ((0.5,) * 3,), None, (NAN, 0, 0), ("a", "b", "c"), (None,) * 3)),
    *each(augmentation.normalized, "deviation", lambda f, v: prepared(f, deviation=v), values=((0, 1, 1), (-1, 1, 1))),
    *each(augmentation.shifted, "random", lambda f, v: f(IMAGES, v), types=(None, 0, np.random, np.random.default_rng)),
    *each(augmentation.shifted, "padding", lambda f, v: f(IMAGES, RANDOM, v), types=NO_INTEGERS, values=(-1,)),
    *each(augmentation.shifted, "flips", lambda f, v: f(IMAGES, RANDOM, 1, v), types=NO_FLAGS),
    # Files of data; damaged ones are in tests/hostile
    *(row for f in (datasets.cifar10, datasets.cifar100) for row in (
        *each(f, "folder", lambda f, v: f(v), types=(3, ["data"], True)),
        *each(f, "download", lambda f, v: f("nowhere", v), types=NO_FLAGS),
        case(f, "a folder that is not there", lambda f: f("nowhere"), FileNotFoundError, "found in nowhere"),
    )),
    *each(datasets.cifar100, "labels", lambda f, v: f("nowhere", labels=v), values=NO_NAMES),
    *each(ImageFolder, "folder", lambda f, v: f(v, 8), types=(None, 3, ["data"])),
    case(ImageFolder, "a folder that is not there", lambda f: f("nowhere", 8), FileNotFoundError, "nowhere"),
    *each(ImageFolder, "size", lambda f, v: f("nowhere", v), types=NO_INTEGERS, values=(0, -1)),
    *each(ImageFolder, "shorter", lambda f, v: f("nowhere", 8, v), types=("9", 9.0, True)),
    case(ImageFolder, "shorter below size", lambda f: f("nowhere", 8, 7), ValueError, "shorter"),
    # Training
    *each(Shards, "count", lambda f, v: f(nn.Linear(2, 2), v), types=NO_INTEGERS, values=(0, -1), says="shards"),
    *each(Training, "net", lambda f, v: training(net=v), types=(None, abs, nn.Tanh)),
    *each(Training, "optimizer", lambda f, v: training(optimizer=v), types=(None, 0.1, optim.SGD)),
    *each(Training, "schedule", lambda f, v: training(schedule=v), types=(0.1, "cosine", optim.CosineDecay)),
    *each(Training, "batches", lambda f, v: training(batches=v), types=(None, [(IMAGES, LABELS)], IMAGES)),
    *each(Training, "test_batches", lambda f, v: training(test_batches=v), types=(None, IMAGES)),
    *each(Training, "epochs", lambda f, v: training(epochs=v), types=NO_INTEGERS, values=(-1,)),
    *each(Training, "folder", lambda f, v: training(folder=v), types=(3, ["results"], True)),
    *each(Training, "description", lambda f, v: training(description=v), types=("mine", [1], 3)),
    *each(Training, "checkpoint_seconds", lambda f, v: training(checkpoint_seconds=v), values=(*NO_NUMBERS, -1)),
    *each(Training, "progress", lambda f, v: training(progress=v), types=NO_FLAGS),
    case(Training, "a checkpoint without a folder", lambda f: training().save(), ValueError, "folder"),
    case(Training, "images of NaN", lambda f: training(batches=Batches(random(6, 4) * np.float32(NAN), np.arange(6) % 4, 2)).run(), FloatingPointError, "the loss is nan in epoch 1"),
    *(row for f, more in ((accuracy, ()), (confusion, (4,))) for row in (
        *each(f, "net", lambda f, v, m=more: f(v, batches(), *m), types=(None, abs, nn.Tanh)),
        *each(f, "batches", lambda f, v, m=more: f(dense(), v, *m), types=(None, [(IMAGES, LABELS)])),
    )),
    *each(confusion, "classes", lambda f, v: f(dense(), batches(), v), types=NO_INTEGERS, values=(0, -1)),
    case(confusion, "fewer classes than labels", lambda f: f(dense(), batches(), 3), ValueError, "classes"),
    *each(draw, "history", lambda f, v: f(v), types=(None, {}, 3)),
]  # fmt: skip
