"""The command line: ``mininet compare | train | evaluate | write | reproduce | grade | info``."""

import argparse
import dataclasses
import functools
import io
import json
import os
import pathlib
import sys
from collections.abc import Sequence

import numba

from . import datasets, get_num_threads, models, seeding
from .base.checks import path as path_of
from .base.files import written_atomically
from .kernels.exact import as_fraction
from .sharding import Processes
from .version import VERSION

RESULTS = ("compare.json", "compare.png")
WEIGHTS = "weights.npz"
FOR_IMAGES = ("learned_velocity", "weights", "data", "download")
FOR_TEXT = ("blocks", "width", "heads", "context", "warmup", "dropout", "backprop")
"""Options of `train` for one kind of network only."""
EXAMPLES = """examples:
  mininet compare                  train on digits with stored activations and without
  mininet reproduce crossing       draw a figure of the paper
  mininet grade --template my.py   begin a momentum block of your own
"""


def _parsed(convert, is_allowed, what):
    """A parser of what `convert` makes of an argument, if it `is_allowed`."""

    def parse(text):
        try:
            value = convert(text)
        except ValueError:
            value = None
        if value is None or not is_allowed(value):
            raise argparse.ArgumentTypeError(f"must be {what}, got {text!r}")
        return value

    return parse


def _integer(lowest, highest):
    return _parsed(int, lambda value: lowest <= value <= highest, f"an integer from {lowest} to {highest}")


def _between(lowest, highest):
    """A parser of numbers strictly between `lowest` and `highest`."""
    what = f"a number above {lowest:g} and below {highest:g}"
    return _parsed(float, lambda value: lowest < value < highest, what)


def _gamma(text):
    """A momentum that can be run back in exact arithmetic."""
    gamma = _between(0, 1)(text)
    try:
        as_fraction(gamma)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return gamma


_path = functools.partial(path_of, "path")


def _compare_options(command):
    from .experiments.compare import comparison as comparing

    defaults = comparing.Settings()
    command.add_argument("--depth", type=_integer(1, 1000), default=defaults.depth, help="momentum layers")
    command.add_argument("--width", type=_integer(1, 512), default=defaults.width, help="channels")
    command.add_argument("--gamma", type=_gamma, default=defaults.gamma, help="momentum")
    command.add_argument("--arithmetic", choices=("exact", "float"), default=defaults.arithmetic, help="of x and v")
    command.add_argument("--epochs", type=_integer(1, 1000), default=defaults.epochs, help="passes over the images")
    command.add_argument("--batch-size", type=_integer(2, 1437), default=defaults.batch_size, help="images a step")
    command.add_argument("--learning-rate", type=_between(0, 10), default=defaults.learning_rate, help="at its highest")
    command.add_argument("--seed", type=_integer(0, 2**63 - 1), default=defaults.seed, help="of weights and batches")
    command.add_argument("--output", type=_path, default=pathlib.Path("results"), help="folder for the results")
    command.add_argument("--quiet", action="store_true", help="no progress bars")


def _train_options(command):
    from .experiments.images import image_training
    from .experiments.transformer import text_training

    defaults = image_training.Settings()
    _add_classifier(command, texts=("transformer", "transformer_revnet"))
    command.add_argument("--learned-velocity", action="store_true", help="v_0 as a learned function of x_0, not 0")
    command.add_argument("--weights", help="a PyTorch state dict to start from, .npz or .safetensors")
    of_text = text_training.Settings()
    for name, kind, what in (
        ("epochs", _integer(1, 10_000), "passes over the data"),
        ("batch_size", _integer(2, 1437), "images, or windows of text, a step"),
        ("learning_rate", _between(0, 10), "at its highest"),
        ("weight_decay", _between(-1e-300, 1), "L2 penalty; of text, decay of matrices"),
    ):
        both = f"{getattr(defaults, name):g} for images, {getattr(of_text, name):g} for text"
        command.add_argument(
            f"--{name.replace('_', '-')}", type=kind, default=argparse.SUPPRESS, help=f"{what}: {both}"
        )
    for name, what in (
        ("blocks", "of a transformer"), ("width", "of a transformer"), ("heads", "of attention; divide the width"),
        ("context", "characters that a transformer looks at"), ("warmup", "steps until the rate is highest, for text"),
    ):  # fmt: skip
        what += f"; {getattr(of_text, name)} if not given"
        command.add_argument(f"--{name}", type=_integer(1, 4096), default=argparse.SUPPRESS, help=what)
    what = f"of a transformer; {of_text.dropout:g} if not given"
    command.add_argument("--dropout", type=_between(-1e-300, 1), default=argparse.SUPPRESS, help=what)
    ways = ("reversible", "stored", "checkpointed")
    what = "what a transformer keeps for the backward pass; reversible if it can be"
    command.add_argument("--backprop", choices=ways, default=argparse.SUPPRESS, help=what)
    command.add_argument("--seed", type=_integer(0, 2**63 - 1), default=defaults.seed, help="of weights and batches")
    shards = "parts of a batch, shared out among the processes of mpiexec; batch norm is over one"
    command.add_argument("--shards", type=_integer(1, 1024), help=shards)
    command.add_argument("--output", type=_path, default=pathlib.Path("results/train"), help="a folder")
    command.add_argument("--resume", action="store_true", help="go on from the checkpoint there, if there is one")
    command.add_argument("--checkpoint-seconds", type=_between(-1e-300, 1e9), default=60.0, help="between checkpoints")
    command.add_argument("--quiet", action="store_true", help="no progress bars")


def _evaluate_options(command):
    _add_classifier(command)
    command.add_argument("--weights", required=True, help="a PyTorch state dict, .npz or .safetensors")
    command.add_argument("--confusion", type=_path, help="a file for the counts by true and predicted class")


def _write_options(command):
    command.add_argument("start", nargs="?", default="Call me", help="the text to continue")
    command.add_argument("--count", type=_integer(1, 100_000), default=400, help="characters to write")
    command.add_argument("--temperature", type=_between(-1e-300, 100), default=0.7, help="0 takes the likeliest")
    command.add_argument("--top-k", type=_integer(1, 89), default=89, help="draw among so many of the likeliest")
    command.add_argument("--seed", type=_integer(0, 2**63 - 1), default=0, help="of the draws")


def _reproduce_options(command):
    from .experiments import reproduce

    which = f"which one; all but {', '.join(reproduce.WITH_DATA)}, which need data or hours"
    command.add_argument("experiment", choices=(*reproduce.EXPERIMENTS, "all"), help=which)
    command.add_argument("--quick", action="store_true", help="a small version, in seconds")
    command.add_argument("--data", type=_path, help="folder of CIFAR-10, else the variable MININET_DATA")
    command.add_argument("--epochs", type=_integer(1, 10_000), help="of each training, else the experiment's own")
    command.add_argument("--seeds", type=_integer(1, 100), help="how many, else the experiment's own number")
    command.add_argument("--weights", help="file of pretrained weights, for fine_tuning")
    drawn = "draw accuracy and transformer from the trainings that are finished"
    command.add_argument("--no-training", dest="train", action="store_false", help=drawn)
    command.add_argument("--output", type=_path, default=pathlib.Path("results"), help="folder for the results")
    command.add_argument("--quiet", action="store_true", help="no progress bars")


def _grade_options(command):
    from . import course

    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("path", nargs="?", type=_path, help="the file")
    what.add_argument("--template", type=_path, metavar="FILE", help="write a file to begin with")
    numbers = list(course.PIECES)
    chapter = "grade what the course has built up to this chapter"
    command.add_argument("--chapter", choices=numbers, metavar="CHAPTER", help=f"{chapter}: {', '.join(numbers)}")
    when = "grade exact arithmetic also where nothing of it is written yet"
    command.add_argument("--exact", action="store_true", help=when)


def _info_options(command):
    command.add_argument("--profile", action="store_true", help="profile training steps on random images")
    command.add_argument("--depth", type=_integer(1, 1000), default=10, help="momentum layers")
    command.add_argument("--width", type=_integer(1, 512), default=16, help="channels")
    command.add_argument("--batch-size", type=_integer(2, 4096), default=64, help="images a step")
    command.add_argument("--size", type=_integer(1, 512), default=32, help="height and width of the images")
    command.add_argument("--arithmetic", choices=("exact", "float"), default="exact", help="of x and v")


def _add_classifier(command, texts=()):
    """Options of every command that runs an image classifier, or trains one of the networks for `texts`."""
    from .experiments.images import image_training

    defaults = image_training.Settings()
    networks, sets = image_training.NETWORKS + texts, image_training.DATASETS + ("moby_dick",) * bool(texts)
    command.add_argument("--network", choices=networks, default=defaults.network, help="which one")
    command.add_argument("--gamma", type=_gamma, help="turn it into a momentum network with this momentum")
    command.add_argument("--arithmetic", choices=("exact", "float"), default=defaults.arithmetic, help="of x and v")
    command.add_argument("--dataset", choices=sets, default=defaults.dataset, help="what it learns from")
    command.add_argument("--data", type=_path, help="the dataset's folder, else the variable MININET_DATA")
    command.add_argument("--download", action="store_true", help="download the dataset if it is not there")
    command.add_argument(
        "--normalization", choices=image_training.NORMALIZATIONS, default=defaults.normalization,
        help="whose mean and deviation images are normalised with",
    )  # fmt: skip


def _output_folder(path):
    """`path` as a folder that can be written to."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"mininet: cannot make the output folder {path}: {error.strerror}") from None
    if not os.access(path, os.W_OK):
        raise SystemExit(f"mininet: cannot write to the output folder {path}")
    for name in RESULTS:
        if (path / name).is_dir():
            raise SystemExit(f"mininet: cannot write {path / name}: it is a folder")
    return path


def _shows_progress(arguments):
    return not arguments.quiet and sys.stderr is not None and sys.stderr.isatty()


def _compare(arguments):
    """Train the same convolutional momentum network on handwritten digits twice, with stored activations and
    memory-free; print a table, and save it (compare.json) with a figure (compare.png).
    """
    from . import plotting
    from .experiments.compare import comparison as comparing
    from .experiments.compare import report

    folder = _output_folder(arguments.output)
    names = ("depth", "width", "gamma", "arithmetic", "epochs", "batch_size", "learning_rate", "seed")
    settings = comparing.Settings(**{name: getattr(arguments, name) for name in names})
    try:
        comparison = comparing.compare(settings, progress=_shows_progress(arguments))
    except (OverflowError, FloatingPointError) as error:
        raise SystemExit(f"mininet: training diverged, {error}; try a smaller --learning-rate") from None
    numbers, figure = (folder / name for name in RESULTS)
    with written_atomically(numbers) as path:
        path.write_text(json.dumps(report.summary(comparison), indent=1, allow_nan=False))
        plotting.save(report.draw(comparison), figure)
    print(report.table(comparison))
    print(f"saved {numbers} and {figure}")


def _given(settings, arguments):
    """`settings`, a dataclass, made of the arguments of those names."""
    names = [field.name for field in dataclasses.fields(settings)]
    return settings(**{name: getattr(arguments, name) for name in names if hasattr(arguments, name)})


def _train(arguments):
    """Train an image classifier, or a transformer on a novel; writes a checkpoint, curves.csv and curves.png,
    and at the end weights.npz, by PyTorch's names.  Stop it when you like: with --resume it goes on from the
    last checkpoint, to the same bits.
    """
    try:
        processes = Processes()
    except ValueError as error:
        raise SystemExit(f"mininet: {error}") from None
    with processes.ending_together():
        _train_as_one_of(processes, arguments)


def _train_as_one_of(processes, arguments):
    from .experiments.images import image_training
    from .experiments.transformer import text_training
    from .training import CHECKPOINT, CURVES, FIGURE

    reads = arguments.network.startswith("transformer")
    if reads != (arguments.dataset == "moby_dick"):
        raise SystemExit(f"mininet: --network {arguments.network} does not go with --dataset {arguments.dataset}")
    for name in FOR_IMAGES if reads else FOR_TEXT:
        value = getattr(arguments, name, None)
        if value is not None and value is not False:
            option = name.replace("_", "-")
            raise SystemExit(f"mininet: --{option} does not go with --network {arguments.network}")
    folder = _output_folder(arguments.output)
    if (folder / CHECKPOINT).exists() and not arguments.resume:
        raise SystemExit(f"mininet: {folder} has a checkpoint: go on from it with --resume, or choose another --output")
    how = {
        "checkpoint_seconds": arguments.checkpoint_seconds, "progress": _shows_progress(arguments),
        "shards": arguments.shards,
    }  # fmt: skip
    try:
        if reads:
            text = datasets.moby_dick()
            training = text_training.training(text_training.settings_for(arguments), text, folder, **how)
        else:
            settings = _given(image_training.Settings, arguments)
            split = image_training.load(settings.dataset, arguments.data, arguments.download)
            training = image_training.training(settings, split, folder, **how)
        if arguments.resume and training.resume() and processes.rank == 0:
            print(f"going on after {len(training.history)} epochs")
        training.run()
    except ValueError as error:
        raise SystemExit(f"mininet: {error}") from None
    except (OverflowError, FloatingPointError) as error:
        raise SystemExit(f"mininet: training diverged, {error}; try a smaller --learning-rate") from None
    if processes.rank > 0:
        return
    saved = [folder / name for name in (CHECKPOINT, CURVES, FIGURE)]
    if reads:
        saved.append(folder / WEIGHTS)
        models.save_pytorch_state_dict(training.net, saved[-1])
        print(text_training.sample(training.net, text, "Call me", 400, temperature=0.7))
        last = training.history[-1]
        losses = f"validation loss {last.validation_loss:.4f}, training loss {last.loss:.4f} nats per character"
        print(f"{losses} after {len(training.history)} epochs\nsaved {', '.join(map(str, saved))}")
        return
    if not settings.learned_velocity:  # a residual network has no place for it
        saved.append(folder / WEIGHTS)
        net = training.net if settings.gamma is None else models.to_residual(training.net)
        models.save_pytorch_state_dict(net, saved[-1])
    last = training.history[-1]
    print(f"test accuracy {last.test_accuracy:.4f}, training loss {last.loss:.4f} after {len(training.history)} epochs")
    print(f"saved {', '.join(map(str, saved))}")


def _write(arguments):
    """Let the momentum transformer that ships with mininet, trained on Moby-Dick, continue a text."""
    from .experiments.transformer import text_training

    net, facts = models.pretrained("moby_dick")
    text = datasets.moby_dick()
    seeding.manual_seed(arguments.seed)
    settings = {"temperature": arguments.temperature, "top_k": arguments.top_k}
    try:
        print(text_training.sample(net, text, arguments.start or "\n", arguments.count, **settings))
    except ValueError as error:
        raise SystemExit(f"mininet: {error}") from None
    print(f"\n({facts['test_loss']:.3f} nats per character on the part of the novel kept for testing)")


def _evaluate(arguments):
    """Read weights, of a residual network or what it was trained as, and print the test accuracy."""
    from .experiments.images import image_training

    names = ("network", "gamma", "arithmetic", "dataset", "normalization", "weights")
    settings = image_training.Settings(**{name: getattr(arguments, name) for name in names})
    try:
        split = image_training.load(settings.dataset, arguments.data, arguments.download)
        counts = image_training.evaluate(settings, split)
        if arguments.confusion is not None:
            with written_atomically(arguments.confusion) as path:
                path.write_text(json.dumps({"dataset": settings.dataset, "confusion": counts.tolist()}) + "\n")
    except ValueError as error:
        raise SystemExit(f"mininet: {error}") from None
    right, count = counts.trace(), counts.sum()
    print(f"test accuracy {right / count:.4f}: {right} of {count} images")


def _reproduce(arguments):
    """Run an experiment of the paper: print its numbers and save its figure.  Trainings go on where an
    interrupted run left them.
    """
    from .experiments import reproduce
    from .experiments.claim import Options

    folder = _output_folder(arguments.output)
    names = ("data", "quick", "epochs", "seeds", "weights", "train")
    options = Options(folder, progress=_shows_progress(arguments), **{name: getattr(arguments, name) for name in names})
    claims = []
    for name in reproduce.names(arguments.experiment):
        print(f"{name}:")
        try:
            claims += reproduce.run(name, options)
        except ValueError as error:
            raise SystemExit(f"mininet: {error}") from None
        except (OverflowError, FloatingPointError) as error:
            raise SystemExit(f"mininet: {name} diverged, {error}") from None
    if arguments.experiment == "all":
        print(f"{sum(claim.holds for claim in claims)} of {len(claims)} claims hold")


def _grade(arguments):
    """Try whether a Python file with forward, invert and backward of a momentum block keeps what it promises:
    the right result, inversion, gradients, memory.  Of a promise that is broken it shows the smallest example
    and the likely cause.  The exit status is 0 if all are kept.
    """
    from . import course, grader

    if arguments.template:
        try:
            grader.write_template(arguments.template)
        except OSError as error:
            raise SystemExit(f"mininet: cannot write {arguments.template}: {error.strerror}") from None
        print(f"saved {arguments.template}: fill it in, then run python -m mininet grade {arguments.template}")
        return 0
    try:
        if arguments.chapter:
            return 0 if course.grade_chapters(arguments.path, arguments.chapter).all_kept else 1
        return 0 if grader.grade(arguments.path, exact=arguments.exact or None).all_kept else 1
    except grader.CannotLoad as error:
        raise SystemExit(f"mininet: {error}") from None


def _info(arguments):
    """Show versions and settings; with --profile, where the time of a training step goes, by operation."""
    from .experiments import machine, step_profile

    if arguments.profile:
        names = ("depth", "width", "batch_size", "size", "arithmetic")
        print(step_profile.table(step_profile.profile_steps(**{name: getattr(arguments, name) for name in names})))
        return
    print(f"mininet {VERSION} on {machine.in_words(machine.describe())}")
    print(f"threads: {get_num_threads()} (MININET_NUM_THREADS)")
    print(f"JIT: {'off (NUMBA_DISABLE_JIT)' if numba.config.DISABLE_JIT else 'on'}")


COMMANDS = {
    "compare": (_compare, _compare_options, "train on digits with stored activations and without, and compare"),
    "train": (_train, _train_options, "train a residual or momentum network on images or text"),
    "evaluate": (_evaluate, _evaluate_options, "the test accuracy of a network with given weights"),
    "write": (_write, _write_options, "continue a text"),
    "reproduce": (_reproduce, _reproduce_options, "run an experiment of the paper"),
    "grade": (_grade, _grade_options, "try out your own implementation of a momentum block"),
    "info": (_info, _info_options, "show versions and settings, and where the time of a training step goes"),
}
"""What runs each, what adds its options, and what it does."""


def _parser(named=tuple(COMMANDS)):
    """The parser of all commands, with the options of those that are `named`: options import what they are about."""
    about = "Momentum residual neural networks, exactly inverted."
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="mininet", description=about, epilog=EXAMPLES, formatter_class=as_written)
    parser.add_argument("--version", action="version", version=f"mininet {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (run, add_options, short) in COMMANDS.items():
        kind = argparse.HelpFormatter if name == "grade" else argparse.ArgumentDefaultsHelpFormatter
        command = commands.add_parser(name, help=short, description=run.__doc__, formatter_class=kind)
        if name in named:
            add_options(command)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in ("strict", "surrogateescape"):
        sys.stdout.reconfigure(errors="replace")  # no result is lost for a letter that the output does not have
    try:
        try:
            arguments = sys.argv[1:] if arguments is None else arguments
            parsed = _parser(arguments).parse_args(arguments or ["--help"])
            return COMMANDS[parsed.command][0](parsed) or 0
        finally:
            print(end="", flush=True)
    except KeyboardInterrupt:
        print("\nmininet: interrupted; no file is half-written", file=sys.stderr)
        return 130
    except BrokenPipeError:  # as behind `head`: what is left is for nobody, at the end of Python too
        null = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):
            os.dup2(null, number)
        return 128 + 13  # as if SIGPIPE had ended it
    except OSError as error:  # such as a full disk
        raise SystemExit(f"mininet: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
