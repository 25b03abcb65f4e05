"""Change the code in small ways, one at a time, and see whether a test fails each time."""

import argparse
import json
import os
import pathlib
import random

import numba
from tqdm import tqdm

from .operators import mutants
from .report import accepted, is_alive, table, write_survivors
from .runner import judge_imported, judge_in_place
from .selection import Selection, watch

EQUIVALENT = pathlib.Path(__file__).with_name("equivalent.txt")


def main():
    """See `python -m tests.mutation --help`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="+", type=pathlib.Path, help="files or folders of mininet")
    parser.add_argument("--tests", nargs="+", default=["tests"], help="where to look for tests")
    parser.add_argument("-k", default="", help="only tests with this in their names, as in pytest")
    parser.add_argument("--longest", type=float, default=10, help="leave tests out that take more seconds")
    parser.add_argument("--share", type=float, default=1, help="only this share of the mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--cases", type=int, default=4, help="of those of a parametrised test that pass there")
    parser.add_argument("--again", action="store_true", help="only what survived the last time or was not judged")
    parser.add_argument("--keep-map", action="store_true", help="which test passes where is as the last time")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("results/mutants"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)

    map_file = options.output / f"map{'_plain' * bool(numba.config.DISABLE_JIT)}.json"
    arguments = [*options.tests, "-k", options.k]
    if not (options.keep_map and map_file.exists()):
        map_file.write_text(json.dumps(watch(arguments, pathlib.Path("mininet").resolve(), options.longest)))
    watched = json.loads(map_file.read_text())
    print(f"{len(watched['seconds'])} tests, {len(watched['failed'])} of them left out", flush=True)

    files = [file for target in options.targets for file in (sorted(target.rglob("*.py")) or [target])]
    verdict_file = options.output / "verdicts.json"
    verdicts = json.loads(verdict_file.read_text()) if verdict_file.exists() else {}
    reasons = accepted(EQUIVALENT)
    selection = Selection(watched, options.cases)

    chosen = []
    for file in files:
        found = mutants(file.read_text(), str(file))
        drawn = random.Random(options.seed).sample(found, round(len(found) * options.share))
        if options.again:
            judged = {text for text, verdict in verdicts.items() if not is_alive(verdict) or text in reasons}
            drawn = [mutant for mutant in drawn if mutant.text not in judged]
        texts = {mutant.text for mutant in found} if options.again or options.share < 1 else ()
        verdicts = {text: known for text, known in verdicts.items() if text in texts or not text.startswith(f"{file} ")}
        chosen += drawn

    def judge(way, judging, mutants, *arguments):
        with tqdm(total=len(mutants), desc=way, unit="mutant") as bar:

            def told(text, verdict):
                verdicts[text] = verdict
                bar.update()

            try:
                judging(mutants, selection, *arguments, options.processes, told)
            finally:
                keep(verdict_file, verdicts)

    new = [mutant for mutant in chosen if verdicts.get(mutant.text, "not judged").startswith("not judged")]
    judge("in place", judge_in_place, new, arguments, reasons.keys())
    judge(
        "imported",
        judge_imported,
        [mutant for mutant in chosen if not _is_done(verdicts.get(mutant.text, ""), mutant.text in reasons)],
    )
    print(table(verdicts, reasons))
    write_survivors(options.output / "survivors.txt", verdicts, reasons)


def keep(file, verdicts):
    """Write all verdicts down, or leave the file as it was."""
    written = file.with_suffix(".writing")
    written.write_text(json.dumps(verdicts, indent=1))
    os.replace(written, file)


def _is_done(verdict, is_accepted):
    """Whether a mutant need not be judged another time, by tests that import it."""
    return verdict.startswith("killed") or verdict == "no test passes here" or (is_accepted and verdict == "survived")


if __name__ == "__main__":
    main()
