"""The command line: a line that names the option, status 2; or what is wrong, status 1; never a traceback."""

from misuse.table import case

from mininet.__main__ import main

NUMBERS = {  # option: what it must be, for the values that it refuses
    "compare": {
        "--depth": ("an integer from 1 to 1000", ("0", "-1", "1001", "2.5", "many", "")),
        "--width": ("an integer from 1 to 512", ("0", "513", "1e3")),
        "--gamma": ("", ("0", "1", "-0.5", "nan", "inf", "many", "0.99999999")),
        "--epochs": ("an integer from 1 to 1000", ("0", "nan")),
        "--batch-size": ("an integer from 2 to 1437", ("1", "2000", "٣x")),
        "--learning-rate": ("a number above 0 and below 10", ("0", "-1", "nan", "inf", "10", "fast")),
        "--seed": ("an integer from 0 to", ("-1", "x", "1.5")),
        "--arithmetic": ("invalid choice", ("decimal", "")),
    },
    "train": {
        "--network": ("invalid choice", ("resnet21", "")),
        "--dataset": ("invalid choice", ("imagenet",)),
        "--normalization": ("invalid choice", ("mine",)),
        "--gamma": ("", ("1", "nan")),
        "--epochs": ("an integer from 1 to 10000", ("0", "x")),
        "--weight-decay": ("a number above", ("-1", "nan", "1")),
        "--checkpoint-seconds": ("a number above", ("-1", "nan")),
        "--batch-size": ("an integer from 2 to 1437", ("1",)),
    },
    "evaluate": {"--network": ("invalid choice", ("none",)), "--weights": ("expected one argument", (None,))},
    "reproduce": {
        "--epochs": ("an integer from 1 to 10000", ("0",)),
        "--seeds": ("an integer from 1 to 100", ("0", "101", "x")),
    },
    "info": {"--depth": ("an integer from 1 to 1000", ("0",)), "--size": ("an integer from 1 to 512", ("0", "1.5"))},
}
REST = {"evaluate": ["--weights", "w.npz"], "reproduce": ["crossing"]}


def refused(arguments, message):
    return case(main, " ".join(map(repr, arguments)), lambda f: f(arguments), SystemExit, message)


CASES = [
    *(refused([command, *REST.get(command, []), option, *([] if value is None else [value])], f"argument {option}: {'must be ' * must_be.startswith(('a ', 'an '))}{must_be}")
      for command, options in NUMBERS.items() for option, (must_be, values) in options.items() for value in values),
    refused([], "the following arguments are required: command"),
    refused(["dance"], "argument command: invalid choice: 'dance'"),
    refused(["compare", "--no-such-option"], "unrecognized arguments: --no-such-option"),
    refused(["compare", "too", "many"], "unrecognized arguments: too many"),
    refused(["evaluate"], "the following arguments are required: --weights"),
    refused(["reproduce"], "the following arguments are required: experiment"),
    refused(["reproduce", "everything"], "argument experiment: invalid choice: 'everything'"),
    refused(["reproduce", "fine_tuning", "--quick", "--quiet", "--output", "/proc/nowhere"], "mininet: cannot make the output folder /proc/nowhere"),
    refused(["compare", "--output", "/dev/null"], "mininet: cannot make the output folder /dev/null"),
    refused(["evaluate", "--weights", "nowhere.npz", "--dataset", "digits"], "mininet: [Errno 2] No such file or directory: 'nowhere.npz'"),
    refused(["evaluate", "--weights", "weights.pt", "--dataset", "digits"], "mininet: source must be an .npz or .safetensors file, got 'weights.pt'; nothing is unpickled"),
    refused(["evaluate", "--weights", "w.npz", "--data", "/nowhere"], "mininet: CIFAR-10 is not there"),
    refused(["grade"], "one of the arguments path --template is required"),
    refused(["grade", "mine.py", "--template", "other.py"], "not allowed with argument"),
    refused(["grade", "/nowhere/mine.py"], "mininet: cannot read /nowhere/mine.py: No such file or directory"),
    refused(["grade", "/"], "mininet: cannot read /: Is a directory"),
    refused(["grade", "--template", "/nowhere/mine.py"], "mininet: cannot write /nowhere/mine.py: No such file or directory"),
]  # fmt: skip
