"""Exercises of notebook 09, What can be represented."""

import numpy as np

from ...experiments.linear_maps.linear_flow import lowest_value, psi_of_matrix
from ...experiments.linear_maps.representable import is_exponential, is_representable
from ..checking import NotYet, expect, is_near, require, returned

MATRICES = {
    "diag(1, -0.5)": np.diag([1.0, -0.5]),
    "diag(1, -1)": np.diag([1.0, -1.0]),
    "diag(-2, -2)": np.diag([-2.0, -2.0]),
    "diag(-2, -2, -2)": np.diag([-2.0, -2.0, -2.0]),
    "diag(-2, -3)": np.diag([-2.0, -3.0]),
    "3 J": np.array([[0.0, -3.0], [3.0, 0.0]]),
    "diag(1, 0)": np.diag([1.0, 0.0]),
}


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


def exercise_3(momentum, resnet):
    """What the theorem says of each of `MATRICES`."""
    right = {
        "momentum": [is_representable(matrix, 1.0) for matrix in MATRICES.values()],
        "resnet": [is_exponential(matrix) for matrix in MATRICES.values()],
    }
    for kind, answer in (("momentum", momentum), ("resnet", resnet)):
        require(np.shape(answer) == (len(MATRICES),), f"{kind} should have {len(MATRICES)} entries")
        require(all(isinstance(each, (bool, np.bool_)) for each in answer), f"{kind}: True or False for each matrix")
        wrong = [name for name, a, b in zip(MATRICES, answer, right[kind], strict=True) if a != b]
        names = ", ".join(wrong)
        require(not wrong, f"{kind}: look again at {names}; which real eigenvalues are below the bar, how often?")
        expect(kind, answer, right[kind])


def exercise_4(factor_for_minus_one):
    """In even dimensions -1 is made of rotations by pi; in odd ones it has an unpaired eigenvalue."""
    for n in (2, 4, 6):
        factor = factor_for_minus_one(n, 1.0)
        if is_near(factor, -1 / lowest_value(1.0)):
            raise NotYet(f"in {n} dimensions the eigenvalue -1 occurs an even number of times: no factor is needed")
        expect(f"{n} dimensions", factor, 1, within=1e-12)
    for n, epsilon in ((1, 1.0), (3, 1.0), (5, 0.1), (3, 10.0)):
        factor = factor_for_minus_one(n, epsilon)
        expect(f"{n} dimensions, epsilon = {epsilon}", factor, -1 / lowest_value(epsilon), within=1e-9)


def exercise_5(theta_for_rotation):
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


def exercise_6(layer_jacobian):
    """[[1 + (1 - gamma) S, gamma], [(1 - gamma) S, gamma]], of determinant gamma^d."""
    random = np.random.default_rng(0)
    for d, gamma in ((1, 0.5), (2, 0.9), (3, 0.9)):
        weight, x, v = 2 * random.standard_normal((d, d)), random.standard_normal(d), random.standard_normal(d)
        slopes = (1 - np.tanh(weight @ x) ** 2)[:, None] * weight
        matrix = returned(layer_jacobian(slopes.copy(), gamma), "layer_jacobian")
        measured = _difference_quotient(weight, x, v, gamma)
        forgets = np.block([[np.eye(d), gamma * np.eye(d)], [(1 - gamma) * slopes, gamma * np.eye(d)]])
        require(not is_near(matrix, forgets), "x_{n+1} depends on x_n in two ways: directly and through v_{n+1}")
        moves_first = np.block([[np.eye(d), np.eye(d)], [(1 - gamma) * slopes, gamma * np.eye(d)]])
        if is_near(matrix, moves_first):
            raise NotYet("x moves with the new velocity, which depends on x_n and v_n: put v_{n+1} in")
        # a symmetric quotient with the step 1e-5 is off by about 1e-10 and by rounding, 1e-16 / 1e-5
        expect(f"d = {d}, gamma = {gamma}, against a difference quotient", matrix, measured, within=1e-8)
        expect("  its determinant and gamma^d", np.linalg.det(matrix), gamma**d, within=1e-12)
        print(f"  the ResNet's, det(1 + slopes): {np.linalg.det(np.eye(d) + slopes):.3g}")


def _difference_quotient(weight, x, v, gamma, step=1e-5):
    def layer(state):
        x, v = np.split(state, 2)
        v = gamma * v + (1 - gamma) * np.tanh(weight @ x)
        return np.concatenate([x + v, v])

    state = np.concatenate([x, v])
    columns = [(layer(state + step * e) - layer(state - step * e)) / (2 * step) for e in np.eye(len(state))]
    return np.stack(columns, axis=1)
