"""What gamma does (the paper's figure 6, and more): its two ends, paths, memory, drift, and an exchange of gamma.

The parts: `gamma_limits` says what a momentum network becomes for gamma = 0 and for gamma -> 1, `side_information` what
is kept to run it back exactly, and `gamma_exchange` trains networks on the digits, which are then tested with another
gamma.
"""

import dataclasses
import math

import numpy as np

from ... import plotting
from ...autodiff import no_grad
from ...reversible import MomentumNet
from .. import side_information
from ..claim import Claim, Options, Report, text_table
from ..continuous_limit import Convergence
from . import gamma_limits
from .gamma_exchange import Settings, exchange

NEAR_ONE = 1 - np.logspace(-1, -6, 6)
DETERMINANT_TOLERANCE = 1e-6  # central differences are off by about 1e-11; divided by gamma, and added up
ORDER_TOLERANCE = 0.01
MEMORY_TOLERANCE = 0.02
REFIT_TOLERANCE = 0.02


def paths(gammas, layers=60):
    """x_0, ..., x_N in the plane, the residual function being a whirl around and into 0: (layers + 1, 2) by gamma."""
    whirl = 0.1 * np.array([[-1.0, 0.7], [-0.7, -1.0]])
    start = np.array([[1.0, 0.0]])
    nets = {gamma: MomentumNet([lambda x: x @ whirl] * layers, gamma, arithmetic="float", backprop="stored")
            for gamma in gammas}  # fmt: skip
    with no_grad():
        return {gamma: net.trajectory(start)[:, 0] for gamma, net in nets.items()}


def kept_bits(gammas):
    """Bits of side information per element and layer: the growth of the buffer integers up to 60 bits."""
    (function,) = gamma_limits.dense_functions(1, 8)
    x = np.random.default_rng(0).standard_normal((64, 8))
    depths = [math.ceil(60 / math.log2(1 / gamma)) for gamma in gammas]
    measured = (side_information.measure(function, x, *each) for each in zip(gammas, depths, strict=True))
    return np.array([each.largest_slope for each in measured])


@dataclasses.dataclass(frozen=True)
class Theory:
    """What holds for any functions, measured."""

    bits_at_zero: dict  # from `gamma_limits.bits_at_zero`
    gammas: tuple  # above 0, for the next two
    determinants: np.ndarray  # of a layer in (x, v), with `gamma_limits.FEATURES` elements each
    kept: np.ndarray  # side information in bits per element and layer
    rescaled: np.ndarray  # from `gamma_limits.limits_near_one`, for `NEAR_ONE`
    as_written: np.ndarray


def theory(gammas=(0.1, 0.2, 0.5, 0.8, 0.9, 0.99)):
    """Measure `Theory`."""
    determinants = np.array([gamma_limits.layer_determinant(gamma) for gamma in gammas])
    limits = gamma_limits.limits_near_one(NEAR_ONE)
    return Theory(gamma_limits.bits_at_zero(), gammas, determinants, kept_bits(gammas), *limits)


def theory_claims(found):
    """Of a `Theory`, as `Claim`s."""
    gammas = np.array(found.gammas)
    volume = np.abs(found.determinants / gammas**gamma_limits.FEATURES - 1).max()
    order = Convergence(1 - NEAR_ONE, found.rescaled).orders[-1]
    memory = np.abs(found.kept / np.log2(1 / gammas) - 1).max()
    listed = ", ".join(f"{gamma:g}" for gamma in gammas)
    return [
        Claim(
            "γ = 0 is the ResNet to the bit",
            ", ".join(f"{name}: {bits} bits differ" for name, bits in found.bits_at_zero.items()),
            not any(found.bits_at_zero.values()),
        ),
        Claim(
            f"a layer's Jacobian in (x, v) has determinant γ^d, d = {gamma_limits.FEATURES}, for γ = {listed}",
            f"off by {volume:.0e}, relatively, at most",
            bool(volume < DETERMINANT_TOLERANCE),
        ),
        Claim(
            "as γ goes to 1, the net of f / (1 - γ) becomes a RevNet, at first order in 1 - γ",
            f"{found.rescaled[-1]:.1e} apart at 1 - γ = {1 - NEAR_ONE[-1]:.0e}, where the order is {order:.4f}",
            bool(abs(order - 1) < ORDER_TOLERANCE),
        ),
        Claim(
            f"side information grows by log2(1/γ) bits an element and layer, within {100 * MEMORY_TOLERANCE:g} %",
            f"off by {100 * memory:.2g} % at most",
            bool(memory < MEMORY_TOLERANCE),
        ),
    ]


def drift_claim(found):
    """Of an `Exchange`: the error of x_0 and v_0, in floats, is larger the smaller gamma."""
    errors = {gamma: float(values[:, 0].mean()) for gamma, values in found.drift.items()}
    return Claim(
        "run back in floats, trained networks drift more the smaller γ",
        ", ".join(f"γ = {gamma:g}: {error:.1e}" for gamma, error in errors.items()),
        bool((np.diff([errors[gamma] for gamma in sorted(errors)]) < 0).all()),
    )


def exchange_claims(found):
    """Of an `Exchange`: what a refit restores, as `Claim`s; accuracies are means over the seeds."""
    apart = ~np.eye(len(found.gammas), dtype=bool)
    before, worse = found.before.mean(axis=0), found.loss_after
    row, column = np.unravel_index(np.argmax(worse), worse.shape)
    trained, tested = found.gammas[row], found.gammas[column]
    return [
        Claim(
            "tested with another γ than trained with, every network is worse",
            f"by {100 * (np.diag(before) - before)[apart].min():.1f} points or more",
            bool((before < np.diag(before))[apart].all()),
        ),
        Claim(
            f"an epoch of refitting brings it within {100 * REFIT_TOLERANCE:g} points of those trained with that γ",
            f"at worst {100 * worse[row, column]:.2f} points less, from γ = {trained:g} to {tested:g}; "
            f"{np.sum(worse > REFIT_TOLERANCE)} of {worse.size} pairs beyond",
            bool(worse.max() <= REFIT_TOLERANCE),
        ),
    ]


def table(found):
    """Accuracies of an `Exchange` as a text table: rows are the gamma of training, columns the gamma of testing."""
    rows = []
    for title, values in (("at once", found.before), ("after an epoch of refitting", found.after)):
        rows.append((f"test accuracy [%] {title}, by the γ of training (row) and of testing (column)", ()))
        rows.append(("", [f"{gamma:g}" for gamma in found.gammas]))
        for gamma, row in zip(found.gammas, values.mean(axis=0), strict=True):
            rows.append((f"{gamma:>6g}", [f"{100 * value:.1f}" for value in row]))
    return text_table(rows, 6, 8)


def draw(whirl, found, exchanged):
    """A figure: paths, the limit gamma -> 1, bits; drift, and accuracies before and after refitting."""
    with plotting.figure(columns=3, rows=2, width=4.6, height=3.9) as (figure, (upper, lower)):
        _draw_paths(upper[0], whirl)
        _draw_limits(upper[1], found)
        _draw_bits(upper[2], found)
        _draw_drift(lower[0], exchanged)
        _draw_accuracies(lower[1], exchanged.gammas, exchanged.before, "Test accuracy [%], γ exchanged")
        _draw_accuracies(lower[2], exchanged.gammas, exchanged.after, "Test accuracy [%] after an epoch of refit")
    return figure


def _draw_paths(axes, whirl):
    for (gamma, path), colour in zip(whirl.items(), plotting.SEQUENCE, strict=False):
        axes.plot(*path.T, color=colour, marker=".", linewidth=1, label=f"γ = {gamma:g}")
    axes.plot(*path[0], color=plotting.BLACK, marker="o", linestyle="", label="$x_0$")
    axes.set(xlabel="first component of $x_n$", ylabel="second", title="The same f, a whirl into 0: paths by γ")
    axes.set_aspect("equal", adjustable="datalim")
    axes.legend(loc="lower right")


def _draw_limits(axes, found):
    apart = 1 - NEAR_ONE
    axes.plot(apart, found.rescaled, color=plotting.BLUE, marker="o", label="f / (1 − γ): to the RevNet")
    axes.plot(apart, found.as_written, color=plotting.VERMILION, marker="s", label="f as written: to the identity")
    axes.plot(apart, found.rescaled[-1] * apart / apart[-1], color=plotting.BLACK, linestyle=":", label="first order")
    axes.set(xlabel="1 − γ", ylabel="distance of $x_N$", xscale="log", yscale="log", title="The limit γ → 1")
    axes.legend()


def _draw_bits(axes, found):
    gammas = np.linspace(min(found.gammas), 0.999, 200)
    axes.plot(gammas, np.log2(1 / gammas), color=plotting.BLACK, label="log$_2(1/γ)$")
    lost = -np.log2(found.determinants) / gamma_limits.FEATURES
    axes.plot(found.gammas, lost, color=plotting.GREEN, marker="o", linestyle="", markersize=9, alpha=0.5,
              label="volume lost by a layer")  # fmt: skip
    axes.plot(found.gammas, found.kept, color=plotting.BLUE, marker="x", linestyle="", label="side information kept")
    axes.set(xlabel="γ", ylabel="bits an element and layer", title="What a layer destroys, and what is kept")
    axes.legend()


def _draw_drift(axes, exchanged):
    for (gamma, values), colour in zip(exchanged.drift.items(), plotting.SEQUENCE[1:], strict=False):
        layers = np.arange(values.shape[1])
        axes.plot(layers, values.mean(axis=0), color=colour, marker="o", label=f"γ = {gamma:g}")
    axes.set(xlabel="layer n", ylabel="largest error of $x_n$ and $v_n$", title="Trained nets, run back in float32")
    axes.set_yscale("log", nonpositive="mask")  # the last layer's error is 0
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()


def _draw_accuracies(axes, gammas, values, title):
    percent = 100 * values.mean(axis=0)
    axes.imshow(percent, vmin=0, vmax=100, cmap="cividis")
    for row, column in np.ndindex(percent.shape):
        value = percent[row, column]
        axes.text(column, row, f"{value:.1f}", ha="center", va="center", color="white" if value < 60 else "black")
    names = [f"{gamma:g}" for gamma in gammas]
    axes.set_xticks(range(len(gammas)), names)
    axes.set_yticks(range(len(gammas)), names)
    axes.grid(False)
    axes.set(xlabel="γ in testing" + (" and refit" if "refit" in title else ""), ylabel="γ in training", title=title)


def reproduce(options: Options) -> Report:
    """The ends of gamma, and what it does in between."""
    settings = Settings(seeds=options.seeds or (1 if options.quick else Settings.seeds))
    if options.quick:
        settings = dataclasses.replace(settings, gammas=(0.5, 0.9), depth=4, width=8, epochs=1, batch_size=128)
    found = theory((0.1, 0.5, 0.9)) if options.quick else theory()
    exchanged = exchange(settings, options.progress)
    claims = [*theory_claims(found), drift_claim(exchanged)]
    if not options.quick:  # an epoch says little about accuracy
        claims += exchange_claims(exchanged)
    whirl = paths((0.0, 0.5, 0.9, 0.99))
    before = exchanged.before.mean(axis=0)
    lost = (np.diag(before) - before)[~np.eye(len(before), dtype=bool)].min()
    sentence = (
        f"A network tested with another γ than it was trained with loses {100 * lost:.1f} points or more; after an "
        f"epoch of refitting it is at most {100 * exchanged.loss_after.max():.1f} points behind."
    )
    figures = {"role_of_gamma": draw(whirl, found, exchanged)}
    return Report(table(exchanged), claims, figures, title="What γ does", found=sentence)
