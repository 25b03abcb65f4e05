"""``mininet train``: a network for images or text, with checkpoints."""

import argparse

from .. import datasets, models
from ..base.terminal import wrapped
from ..experiments.images import image_training
from ..experiments.transformer import text_training
from ..sharding import Processes
from ..training import CHECKPOINT, CURVES, FIGURE
from . import arguments as parse
from . import classifiers
from .arguments import Refused, integer

WEIGHTS = "weights.npz"
FOR_IMAGES = ("learned_velocity", "weights", "prefix", "data", "download", "normalization")
FOR_TEXT = ("blocks", "width", "heads", "context", "warmup", "dropout")
"""Options for one kind of network only."""


def add_options(command):
    """Add the options of `run`."""
    unsaid = argparse.SUPPRESS
    of_images, of_text = image_training.Settings(), text_training.Settings()
    classifiers.add_options(command, ("transformer", "transformer_revnet"), ("moby_dick",))
    velocity = "v_0 as a learned function of x_0, not 0"
    command.add_argument("--learned-velocity", action="store_true", default=unsaid, help=velocity)
    start = "a PyTorch state dict to start from, .npz or .safetensors"
    command.add_argument("--weights", type=parse.weights, default=unsaid, help=start)
    for name, kind, what in (
        ("epochs", integer(1, 10_000), "passes over the data"),
        ("batch_size", integer(2, 1437), "images, or windows of text, a step"),
        ("learning_rate", parse.between(0, 10), "at its highest"),
        ("weight_decay", parse.from_zero(1), "L2 penalty; of text, decay of matrices"),
    ):
        both = f"{getattr(of_images, name):g} for images, {getattr(of_text, name):g} for text"
        command.add_argument(f"--{name.replace('_', '-')}", type=kind, default=unsaid, help=f"{what}: {both}")
    for name, what in (
        ("blocks", "of a transformer"), ("width", "of a transformer"), ("heads", "of attention; divide the width"),
        ("context", "characters that a transformer looks at"), ("warmup", "steps until the rate is highest, for text"),
    ):  # fmt: skip
        what += f"; {getattr(of_text, name)} if not given"
        command.add_argument(f"--{name}", type=integer(1, 4096), default=unsaid, help=what)
    what = f"of a transformer; {of_text.dropout:g} if not given"
    command.add_argument("--dropout", type=parse.from_zero(1), default=unsaid, help=what)
    ways = ("reversible", "stored", "checkpointed")
    what = "what a transformer or a momentum network keeps for the backward pass; reversible if it can be"
    command.add_argument("--backprop", choices=ways, default=unsaid, help=what)
    parse.add_seed(command, "of weights and batches")
    shards = "parts of a batch, shared out among the processes of mpiexec; batch norm is over one"
    command.add_argument("--shards", type=integer(1, 1024), help=shards)
    command.add_argument("--resume", action="store_true", help="go on from the checkpoint in --output, if there is one")
    command.add_argument("--checkpoint-seconds", type=parse.from_zero(1e9), default=60.0, help="between checkpoints")
    parse.add_output(command, "results/train")


def run(arguments):
    """Train an image classifier, or a transformer on a novel; writes a checkpoint, curves.csv and curves.png,
    and at the end weights.npz, by PyTorch's names.  Stop it when you like: with --resume it goes on from the
    last checkpoint, to the same bits.
    """
    with parse.refusing():
        processes = Processes()
    with processes.ending_together(), parse.refusing():
        _train_as_one_of(processes, arguments)


def _train_as_one_of(processes, arguments):
    reads = arguments.network.startswith("transformer")
    if reads != (getattr(arguments, "dataset", "moby_dick" if reads else "digits") == "moby_dick"):
        raise Refused(f"--network {arguments.network} does not go with --dataset {arguments.dataset}")
    for name in FOR_IMAGES if reads else FOR_TEXT:
        if hasattr(arguments, name):
            raise Refused(f"--{name.replace('_', '-')} does not go with --network {arguments.network}")
    settings = text_training.settings_for(arguments) if reads else classifiers.settings(arguments)
    data = datasets.moby_dick() if reads else classifiers.load(arguments)
    folder = parse.output_folder(arguments.output)
    if (folder / CHECKPOINT).exists() and not arguments.resume:
        raise Refused(f"{folder} has a checkpoint: go on from it with --resume, or choose another --output")
    of_kind = text_training if reads else image_training
    training = of_kind.training(
        settings, data, folder, checkpoint_seconds=arguments.checkpoint_seconds, shards=arguments.shards,
        progress=parse.shows_progress(arguments),
    )  # fmt: skip
    if arguments.resume and training.resume() and processes.rank == 0:
        print(f"going on after {_epochs(training)}", flush=True)
    training.run()
    if processes.rank > 0:
        return
    saved = [folder / name for name in (CHECKPOINT, CURVES, FIGURE)]
    net, last = training.net, training.history[-1]
    if reads:
        print(text_training.sample(net, data, "Call me", 400, temperature=0.7))
        print(f"validation loss {last.validation_loss:.4f}, training loss {last.loss:.4f} nats per character", end=" ")
    else:
        print(f"test accuracy {last.test_accuracy:.4f}, training loss {last.loss:.4f}", end=" ")
    print(f"after {_epochs(training)}")
    if reads or not settings.learned_velocity:  # a residual network has no place for that
        saved.append(folder / WEIGHTS)
        is_momentum = not reads and settings.gamma is not None
        models.save_pytorch_state_dict(models.to_residual(net) if is_momentum else net, saved[-1])
    print(wrapped(f"saved {', '.join(map(str, saved))}"))


def _epochs(training):
    count = len(training.history)
    return f"{count} epoch{'s' * (count != 1)}"
