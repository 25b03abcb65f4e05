"""The table, the survivors, and those of them that are accepted."""

import collections


def accepted(path):
    """{mutant's text: reason} from a file with a line for each, text, `` # equivalent: `` and the reason."""
    lines = path.read_text().splitlines() if path.exists() else []
    entries = [line.split(" # equivalent: ") for line in lines if line and not line.startswith("#")]
    return {text.strip(): reason.strip() for text, reason in entries}


def is_alive(verdict):
    """Whether no test failed."""
    return not verdict.startswith("killed")


def table(verdicts, reasons):
    """A line for each file: mutants, killed, equivalent, survived, per cent killed of those that can be."""
    counts = collections.defaultdict(collections.Counter)
    for text, verdict in verdicts.items():
        kind = "killed" if not is_alive(verdict) else "equivalent" if text in reasons else "survived"
        for name in (text.split(" | ")[0], "all"):
            counts[name][kind] += 1
    lines = [f"{'file':38} {'mutants':>8} {'killed':>8} {'equivalent':>10} {'survived':>8} {'killed, %':>9}"]
    for name in [*(name for name in counts if name != "all"), "all"]:
        kinds = counts[name]
        total = sum(kinds.values())
        share = 100 * kinds["killed"] / max(1, total - kinds["equivalent"])
        lines.append(f"{name:38} {total:8} {kinds['killed']:8} {kinds['equivalent']:10} {kinds['survived']:8} "
                     f"{share:9.1f}")  # fmt: skip
    return "\n".join(lines)


def write_survivors(path, verdicts, reasons):
    """All that are alive, with what was changed and why that is accepted, if it is."""
    alive = [text for text, verdict in verdicts.items() if is_alive(verdict)]
    lines = []
    for text in alive:
        where, place, change = text.split(" | ", 2)
        before, _, after = change.partition(" -> ")
        reason = f"equivalent: {reasons[text]}" if text in reasons else verdicts[text]
        lines += [f"{where}, {place}: {reason}", f"  - {before}", f"  + {after}", ""]
    path.write_text("\n".join(lines))
