"""The benchmark as two figures."""

import numpy as np

from mininet import plotting

from .summary import LayerSummary, NetworkSummary, median

# Hatched: activations are stored.  mininet's colours are those of all figures, see `plotting.STYLES`
_LOOKS = {
    "mininet": {"color": plotting.BLUE, "label": "mininet"},
    "exact": {"color": plotting.BLUE, "label": "mininet, memory-free, exact"},
    "float": {"color": plotting.SKY, "label": "mininet, memory-free, float"},
    "stored": {"color": plotting.VERMILION, "label": "mininet, stored activations", "hatch": "//"},
    "torch": {"color": plotting.GREEN, "label": "PyTorch, stored activations", "hatch": "//"},
    "authors": {"color": plotting.PURPLE, "label": "authors' package, memory-free"},
}
_ERRORS = {"ecolor": plotting.BLACK, "error_kw": {"elinewidth": 0.8}}


def draw_layers(records, limits):
    """Rates of all layers, forward and backward, with the rate of a matrix product from `limits`, a record or None."""
    summaries = [LayerSummary(record) for record in records]
    looks = {"mininet": _LOOKS["mininet"], "torch": {"color": plotting.GREEN, "label": "PyTorch"}}
    height = 1.8 + 0.33 * len(summaries)
    with plotting.figure(columns=2, width=4.6, height=height, sharex=True, sharey=True) as (made, panels):
        titles = {"forward": "Forward", "backward": "Backward, both gradients"}
        for axes, (which, title) in zip(panels, titles.items(), strict=True):
            _bars(
                axes.barh,
                "xerr",
                {library: [summary.gflops(library, which) for summary in summaries] for library in looks},
                looks,
            )
            if limits:
                rate, library = max((median(limits, name, "all cores"), name) for name in ("NumPy", "PyTorch"))
                size = limits["case"]["matrix_size"]
                label = f"matrix product {size}×{size} ({library})"
                axes.axvline(rate, color=plotting.BLACK, linestyle=":", label=label)
            axes.set(xlabel="GFLOP/s, counted as in the definition", title=title)
            axes.grid(axis="y", visible=False)
        panels[0].set_yticks(range(len(summaries)), [summary.layer.name for summary in summaries])
        panels[0].invert_yaxis()
        made.suptitle("Convolutions, batch × channels × height × width")
        made.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return made


def draw_networks(records):
    """Time and memory of a training step, for all networks and libraries."""
    summaries = [NetworkSummary(record) for record in records]
    looks = {library: _LOOKS[library] for library in ("exact", "float", "stored", "torch", "authors")}
    panels = [
        ("step", 1000, "milliseconds", "Time of a training step"),
        ("peak_mib", 1, "MiB, peak resident set size", "Memory of the process"),
    ]
    with plotting.figure(rows=2, width=8.4, height=3, sharex=True) as (made, all_axes):
        for axes, (quantity, factor, unit, title) in zip(all_axes, panels, strict=True):
            values = {library: [summary.of(library, quantity) for summary in summaries] for library in looks}
            _bars(axes.bar, "yerr", values, looks, factor)
            axes.set(ylabel=unit, title=title)
            axes.grid(axis="x", visible=False)
        all_axes[1].set_xticks(
            range(len(summaries)), [summary.network.name.replace(", ", ",\n") for summary in summaries]
        )
        all_axes[1].set_xlabel("batch × channels × height × width")
        made.legend(*all_axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return made


def _bars(draw, error, values, looks, factor=1):
    """Groups of bars by `draw`, a method of axes, from {library: [Spread]}; `error` names its keyword for spreads."""
    thickness = 0.8 / len(values)
    for number, (library, spreads) in enumerate(values.items()):
        places = np.arange(len(spreads)) + (number - (len(values) - 1) / 2) * thickness
        middle, low, high = factor * np.array([(each.median, each.low, each.high) for each in spreads]).T
        draw(
            places,
            middle,
            thickness,
            **{error: [middle - low, high - middle]},
            **_ERRORS,
            edgecolor="white",
            linewidth=0.5,
            **looks[library],
        )
