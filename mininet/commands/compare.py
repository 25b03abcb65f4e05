"""``mininet compare``: the demo."""

import json

from .. import plotting
from ..base.files import written_atomically
from ..base.terminal import wrapped
from ..experiments.compare import comparison, report
from . import arguments as parse
from .arguments import integer

RESULTS = ("compare.json", "compare.png")
SETTINGS = ("depth", "width", "gamma", "arithmetic", "epochs", "batch_size", "learning_rate", "seed")


def add_options(command):
    """Add the options of `run`."""
    defaults = comparison.Settings()
    command.add_argument("--depth", type=integer(1, 1000), default=defaults.depth, help="momentum layers")
    command.add_argument("--width", type=integer(1, 512), default=defaults.width, help="channels")
    command.add_argument("--gamma", type=parse.gamma, default=defaults.gamma, help="momentum")
    command.add_argument("--arithmetic", choices=("exact", "float"), default=defaults.arithmetic, help="of x and v")
    command.add_argument("--epochs", type=integer(1, 1000), default=defaults.epochs, help="passes over the images")
    command.add_argument("--batch-size", type=integer(2, 1437), default=defaults.batch_size, help="images a step")
    rates = parse.between(0, 10)
    command.add_argument("--learning-rate", type=rates, default=defaults.learning_rate, help="at its highest")
    parse.add_seed(command, "of weights and batches")
    parse.add_output(command)


def run(arguments):
    """Train the same convolutional momentum network on handwritten digits twice, with stored activations and
    memory-free; print a table, and save it (compare.json) with a figure (compare.png).
    """
    folder = parse.output_folder(arguments.output, RESULTS)
    settings = comparison.Settings(**{name: getattr(arguments, name) for name in SETTINGS})
    with parse.refusing():
        found = comparison.compare(settings, progress=parse.shows_progress(arguments))
    numbers, figure = (folder / name for name in RESULTS)
    with written_atomically(numbers) as path:
        path.write_text(json.dumps(report.summary(found), indent=1, allow_nan=False))
        plotting.save(report.draw(found), figure)
    print("\n".join(wrapped(line, rest="  ") if "  " not in line else line for line in report.table(found).split("\n")))
    print(wrapped(f"saved {numbers} and {figure}"))
