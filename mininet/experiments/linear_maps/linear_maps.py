"""Which linear maps a deep network can be: the theorem of the paper's section 4, tried out on random matrices.

In the limit of thin linear layers, a momentum network is x -> Psi_eps(theta) x, a residual one x -> exp(theta) x.  What
Psi_eps is stands in `linear_flow`, what the theorem says and which theta it promises in `representable`.  Here a search
that knows nothing of the theorem is asked whether theta exists (`matrix_search`); networks of finitely many layers get
the promised theta, or are trained to be a matrix (`linear_networks`).
"""

import dataclasses
import itertools

import numpy as np
from matplotlib.ticker import NullFormatter

from ... import plotting
from ..claim import Claim, Options, Report
from ..continuous_limit import described, is_first_order
from .linear_flow import lowest_point, lowest_value, psi
from .linear_networks import DEPTHS, Settings, constructed, discrete_convergence, train_all
from .matrix_search import FOUND, draw_all, search_all
from .representable import is_representable, unpaired

EPSILONS = (0.1, 0.5, 1.0, 2.0, 10.0, 100.0)
CONSTRUCTED = 1e-8


@dataclasses.dataclass(frozen=True)
class Measurements:
    """All that was found; `reached` is that of `linear_networks.Settings`."""

    attempts: list  # of `matrix_search.Attempt`
    made: list  # a `linear_networks.Constructed` for each representable one among the attempts
    convergences: list  # of `continuous_limit.Convergence`
    trained: list  # of `linear_networks.Trained`
    reached: float


def measure(count=200, sizes=(2, 3), starts=20, iterations=50, depths=DEPTHS, training=None, progress=False):
    """`Measurements` of `count` random matrices, and of trained networks."""
    training = training or Settings()
    attempts = search_all(draw_all(count, sizes), starts, iterations, progress)
    made = [constructed(one.matrix, one.epsilon) for one in attempts if is_representable(one.matrix, one.epsilon)]
    trained = train_all(training, progress=progress)
    return Measurements(attempts, made, discrete_convergence(made, depths), trained, training.reached)


def claims(measured):
    """The `Claim` list for `Measurements`."""
    attempts, trained = measured.attempts, measured.trained
    bars = [lowest_value(epsilon) for epsilon in EPSILONS]
    errors = [one.error for one in measured.made]
    orders = np.concatenate([each.orders for each in measured.convergences])
    halvings = len(measured.convergences[0].orders)
    return [
        Claim(
            "the bar λ_ε, the minimum of Ψ_ε, falls from 0 towards −1 as ε grows",
            ", ".join(f"{bar:.4g} at {epsilon:g}" for epsilon, bar in zip(EPSILONS, bars, strict=True)),
            all(-1 < after < before < 0 for before, after in itertools.pairwise(bars)) and bars[-1] < -0.99,
        ),
        _claim_of_the_theorem(
            f"for {len(attempts)} random matrices, theorem and numerical search agree whether θ exists",
            f"{{}} agree; {{}}; the search counts {FOUND:g} as found",
            [one.distance for one in attempts],
            [is_representable(one.matrix, one.epsilon) for one in attempts],
            FOUND,
        ),
        Claim(
            f"a constructed θ gives the matrix to {CONSTRUCTED:g}",
            f"error at most {max(errors):.1g} of {len(errors)} matrices",
            max(errors) < CONSTRUCTED,
        ),
        Claim(
            "the momentum network with this θ approaches the matrix at first order in h",
            f"orders {described(orders)} of {len(measured.convergences)} matrices in {halvings} halvings of h",
            is_first_order(orders),
        ),
        *(
            _claim_of_the_theorem(
                f"the {kind} network learns what the theorem allows it, and nothing else",
                f"{{}} of {len(trained)} targets; {{}}",
                [one.distances[kind] for one in trained],
                [one.possible[kind] for one in trained],
                measured.reached,
            )
            for kind in ("momentum", "residual")
        ),
        _factor_claim(trained, measured.reached),
    ]


def _claim_of_the_theorem(text, evidence, distances, possible, below):
    """That only what the theorem allows was reached; `evidence` takes how many agree, and the distances."""
    pairs = list(zip(distances, possible, strict=True))
    agree = sum((distance < below) == says for distance, says in pairs)
    near, far = ([distance for distance, says in pairs if says == which] for which in (True, False))
    sides = (
        f"distance at most {max(near, default=np.nan):.2g} for the {len(near)} that are possible, "
        f"at least {min(far, default=np.nan):.2g} for the {len(far)} that are not"
    )
    return Claim(text, evidence.format(agree, sides), bool(agree == len(pairs) and near and far))


def _factor_claim(trained, reached):
    random = [one for one in trained if one.name.startswith("random")]
    learned = {kind: sum(one.distances[kind] < reached for one in random) for kind in ("momentum", "residual")}
    return Claim(
        "the momentum network learns random matrices up to a factor, the residual network does not",
        f"{learned['momentum']} and {learned['residual']} of {len(random)}",
        learned["momentum"] == len(random) > learned["residual"],
    )


def table(trained):
    """Trained distances as text, in brackets where the theorem says that the network cannot be the matrix."""
    lines = [f"{'distance after training':24}{'momentum':>12}{'residual':>12}   unpaired real eigenvalues"]
    for one in trained:
        entries = (
            f"{distance:.1e}" if one.possible[kind] else f"({distance:.1e})" for kind, distance in one.distances.items()
        )
        values = ", ".join(f"{value:.3g}" for value in unpaired(one.matrix))
        lines.append(f"{one.name:24}" + "".join(f"{entry:>12}" for entry in entries) + f"   {values}")
    return "\n".join(lines)


def reproduce(options: Options) -> Report:
    """The theorem against a search, its construction, and trained networks."""
    if options.quick:
        small = {"count": 16, "sizes": (2,), "starts": 8, "iterations": 20, "depths": (64, 128)}
        training = Settings(depth=8, steps=150, learning_rates=(0.3,), seeds=1, random_targets=2, reached=0.1)
    else:
        small, training = {}, Settings()
    training = dataclasses.replace(training, seeds=options.seeds or training.seeds)
    measured = measure(**small, training=training, progress=options.progress)
    possible = {kind: sum(one.possible[kind] for one in measured.trained) for kind in ("momentum", "residual")}
    found = (
        f"Of {len(measured.trained)} linear maps, the theorem says that {possible['momentum']} are within reach of "
        f"momentum networks and {possible['residual']} of residual ones; trained networks are checked against it."
    )
    title = "Which linear maps can be represented"
    return Report(table(measured.trained), claims(measured), {"linear_maps": draw(measured)}, title=title, found=found)


def draw(measured):
    """A figure: Psi and exp, the bar, the search, the discrete network, and what was learned."""
    with plotting.figure(columns=3, rows=2, width=4.6, height=3.8) as (figure, axes):
        _draw_psi(axes[0, 0])
        _draw_bar(axes[0, 1])
        _draw_search(axes[0, 2], measured.attempts)
        _draw_convergence(axes[1, 0], measured.convergences)
        grid = axes[1, 1].get_gridspec()
        for panel in axes[1, 1:]:
            panel.remove()
        _draw_trained(figure.add_subplot(grid[1, 1:]), measured.trained, measured.reached)
    return figure


def _draw_psi(axes):
    theta = np.linspace(-26, 1.5, 1000)
    for epsilon, colour in zip((0.1, 0.5, 1.0, 2.0), plotting.SEQUENCE, strict=False):
        axes.plot(theta, psi(theta, epsilon), color=colour, label=f"Ψ, ε = {epsilon:g}")
        axes.plot(lowest_point(epsilon), lowest_value(epsilon), "o", color=colour)
    axes.plot(theta, np.exp(theta), "--", color=plotting.BLACK, label="exp(θ): residual")
    axes.set(xlabel="θ", ylim=(-1, 2), title="Linear flows at time 1; dots: the lowest point")
    axes.legend(loc="upper left")


def _draw_bar(axes):
    epsilons = np.geomspace(0.01, 1000, 200)
    axes.semilogx(epsilons, [lowest_value(epsilon) for epsilon in epsilons], color=plotting.BLUE)
    axes.axhline(-1, color="grey", linestyle=":", label="limit for ε → ∞")
    axes.axhline(0, color=plotting.BLACK, linestyle="--", label="residual network")
    axes.set(xlabel="ε", ylabel="$λ_ε$", title="The bar: eigenvalues below it must be paired")
    axes.legend(loc="center right")


def _draw_search(axes, attempts):
    heights = [min(unpaired(one.matrix), default=np.inf) - lowest_value(one.epsilon) for one in attempts]
    right = max((height for height in heights if height < np.inf), default=0) + 0.5  # for those without any
    for says, colour, marker, label in (
        (True, plotting.BLUE, "o", "theorem: possible"), (False, plotting.VERMILION, "s", "theorem: impossible"),
    ):  # fmt: skip
        chosen = [
            (min(height, right), max(one.distance, 1e-16))
            for height, one in zip(heights, attempts, strict=True)
            if is_representable(one.matrix, one.epsilon) == says
        ]
        axes.semilogy(*zip(*chosen, strict=True), linestyle="", marker=marker, color=colour, alpha=0.6, label=label)
    axes.axhline(FOUND, color="grey", linestyle=":", label="found below")
    axes.axvline(0, color="grey")
    axes.annotate("none\nunpaired", (right, FOUND), ha="center", va="center", fontsize="small", backgroundcolor="white")
    axes.set(xlabel="lowest unpaired real eigenvalue − $λ_ε$", ylabel="smallest |Ψ(θ) − D| that was found",
             title=f"Search for θ: {len(attempts)} random matrices D")  # fmt: skip
    axes.legend(loc="lower left")


def _draw_convergence(axes, convergences):
    for each in convergences:
        axes.loglog(each.small, each.errors, color=plotting.BLUE, linewidth=0.7, alpha=0.4)
    small = np.array(each.small)
    lowest = min(each.errors[-1] for each in convergences)
    axes.plot([], [], color=plotting.BLUE, label=f"{len(convergences)} representable matrices")
    axes.plot(small, 0.4 * lowest * small / small[-1], color="grey", linestyle=":", label="slope 1")
    axes.set(xlabel="step h = 1 / depth", ylabel="|momentum network − D|", title="Constructed θ in a discrete network")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(loc="lower right")


def _draw_trained(axes, trained, reached):
    for kind, shift, colour, marker in (
        ("momentum", -0.12, plotting.BLUE, "o"), ("residual", 0.12, plotting.VERMILION, "s"),
    ):  # fmt: skip
        for says, fill in ((True, colour), (False, "white")):
            label = f"{kind} network, theorem: {'possible' if says else 'impossible'}"
            points = [
                (k + shift, max(one.distances[kind], 1e-16))
                for k, one in enumerate(trained)
                if one.possible[kind] == says
            ]
            axes.semilogy(*zip(*points, strict=True), linestyle="", marker=marker, markersize=7, color=colour,
                          markerfacecolor=fill, label=label)  # fmt: skip
    axes.axhline(reached, color="grey", linestyle=":", label="learned below")
    axes.set_xticks(range(len(trained)), [one.name.replace(" ", "\n", 1) for one in trained])
    axes.set(ylabel="|network − D|", title="Deep linear networks trained to be a matrix D")
    axes.legend()
