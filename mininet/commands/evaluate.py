"""``mininet evaluate``: the test accuracy of given weights."""

import json

from ..base.files import written_atomically
from ..experiments.images import image_training
from . import arguments as parse
from . import classifiers


def add_options(command):
    """Add the options of `run`."""
    classifiers.add_options(command)
    weights = "a PyTorch state dict, .npz or .safetensors"
    command.add_argument("--weights", type=parse.weights, required=True, help=weights)
    command.add_argument("--confusion", type=parse.path, help="a file for the counts by true and predicted class")


def run(arguments):
    """Read weights, of a residual network or what it was trained as, and print the test accuracy."""
    with parse.refusing():
        settings = classifiers.settings(arguments)
        counts = image_training.evaluate(settings, classifiers.load(arguments))
    if arguments.confusion is not None:
        with written_atomically(arguments.confusion) as path:
            path.write_text(json.dumps({"dataset": settings.dataset, "confusion": counts.tolist()}) + "\n")
    right, count = counts.trace(), counts.sum()
    print(f"test accuracy {right / count:.4f}: {right} of {count} images")
