"""The command line: ``mininet compare | train | evaluate | write | reproduce | grade | info``."""

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from .commands.arguments import Refused
from .version import VERSION

EXAMPLES = """examples:
  mininet compare                  train on digits with stored activations and without
  mininet reproduce crossing       draw a figure of the paper
  mininet grade --template my.py   begin a momentum block of your own
"""
COMMANDS = {
    "compare": "train on digits with stored activations and without, and compare",
    "train": "train a residual or momentum network on images or text",
    "evaluate": "the test accuracy of a network with given weights",
    "write": "continue a text",
    "reproduce": "run an experiment of the paper",
    "grade": "try out your own implementation of a momentum block",
    "info": "show versions and settings, and where the time of a training step goes",
}
"""What each does; the files in `commands` are of these names."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refused(f"{message} (see {self.prog} --help)", by=self.prog)


class _Defaults(argparse.ArgumentDefaultsHelpFormatter):
    """Help that shows defaults, but not that nothing is the default."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        says_nothing = action.default is None or action.default is False
        return action.help if says_nothing else super()._get_help_string(action)


def _parser(named: Sequence[str] = tuple(COMMANDS)) -> tuple[_Parser, dict[str, _Parser]]:
    """Make the parser of all commands, and those of the commands: only the ones that are `named` are imported."""
    about = "Momentum residual neural networks, exactly inverted."
    as_written = argparse.RawDescriptionHelpFormatter
    parser = _Parser(prog="mininet", description=about, epilog=EXAMPLES, formatter_class=as_written)
    parser.add_argument("--version", action="version", version=f"mininet {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, short in COMMANDS.items():
        command = commands.add_parser(name, help=short, formatter_class=_Defaults)
        if name in named:
            module = importlib.import_module(f".commands.{name}", __package__)
            module.add_options(command)
            command.description = module.run.__doc__
            command.set_defaults(run=module.run)
    return parser, commands.choices


def _run(arguments: Sequence[str]) -> int:
    parser, commands = _parser(arguments)
    parsed, unknown = parser.parse_known_args(arguments or ["--help"])
    if unknown:
        commands[parsed.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    return parsed.run(parsed) or 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, 1 if `grade` found a promise broken, 2 if it was refused."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in ("strict", "surrogateescape"):
        sys.stdout.reconfigure(errors="replace")  # no result is lost for a letter that the output does not have
    try:
        try:
            return _run(sys.argv[1:] if arguments is None else arguments)
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
    except Refused as refused:
        print(refused, file=sys.stderr)
    except OSError as error:  # such as a full disk
        print(f"mininet: {f'{error.strerror}: {error.filename}' if error.filename else error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
