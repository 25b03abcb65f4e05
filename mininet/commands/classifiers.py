"""Options of the commands that run a classifier of images."""

import argparse

from ..experiments.images import image_training
from . import arguments as parse


def add_options(command, networks=(), datasets=()):
    """Add them; `networks` and `datasets` are those beside the ones for images."""
    defaults, unsaid = image_training.Settings(), argparse.SUPPRESS
    every = image_training.NETWORKS + networks
    command.add_argument("--network", choices=every, metavar="NAME", default=defaults.network, help=", ".join(every))
    what = "turn it into a momentum network; its momentum, above 0 and below 1"
    command.add_argument("--gamma", type=parse.gamma, help=what)
    what = "of x and v, of a momentum network; exact if not given"
    command.add_argument("--arithmetic", choices=("exact", "float"), default=unsaid, help=what)
    sets, what = image_training.DATASETS + datasets, "what it sees; digits if not given"
    what += ", for a transformer moby_dick" if networks else ""
    command.add_argument("--dataset", choices=sets, default=unsaid, help=what)
    folder = "folder of CIFAR-10 or CIFAR-100, else the variable MININET_DATA"
    command.add_argument("--data", type=parse.path, default=unsaid, help=folder)
    command.add_argument("--download", action="store_true", default=unsaid, help="download it if it is not there")
    command.add_argument(
        "--normalization", choices=image_training.NORMALIZATIONS, default=unsaid,
        help="whose mean and deviation images are normalised with; the dataset's if not given",
    )  # fmt: skip
    what = "what the names of weights have in front, such as module."
    command.add_argument("--prefix", default=unsaid, help=what)


def load(arguments):
    """Load the images."""
    name = getattr(arguments, "dataset", "digits")
    parse.refuse_without(arguments, "--dataset cifar10 or cifar100", name != "digits", "data", "download")
    return image_training.load(name, getattr(arguments, "data", None), hasattr(arguments, "download"))


def settings(arguments):
    """The `Settings` of the options that were given."""
    of_momentum = "learned_velocity", "arithmetic", "backprop"
    parse.refuse_without(arguments, "--gamma", arguments.gamma is not None, *of_momentum)
    parse.refuse_without(arguments, "--weights", hasattr(arguments, "weights"), "prefix")
    fields = image_training.Settings.__dataclass_fields__
    given = {name: value for name, value in vars(arguments).items() if name in fields}
    return image_training.Settings(**{"dataset": "digits"} | given)
