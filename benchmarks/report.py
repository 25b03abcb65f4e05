"""The benchmark as Markdown, and its place in a page."""

import pathlib
import statistics
import textwrap

from mininet.base.files import written_atomically
from mininet.experiments.machine import in_words

from .cases import Network
from .plan import BRIDGE_WAYS
from .summary import LayerSummary, NetworkSummary, geometric_mean, median, over_rounds, spread

MARKERS = "<!-- benchmarks: {} -->", "<!-- benchmarks: end of {} -->"


def sections(results):
    """The Markdown of all sections that `results` has, as the file of `__main__` holds them, by their names."""
    makers = {
        "networks": _networks, "small": _small, "bridge": _bridge, "layers": _layers, "limits": _limits,
        "startup": _startup,
    }  # fmt: skip
    return {
        section: f"{make(results[section]['records'])}\n\n{_made(**results[section])}"
        for section, make in makers.items()
        if section in results
    }


def require_markers(path, names):
    """What stands in a file before and after the place of each section.

    Raises
    ------
    ValueError
        If the file has not exactly one pair of markers for each.
    """
    text = pathlib.Path(path).read_text(encoding="utf-8")
    places = {}
    for name in names:
        begin, end = (marker.format(name) for marker in MARKERS)
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found or begin in rest or end in before + after:
            raise ValueError(f"{path} must have one line {begin} and after it one line {end}")
        places[name] = before + begin, end + after
    return places


def write_into_page(path, texts):
    """Replace what stands between the markers of sections; other sections stay as they are."""
    for name, text in texts.items():
        before, after = require_markers(path, [name])[name]
        with written_atomically(path) as temporary:
            temporary.write_text(f"{before}\n{text}\n{after}", encoding="utf-8")


def _made(made, records):
    """When, how and on what a section was measured."""
    machine, versions = made["machine"], made["machine"]["versions"]
    rounds = max(len(record["rounds"]) for record in records)
    text = (
        f"Measured on {machine['date']} with `{made['command']}` on {in_words(machine)}, "
        f"PyTorch {versions['torch']}, momentumnet {versions['momentumnet']}, with{'out' * (not machine['avx512'])} "
        f"AVX-512{f', {rounds} rounds' * (rounds > 1)}."
    )
    loads = [
        numbers.get("other_load")
        for record in records
        for measured in record["rounds"]
        for numbers in measured.values()
    ]
    loads = [load for load in loads if load is not None]
    if loads:
        text += (
            f" Meanwhile other programs took {100 * statistics.median(loads):.1f}% of the processor's time (median; "
            f"{100 * max(loads):.0f}% during the most disturbed measurement)."
        )
    if made["quick"]:
        text = f"**A quick run, to see that everything works: its times mean nothing.** {text}"
    return _wrapped(text)


def _networks(records):
    summaries = [NetworkSummary(record) for record in records]
    text = (
        "**Training step** (forward, backward, SGD; residual functions of convolutions and batch norms; depth, then "
        "batch × channels × height × width). Memory-free steps compute the residual functions once more."
    )
    names = ("exact", "float", "stored", "torch", "authors")
    memory = [
        (
            summary.network.name,
            *(f"{summary.of(name, 'peak_mib').median:.0f}" for name in names),
            f"{summary.ratio('exact', 'torch', 'peak_mib'):.2f}",
            f"{summary.ratio('exact', 'authors', 'peak_mib'):.2f}",
        )
        for summary in summaries
    ]
    memory_headings = ("MiB", *_TIMES[1:6], "memory ÷ PyTorch's", "memory ÷ authors'")
    imports = {name: summaries[0].of(name, "import_mib").median for name in ("exact", "torch")}
    note = (
        f"Peak memory of the process (resident set), of which {imports['exact']:.0f} MiB (mininet) and "
        f"{imports['torch']:.0f} MiB (PyTorch) are there once it is imported:"
    )
    figure = "![Time and memory of a training step](benchmark_networks.png)"
    return "\n\n".join([_wrapped(text), _times(summaries), _wrapped(note), _table(memory_headings, memory), figure])


def _small(records):
    text = (
        "**Small networks** (depth; batch × features, or batch × channels × height × width). Here the time between two "
        "kernels counts."
    )
    return f"{_wrapped(text)}\n\n{_times([NetworkSummary(record) for record in records])}"


_TIMES = (
    "milliseconds", "mininet memory-free", "memory-free, float", "mininet stored", "PyTorch stored",
    "authors' memory-free", "speed ÷ PyTorch's", "speed ÷ authors'", "time ÷ own stored", "exact arithmetic",
)  # fmt: skip


def _times(summaries):
    times = [
        (
            summary.network.name,
            *(
                f"{1000 * summary.of(name, 'step').median:.{1 if summary.network.small else 0}f}"
                for name in ("exact", "float", "stored", "torch", "authors")
            ),
            f"{summary.ratio('torch', 'exact'):.2f}",
            f"{summary.ratio('authors', 'exact'):.2f}",
            f"{summary.ratio('exact', 'stored'):.2f}",
            f"{100 * summary.exact_share.median:.1f} %",
        )
        for summary in summaries
    ]
    return _table(_TIMES, times)


def _layers(records):
    summaries = [LayerSummary(record) for record in records]
    plain = [summary for summary in summaries if summary.layer.is_plain]
    text = (
        "**Convolutions** (GFLOP/s by the multiplications and additions of the definition, so methods with fewer of "
        "them can exceed the machine's rate; backward is both gradients; 3×3, stride 1 and as many output as input "
        "channels unless it says otherwise; ratios are mininet's speed ÷ PyTorch's)."
    )
    headings = (
        "batch × channels × height × width", "forward: mininet", "PyTorch", "ratio", "backward: mininet", "PyTorch",
        "ratio", "total ratio",
    )  # fmt: skip
    rows = []
    for summary in summaries:
        row = [summary.layer.name]
        for which in ("forward", "backward"):
            row += [f"{summary.gflops(library, which).median:.0f}" for library in ("mininet", "torch")]
            row.append(f"{spread(summary.speeds(which)):.2f}")
        rows.append((*row, f"{spread(summary.speeds('total')):.2f}"))
    if plain:
        means = {
            which: f"**{spread(geometric_mean([summary.speeds(which) for summary in plain])):.2f}**"
            for which in LayerSummary.PASSES
        }
        name = f"**geometric mean of the {len(plain)} at 3×3, stride 1**"
        rows.append((name, "", "", means["forward"], "", "", means["backward"], means["total"]))
    figure = "![Rates of convolutions](benchmark_layers.png)"
    return "\n\n".join([_wrapped(text), _table(headings, rows), figure])


def _bridge(records):
    """The layer for PyTorch, from records of times and of memory."""
    turns = len(records[0]["rounds"][0]["exact"]["steps"])
    text = (
        "Seconds of a training step with `mininet.bridges.torch`: *exact* and *float* memory-free, and *stored*, the "
        "same layer with stored activations. *Autograd* is the rule written down in PyTorch, *checkpoints* that with "
        "`torch.utils.checkpoint` every √depth layers, *authors* their package, memory-free. All take turns in one "
        f"process. Medians over {turns} turns after one that warms up; ratios are taken within each turn."
    )
    note = "Peak memory: MiB by which a process grows in two such steps, by depth:"
    ratios = (("exact", "exact, stored"), ("float", "float, stored"), ("exact", "authors"))
    seconds, quotients, memory = [], [], []
    for record in records:
        (measured,), network = record["rounds"], Network(**record["case"])
        if "steps" in measured["exact"]:
            steps = {way: measured[way]["steps"] for way in BRIDGE_WAYS}
            seconds.append((network.name, *(f"{spread(steps[way]).median:.2f}" for way in BRIDGE_WAYS)))
            found = [spread([a / b for a, b in zip(steps[x], steps[y], strict=True)]) for x, y in ratios]
            quotients.append((network.name, *(f"{each:.2f}" for each in found)))
        else:
            memory.append((network.name, *(f"{measured[way]['grown_mib']:.0f}" for way in BRIDGE_WAYS)))
    names = [*BRIDGE_WAYS[:4], "autograd, stored", "autograd, checkpoints", "authors"]
    tables = [
        _table(("seconds", *names), seconds),
        _table(("ratio", *(f"{x} ÷ {y}" for x, y in ratios)), quotients),
        _wrapped(note),
        _table(("MiB", *names), memory),
    ]
    return "\n\n".join([_wrapped(text), *tables])


def _limits(records):
    (record,) = records
    size, mib = record["case"]["matrix_size"], record["case"]["copy_mib"]
    rate = {
        name: (f"{spread(over_rounds(record, name, 'all cores')):.0f}", f"{median(record, name, 'one core'):.0f}")
        for name in ("NumPy", "PyTorch", "copy")
    }
    return _wrapped(
        f"**The machine's limits.** Matrix product {size}×{size}: NumPy {rate['NumPy'][0]} GFLOP/s on all cores and "
        f"{rate['NumPy'][1]} on one, PyTorch {rate['PyTorch'][0]} and {rate['PyTorch'][1]}. Copying {mib} MiB, read "
        f"and written bytes together: {rate['copy'][0]} GB/s on all cores and {rate['copy'][1]} on one."
    )


def _startup(records):
    seconds = {
        (library, quantity): f"{spread(over_rounds(record, library, quantity)):.2f}"
        for record in records
        for library, numbers in record["rounds"][0].items()
        for quantity in numbers
        if quantity != "other_load"
    }
    return _wrapped(
        f'**Waiting.** `python -c "import mininet"` takes {seconds["import", "mininet"]} s, an interpreter that does '
        f"nothing {seconds['import', 'nothing']} s. The first training step of a process takes "
        f"{seconds['first step', 'seconds']} s (first network, 2 layers, kernels compiled before); compiling all "
        f"kernels that the networks above need takes {seconds['compilation', 'seconds']} s, once."
    )


def _wrapped(text):
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def _table(headings, rows):
    lines = [headings, ["---", *("---:" for _ in headings[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
