"""The command line: a line that names the option, status 2; or what is wrong, status 1; never a traceback."""

from misuse.table import case

from mininet.__main__ import main

OPTIONS = {  # values that each refuses
    "compare": {
        "--depth": ("0", "1001", "2.5"), "--width": ("0", "513"), "--gamma": ("0", "1", "nan", "many"),
        "--epochs": ("0",), "--batch-size": ("1", "2000"), "--learning-rate": ("0", "nan", "10", "fast"),
        "--seed": ("-1", "x"), "--arithmetic": ("decimal",),
    },
    "train": {
        "--network": ("resnet21",), "--dataset": ("imagenet",), "--normalization": ("mine",), "--gamma": ("1",),
        "--epochs": ("0",), "--weight-decay": ("-1", "nan"), "--checkpoint-seconds": ("-1",), "--batch-size": ("1",),
    },
    "evaluate": {"--network": ("none",), "--weights": (None,)},
    "reproduce": {"--epochs": ("0",), "--seeds": ("0", "101")},
    "info": {"--depth": ("0",), "--size": ("0", "1.5"), "--arithmetic": ("decimal",)},
}  # fmt: skip
REST = {"evaluate": ["--weights", "w.npz"], "reproduce": ["crossing"]}


def refused(arguments, says):
    return case(main, " ".join(map(repr, arguments)), lambda f: f(arguments), SystemExit, says)


CASES = [
    *(refused([command, *REST.get(command, []), option, *([] if value is None else [value])], f"argument {option}")
      for command, options in OPTIONS.items() for option, values in options.items() for value in values),
    refused(["dance"], "dance"),
    refused(["compare", "--no-such-option"], "--no-such-option"),
    refused(["evaluate"], "--weights"),
    refused(["reproduce"], "experiment"),
    refused(["compare", "--output", "/dev/null"], "mininet: cannot make the output folder /dev/null"),
    refused(["evaluate", "--weights", "nowhere.npz", "--dataset", "digits"], "nowhere.npz"),
    refused(["evaluate", "--weights", "weights.pt", "--dataset", "digits"], "weights.pt"),
    refused(["evaluate", "--weights", "w.npz", "--data", "/nowhere"], "mininet: CIFAR-10"),
    refused(["grade"], "--template"),
    refused(["grade", "mine.py", "--template", "other.py"], "--template"),
    refused(["grade", "/nowhere/mine.py"], "mininet: cannot read /nowhere/mine.py"),
    refused(["grade", "--template", "/nowhere/mine.py"], "mininet: cannot write /nowhere/mine.py"),
]  # fmt: skip
