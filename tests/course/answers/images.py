"""Exercises of notebook 11: wrong answers with what is said of them, and right ones."""

import numpy as np


def kept(numbers, size=4):
    return lambda images, height, width, w: images * height * width * numbers * w * size


def layers_needed(gamma, share, weights=lambda depth, gamma: 1 - gamma ** np.arange(depth, 0, -1)):
    depth = 1
    while np.mean(weights(depth, gamma)) < share and depth < 100:
        depth += 1
    return depth


def by_the_first_layer(gamma, share):
    return layers_needed(gamma, share, lambda depth, gamma: 1 - gamma**depth)


def in_proportion(peak_bytes, budget):
    return int(budget // peak_bytes(1))


def one_by_one(peak_bytes, budget):
    images = 1
    while peak_bytes(images) <= budget:
        images += 1
    return images - 1


WRONG = {
    1: [
        (kept(16), r"measured are 12\.\d\d w numbers a pixel, you said 16.00 w"),  # as for two convolutions of 4 w
        (kept(12, size=1), "of 4 bytes a number"),
        (kept(8), "you said 8.00 w"),  # the last convolution forgotten
    ],
    2: [
        (lambda gamma, share: 44.5, "whole number from 1 on"),
        (lambda gamma, share: 10**9, "too many"),
        (by_the_first_layer, "the mean weight is .* only, below 0.8"),
        (lambda gamma, share: layers_needed(gamma, share) + 1, "layers would do"),
    ],
    3: [(in_proportion, "a constant .* plus so many bytes an image"), (one_by_one, "more than three times")],
}

RIGHT = [(2, layers_needed)]
