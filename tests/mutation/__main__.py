"""Change the code in small ways, one at a time, and see whether a test fails each time.

Survivors that no test can kill stand in `equivalent.txt`, with reasons, and are not tried again.
"""

import argparse
import collections
import pathlib
import random

from tqdm import tqdm

from .operators import mutants
from .running import judge, watch

EQUIVALENT = pathlib.Path(__file__).with_name("equivalent.txt")


def accepted(path=EQUIVALENT):
    """{mutant's text: reason} from a file with a line for each, text, `` # equivalent: `` and the reason."""
    entries = [line.split(" # equivalent: ") for line in path.read_text().splitlines() if not line.startswith("#")]
    return {text.strip(): reason.strip() for text, reason in entries}


def main():
    """See `python -m tests.mutation --help`."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("targets", nargs="+", type=pathlib.Path, help="files or folders of mininet")
    parser.add_argument("--tests", nargs="+", default=["tests"], help="where to look for tests")
    parser.add_argument("-k", default="", help="only tests with this in their names, as in pytest")
    parser.add_argument("--cases", type=int, default=4, help="of each parametrised test")
    parser.add_argument("--sample", type=int, help="so many mutants, drawn at random, instead of all")
    options = parser.parse_args()
    files = [file for target in options.targets for file in (sorted(target.rglob("*.py")) or [target])]
    reasons = accepted()
    found = [mutant for file in files for mutant in mutants(file.read_text(), str(file)) if mutant.text not in reasons]
    if options.sample is not None:
        found = random.Random(0).sample(found, min(options.sample, len(found)))
    watched = watch([*options.tests, "-k", options.k], pathlib.Path("mininet").resolve())
    if not watched[0]:
        parser.error("no such test passes")
    counts = collections.Counter()
    for mutant, verdict in tqdm(judge(found, watched, options.cases), total=len(found), unit="mutant"):
        counts[verdict] += 1
        if verdict != "killed":
            tqdm.write(f"{verdict}: {mutant.file}, {mutant.place}\n  - {mutant.before}\n  + {mutant.after}")
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))


if __name__ == "__main__":
    main()
