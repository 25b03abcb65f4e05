"""Exercises of notebook 11: the mistakes that learners make are refused, with a message that names the matter."""

import numpy as np
import pytest

from mininet.course import NotYet
from mininet.course.exercises import images as exercises


def parameter_count(blocks, width, norms=2, bias=10, first=0.5):
    count = 9 * 3 * width + norms * width
    for c in (width, 2 * width, 4 * width):
        before = c if c == width else first * c
        count += 9 * before * c + (2 * blocks - 1) * 9 * c * c + norms * 2 * blocks * c
    return int(count + 10 * 4 * width + bias)


@pytest.mark.parametrize(
    "changes", [{"norms": 0}, {"norms": 4}, {"bias": 0}, {"first": 1}], ids=lambda changes: next(iter(changes))
)
def test_parameter_count(changes):
    with pytest.raises(NotYet, match=r"3 blocks a stage, width 16 is \d+, and should be 269722"):
        exercises.exercise_1(lambda blocks, width: parameter_count(blocks, width, **changes))


def test_a_wrong_count_is_told_the_parts(capsys):
    with pytest.raises(NotYet):
        exercises.exercise_1(lambda blocks, width: 0)
    # in ResNet-20: norms behind the stem and 18 convolutions, and a classifier from 64 channels to ten classes
    norms, classifier = 2 * 16 + 2 * 6 * (16 + 32 + 64), 650
    told = (
        f"{269_722 - norms - classifier:,} in the convolutions, {classifier} in the classifier, {norms:,} in the norms"
    )
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("numbers", "size", "message"),
    [
        (16, 4, r"measured are 12\.\d\d w numbers a pixel, you said 16.00 w"),  # as for two convolutions of 4 w
        (12, 1, "of 4 bytes a number"),
        (8, 4, "you said 8.00 w"),  # the last convolution forgotten
    ],
)
def test_kept_by_bottleneck(numbers, size, message):
    with pytest.raises(NotYet, match=message):
        exercises.exercise_2(lambda images, height, width, w: images * height * width * numbers * w * size)


def undone(blocks, gamma, x, v, residual=lambda block, x: block(x) - x):
    passed = [x]
    for block in reversed(blocks):
        x = x - v
        v = (v - (1 - gamma) * residual(block, x)) / gamma
        passed.append(x)
    return passed[::-1]


def without_subtracting_x(blocks, gamma, x, v):
    return undone(blocks, gamma, x, v, residual=lambda block, x: block(x))


def in_place(blocks, gamma, x, v):
    passed = [x.copy()]
    for block in reversed(blocks):
        x -= v
        v[...] = (v - (1 - gamma) * (block(x) - x)) / gamma
        passed.append(x.copy())
    return passed[::-1]


def layers_needed(gamma, share, weights=lambda depth, gamma: 1 - gamma ** np.arange(depth, 0, -1)):
    depth = 1
    while np.mean(weights(depth, gamma)) < share and depth < 100:
        depth += 1
    return depth


def by_the_first_layer(gamma, share):
    return layers_needed(gamma, share, lambda depth, gamma: 1 - gamma**depth)


def largest_batch(peak_bytes, budget):
    first, last = peak_bytes(2), peak_bytes(16)
    per_image = (last - first) / 14
    return max(0, int((budget - (first - 2 * per_image)) // per_image))


def in_proportion(peak_bytes, budget):
    return int(budget // peak_bytes(1))


def one_by_one(peak_bytes, budget):
    images = 1
    while peak_bytes(images) <= budget:
        images += 1
    return images - 1


WRONG = {
    exercises.exercise_3: [
        (lambda blocks, gamma, x, v: None, "returns nothing"),
        (without_subtracting_x, r"N = 3, gamma = 0.5: x_1 at .*: the last block .* f\(x\) = block\(x\) - x"),
        (in_place, "has been overwritten"),
    ],
    exercises.exercise_4: [
        (lambda gamma, share: 44.5, "whole number from 1 on"),
        (lambda gamma, share: 10**9, "too many"),
        (by_the_first_layer, "the mean weight is .* only, below 0.8"),
        (lambda gamma, share: layers_needed(gamma, share) + 1, "layers would do"),
    ],
    exercises.exercise_5: [
        (in_proportion, "a constant .* plus so many bytes an image"),
        (one_by_one, "more than three times"),
        (lambda peak_bytes, budget: largest_batch(peak_bytes, 1024 * budget), "fit"),
    ],
}


@pytest.mark.parametrize(
    ("exercise", "answer", "message"), [(exercise, *row) for exercise, rows in WRONG.items() for row in rows]
)
def test_wrong_answers(exercise, answer, message):
    with pytest.raises(NotYet, match=message):
        exercise(answer)


def test_right_answers():
    exercises.exercise_1(parameter_count)
    exercises.exercise_4(layers_needed)
    exercises.exercise_5(largest_batch)
