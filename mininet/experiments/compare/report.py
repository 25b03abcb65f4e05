"""The comparison as a table, as numbers for a file, and as a figure."""

import dataclasses
import json

import numpy as np

from ... import plotting
from ...kernels.exact import as_fraction
from ..digits import WAYS
from .comparison import MEMORY_BATCH

NAMES = {"stored": "stored activations", "reversible": "memory-free"}


def table(comparison):
    """The comparison as text."""
    rows = [(f"{comparison.settings.arithmetic} arithmetic", *(NAMES[way] for way in WAYS))]

    def row(name, text):
        rows.append((name, *(text(comparison.runs[way]) for way in WAYS)))

    row("test accuracy", lambda run: f"{run.accuracy:.4f}")
    row("milliseconds per step (median)", lambda run: f"{1000 * run.seconds_per_step:.1f}" if run.seconds else "-")
    row("kept for the backward pass", lambda run: plotting.readable_bytes(run.memory.kept_for_backward))
    for kind in ("activations", "state", "side information"):
        row(f"  peak of {kind}", lambda run, kind=kind: plotting.readable_bytes(run.memory.by_kind[kind]))
    widths = [max(len(line[column]) for line in rows) for column in range(3)]
    lines = ["  ".join((line[0].ljust(widths[0]), line[1].rjust(widths[1]), line[2].rjust(widths[2]))) for line in rows]
    lines.insert(1, "-" * len(lines[0]))
    lines.append(lines[1])
    difference = f"{comparison.gradient_bits} bits (relative norm {comparison.gradient_relative:.2g})"
    lines.append(f"largest gradient difference, from the same weights: {difference}")
    lines.append(f"largest difference of the trained weights: {comparison.weight_bits} bits")
    for arithmetic, report in comparison.inversion.items():
        lines.append(f"inversion in {arithmetic} arithmetic: {report}")
    return "\n".join(lines)


def summary(comparison):
    """The figures as plain numbers, lists and strings, for a JSON file; None for what is not finite."""
    figures = {
        "settings": dataclasses.asdict(comparison.settings),
        "runs": {
            way: {
                "test_accuracy": run.accuracy,
                "seconds_per_step": run.seconds_per_step,
                "kept_for_backward": run.memory.kept_for_backward,
                "peak_bytes": run.memory.by_kind,
                "losses": run.losses,
            }
            for way, run in comparison.runs.items()
        },
        "gradient_difference_bits": comparison.gradient_bits,
        "gradient_difference_relative": comparison.gradient_relative,
        "weight_difference_bits": comparison.weight_bits,
        "inversion": {
            arithmetic: {
                "position_errors": report.position_errors.tolist(),
                "velocity_errors": report.velocity_errors.tolist(),
                "bits": report.bits,
            }
            for arithmetic, report in comparison.inversion.items()
        },
        "memory_by_depth": {
            "depths": list(comparison.depths),
            **{
                method: [{"kept_for_backward": each.kept_for_backward, **each.by_kind} for each in memories]
                for method, memories in comparison.memory.items()
            },
        },
    }
    return json.loads(json.dumps(figures), parse_constant=lambda _: None)


def draw(comparison):
    """The comparison as a figure: loss, memory by depth, and how far the layers come back."""
    with plotting.figure(columns=3, height=3.8) as (made, (losses, memory, inversion)):
        _draw_losses(losses, comparison)
        _draw_memory(memory, comparison)
        _draw_inversion(inversion, comparison)
    return made


def _draw_losses(axes, comparison):
    for way, look in (("stored", {"linewidth": 5, "alpha": 0.4}), ("reversible", {})):
        method = way if way == "stored" else comparison.settings.arithmetic
        losses = comparison.runs[way].losses
        axes.plot(np.arange(1, len(losses) + 1), losses, **plotting.style(method, marker="", **look))
    axes.set(xlabel="training step", ylabel="cross-entropy of the batch", title="Training loss")
    axes.legend()


def _draw_memory(axes, comparison):
    depths = np.array(comparison.depths)
    for method, memories in comparison.memory.items():
        axes.plot(depths, [memory.kept_for_backward for memory in memories], **plotting.style(method))
    side_information = [memory.by_kind["side information"] for memory in comparison.memory["exact"]]
    look = plotting.style("exact", marker="", linestyle="--", label="exact: side information")
    axes.plot(depths, side_information, **look)
    bits = depths * np.log2(1 / float(as_fraction(comparison.settings.gamma)))
    axes.plot(depths, comparison.element_count * bits / 8, **plotting.style("limit"))
    axes.set(xlabel="depth (layers)", ylabel="bytes, at most", xscale="log")
    axes.set_xticks(depths, [str(depth) for depth in depths], minor=False)
    axes.minorticks_off()
    plotting.bytes_upwards(axes)
    axes.set_title(f"Kept for the backward pass (batch {MEMORY_BATCH})")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)


def _draw_inversion(axes, comparison):
    unit = comparison.inversion["float"].unit
    for arithmetic, report in comparison.inversion.items():
        errors = np.maximum(report.position_errors, report.velocity_errors) / unit
        axes.plot(np.arange(len(errors)), errors, **plotting.style(arithmetic))
    axes.set(xlabel="layer n", ylabel="largest error (float32 ulps)")
    if comparison.inversion["float"].largest_units > 100:
        axes.set_yscale("symlog", linthresh=1)
    axes.set_title("$x_n$ and $v_n$, run back from the last layer")
    axes.legend()
