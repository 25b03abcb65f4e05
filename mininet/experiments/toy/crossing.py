"""Trajectories that cross (the paper's figure 1): learning h(x) = -x^3 on [-1, 1], in one dimension.

A flow x' = f(x) keeps the order of points on a line: its paths never meet.  So does a ResNet as long as 1 + f' > 0
wherever points pass, that is, as long as its steps are small.  It can only learn increasing maps then, the best of
which is the constant 0, with a mean squared error of 1/7.  In a momentum network points have a velocity as well: they
pass through each other, and -x^3 can be learned.

From the authors' example come the data, tied functions 1-16-1 with tanh, 15 layers, gamma = 0.99 and 200 fresh points a
step.  Theirs is plain SGD, with which the ResNet sometimes diverges and the momentum network is far from trained
(0.025); ours is Adam with a cosine schedule, and a ResNet that starts with small functions, see `toy`.

One thing the theorem does not say: with a learning rate ten times as high the ResNet learns steps so large that they
are no flow any more, 1 + f' < 0.  All points jump over each other, in every layer, and 15 is odd: it learns -x^3 too.
That is the third network.
"""

import dataclasses
import statistics

import matplotlib
import numpy as np

from ... import plotting
from ...autodiff import Tensor
from ...autodiff import functional as F
from ...nn import Module
from ...reversible import ResidualNet
from ..claim import Claim, Options, Report
from . import networks

BEST_INCREASING = 1 / 7
"""The least mean squared distance of an increasing map to -x^3 on [-1, 1], that of 0: the mean of x^6.

For an increasing g, the mean of g(x) x^3 is at least 0, hence that of (g(x) + x^3)^2 at least that of x^6.
"""

RIVALS = {
    "ResNet": {"gamma": 0, "learning_rate": 0.003},
    "Momentum ResNet": {"gamma": networks.GAMMA, "learning_rate": 0.1},
    "ResNet, large steps": {"gamma": 0, "learning_rate": 0.03},
}
POINTS, STEPS, SEEDS, GRID = 200, 1000, 5, 1000
_SWAPPED = -1e-9  # neighbours that far out of order; rounding errors of x are about 1e-15
_LOOKS = {
    "ResNet": {"color": plotting.VERMILION, "linestyle": "--"},
    "Momentum ResNet": {"color": plotting.BLUE, "linestyle": "-"},
    "ResNet, large steps": {"color": plotting.ORANGE, "linestyle": "-."},
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A trained network, and what it does to a grid of points in order."""

    net: Module
    loss: float  # mean squared distance to -x^3
    swapped: np.ndarray  # (depth + 1,), the share of neighbours that are out of order in x_n
    least_slope: float | None  # of 1 + f'(x_n), for a ResNet: a layer keeps order where it is positive

    @property
    def keeps_order(self):
        """Whether the points stay in order at every layer."""
        return not self.swapped.any()


def target(x):
    """h(x) = -x^3."""
    return -(x**3)


def grid(points=GRID):
    """Points (n, 1) in ascending order, the midpoints of equal parts of [-1, 1]."""
    return ((2 * np.arange(points) + 1) / points - 1)[:, None]


def train(gamma, learning_rate, seed=0, steps=STEPS, progress=None):
    """A network trained on -x^3, see `networks.train`."""
    net = networks.drawn_from(seed, lambda: networks.network(1, gamma))
    networks.train(net, _loss_of_fresh_points, learning_rate, steps, seed, progress)
    return net


def _loss_of_fresh_points(net, random):
    x = random.uniform(-1, 1, (POINTS, 1)).astype(np.float32)
    return F.mse_loss(net(Tensor(x)), target(x))


def examine(net):
    """The `Outcome` of a network with a tied function; in float64, to which its parameters are converted."""
    net.to(np.float64)
    x = grid()
    passed = net.trajectory(x)
    swapped = (np.diff(passed[..., 0]) < _SWAPPED).mean(axis=1)
    slopes = networks.layer_jacobians(net.functions[0], passed[:-1])
    is_resnet = isinstance(net, ResidualNet)
    loss = float(np.mean((passed[-1] - target(x)) ** 2))
    return Outcome(net, loss, swapped, float(slopes.min()) if is_resnet else None)


def compare(seeds=SEEDS, steps=STEPS, progress=False):
    """Train every rival from several seeds; lists of `Outcome` by name."""
    return {
        name: [
            examine(train(**settings, seed=seed, steps=steps, progress=f"{name}, seed {seed}" if progress else None))
            for seed in range(seeds)
        ]
        for name, settings in RIVALS.items()
    }


def table(outcomes):
    """Losses, order and slopes as text, a line for each rival."""
    lines = [f"{'':22}{'loss: median (lowest to highest)':>38}{'order kept':>14}{'least 1 + f':>16}'"]
    for name, runs in outcomes.items():
        kept = f"{sum(run.keeps_order for run in runs)} of {len(runs)}"
        slopes = [run.least_slope for run in runs if run.least_slope is not None]
        slope = f"{min(slopes):.3f}" if slopes else ""
        losses = [run.loss for run in runs]
        spread = f"{statistics.median(losses):.5f} ({min(losses):.5f} to {max(losses):.5f})"
        lines.append(f"{name:22}{spread:>38}{kept:>14}{slope:>16}".rstrip())
    lines.append(f"{'best increasing map':22}{f'{BEST_INCREASING:.5f}':>14}")
    runs = outcomes["ResNet, large steps"]
    jumping, low = (sum(run.least_slope < 0 for run in runs), sum(run.loss < BEST_INCREASING / 5 for run in runs))
    jump = f"With large steps, {jumping} of {len(runs)} ResNets are no flow (1 + f' < 0)"
    lines.append(f"{jump}, and the loss of {low} of {len(runs)} is below a fifth of 1/7.")
    return "\n".join(lines)


def claims(outcomes):
    """What the paper says of the ResNet that is a flow and of the momentum network, as `Claim`s."""
    resnets, momentum = outcomes["ResNet"], outcomes["Momentum ResNet"]
    losses = [statistics.median(run.loss for run in runs) for runs in (resnets, momentum)]
    slope = min(run.least_slope for run in resnets)
    kept = sum(run.keeps_order for run in resnets)
    broken = sum(not run.keeps_order for run in momentum)
    ratio = f"{losses[1]:.5f} against {losses[0]:.5f}, 1/{losses[0] / losses[1]:.3g}, medians"
    return [
        Claim("the ResNet, a flow, keeps the order of points at every layer",
              f"{kept} of {len(resnets)} runs, 1 + f' at least {slope:.3f}", kept == len(resnets) and slope > 0),
        Claim("it is as good as an increasing map can be, within 5 %",
              f"loss {losses[0]:.5f}, 1/7 is {BEST_INCREASING:.5f}", losses[0] <= 1.05 * BEST_INCREASING),
        Claim("trajectories of the momentum network cross",
              f"{broken} of {len(momentum)} runs", broken == len(momentum)),
        Claim("its loss is at most a fifth of that ResNet's", ratio, losses[1] <= losses[0] / 5),
        Claim("its loss is at most a tenth of that ResNet's", ratio, losses[1] <= losses[0] / 10),
    ]  # fmt: skip


def reproduce(options: Options) -> Report:
    """Losses and order of the three networks."""
    seeds, steps = (1, 80) if options.quick else (SEEDS, STEPS)
    outcomes = compare(options.seeds or seeds, steps, options.progress)
    resnet, momentum = (statistics.median(run.loss for run in outcomes[n]) for n in ("ResNet", "Momentum ResNet"))
    found = (
        f"Learning -x³ on a line, a ResNet of small steps ends at a loss of {resnet:.4f}; no increasing map can do "
        f"better than {BEST_INCREASING:.4f}. A momentum network ends at {momentum:.4f}: its trajectories may cross."
    )
    title = "Trajectories that cross"
    return Report(table(outcomes), claims(outcomes), {"crossing": draw(outcomes)}, title=title, found=found)


def draw(outcomes, points=13):
    """A figure: trajectories of each rival, of the run with the median loss, and the maps that were learned."""
    chosen = {name: sorted(runs, key=lambda run: run.loss)[len(runs) // 2] for name, runs in outcomes.items()}
    x = np.linspace(-1, 1, points)[:, None]
    with plotting.figure(columns=4, width=3.2, height=3.6) as (figure, axes):
        for panel, (name, run) in zip(axes, chosen.items(), strict=False):
            draw_trajectories(panel, run.net.trajectory(x)[..., 0])
            panel.set(title=f"{name}\nloss {run.loss:.4f}, order {'kept' if run.keeps_order else 'broken'}")
        axes[0].set(ylabel="position $x_n$  (×: target, $-x_0^3$)")
        axes[2].sharey(axes[0])
        fine = grid(200)
        axes[3].plot(fine, target(fine), color=plotting.BLACK, linewidth=4, alpha=0.25, label="$h(x) = -x^3$")
        for name, run in chosen.items():
            axes[3].plot(fine, run.net.trajectory(fine)[-1], label=name, **_LOOKS[name])
        axes[3].set(xlabel="input $x_0$", ylabel="output $x_{15}$", title="what they learned")
        axes[3].legend()
    return figure


def draw_trajectories(axes, passed):
    """Lines x_n by layer n in the colours of their start, and crosses where -x^3 wants them; passed: (depth + 1, n)."""
    layers = np.arange(len(passed))
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, passed.shape[1]))
    for line, colour in zip(passed.T, colours, strict=True):
        axes.plot(layers, line, color=colour, marker=".", linewidth=1.3)
    axes.scatter(np.full(passed.shape[1], layers[-1] + 0.8), target(passed[0]), c=colours, marker="x", zorder=3)
    axes.set(xlabel="layer $n$", xticks=layers[::3])
