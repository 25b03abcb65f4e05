"""``mininet reproduce``: the paper's experiments."""

import argparse

from ..experiments import reproduce
from ..experiments.claim import Options
from . import arguments as parse
from .arguments import Refused, integer


def add_options(command):
    """Add the options of `run`."""
    unsaid = argparse.SUPPRESS
    every = (*reproduce.EXPERIMENTS, "all")
    which = f"{', '.join(every)}; all leaves out {', '.join(reproduce.WITH_DATA)}, which need data or hours"
    command.add_argument("experiment", choices=every, metavar="experiment", help=which)
    command.add_argument("--quick", action="store_true", help="a small version, in seconds")
    for name, kind, what in (
        ("data", parse.path, "folder of CIFAR-10, else the variable MININET_DATA"),
        ("epochs", integer(1, 10_000), "of each training, else the experiment's own"),
        ("seeds", integer(1, 100), "how many, else the experiment's own number"),
        ("weights", parse.weights, "file of pretrained weights"),
    ):
        command.add_argument(f"--{name}", type=kind, default=unsaid, help=f"{what}; for {_users(name)}")
    drawn = f"draw what is finished; for {_users('train')}"
    command.add_argument("--no-training", dest="train", action="store_false", default=unsaid, help=drawn)
    parse.add_output(command)


def _users(option):
    return ", ".join(name for name, options in reproduce.OPTIONS.items() if option in options.split())


def run(arguments):
    """Run an experiment of the paper: print its numbers and save its figure.  Trainings go on where an
    interrupted run left them.
    """
    names = reproduce.names(arguments.experiment)
    given = {name: value for name, value in vars(arguments).items() if name in Options.__dataclass_fields__}
    for option in given.keys() - {"quick"}:
        if not any(option in reproduce.OPTIONS.get(name, "").split() for name in names):
            shown = "no-training" if option == "train" else option
            raise Refused(f"--{shown} says nothing to {arguments.experiment}; it is for {_users(option)}")
    folder = parse.output_folder(arguments.output)
    options = Options(folder, progress=parse.shows_progress(arguments), **given)
    claims = []
    for name in names:
        print(f"{name}:", flush=True)
        with parse.refusing(f"{name} diverged", advice=""):
            claims += reproduce.run(name, options)
    if arguments.experiment == "all":
        print(f"{sum(claim.holds for claim in claims)} of {len(claims)} claims hold")
