"""From what the rounds measured to medians, ratios and their spread."""

import dataclasses
import math
import statistics

from .cases import Layer, Network


@dataclasses.dataclass(frozen=True)
class Spread:
    """Median, smallest and largest value over the rounds."""

    median: float
    low: float
    high: float

    def __format__(self, specification):
        """As in 1.05 (1.01–1.08), each number formatted by `specification`."""
        low, high = (format(value, specification) for value in (self.low, self.high))
        return f"{self.median:{specification}}" + (f" ({low}–{high})" if low != high else "")


def spread(values):
    """The `Spread` of a list of numbers."""
    return Spread(statistics.median(values), min(values), max(values))


def over_rounds(record, library, quantity):
    """A number that was measured in every round."""
    return [measured[library][quantity] for measured in record["rounds"]]


def median(record, library, quantity):
    """Its median."""
    return statistics.median(over_rounds(record, library, quantity))


def ratios(record, numerator, denominator, quantity):
    """Of two libraries, within each round."""
    pairs = (over_rounds(record, library, quantity) for library in (numerator, denominator))
    return [above / below for above, below in zip(*pairs, strict=True)]


def faster_format(record, library, quantity):
    """`library` with the memory format in which its median over the rounds is smaller."""
    names = [name for name in record["rounds"][0] if name.startswith(f"{library} ")]
    return min(names, key=lambda name: median(record, name, quantity))


def geometric_mean(lists):
    """Of the first elements of some lists, of their second ones, and so on."""
    return [math.exp(statistics.fmean(map(math.log, values))) for values in zip(*lists, strict=True)]


class LayerSummary:
    """A layer's numbers."""

    PASSES = ("forward", "backward", "total")

    def __init__(self, record):
        self.layer = Layer(**record["case"])
        self.libraries = {"mininet": "mininet", "torch": faster_format(record, "torch", "total")}
        self._record = record

    def gflops(self, library, which):
        """`Spread` of the rate of "mininet" or "torch"."""
        count = self.layer.flops * {"forward": 1, "backward": 2, "total": 3}[which]
        return spread([count / s / 1e9 for s in over_rounds(self._record, self.libraries[library], which)])

    def speeds(self, which):
        """mininet's speed in units of PyTorch's, round by round."""
        return ratios(self._record, self.libraries["torch"], "mininet", which)


class NetworkSummary:
    """A network's numbers."""

    def __init__(self, record):
        self.network = Network(**record["case"])
        self.libraries = {
            "exact": "mininet reversible exact",
            "float": "mininet reversible float",
            "stored": "mininet stored exact",
            "torch": faster_format(record, "torch", "step"),
            "authors": faster_format(record, "momentumnet", "step"),
        }
        self._record = record

    def of(self, library, quantity):
        """`Spread` of "step" (seconds), "peak_mib" or "import_mib" of a key of `libraries`."""
        return spread(over_rounds(self._record, self.libraries[library], quantity))

    def ratio(self, numerator, denominator, quantity="step"):
        """`Spread` of the ratio of two keys of `libraries`."""
        return spread(ratios(self._record, self.libraries[numerator], self.libraries[denominator], quantity))

    @property
    def exact_share(self):
        """`Spread` of the exact arithmetic's share of a memory-free step."""
        return spread(over_rounds(self._record, "mininet exact share", "share"))
