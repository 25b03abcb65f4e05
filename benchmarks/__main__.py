"""The benchmark: mininet against PyTorch, the authors' package and the machine's own limits.

    make bench                                      # everything (about 50 minutes), and docs/benchmarks.md
    python -m benchmarks --rounds 3 --only layers   # part of it; prints the tables, figures go to results/
    python -m benchmarks --only bridge --write-page # ... and into its place in docs/benchmarks.md
    python -m benchmarks --report                   # tables and figures again from what was saved
    python -m benchmarks --quick                    # a minute on tiny cases, to see that everything runs

How it measures: every number comes from a process of its own (`worker.py`), which imports one library only.  A round
runs all libraries on all cases in turn; ratios are taken within a round and reported as median with smallest and
largest.  Measurements that other programs disturb are made again, up to three times (PyTorch suffers most from them);
the report says how much of the processor they took.

How to read it: `cases.py` is what is measured, `with_mininet.py` and `with_torch.py` how, `plan.py` and `rounds.py` in
which order; `summary.py`, `report.py` and `figures.py` say it.  All raw numbers are kept in results/benchmarks.json.
"""

import argparse
import datetime
import importlib.util
import json
import pathlib
import shlex
import sys

from mininet import plotting
from mininet.base.files import written_atomically
from mininet.kernels.threads import usable_cores

from . import figures, report
from .machine import describe
from .plan import SECTIONS, plan
from .processes import ROOT, WorkerError
from .rounds import run_rounds

INSTALL = f"{pathlib.Path(sys.executable)} -m pip install -e '.[bench]'"
PAGE = ROOT / "docs" / "benchmarks.md"
_NEEDED = {
    "layers": ["torch"],
    "networks": ["torch", "momentumnet"],
    "small": ["torch", "momentumnet"],
    "bridge": ["torch", "momentumnet"],
    "limits": ["torch"],
    "startup": [],
}


def main(arguments=None):
    """Run the command line; returns the exit status."""
    try:
        return _run(_parsed(sys.argv[1:] if arguments is None else arguments))
    except WorkerError as error:
        print(f"\nbenchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nbenchmarks: interrupted; whole rounds are saved", file=sys.stderr)
        return 130


def _parsed(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="mininet against PyTorch, the authors' package and the machine's own limits.",
    )
    parser.add_argument("--rounds", type=int, help="how often everything is measured (5; quick 1)")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="some of the sections")
    parser.add_argument("--quick", action="store_true", help="tiny cases, to see that everything runs")
    parser.add_argument("--report", action="store_true", help="measure nothing, only report what was saved")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "results", help="folder for results (results)")
    parser.add_argument(
        "--write-page",
        type=pathlib.Path,
        nargs="?",
        const=PAGE,
        metavar="FILE",
        help="put each section between its markers in FILE (docs/benchmarks.md), and the figures beside it",
    )
    parsed = parser.parse_args(arguments)
    parsed.command = shlex.join(["python", "-m", "benchmarks", *arguments])
    if parsed.rounds is None:
        parsed.rounds = 1 if parsed.quick else 5
    if parsed.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {parsed.rounds}")
    if parsed.write_page:
        if parsed.quick and parsed.write_page.resolve() == PAGE:
            parser.error("--quick gives times that mean nothing: name another file after --write-page")
        try:
            report.require_markers(parsed.write_page, parsed.only)  # better now than at the end
        except (OSError, ValueError) as error:
            parser.error(str(error))
    return parsed


def _run(parsed):
    parsed.output.mkdir(parents=True, exist_ok=True)
    path = parsed.output / ("benchmarks-quick.json" if parsed.quick else "benchmarks.json")
    saved = json.loads(path.read_text()) if path.exists() else {}
    results = saved if parsed.report else _measured(parsed, saved, path)
    if not results:
        raise SystemExit(f"benchmarks: nothing is saved in {path}; run without --report first")
    texts = report.sections(results)
    print("\n\n".join(texts.values()))
    folder = parsed.output
    if parsed.write_page:
        folder = parsed.write_page.parent
    _draw(results, folder)
    if parsed.write_page:
        report.write_into_page(parsed.write_page, {name: texts[name] for name in parsed.only if name in texts})
    return 0


def _measured(parsed, saved, path):
    """`saved` with the sections that were asked for measured anew; saved in `path` after every round."""
    for name in sorted({name for section in parsed.only for name in _NEEDED[section]}):
        if importlib.util.find_spec(name) is None:
            raise SystemExit(
                f"benchmarks: {name} is not installed; install what mininet is compared with by\n  {INSTALL}"
            )
    made = {
        "command": parsed.command,
        "started": datetime.datetime.now().isoformat(" ", "minutes"),
        "quick": parsed.quick,
        "machine": describe(),
    }
    results = saved
    entries = plan(parsed.only, usable_cores(), parsed.quick)
    for measured in run_rounds(entries, parsed.rounds, attempts=1 if parsed.quick else 3):
        results = saved | {section: {"made": made, "records": records} for section, records in measured.items()}
        with written_atomically(path) as temporary:
            temporary.write_text(json.dumps(results, indent=1, allow_nan=False))
    return results


def _draw(results, folder):
    if "layers" in results:
        limits = results["limits"]["records"][0] if "limits" in results else None
        plotting.save(figures.draw_layers(results["layers"]["records"], limits), folder / "benchmark_layers.png")
    if "networks" in results:
        plotting.save(figures.draw_networks(results["networks"]["records"]), folder / "benchmark_networks.png")


if __name__ == "__main__":
    sys.exit(main())
