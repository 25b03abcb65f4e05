"""How far a float inversion drifts from where the network came from, and the exact one that does not.

Undoing a layer divides the rounding errors of v by gamma, v_n = (v_{n+1} - (1 - gamma) f_n(x_n)) / gamma, so the error
of x_0 grows like gamma^-N with the depth N; float64 only starts lower.  The gradients of the memory-free backward pass
are taken at the drifted x_n, and drift with them.  In exact arithmetic nothing drifts.

The Jacobians J of f add to this law.  Those of random functions stretch errors in random directions: to first order
they cancel from layer to layer, to second order they add up to |J|_F^2 / d to the rate log(1 / gamma), d being the
features.  With h hidden units and a Lipschitz constant c that is at most h c^2 / d.  Here c = 1 - gamma and d = 32 h,
by scaling weights of functions Linear - tanh - Linear: at most 1.1 % of the rate.  What larger c do is measured too.

The authors' package, momentumnet, ran on the same networks; its figures are in `data/drift_momentumnet.json`.
"""

import dataclasses
import importlib.resources
import math

import numpy as np
from matplotlib.lines import Line2D
from tqdm import tqdm

from ... import nn, plotting, seeding
from ...autodiff import Tensor
from ...base.files import read_json
from ...reversible import MomentumNet
from ..claim import Claim, Options, Report, text_table


@dataclasses.dataclass(frozen=True)
class Settings:
    """Sizes of x, of the functions' hidden layer and of the batch; the functions' Lipschitz constant over 1 - gamma."""

    features: int = 256
    hidden: int = 8
    batch_size: int = 16
    relative_lipschitz: float = 1.0
    seed: int = 0


GAMMAS = (0.5, 0.9, 0.99)
KINDS = {"float32": (np.float32, "float"), "float64": (np.float64, "float"), "exact": (np.float32, "exact")}
"""dtype of the functions, and arithmetic of x and v."""

TOLERANCE = 0.04
"""Of a fitted rate: 1.1 % for the Jacobians, and three standard errors.  The root mean square of 256 errors scatters by
1 / sqrt(2 * 256) = 4.4 %, which is 0.8 % of the rate fitted to the seven depths of gamma = 0.99, between 4 and 10 times
1 / log(1 / gamma); the other gammas have longer stretches."""

SAME_ORDER = 10
"""The authors' errors are of the order of float32's if neither is so many times the other."""

LOOKS = {
    "float32": {"marker": "o", "linestyle": "-"},
    "float64": {"marker": "^", "linestyle": "--"},
    "momentumnet": {"marker": "x", "linestyle": "", "markersize": 7, "alpha": 0.8},
    "exact": {"marker": "s", "linestyle": ""},
}
ZERO = 1e-19
"""Where 0 stands on logarithmic axes."""


def depths_for(gamma, largest=1000, longest=32):
    """N = 1, 2, ..., `longest` times 1 / log(1 / gamma), rounded, as far as `largest`: gamma^-N is e, e^2, ..."""
    depths = (round(number / math.log(1 / gamma)) for number in range(1, longest + 1))
    return [depth for depth in depths if depth <= largest]


def functions(depth, gamma, settings, dtype=np.float32):
    """Residual functions of Lipschitz constant `settings.relative_lipschitz` (1 - gamma), the same for any depth."""
    made, sizes = [], (settings.features, settings.hidden)
    with seeding.rewound((settings.seed, 0)):
        for _ in range(depth):
            function = nn.Sequential(nn.Linear(*sizes), nn.Tanh(), nn.Linear(*sizes[::-1]))
            first, second = function[0].weight.data, function[2].weight.data
            norms = np.linalg.norm(first, 2) * np.linalg.norm(second, 2)
            first *= np.float32(settings.relative_lipschitz * (1 - gamma) / norms)
            made.append(function.to(dtype))
    return made


def inputs(settings, dtype=np.float32):
    """x_0, standard normal, of float32 values."""
    random = np.random.default_rng(settings.seed)
    return random.standard_normal((settings.batch_size, settings.features), np.float32).astype(dtype)


@dataclasses.dataclass(frozen=True)
class Drift:
    """How far networks come back, one number per depth."""

    depths: list
    position: list  # root mean square error of x_0, which is of order 1
    velocity: list  # of v_0
    gradient: list  # of the memory-free gradients, all together, relative to the norm of the stored ones


def measure(gamma, kind, depths, settings=None, progress=False):
    """Measure the `Drift` of networks of a kind, one of `KINDS`."""
    settings = settings or Settings()
    dtype, arithmetic = KINDS[kind]
    x, deepest = inputs(settings, dtype), functions(max(depths), gamma, settings, dtype)
    start = MomentumNet([], gamma, arithmetic=arithmetic).run(x).values()
    rows = []
    for depth in tqdm(depths, desc=f"drift, {kind}, gamma {gamma:g}", disable=not progress):
        net = MomentumNet(deepest[:depth], gamma, arithmetic=arithmetic)
        end = net.invert(net.run(x))
        memory_free = gradients(net, x)
        net.backprop = "stored"
        stored = gradients(net, x)
        errors = [root_mean_square(came - was) for came, was in zip(end, start, strict=True)]
        rows.append([*errors, root_mean_square(memory_free - stored) / root_mean_square(stored)])
    return Drift(depths, *map(list, zip(*rows, strict=True)))


def gradients(net, x):
    """Of the mean of the squares of x_N by x_0 and all parameters, as one array."""
    net.zero_grad()
    x = Tensor(x, requires_grad=True)
    (net(x) ** 2).mean().backward()
    return np.concatenate([tensor.grad.ravel() for tensor in (x, *net.parameters())])


def root_mean_square(array):
    """In float64; 0 if and only if all are 0."""
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))


def law_holds_for(drift, gamma):
    """Where, as a mask: gamma^-N is at least e^4, so that the errors of the last layers dominate, and x_0 is near."""
    depths, errors = np.array(drift.depths), np.array(drift.position)
    return (np.round(depths * math.log(1 / gamma)) >= 4) & (errors < 0.1)


def rate(drift, gamma):
    """log(error of x_0) for each layer over log(1 / gamma), fitted where the law holds; over three depths or more."""
    mask = law_holds_for(drift, gamma)
    if mask.sum() < 3:
        raise ValueError(f"drift must have three depths where the law holds, got {mask.sum()}")
    slope, _ = np.polyfit(np.array(drift.depths)[mask], np.log(np.array(drift.position)[mask]), 1)
    return float(slope) / math.log(1 / gamma)


def authors():
    """Read what momentumnet did on the networks of the default `Settings`, see `benchmarks/drift_momentumnet.py`."""
    with importlib.resources.as_file(importlib.resources.files("mininet") / "data/drift_momentumnet.json") as path:
        found = read_json(path)
    return found | {"drift": {float(gamma): each for gamma, each in found["drift"].items()}}


def reproduce(options: Options) -> Report:
    """Drift of all kinds by depth for three gammas, of the authors' package, and rates for steeper functions."""
    depths = {gamma: depths_for(gamma) for gamma in GAMMAS}
    if options.quick:
        depths = {gamma: depths_for(gamma, 80, 20)[1::2] for gamma in GAMMAS[:2]}
    drifts = {
        gamma: {kind: measure(gamma, kind, each, progress=options.progress) for kind in KINDS}
        for gamma, each in depths.items()
    }
    rivals = authors()
    lines = [table(drifts, rivals)]
    if not options.quick:
        lines += ["", rates_by_lipschitz(progress=options.progress)]
    checked = claims(drifts, rivals)
    found = f"Run back, floats drift by γ^-N in N layers. Exact arithmetic does not: {checked[1].evidence}."
    title = "How far floats drift, and what exact arithmetic changes"
    return Report("\n".join(lines), checked, {"drift": draw(drifts, rivals)}, title=title, found=found)


def rates_by_lipschitz(progress=False):
    """Fit the rate of float64's errors for functions with other Lipschitz constants; returns text."""
    gamma = 0.9
    lines = [f"γ = {gamma:g}, float64: rate of the errors over log(1/γ), by Lipschitz constant of f"]
    for each in (0.1, 1, 5, 20):
        found = measure(gamma, "float64", depths_for(gamma)[1::2], Settings(relative_lipschitz=each), progress)
        lines.append(f"{each * (1 - gamma):8.3g}{rate(found, gamma):8.3f}")
    return "\n".join(lines)


def claims(drifts, rivals):
    """Check the law, exactness, what becomes of gradients, and the package of the authors."""
    rates = {
        (gamma, kind): rate(found[kind], gamma) for gamma, found in drifts.items() for kind in ("float32", "float64")
    }
    exact = [found["exact"] for found in drifts.values()]
    largest = float(np.max(np.concatenate([[*each.position, *each.velocity, *each.gradient] for each in exact])))
    nets, deepest = sum(len(each.depths) for each in exact), max(max(each.depths) for each in exact)
    lost = {gamma: first_wrong(found["float32"]) for gamma, found in drifts.items()}
    since = {gamma: f"from {depth} layers on" if depth else "not yet" for gamma, depth in lost.items()}
    ratios = {
        gamma: ratios_to_float32(found["float32"], rivals["drift"][gamma], gamma) for gamma, found in drifts.items()
    }
    package = made_by(rivals)
    return [
        Claim(
            f"float errors of x_0 grow like γ^-N: their rate is log(1/γ) within {100 * TOLERANCE:g} %",
            ", ".join(f"{value:.3f} for γ = {gamma:g} in {kind}" for (gamma, kind), value in rates.items()),
            all(abs(value - 1) <= TOLERANCE for value in rates.values()),
        ),
        Claim(
            "exact arithmetic: x_0, v_0 and all gradients come back equal, at every depth and γ",
            f"largest error {largest:g} of {nets} networks of up to {deepest} layers",
            largest == 0,
        ),
        Claim(
            "the memory-free gradients of float32 drift until they are wrong by more than 10 %",
            ", ".join(f"γ = {gamma:g}: {each}" for gamma, each in since.items()),
            any(lost.values()),
        ),
        Claim(
            f"the drift of {package} is of the order of float32's, neither more than {SAME_ORDER} times the other",
            ", ".join(f"{min(each):.2f} to {max(each):.2f} times for γ = {gamma:g}" for gamma, each in ratios.items()),
            all(1 / SAME_ORDER <= ratio <= SAME_ORDER for each in ratios.values() for ratio in each),
        ),
    ]


def first_wrong(drift):
    """The smallest depth where the gradients are off by more than 10 %; None if there is none."""
    return next((depth for depth, each in zip(drift.depths, drift.gradient, strict=True) if each > 0.1), None)


def ratios_to_float32(float32, rival, gamma):
    """Divide the errors of x_0 of `authors` by those of float32, at the depths where the law holds."""
    theirs = dict(zip(rival["depths"], rival["position"], strict=True))
    mask = law_holds_for(float32, gamma)
    errors = zip(float32.depths, float32.position, mask, strict=True)
    return [theirs[depth] / ours for depth, ours, holds in errors if holds]


def table(drifts, rivals):
    """Errors of x_0 and of the gradients as text, for every fourth depth."""
    rows = [("root mean square error of x_0, relative error of the gradients", ())]
    for gamma, found in drifts.items():
        rows.append((f"γ = {gamma:<5g}{'layers':>7}", (*found, made_by(rivals))))
        depths, rival = found["exact"].depths, rivals["drift"][gamma]
        theirs = dict(zip(rival["depths"], zip(rival["position"], rival["gradient"], strict=True), strict=True))
        for index in range(3, len(depths), 4):
            pairs = [(drift.position[index], drift.gradient[index]) for drift in found.values()]
            errors = [f"{x:.1e}, {gradient:.1e}" for x, gradient in (*pairs, theirs[depths[index]])]
            rows.append((f"{depths[index]:16}", errors))
    return text_table(rows, 16, 20)


def made_by(rivals):
    """The authors' package with its version."""
    return f"momentumnet {rivals['made_by']['momentumnet']}"


def draw(drifts, rivals):
    """A figure: errors of x_0 by depth beside the law, and of the gradients; a colour for each gamma."""
    with plotting.figure(columns=2, width=5.4, height=4.8) as (figure, axes):
        for panel, quantity in zip(axes, ("position", "gradient"), strict=True):
            for (gamma, found), color in zip(drifts.items(), plotting.SEQUENCE, strict=False):
                _draw_gamma(panel, quantity, gamma, found, rivals["drift"][gamma], color)
            panel.set(xscale="log", yscale="log", xlabel="depth $N$ [layers]")
            panel.xaxis.set_major_formatter("{x:g}")
            powers = range(-16, 9, 4)
            panel.set_yticks([ZERO, *(10.0**power for power in powers)])
            panel.set_yticklabels(["0", *(f"$10^{{{power}}}$" for power in powers)])
            panel.yaxis.minorticks_off()
        axes[0].set(title="Error of $x_0$ after running back", ylabel="root mean square error ($x_0$ is of order 1)")
        axes[1].set(title="Memory-free against stored gradients", ylabel="relative error of the gradients")
        axes[1].axhline(1, color="black", linewidth=0.8)
        axes[1].annotate("nothing right", (1, 1), xytext=(0, 3), textcoords="offset points", fontsize="small")
        _legend(figure, drifts, rivals)
    return figure


def _draw_gamma(axes, quantity, gamma, found, rival, color):
    for kind, drift in found.items():
        errors = np.array(getattr(drift, quantity))
        axes.plot(drift.depths, np.where(errors == 0, ZERO, errors), color=color, **LOOKS[kind])
        if quantity == "position" and kind != "exact":
            # through the depth in the middle, the law being a statement on the rate
            middle = len(drift.depths) // 2
            logs = (np.array(drift.depths) - drift.depths[middle]) * math.log(1 / gamma)
            axes.plot(drift.depths, errors[middle] * np.exp(logs), **plotting.style("limit", linewidth=1, zorder=3))
    largest = max(found["exact"].depths)
    shown = [pair for pair in zip(rival["depths"], rival[quantity], strict=True) if pair[0] <= largest]
    axes.plot(*zip(*shown, strict=True), color=color, **LOOKS["momentumnet"])


def _legend(figure, drifts, rivals):
    colors = zip(drifts, plotting.SEQUENCE, strict=False)
    handles = [Line2D([], [], color=color, linewidth=4, label=f"γ = {gamma:g}") for gamma, color in colors]
    labels = {"float32": "memory-free, float32", "float64": "memory-free, float64", "exact": "memory-free, exact"}
    labels["momentumnet"] = f"{made_by(rivals)}, the authors'"
    handles += [Line2D([], [], color="gray", **LOOKS[kind], label=label) for kind, label in labels.items()]
    handles.append(Line2D([], [], **plotting.style("limit", linewidth=1, label="law, constant × $γ^{-N}$")))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
