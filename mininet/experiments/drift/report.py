"""The experiment `drift` as a table and a figure."""

import math

import numpy as np
from matplotlib.lines import Line2D

from ... import plotting

LOOKS = {
    "float32": {"marker": "o", "linestyle": "-"},
    "float64": {"marker": "^", "linestyle": "--"},
    "momentumnet": {"marker": "x", "linestyle": "", "markersize": 7, "alpha": 0.8},
    "exact": {"marker": "s", "linestyle": ""},
}
ZERO = 1e-19
"""Where 0 stands on logarithmic axes."""


def table(drifts, rivals):
    """Errors of x_0 and of the gradients as text, for every fourth depth."""
    lines = ["root mean square error of x_0, relative error of the gradients"]
    for gamma, found in drifts.items():
        lines.append(f"γ = {gamma:<5g}{'layers':>7}" + "".join(f"{name:>20}" for name in (*found, made_by(rivals))))
        depths, rival = found["exact"].depths, rivals["drift"][gamma]
        theirs = dict(zip(rival["depths"], zip(rival["position"], rival["gradient"], strict=True), strict=True))
        for index in range(3, len(depths), 4):
            pairs = [(drift.position[index], drift.gradient[index]) for drift in found.values()]
            entries = (f"{x:.1e}, {gradient:.1e}" for x, gradient in (*pairs, theirs[depths[index]]))
            lines.append(f"{depths[index]:16}" + "".join(f"{entry:>20}" for entry in entries))
    return "\n".join(lines)


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
