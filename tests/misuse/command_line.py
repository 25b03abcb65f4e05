"""The command line: one line that names what is wrong, and status 2; never a traceback."""

from command_support import refusal
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
REST = {"evaluate": ["--weights", __file__], "reproduce": ["crossing"], "info": ["--profile"]}


def refused(arguments, says):
    return case(main, " ".join(map(repr, arguments)), lambda _: _raise(refusal(arguments)), SystemExit, says)


def _raise(line):
    raise SystemExit(line)


CASES = [
    *(refused([command, *REST.get(command, []), option, *([] if value is None else [value])], f"argument {option}")
      for command, options in OPTIONS.items() for option, values in options.items() for value in values),
    refused(["dance"], "dance"),
    refused(["compare", "--no-such-option"], "--no-such-option"),
    refused(["evaluate"], "--weights"),
    refused(["reproduce"], "experiment"),
    refused(["compare", "--output", "/dev/null"], "mininet: cannot make the output folder /dev/null"),
    refused(["compare", "more"], "mininet compare: unrecognized arguments: more"),
    refused(["evaluate", "--weights", "nowhere.npz", "--dataset", "cifar10"], "there is no file 'nowhere.npz'"),
    refused(["train", "--weights", "nowhere.npz", "--dataset", "cifar10"], "there is no file 'nowhere.npz'"),
    refused(["train", "--dataset", "cifar10", "--data", "/nowhere"], "mininet: CIFAR-10 is not there"),
    refused(["train", "--data", "/nowhere"], "--data says nothing without --dataset cifar10"),
    refused(["train", "--arithmetic", "float"], "--arithmetic says nothing without --gamma"),
    refused(["train", "--prefix", "module."], "--prefix says nothing without --weights"),
    refused(["train", "--backprop", "stored"], "--backprop says nothing without --gamma"),
    refused(["train", "--learned-velocity"], "--learned-velocity says nothing without --gamma"),
    refused(["train", "--network", "transformer", "--dataset", "digits"], "does not go with --dataset digits"),
    refused(["train", "--dataset", "moby_dick"], "does not go with --dataset moby_dick"),
    *(refused(["train", *option], f"mininet: {option[0]} does not go with --network resnet20")
      for option in (["--warmup", "1"], ["--dropout", "0"], ["--blocks", "2"])),
    *(refused(["train", "--network", "transformer", *option], f"mininet: {option[0]} does not go with --network")
      for option in (["--learned-velocity"], ["--weights", __file__], ["--normalization", "imagenet"])),
    refused(["train", "--network", "revnet20", "--gamma", "0.9"], "gamma must be None for revnet20"),
    refused(["train", "--network", "transformer", "--heads", "3"], "heads"),
    refused(["info", "--depth", "3"], "--depth says nothing without --profile"),
    refused(["reproduce", "everything"], "argument experiment"),
    refused(["reproduce", "ode", "--seeds", "3"], "--seeds says nothing to ode; it is for crossing"),
    refused(["reproduce", "all", "--weights", __file__], "--weights says nothing to all; it is for fine_tuning"),
    refused(["reproduce", "ode", "--no-training"], "--no-training says nothing to ode"),
    refused(["write", "Καλέστε με"], "text must be of the 89 characters"),
    refused(["write", "--top-k", "90"], "argument --top-k"),
    refused(["grade", "mine.py", "--chapter", "11"], "argument --chapter: chapter 11 has no promises; 02,"),
    refused(["grade", "mine.py", "--chapter", "05", "--exact"], "--exact does not go with --chapter"),
    refused(["grade", "--template", "other.py", "--exact"], "--exact does not go with --template"),
    refused(["grade"], "--template"),
    refused(["grade", "mine.py", "--template", "other.py"], "--template"),
    refused(["grade", "/nowhere/mine.py"], "mininet: cannot read /nowhere/mine.py"),
    refused(["grade", "--template", "/nowhere/mine.py"], "mininet: cannot write /nowhere/mine.py"),
]  # fmt: skip
