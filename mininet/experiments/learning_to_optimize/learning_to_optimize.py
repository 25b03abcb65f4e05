"""Learning to optimise (as in the paper): networks whose layers are steps of ISTA, for sparse coding.

The task is solved by coming to rest: z_n must settle at the minimiser of the lasso, see `mininet.models.unrolled`.  A
residual network's does, and so does a momentum network's, for which (z*, 0) attracts.  A RevNet's cannot, see
`fixed_points`.

D has 16 x 32 normal entries and columns of length 1, y is normal and scaled so that |D^T y|_inf = 1, lambda = 0.1,
layers start as ISTA with step 1 / |D|^2, and networks learn without being shown solutions: training minimises the lasso
of their output, averaged over samples that are new in every step.  These settings, Adam, the number of steps and the
depths are choices of this file, and so is gamma = 0.5: the velocity takes 1 / (1 - gamma) layers to come to speed, here
2, with gamma = 0.9 ten, and only networks much deeper than that can be as good as a ResNet.

Each layer of a RevNet makes what is off the solution larger, by up to 2.6 times, so a deep one starts from losses that
are orders of magnitude too large.  Lest only the start is compared, there is a second, careful one: it learns at a
quarter of the rate, and starts from short steps, such that those of all its functions together are one step of ISTA.

What counts is the excess over the optimum.  The loss itself is mostly the optimum, whatever a network does: measured
by it, within 10 % of the ResNet is where the careful RevNet comes as well.
"""

import dataclasses

import numpy as np
from tqdm import tqdm

from ... import optim, plotting
from ...autodiff import Tensor, no_grad
from ...autodiff import functional as F
from ...models.unrolled import UnrolledIsta
from ..claim import Claim, Options, Report, text_table
from . import fixed_points
from .sparse_coding import SparseCoding

CAREFUL = "careful RevNet"
KINDS = {"ResNet": "resnet", "Momentum ResNet": "momentum", "RevNet": "revnet", CAREFUL: "revnet"}
_LOOKS = {
    "ResNet": {"color": plotting.VERMILION, "marker": "s", "linestyle": "--"},
    "Momentum ResNet": {"color": plotting.BLUE, "marker": "o", "linestyle": "-"},
    "RevNet": {"color": plotting.GREEN, "marker": "^", "linestyle": "-."},
    CAREFUL: {"color": plotting.ORANGE, "marker": "v", "linestyle": ":"},
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """The task, and how networks are trained; the learning rate falls along a cosine."""

    measurements: int = 16
    atoms: int = 32
    penalty: float = 0.1
    gamma: float = 0.5
    depths: tuple = (1, 2, 4, 8, 16)
    seeds: int = 5
    steps: int = 600
    batch_size: int = 128
    learning_rate: float = 0.02
    test_samples: int = 1000

    def task(self, random):
        """The `SparseCoding` of these sizes, drawn from `random`."""
        return SparseCoding.random(self.measurements, self.atoms, self.penalty, random)


def make_network(name, task, depth, gamma):
    """One of `KINDS`, before training."""
    step = task.step / (2 * depth) if name == CAREFUL else None
    return UnrolledIsta(KINDS[name], task.dictionary, task.penalty, depth, gamma, step)


def train(net, task, settings, random, learning_rate=None):
    """Minimise the mean lasso of what the network returns, for samples drawn from `random`."""
    optimizer = optim.Adam(net.parameters(), learning_rate or settings.learning_rate)
    schedule = optim.CosineDecay(optimizer, settings.steps)
    transposed = Tensor(task.dictionary.T.astype(np.float32))
    for _ in range(settings.steps):
        y = Tensor(task.samples(settings.batch_size, random).astype(np.float32))
        net.zero_grad()
        z = net(y)
        residual = F.linear(z, transposed) - y
        loss = 0.5 * F.sum(residual * residual) + task.penalty * F.sum(F.absolute(z))
        (loss / settings.batch_size).backward()
        optimizer.step()
        schedule.step()


@dataclasses.dataclass(frozen=True)
class Losses:
    """The lasso of what trained networks return, averaged over test samples."""

    depths: tuple
    by_network: dict  # (seeds, depths) by name
    optimum: np.ndarray  # (seeds,)
    gap: float  # by how much the optimum is too large at most

    @property
    def excess(self):
        """Losses minus the optimum, by network."""
        return {name: losses - self.optimum[:, None] for name, losses in self.by_network.items()}


def losses_by_depth(settings, progress=False):
    """Train and test all `KINDS` at each depth, for several seeds of dictionary, samples and batches."""
    found = {name: np.zeros((settings.seeds, len(settings.depths))) for name in KINDS}
    optimum, gaps = [], []
    count = settings.seeds * len(settings.depths) * len(KINDS)
    with tqdm(total=count, unit="network", desc="learning to optimise", disable=not progress) as bar:
        for seed in range(settings.seeds):
            random = np.random.default_rng(seed)
            task = settings.task(random)
            y = task.samples(settings.test_samples, random)
            solution = task.solve(y)
            optimum.append(task.loss(solution, y).mean())
            gaps.append(task.duality_gap(solution, y).mean())
            for column, depth in enumerate(settings.depths):
                for name, losses in found.items():
                    net = make_network(name, task, depth, settings.gamma)
                    rate = settings.learning_rate * (0.25 if name == CAREFUL else 1)
                    train(net, task, settings, np.random.default_rng((seed, depth)), rate)  # the same batches for all
                    with no_grad():
                        z = net(Tensor(y.astype(np.float32))).data
                    losses[seed, column] = task.loss(z.astype(np.float64), y).mean()
                    bar.update()
    return Losses(settings.depths, found, np.array(optimum), max(gaps))


def training_claims(losses):
    """What the paper says of trained networks, at the greatest depth unless it says otherwise, as `Claim`s."""
    ours = losses.by_network["Momentum ResNet"]
    smallest = -np.diff(ours, axis=1).max(initial=-np.inf)
    loss, above = _ratios(losses.by_network), _ratios(losses.excess)
    revnets = [name for name, kind in KINDS.items() if kind == "revnet"]
    return [
        Claim(
            f"the momentum net's test loss falls with the depth, {', '.join(map(str, losses.depths))}, for every seed",
            f"by {smallest:.2g} or more from one to the next",
            bool(smallest > 0),
        ),
        Claim(
            f"with {losses.depths[-1]} layers, its mean test loss is within 10 % of the ResNet's",
            _percent(loss["Momentum ResNet"]),
            loss["Momentum ResNet"] <= 1.1,
        ),
        Claim(
            "and so is its mean excess over the optimum",
            _percent(above["Momentum ResNet"]),
            above["Momentum ResNet"] <= 1.1,
        ),
        Claim(
            f"with {losses.depths[-1]} layers, neither RevNet's excess is within 10 % of the ResNet's",
            ", ".join(f"{name}: {above[name]:.3g} times that, loss {_percent(loss[name])}" for name in revnets),
            not any(above[name] <= 1.1 for name in revnets),  # NaN is no success either
        ),
    ]


def _ratios(by_network):
    """Means over the seeds at the greatest depth, divided by that of the ResNet."""
    means = {name: float(values[:, -1].mean()) for name, values in by_network.items()}
    return {name: mean / means["ResNet"] for name, mean in means.items() if name != "ResNet"}


def _percent(ratio):
    return f"{100 * (ratio - 1):+.2g} %"


def table(losses):
    """Test losses by depth, averaged over the seeds, and their excess over the optimum, as a text table."""
    names = "layers", losses.by_network
    rows = [(f"test loss (optimum {losses.optimum.mean():.5f}, known to within {losses.gap:.1g})", ()), names]
    for column, depth in enumerate(losses.depths):
        rows.append((f"{depth:6}", [f"{values[:, column].mean():.5g}" for values in losses.by_network.values()]))
    rows += [("excess over the optimum (smallest and largest of the seeds)", ()), names]
    for column, depth in enumerate(losses.depths):
        values = (excess[:, column] for excess in losses.excess.values())
        rows.append((f"{depth:6}", [f"{each.mean():.3g} ({each.min():.2g}, {each.max():.2g})" for each in values]))
    return text_table(rows, 6, 26)


def draw(losses, rest, gamma):
    """A figure: excess loss by depth; eigenvalues and repetition of one layer; where fixed points attract."""
    with plotting.figure(columns=2, rows=2, width=5.2, height=3.9) as (figure, ((trained, spectra), (repeated, radii))):
        for name, excess in losses.excess.items():
            trained.plot(losses.depths, excess.mean(axis=0), **_LOOKS[name], label=name)
            for values in excess:
                trained.plot(losses.depths, values, **_LOOKS[name] | {"linestyle": "", "alpha": 0.3, "markersize": 3})
        trained.set(xlabel="layers", ylabel="test loss − optimum", title="Trained (small: each seed)")
        trained.set(xscale="log", yscale="log", ylim=(None, 10))  # a RevNet's, soon beyond 10^6, would hide the others
        trained.set_xticks(losses.depths, map(str, losses.depths))
        trained.minorticks_off()
        trained.legend(loc="upper left")
        _draw_spectra(spectra, rest.jacobians)
        for name, distances in rest.distances.items():
            repeated.plot(distances, **_LOOKS[name] | {"marker": ""}, label=name)
        repeated.set(xlabel="layers", ylabel="$|z_n - z^*|\\,/\\,|z^*|$", yscale="log", ylim=(1e-6, 1e4))
        repeated.set(title="Not trained: one step of ISTA, repeated")
        repeated.legend()
        slopes = np.linspace(0.01, 2 * fixed_points.stability_limit(gamma), 400)
        for name, values in fixed_points.radii(slopes, gamma).items():
            radii.plot(slopes, values, **_LOOKS[name] | {"marker": ""}, label=name)
        radii.axhline(1, color=plotting.BLACK, linewidth=0.8)
        limit = fixed_points.stability_limit(gamma)
        radii.axvline(limit, color=plotting.BLUE, linestyle=":", label="$2(1+γ)/(1-γ)$")
        radii.set(xlabel="$a$, where $df/dx = -a$", ylabel="largest |eigenvalue|", ylim=(0, 4))
        radii.set_title(f"Below 1, a fixed point attracts (γ = {gamma:g})")
        radii.legend(loc="lower right")
    return figure


def _draw_spectra(axes, jacobians):
    turn = np.linspace(0, 2 * np.pi, 200)
    axes.plot(np.cos(turn), np.sin(turn), color=plotting.BLACK, linewidth=0.8)
    for name, jacobian in jacobians.items():
        values = np.linalg.eigvals(jacobian)
        axes.plot(values.real, values.imag, **_LOOKS[name] | {"linestyle": "", "alpha": 0.6}, label=name)
    axes.set(xlabel="real part", ylabel="imaginary part", title="Eigenvalues of a layer's Jacobian at $z^*$")
    axes.set_aspect("equal")
    axes.legend(loc="upper right")


def reproduce(options: Options) -> Report:
    """Losses by depth, and what happens around the fixed point."""
    settings = Settings(seeds=options.seeds or (1 if options.quick else Settings.seeds))
    if options.quick:
        settings = dataclasses.replace(settings, depths=(1, 4), steps=30, batch_size=64, test_samples=100)
    losses = losses_by_depth(settings, options.progress)
    rest = fixed_points.come_to_rest(settings.task(np.random.default_rng(0)), settings.gamma)
    claims = training_claims(losses)
    if options.quick:
        claims = [claims[0], claims[3]]  # so few steps do not bring networks near the optimum
    claims += fixed_points.claims(rest, settings.gamma)
    above = _ratios(losses.excess)
    best = min(above[name] for name, kind in KINDS.items() if kind == "revnet")
    found = (
        f"With {losses.depths[-1]} layers, the momentum network's excess over the optimum is "
        f"{above['Momentum ResNet']:.3g} times the ResNet's, that of the better of two RevNets {best:.3g} times."
    )
    title = "Learning to optimise, and why RevNets cannot"
    figures = {"learning_to_optimize": draw(losses, rest, settings.gamma)}
    return Report(table(losses), claims, figures, title=title, found=found)
