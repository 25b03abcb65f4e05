"""Exercises of notebook 09, What can be represented."""

import numpy as np

from ...experiments.linear_maps.linear_flow import psi_of_matrix
from ..checking import NotYet, expect, is_near, require


def exercise_1(best_increasing_loss):
    """The variance."""
    x = (2 * np.arange(1000) + 1) / 1000 - 1
    for name, values in {"-x^3": -(x**3), "-x": -x, "1 - x^3": 1 - x**3, "exp(-3 x)": np.exp(-3 * x)}.items():
        loss = best_increasing_loss(values.copy())
        zero = np.mean(values**2)
        if not np.isclose(zero, np.var(values)) and is_near(loss, zero):
            raise NotYet(f"h(x) = {name}: this is the loss of the constant 0, and another constant is better")
        expect(f"h(x) = {name}", loss, np.var(values), within=1e-9)
    print("for -x it is 1/3")


def exercise_2(crossings):
    """Pairs whose order changes, each counted once, also if it is the old one again at the end."""
    t = np.linspace(0, 1, 21)[:, None]
    four = np.hstack([2 * t - 1, 0 * t - 0.2, 0 * t + 0.2, 1 - 2 * t])
    paths = {
        "three points that stay in order": (np.exp(-t) * [-1, 0, 1], 0),
        "three that change to the reverse order": (np.cos(3 * t) * [-1, 0.1, 1], 3),
        "two that cross and cross back": (np.cos(6 * t) * [-1, 1], 1),
        "four, of which the outer two exchange their places": (four, 5),
        "two that meet at the last layer only": ((1 - t) * [-1, 1], 0),
    }
    for name, (path, right) in paths.items():
        count = crossings(path.copy())
        if right != 0 and is_near(count, 2 * right):
            raise NotYet(f"{name}: {count}; each pair counts once, (i, j) and (j, i) are the same")
        if name.startswith("four") and is_near(count, 4):
            raise NotYet(f"{name}: 4; the outer two meet exactly at a layer, and change their order at the next one")
        expect(name, count, right)


def exercise_3(theta_for_rotation):
    """Psi of the answer is the rotation."""
    for angle, epsilon in ((0.5, 1.0), (2.5, 0.5), (np.pi, 1.0), (np.pi, 10.0), (-1.0, 1.0)):
        theta = theta_for_rotation(angle, epsilon)
        name = f"angle {angle:.3g}, epsilon = {epsilon}"
        require(np.shape(theta) == (2, 2), f"{name}: theta has the shape {np.shape(theta)}, and should have (2, 2)")
        require(np.isrealobj(theta), f"{name}: theta is complex; make a real matrix of the real and the imaginary part")
        cosine, sine = np.cos(angle), np.sin(angle)
        if np.allclose(theta, angle * np.array([[0, -1], [1, 0]])):
            raise NotYet(f"{name}: this is the ResNet's theta; e^theta is the rotation, Psi(theta) is not")
        right, found = np.array([[cosine, -sine], [sine, cosine]]), psi_of_matrix(np.array(theta, float), epsilon)
        if not np.isclose(angle, np.pi) and is_near(found, right.T, atol=1e-6):
            raise NotYet(f"{name}: this rotates clockwise; the rotation by an angle is cos + sin J")
        # entries of theta are at most some 100 eps large, and so are, relatively, errors that exp takes from them
        expect(name, found, right, within=1e-9)
