"""What a training gave, as a small file, and what several gave, as a table."""

import collections
import dataclasses
import datetime
import json
import pathlib
import statistics
import time
from collections.abc import Iterable, Sequence
from typing import Any

from ... import plotting
from ...base.files import read_json, written_atomically
from ...memory import MemoryTracker
from ..machine import describe
from .equivalence import Difference

HEADS = (
    "layers", "network", "rate", "seeds", "accuracy [%]", "minus ResNet (90 %)", "verdict", "memory", "minutes",
)  # fmt: skip


def write(
    path: pathlib.Path, settings: Any, losses: Sequence[float], memory: MemoryTracker, start: float, **more: Any
) -> dict[str, Any]:  # fmt: skip
    """Write the result of a training that began at the monotonic time `start` to `path`, and return it."""
    result = {
        "settings": dataclasses.asdict(settings),
        "loss": [round(loss, 5) for loss in losses],
        **more,
        "seconds": round(time.monotonic() - start, 1),
        "peak_bytes": memory.peak_bytes,
        "machine": describe(),
        "date": str(datetime.date.today()),
    }
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")
    return result


class Results(dict[Any, dict[str, Any]]):
    """What trainings wrote into files of a folder, ``<data>-...json``, by their settings, which are of a `kind`."""

    def __init__(self, folder: pathlib.Path, data: str, kind: type[Any]) -> None:
        found = [read_json(path) for path in sorted(folder.glob(f"{data}-*.json"))]
        super().__init__((kind(**each["settings"]), each) for each in found)

    def best(self, choices: Iterable[Sequence[Any]]) -> Any:
        """The trainings of the choice with the highest validation accuracy, or the lower loss of several.

        None if a training is missing.
        """

        def quality(trainings: Sequence[Any]) -> tuple[float, float]:
            scores = [self[training]["validation"] for training in trainings]
            return sum(each["accuracy"] for each in scores), -sum(each.get("loss", 0.0) for each in scores)

        try:
            return max(choices, key=quality)
        except KeyError:
            return None

    def trained(self) -> str:
        """How many trainings ran on which processor, and when the last one ended; empty if there are none."""
        if not self:
            return ""
        machines = (each["machine"] for each in self.values())
        counts = collections.Counter(f"{each['processor']} ({each['architecture']} to LLVM)" for each in machines)
        where = ", ".join(f"{count} on {processor}" for processor, count in counts.items())
        return f"All trainings on these data: {where}, until {max(each['date'] for each in self.values())}."


def spread(results: Sequence[dict[str, Any]]) -> str:
    """The mean of the test accuracies in %, with their standard deviation if there are several."""
    values = [100 * each["test"]["accuracy"] for each in results]
    return f"{statistics.fmean(values):.2f}" + (f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else "")


def row(
    about: Sequence[str], results: Sequence[dict[str, Any]], planned: int, against: Difference | None
) -> tuple[str, ...]:  # fmt: skip
    """A row of the `table`: `about` is layers, network and rate; accuracy in %, the difference in points."""
    seeds = f"{len(results)}/{planned}"
    if not results:
        return *about, seeds, "unfinished", "", "", "", ""
    versus = (str(against), against.verdict) if against else ("", "")
    return (
        *about, seeds, spread(results), *versus,
        plotting.readable_bytes(max(each["peak_bytes"] for each in results)),
        f"{sum(each['seconds'] for each in results) / 60:.0f}",
    )  # fmt: skip


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows under their `HEADS`, as text."""
    rows = [HEADS, *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = (
        (cell.ljust(width) if cell == each[1] else cell.rjust(width) for cell, width in zip(each, widths, strict=True))
        for each in rows
    )
    return "\n".join("  ".join(each).rstrip() for each in aligned)
