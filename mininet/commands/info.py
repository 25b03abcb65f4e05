"""``mininet info``: versions, settings, and where the time goes."""

import argparse

import numba

from .. import get_num_threads
from ..base.terminal import wrapped
from ..experiments import machine, step_profile
from ..version import VERSION
from . import arguments as parse
from .arguments import integer

OF_PROFILE = ("depth", "width", "batch_size", "size", "arithmetic")


def add_options(command):
    """Add the options of `run`."""
    unsaid = argparse.SUPPRESS
    command.add_argument("--profile", action="store_true", help="profile training steps on random images")
    command.add_argument("--depth", type=integer(1, 1000), default=unsaid, help="momentum layers; 10 if not given")
    command.add_argument("--width", type=integer(1, 512), default=unsaid, help="channels; 16 if not given")
    command.add_argument("--batch-size", type=integer(2, 4096), default=unsaid, help="images a step; 64 if not given")
    size = "height and width of the images; 32 if not given"
    command.add_argument("--size", type=integer(1, 512), default=unsaid, help=size)
    arithmetic = "of x and v; exact if not given"
    command.add_argument("--arithmetic", choices=("exact", "float"), default=unsaid, help=arithmetic)


def run(arguments):
    """Show versions and settings; with --profile, where the time of a training step goes, by operation."""
    parse.refuse_without(arguments, "--profile", arguments.profile, *OF_PROFILE)
    if arguments.profile:
        given = {name: value for name, value in vars(arguments).items() if name in OF_PROFILE}
        print(step_profile.table(step_profile.profile_steps(**given)))
        return
    print(wrapped(f"mininet {VERSION} on {machine.in_words(machine.describe())}", rest="  "))
    print(f"threads: {get_num_threads()} (MININET_NUM_THREADS)")
    print(f"JIT: {'off (NUMBA_DISABLE_JIT)' if numba.config.DISABLE_JIT else 'on'}")
