"""As its layers become thin, a momentum network follows eps x'' + x' = f(x), a residual one x' = f(x).

The scaling is derived in `continuous_limit`.  Measured here: how fast networks approach the two equations as the step
h = 1 / N shrinks, how fast the second-order flow approaches the first-order one as eps does, and what only the former
can do: on a line, its trajectories cross.  Fields, eps and depths are choices of this file, not the paper's.
"""

import dataclasses
import itertools
from functools import partial

import numpy as np
from tqdm import tqdm

from .. import plotting
from ..autodiff import functional as F
from .claim import Claim, Options, Report, text_table
from .continuous_limit import (
    REFERENCE_STEPS,
    Convergence,
    convergence,
    described,
    distance,
    is_first_order,
    momentum_net,
    reference,
    residual_net,
)

EPSILONS = (0.05, 0.2, 1.0)
DEPTHS = tuple(2**k for k in range(6, 14))
SMALL_EPSILONS = tuple(2.0**-k for k in range(1, 10))
SMALL_ENOUGH = 1 / 64
"""From this eps on, first order is asked of the first-order limit; before, higher powers of eps still show."""
CROSSING_EPSILON = 1.0
CROSSING_DEPTH = 256


def tanh_field(x, t):
    """x -> tanh(x A) B, which attracts and turns, the same at all times; x: (points, 2)."""
    return F.tanh(x @ np.array([[1.5, 0.5], [-0.5, 1.0]])) @ np.array([[-2.0, 2.0], [-2.0, -1.0]])


def turning_field(x, t):
    """x -> 2 tanh(2 x) R(2 pi t) with the rotation R, which changes with time; x: (points, 2)."""
    cosine, sine = np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)
    return 2 * F.tanh(2 * x) @ np.array([[cosine, sine], [-sine, cosine]])


def spring_field(x, t):
    """x -> -8 tanh(2 x), on a line: with inertia a spring, the softer the further it is pulled; x: (points, 1)."""
    return -8 * F.tanh(2 * x)


FIELDS = {"tanh(x A) B": tanh_field, "2 tanh(2 x) R(2πt)": turning_field}


def starts(count=8):
    """Points on the circle of radius 1, (count, 2)."""
    angle = 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


@dataclasses.dataclass(frozen=True)
class Measurements:
    """What was measured of one field."""

    momentum: dict  # by eps, the `Convergence` of the momentum network to the second-order equation
    residual: Convergence  # of the residual network to the first-order equation
    residual_elsewhere: Convergence  # to the second-order equation with the largest eps, which it does not approach
    limit: Convergence  # see `first_order_limit`


def measure(field, epsilons=EPSILONS, depths=DEPTHS, small_epsilons=SMALL_EPSILONS):
    """The `Measurements` of a field, from `starts`."""
    x0 = starts()
    flows = {epsilon: reference(field, x0, epsilon) for epsilon in epsilons}
    residual = partial(residual_net, field)
    return Measurements(
        {epsilon: convergence(partial(momentum_net, field, epsilon), flows[epsilon], depths) for epsilon in epsilons},
        convergence(residual, reference(field, x0), depths),
        convergence(residual, flows[max(epsilons)], depths),
        first_order_limit(field, x0, small_epsilons),
    )


def first_order_limit(field, x0, epsilons=SMALL_EPSILONS):
    """`Convergence` of the second-order flow to the first-order one as eps shrinks, both solved accurately."""
    limit = reference(field, x0)
    # x' comes to f within a few times eps, so there are at least 8 steps to each eps
    flows = [reference(field, x0, epsilon, max(REFERENCE_STEPS, round(8 / epsilon))) for epsilon in epsilons]
    errors = tuple(distance(flow.positions, limit.positions) for flow in flows)
    return Convergence(tuple(epsilons), errors, max(flow.error for flow in (limit, *flows)))


def paths_on_a_line(depth=CROSSING_DEPTH, epsilon=CROSSING_EPSILON, count=7):
    """Trajectories (depth + 1, count, 1) of both networks in the `spring_field`, from points between -1.5 and 1.5."""
    x0 = np.linspace(-1.5, 1.5, count)[:, None]
    nets = {"momentum": momentum_net(spring_field, epsilon, depth), "residual": residual_net(spring_field, depth)}
    return {name: net.trajectory(x0) for name, net in nets.items()}


def crossings(path):
    """How many pairs of trajectories on a line change their order at some time; `path` is (times, points, 1)."""
    pairs = itertools.combinations(range(path.shape[1]), 2)
    signs = (np.sign(path[:, i, 0] - path[:, j, 0]) for i, j in pairs)
    return sum(bool(sign.min() < 0 < sign.max()) for sign in signs)


def claims(measured, paths):
    """The `Claim` list for `Measurements` by field, and `paths_on_a_line`."""
    every = list(measured.values())
    momentum = [each for one in every for each in one.momentum.values()]
    residual = [one.residual for one in every]
    orders = np.concatenate([each.orders for each in momentum])
    h = momentum[0].small
    trusted = max(each.reference_error / min(each.errors) for each in [*momentum, *residual])
    plain = np.concatenate([each.orders for each in residual])
    apart = min(one.residual_elsewhere.errors[-1] / one.residual.errors[-1] for one in every)
    small = [_from(one.limit, SMALL_ENOUGH) for one in every]
    limit = np.concatenate([each.orders for each in small])
    exact = max(each.reference_error / min(each.errors) for each in small)
    pairs = {name: crossings(path) for name, path in paths.items()}
    return [
        Claim(
            "the momentum network approaches ε x'' + x' = f(x) at first order in h",
            f"orders {described(orders)} in {len(orders)} halvings of h, from {h[0]:.2g} to {h[-1]:.2g}; error of the "
            f"reference at most {trusted:.1g} of what is measured",
            is_first_order(orders) and trusted < 1e-3,
        ),
        Claim(
            "the residual network approaches x' = f(x) at first order, and no second-order flow",
            f"orders {described(plain)}; at last at least {apart:.0f} times as far from the second-order flow",
            is_first_order(plain) and apart > 10,
        ),
        Claim(
            f"the second-order flow approaches the first-order one in proportion to ε, for ε up to {SMALL_ENOUGH:.3g}",
            f"orders {described(limit)} in {len(limit)} halvings, down to {small[0].small[-1]:.2g}; error of the "
            f"references at most {exact:.1g} of what is measured",
            is_first_order(limit) and exact < 1e-3,
        ),
        Claim(
            "on a line, trajectories of the momentum network cross, those of the residual network do not",
            f"{pairs['momentum']} and {pairs['residual']} pairs that change their order",
            pairs["momentum"] > 0 and pairs["residual"] == 0,
        ),
    ]


def _from(whole, largest):
    """The part of a `Convergence` where what goes to 0 is at most `largest`."""
    kept = [(small, error) for small, error in zip(whole.small, whole.errors, strict=True) if small <= largest]
    return Convergence(*zip(*kept, strict=True), whole.reference_error)


def table(measured):
    """Errors and observed orders as text."""
    rows = []
    for name, one in measured.items():
        found = {f"momentum, ε = {epsilon:g}": each for epsilon, each in one.momentum.items()}
        found |= {"residual": one.residual, "residual to second-order flow": one.residual_elsewhere}
        rows += _rows(name, "h", found) + _rows("", "ε", {"second-order to first-order flow": one.limit})
    return text_table(rows, 41, 10)


def _rows(title, small, found):
    rows = [(f"{title:32}{small:>9}", [f"{each:.2g}" for each in next(iter(found.values())).small])]
    for name, each in found.items():
        rows.append((f"  {name:32}{'error':>7}", [f"{error:.2g}" for error in each.errors]))
        rows.append((f"{'order':>41}", ["", *(f"{order:.3f}" for order in each.orders)]))
    return rows


def reproduce(options: Options) -> Report:
    """Orders of convergence, the first-order limit, and trajectories that cross."""
    fields, settings = FIELDS, {}
    if options.quick:
        fields = dict([*FIELDS.items()][:1])
        settings = {"epsilons": (0.2, 1.0), "depths": (32, 64, 128), "small_epsilons": (1 / 64, 1 / 128)}
    measured = {
        name: measure(field, **settings) for name, field in tqdm(fields.items(), "fields", disable=not options.progress)
    }
    paths = paths_on_a_line()
    orders = np.concatenate([each.orders for one in measured.values() for each in one.momentum.values()])
    found = f"As layers become thin, momentum networks approach ε x'' + x' = f(x), at orders {described(orders)}."
    title = "The differential equation of deep momentum networks"
    return Report(table(measured), claims(measured, paths), {"ode": draw(measured, paths)}, title=title, found=found)


def draw(measured, paths):
    """A figure: errors against h, the first-order limit against eps, and `paths_on_a_line` by time and by velocity."""
    with plotting.figure(columns=2, rows=2, width=5.6, height=4.2) as (figure, axes):
        for (name, one), line in zip(measured.items(), ("-", "--"), strict=False):
            _draw_errors(axes[0, 0], one, line, has_labels=line == "-")
            axes[0, 1].loglog(one.limit.small, one.limit.errors, color=plotting.BLUE, linestyle=line, marker="o")
            for panel in axes[0]:
                panel.plot([], [], color="grey", linestyle=line, label=f"f = {name}")
        one = next(iter(measured.values()))
        for panel, each in zip(axes[0], (one.residual, one.limit), strict=True):
            line = 0.4 * each.errors[-1] / each.small[-1] * np.array(each.small)
            panel.plot(each.small, line, color="grey", linestyle=":", label="slope 1")
            panel.set_ylabel("largest distance of trajectories")
        axes[0, 0].set(xlabel="step h = 1 / depth", title="Networks approach their equations")
        axes[0, 0].set_ylim(bottom=min(one.residual.errors) / 300)  # room for the legend
        axes[0, 1].set(xlabel="ε", title="ε x'' + x' = f approaches x' = f")
        for panel in axes[0]:
            panel.legend(loc="lower right")
        _draw_paths(axes[1], paths)
    return figure


def _draw_errors(axes, one, line, has_labels):
    curves = {f"momentum net to ε = {epsilon:g}": each for epsilon, each in one.momentum.items()}
    curves["residual net to x' = f"] = one.residual
    curves[f"residual net to ε = {max(one.momentum):g}"] = one.residual_elsewhere
    for (label, each), colour, marker in zip(curves.items(), plotting.SEQUENCE, "oooss", strict=False):
        axes.loglog(each.small, each.errors, color=colour, linestyle=line, marker=marker,
                    label=label if has_labels else None)  # fmt: skip


def _draw_paths(axes, paths):
    momentum, residual = (paths[name][..., 0] for name in ("momentum", "residual"))
    times = np.linspace(0, 1, len(momentum))
    for path, colour, label in ((residual, plotting.VERMILION, "residual"), (momentum, plotting.BLUE, "momentum")):
        lines = axes[0].plot(times, path, color=colour, linestyle="--" if label == "residual" else "-")
        lines[0].set_label(f"{label} network: {crossings(path[..., None])} pairs cross")
    axes[0].set(xlabel="t", ylabel="x", title=f"On a line, f(x) = −8 tanh(2 x), ε = {CROSSING_EPSILON:g}")
    axes[0].legend(loc="upper right")
    velocities = np.diff(momentum, axis=0) * (len(momentum) - 1)  # u = v / h
    axes[1].plot(momentum[1:], velocities, color=plotting.BLUE)
    axes[1].plot(momentum[0], np.zeros(momentum.shape[1]), "o", color=plotting.BLUE, label="t = 0")
    axes[1].plot(momentum[-1], velocities[-1], "s", color=plotting.ORANGE, label="t = 1")
    field = np.linspace(momentum.min(), momentum.max(), 200)
    axes[1].plot(field, -8 * np.tanh(2 * field), "--", color=plotting.VERMILION, label="x' = f(x): a residual network")
    axes[1].set(xlabel="x", ylabel="x'", title="Phase portrait: the same trajectories by x and x'")
    axes[1].legend()
