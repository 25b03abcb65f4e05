"""Exercises of notebook 12: wrong answers with what is said of them, and right ones."""

import numpy as np


def weights(q, k, mask=-np.inf, scale=True, shift=True):
    scores = q @ k.T / (np.sqrt(q.shape[1]) if scale else 1)
    scores = scores + np.triu(np.full(scores.shape, mask), 1) if mask else scores
    powers = np.exp(scores - scores.max(axis=1, keepdims=True) if shift else scores)
    return powers / powers.sum(axis=1, keepdims=True)


def overflowing(q, k):
    with np.errstate(over="ignore", invalid="ignore"):
        return weights(q, k, shift=False)


def shifted_before_the_mask(q, k):
    scores = q @ k.T / np.sqrt(q.shape[1])
    powers = np.exp(scores - scores.max(axis=1, keepdims=True)) * np.tri(len(q))
    with np.errstate(invalid="ignore"):
        return powers / powers.sum(axis=1, keepdims=True)


def merged(m, total, n, other):
    top = max(m, n)
    return top, total * np.exp(m - top) + other * np.exp(n - top)


WRONG = {
    1: [
        (lambda q, k: weights(q, k, mask=0), "where is the mask"),
        (lambda q, k: weights(q, k, mask=0) * np.tri(len(q)), "each row still sums to 1"),
        (lambda q, k: weights(q, k, scale=False), "divide the scores"),
        (overflowing, "overflow"),
        (shifted_before_the_mask, "after the mask"),
        (lambda q, k: None, "returns nothing"),
    ],
    2: [
        (lambda m, total, n, other: (max(m, n), total + other), "rescale both"),
        (lambda m, total, n, other: max(m, n), "should return the largest score"),
        (lambda m, total, n, other: (m, total + other * np.exp(n - m)), "blocks .* apart at 0"),
    ],
    3: [
        (lambda loss, characters: loss / np.log(2) * characters, "that is in bits"),
        (lambda loss, characters: loss * characters / 8, "the loss is in nats"),
        (lambda loss, characters: loss, "80 characters: got"),
    ],
}

RIGHT = [(1, weights), (2, merged), (3, lambda loss, characters: loss * characters / (8 * np.log(2)))]
