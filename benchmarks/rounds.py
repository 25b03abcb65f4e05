"""Running a plan: round after round, every library in turn, so that what slows the machine for a while slows all."""

import math

from tqdm import tqdm

from .cases import GAMMA
from .load import OtherLoad
from .processes import WorkerError, run_worker

TOLERANCE = 1e-3
"""How far, relatively, the outputs, losses and gradient norms of two libraries may differ; 1e-6 is usual."""

DISTURBED = 0.05
"""A measurement during which other programs took more of the processor than this is made again."""


def run_rounds(entries, rounds, attempts=3):
    """Run the jobs of a plan; yields its results after every round.

    Parameters
    ----------
    entries : list of plan.Entry
    rounds : int
    attempts : int
        How often a measurement is made at most, while other programs disturb it; the last one counts.

    Yields
    ------
    dict of str to list
        By section, for each entry {"case": ..., "rounds": [{library: numbers}, ...]}.

    Raises
    ------
    WorkerError
        If a worker fails, or if two libraries do not compute the same.
    """
    results = {entry.section: [] for entry in entries}
    records = [{"case": entry.case, "rounds": []} for entry in entries]
    for entry, record in zip(entries, records, strict=True):
        results[entry.section].append(record)
    total = sum(len(entry.jobs) * (1 if entry.once else rounds) + len(entry.compiling) for entry in entries)
    with tqdm(total=total, unit="process", smoothing=0) as bar:
        bar.set_description("compiling")
        for entry in entries:
            for job in entry.compiling:
                _run(job, bar)
        for number in range(rounds):
            bar.set_description(f"round {number + 1} of {rounds}")
            for entry, record in zip(entries, records, strict=True):
                if number == 0 or not entry.once:
                    record["rounds"].append(_run_entry(entry, number, attempts, bar))
            yield results


def _run_entry(entry, number, attempts, bar):
    measured = {}
    for job in entry.jobs if number % 2 == 0 else entry.jobs[::-1]:  # nobody always comes after the same one
        measured |= _run(job, bar, attempts)
    _require_agreement(entry.case, measured)
    return measured


def _run(job, bar, attempts=1):
    bar.set_postfix_str(f"{job.module} {job.function}")
    for _ in range(attempts):
        with OtherLoad() as other:
            measured = run_worker(job.module, job.function, job.arguments)
        if other.share is None or other.share <= DISTURBED:
            break
    bar.update()
    return {library: numbers | {"other_load": other.share} for library, numbers in measured.items()}


def _require_agreement(case, measured):
    """Libraries that compute different things must not be compared.

    In float arithmetic a memory-free step may drift: going back divides rounding errors by gamma in every layer.
    """
    checks = {library: numbers["check"] for library, numbers in measured.items() if "check" in numbers}
    for library, check in checks.items():
        other, expected = next(iter(checks.items()))
        drift = 2.0**-23 * GAMMA ** -case["depth"] if library == "mininet reversible float" else 0
        for name, value in check.items():
            if not math.isclose(value, expected[name], rel_tol=max(TOLERANCE, drift)):
                raise WorkerError(
                    f"{library} and {other} do not compute the same in {case}: {name} is {value} and {expected[name]}"
                )
