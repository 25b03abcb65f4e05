"""A block of a transformer is two residual functions, x + attention(norm(x)) and x + mlp(norm(x)).

The momentum network and its rivals have the same functions and start from the same weights.  The RevNet has two streams
of the full width, which both start as x; their mean is the output.

Drift is how far gradients of a step in floats, run back, are from those of stored activations: the norm of the
difference, relative to the norm.
"""

import dataclasses
import json
import math
import statistics
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ... import datasets, models, plotting, seeding
from ...autodiff import functional as F
from ...base.files import read_json, written_atomically
from ...models.transformer import Kind
from ..claim import Claim, Options, Report, text_table
from ..step_memory import held_by
from .text_training import Settings, training

FUNCTIONS = (2, 4, 8, 24, 48, 96)
WAYS: dict[str, dict[str, Any]] = {
    "stored": {"kind": "residual"},
    "checkpointed": {"kind": "checkpointed"},
    "momentum, memory-free": {"kind": "momentum"},
    "RevNet, memory-free": {"kind": "revnet"},
}
LOOKS = {
    "stored": plotting.style("stored"),
    "checkpointed": plotting.style("checkpointed"),
    "momentum, memory-free": plotting.style("exact"),
    "RevNet, memory-free": {"color": plotting.PURPLE, "linestyle": ":", "marker": "."},  # it lies on another line
}
SMALL: dict[str, Any] = {"context": 64, "width": 96, "heads": 4}
GAMMA, BATCH = 0.9, 4

RIVALS: tuple[tuple[Kind, float], ...] = (("residual", 0.9), ("momentum", 0.5), ("momentum", 0.9), ("revnet", 0.9))
RATES = (1e-3, 3e-3, 6e-3)
EPOCHS, SEEDS = 2, 3
STUDENT = 4.303
"""The quantile of Student's distribution with 2 degrees of freedom for 95 % intervals."""


def step(functions: int, dropout: float = 0.0, **settings: Any) -> dict[str, Any]:
    """The gradients by name of one training step with so many residual functions."""
    seeding.manual_seed(0)
    text = datasets.moby_dick()
    net = models.Transformer(len(text.characters), **SMALL, blocks=functions // 2, dropout=dropout)
    net = net.with_layers(**{"gamma": GAMMA, **settings})
    windows = text.train[: BATCH * SMALL["context"]].reshape(BATCH, -1)
    following = text.train[1 : 1 + windows.size]
    logits = net(windows)
    F.cross_entropy(F.reshape(logits, -1, logits.shape[-1]), following).backward()
    return {name: parameter.grad for name, parameter in net.named_parameters()}


def activation_bytes(functions: int, way: str) -> tuple[int, int]:
    """Peak bytes of activations and checkpoints, and of side information, of a step."""
    memory = held_by(lambda: step(functions, **WAYS[way]))
    kept = memory.by_kind["activations"] + memory.by_kind["checkpoints"]
    return kept, memory.by_kind["side information"]


def differing_bits(functions: int) -> bool:
    """Whether a gradient of a memory-free step with dropout differs from that of stored activations."""
    one, other = (step(functions, 0.1, kind="momentum", backprop=way) for way in ("stored", "reversible"))
    return not all(np.array_equal(one[name], other[name]) for name in one)


def drift(functions: int, kind: str, gamma: float) -> float:
    """The relative error of the gradients of a memory-free step in floats."""
    one, other = (
        step(functions, kind=kind, gamma=gamma, arithmetic="float", backprop=way) for way in ("stored", "reversible")
    )
    error = math.hypot(*(float(np.linalg.norm((one[name] - other[name]).astype(np.float64))) for name in one))
    return error / math.hypot(*(float(np.linalg.norm(array.astype(np.float64))) for array in one.values()))


def first_trainings(quick: bool) -> list[list[Settings]]:
    """For each rival its trainings of the first seed, at all `RATES`."""
    first = Settings(**SMALL, blocks=4, batch_size=16, epochs=EPOCHS, warmup=50)
    if quick:
        first = dataclasses.replace(first, context=16, width=16, blocks=1, epochs=1)
    rivals = [
        dataclasses.replace(first, kind=kind, gamma=gamma, backprop=None if kind == "residual" else "stored")
        for kind, gamma in RIVALS
    ]
    return [
        [dataclasses.replace(rival, learning_rate=rate) for rate in RATES[: 1 if quick else None]] for rival in rivals
    ]


def loss_after(settings: Settings, options: Options) -> float | None:
    """The validation loss of a training, which is run unless its result is there; None if it may not be run."""
    name = f"{settings.kind}_{settings.gamma}_{settings.learning_rate}_{settings.seed}"
    path = options.folder / "transformer" / ("quick" if options.quick else "full") / f"{name}.json"
    wanted = dataclasses.asdict(settings)
    if path.exists():
        found = read_json(path)
        if isinstance(found, dict) and found.get("settings") == wanted:
            return float(found["validation_loss"])
    if not options.train:
        return None
    text = datasets.moby_dick()
    if options.quick:
        text = text._replace(train=text.train[:10_000], validation=text.validation[:1_000])
    work = training(settings, text, path.with_suffix(""), checkpoint_seconds=60, progress=options.progress)
    work.resume()
    last: Any = work.run()[-1]
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps({"settings": wanted, "validation_loss": last.validation_loss}, indent=1))
    return float(last.validation_loss)


def losses(options: Options) -> dict[str, list[float]]:
    """For each rival whose rates are all tried: validation losses of the seeds that are trained at the best of them."""
    found: dict[str, list[float]] = {}
    for trials in first_trainings(options.quick):
        name = f"momentum, γ = {trials[0].gamma}" if trials[0].kind == "momentum" else trials[0].kind
        first = [(loss, trial) for trial in trials if (loss := loss_after(trial, options)) is not None]
        if len(first) == len(trials):
            best = min(first, key=lambda entry: entry[0])[1]
            seeds = range(1 if options.quick else SEEDS)
            every = [loss_after(dataclasses.replace(best, seed=seed), options) for seed in seeds]
            found[f"{name}, rate {best.learning_rate}"] = [loss for loss in every if loss is not None]
    return found


def _line(name: str, found: list[float]) -> str:
    line = f"{name:36} {statistics.fmean(found):.4f}  {len(found)} seeds"
    if len(found) == SEEDS:
        line += f", 95 % interval +- {STUDENT * statistics.stdev(found) / math.sqrt(SEEDS):.4f}"
    return line


def draw(kept: dict[str, list[tuple[int, int]]], functions: tuple[int, ...], drifts: dict[str, list[float]]) -> Figure:
    """Memory by depth, and drift by depth."""
    with plotting.figure(columns=2) as (figure, axes):
        for name, values in kept.items():
            look = LOOKS[name] | {"label": name}
            axes[0].plot(functions, [value[0] / 2**20 for value in values], **look)
        axes[0].set(xscale="log", yscale="log", xlabel="residual functions", ylabel="MiB")
        axes[0].set_title("Memory-free: activations stay flat")
        for (name, errors), colour in zip(drifts.items(), plotting.SEQUENCE, strict=False):
            axes[1].plot(functions, errors, ".-", color=colour, label=name)
        axes[1].set(xscale="log", yscale="log", xlabel="residual functions", ylabel="relative error of gradients")
        axes[1].set_title("Run back in floats, gradients drift")
        for panel in axes:
            panel.set_xticks(functions, map(str, functions))
            panel.minorticks_off()
            panel.legend()
    return figure


def reproduce(options: Options) -> Report:
    """Measure memory, bits and drift, and run the trainings that are missing."""
    functions = (2, 4, 24) if options.quick else FUNCTIONS
    kept = {way: [activation_bytes(count, way) for count in functions] for way in WAYS}
    differ = [count for count in functions if differing_bits(count)]
    drifts = {
        name: [drift(count, kind, gamma) for count in functions]
        for name, kind, gamma in (
            ("γ = 0.5", "momentum", 0.5), ("γ = 0.9", "momentum", 0.9), ("RevNet", "revnet", 0.9),
        )
    }  # fmt: skip
    found = losses(options)
    rows: list[tuple[str, Any]] = [("Peak of activations and checkpoints of a step [KiB]", ())]
    rows += [("residual functions", functions)]
    rows += [(way, [value[0] // 1024 for value in values]) for way, values in kept.items()]
    rows += [("  its side information", [value[1] // 1024 for value in kept["momentum, memory-free"]]), ("", ())]
    rows += [("Relative error of gradients, in floats", ())]
    rows += [(name, [f"{error:.1e}" for error in errors]) for name, errors in drifts.items()]
    lines = [text_table(rows, 24, 9), "", "Validation loss after training [nats per character]"]
    lines += [_line(*entry) for entry in found.items()]
    missing = len(RIVALS) * SEEDS - sum(map(len, found.values()))
    if missing and not options.quick:
        lines.append(f"Unfinished: {missing} of {len(RIVALS) * SEEDS} trainings at tuned rates.")
    free = [value[0] for value in kept["momentum, memory-free"]]
    claims = [
        Claim(
            f"memory-free gradients of a transformer with dropout are those of stored activations, bit for bit, at "
            f"{functions[0]} to {functions[-1]} residual functions",
            f"{len(differ)} of {len(functions)} depths differ", not differ,
        ),
        Claim(
            "the activations of a memory-free step do not grow with depth",
            f"{free[-1]} bytes at {functions[-1]} residual functions, {free[0]} at {functions[0]}", free[-1] == free[0],
        ),
        Claim(
            "in floats, gradients drift with depth", f"{drifts['γ = 0.5'][-1]:.1e} at γ = 0.5",
            drifts["γ = 0.5"][-1] > 1e3 * drifts["γ = 0.5"][0],
        ),
    ]  # fmt: skip
    if not options.quick:
        claims += [
            Claim(f"{name}: below 1.8 nats a character", f"{statistics.fmean(each):.3f}", statistics.fmean(each) < 1.8)
            for name, each in found.items()
        ]
    sentence = (
        f"A transformer of {functions[-1]} residual functions trains with the activations of one, "
        f"{free[-1] // 1024} KiB instead of {kept['stored'][-1][0] // 1024}, and its gradients are the same bits."
    )
    if found and not options.quick:
        by_rival = "; ".join(
            f"{name.partition(', rate')[0]} {statistics.fmean(each):.3f}" for name, each in found.items()
        )
        sentence += f" Validation loss after training, nats per character: {by_rival}."
    return Report(
        "\n".join(lines), claims, {"transformer": draw(kept, functions, drifts)},
        title="A transformer that stores nothing", found=sentence,
    )  # fmt: skip
