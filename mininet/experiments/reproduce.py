"""The paper's experiments by name: each runs, saves what it found with its figures, and prints it."""

import datetime
import inspect
import itertools
import textwrap
import time

from .. import plotting
from ..base.files import written_atomically
from ..base.terminal import wrapped
from . import ode, table_one
from .accuracy import accuracy, cifar, short_stages
from .claim import Claim, Options
from .drift import drift
from .images import fine_tuning
from .learning_to_optimize import learning_to_optimize
from .linear_maps import linear_maps
from .machine import describe, in_words
from .memory import image_memory, memory
from .role_of_gamma import role_of_gamma
from .too_deep import too_deep
from .toy import animations, crossing, rings
from .transformer import transformer

EXPERIMENTS = {
    "crossing": (crossing,),
    "rings": (rings,),
    "animations": (animations,),
    "memory": (memory, image_memory),
    "drift": (drift,),
    "ode": (ode,),
    "linear_maps": (linear_maps,),
    "learning_to_optimize": (learning_to_optimize,),
    "role_of_gamma": (role_of_gamma,),
    "table_one": (table_one,),
    "fine_tuning": (fine_tuning,),
    "accuracy": (accuracy, cifar, short_stages),
    "too_deep": (too_deep,),
    "transformer": (transformer,),
}
"""The files of each experiment, in the order of the course."""

OPTIONS = {
    "crossing": "seeds",
    "rings": "seeds",
    "linear_maps": "seeds",
    "learning_to_optimize": "seeds",
    "role_of_gamma": "seeds",
    "fine_tuning": "data epochs weights",
    "accuracy": "data train",
    "too_deep": "train",
    "transformer": "train",
}
"""What each heeds of `Options`, beside what all do."""

WITH_DATA = ("fine_tuning", "accuracy", "too_deep", "transformer")
"""Those that need CIFAR-10, pretrained weights or hours: `all` leaves them out."""


def names(chosen: str) -> list[str]:
    """The experiments that the name `chosen`, or "all", stands for."""
    return [name for name in EXPERIMENTS if name not in WITH_DATA] if chosen == "all" else [chosen]


def run(name: str, options: Options) -> list[Claim]:
    """Run one of `EXPERIMENTS`, save its reports as a page with its pictures, and print them; returns its claims."""
    start = time.monotonic()
    modules = EXPERIMENTS[name]
    reports, saved = [], []
    for module in modules:
        reports.append(module.reproduce(options))
        saved.append([*_save_pictures(reports[-1], options.folder)])
    minutes, seconds = divmod(round(time.monotonic() - start), 60)
    took = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    path = options.folder / f"{name}.md"
    with written_atomically(path) as temporary:
        temporary.write_text(page(name, options, took, modules, reports, saved), encoding="utf-8")
    files = ", ".join(map(str, (path, *itertools.chain(*saved))))
    for report in reports:
        print(report.text, *(wrapped(str(claim), rest="  ") for claim in report.claims), sep="\n")
    print(wrapped(f"{name} took {took}; saved {files}"), flush=True)
    print()
    return [claim for report in reports for claim in report.claims]


def page(name, options, took, modules, reports, saved):
    """What an experiment found, as Markdown: for each file what was found, pictures, a description and numbers."""
    parts = [f"# {reports[0].title or name}"]
    for module, report, paths in zip(modules, reports, saved, strict=True):
        parts += [f"## {report.title}"] * bool(report.title and report is not reports[0])
        parts += [report.found] * bool(report.found)
        if report.claims:
            parts.append("\n".join(f"- {claim}" for claim in report.claims))
        parts += [f"![{report.title or reports[0].title or path.stem}]({path.name})" for path in paths]
        parts.append(inspect.cleandoc(module.__doc__))
        parts.append(f"```\n{report.text}\n```")
    made = f"`{command(name, options)}`, {took} on {datetime.date.today()} with {in_words(describe())}."
    parts.append(textwrap.fill(made, 120, break_long_words=False, break_on_hyphens=False))
    return "\n\n".join(parts) + "\n"


def command(name: str, options: Options) -> str:
    """The command line of an experiment with such options, but for folders."""
    words = ["mininet reproduce", name]
    words += ["--quick"] * options.quick + ["--no-training"] * (not options.train)
    words += ["--weights FILE"] * (options.weights is not None)
    words += [f"--{key} {value}" for key in ("epochs", "seeds") if (value := getattr(options, key)) is not None]
    return " ".join(words)


def _save_pictures(report, folder):
    for stem, figure in report.figures.items():
        plotting.save(figure, folder / f"{stem}.png")
        yield folder / f"{stem}.png"
    for stem, animation in report.animations.items():
        plotting.save_animation(animation, folder / f"{stem}.gif")
        yield folder / f"{stem}.gif"
