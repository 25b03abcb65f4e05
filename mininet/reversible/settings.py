"""What the networks may be given: their settings and the states that they run back, checked where they are used."""

import numbers
from collections.abc import Iterable
from typing import Any

from ..base.checks import flag, one_of, shown
from ..kernels.exact import as_fraction
from .state import State


def functions_of(functions: Iterable[Any]) -> list[Any]:
    """A sequence of functions as a list."""
    if callable(functions) or not isinstance(functions, Iterable):
        raise ValueError(f"functions must be a sequence of callables, got {type(functions).__name__}")
    return list(functions)


def check(net: Any) -> None:
    """Raise ValueError, naming the argument, unless all settings are what they may be; gamma becomes a float."""
    for number, function in enumerate(net.functions):
        if not callable(function) or isinstance(function, type):
            raise ValueError(f"functions must be callables, got {_found(function)} at {number}")
    flag("is_residual", net.is_residual)
    one_of("arithmetic", net.arithmetic, net.ARITHMETICS)
    one_of("backprop", net.backprop, net.BACKPROPS)
    function = net.init_velocity
    if function is not None and (not callable(function) or isinstance(function, type)):
        raise ValueError(f"init_velocity must be None or a callable, got {_found(function)}")
    if hasattr(net, "gamma"):
        _check_gamma(net)


def _check_gamma(net: Any) -> None:
    gamma = net.gamma
    is_number = isinstance(gamma, numbers.Real) and not isinstance(gamma, bool)
    if not (is_number and 0 <= gamma < 1):
        raise ValueError(f"gamma must be a number of at least 0 and below 1, got {shown(gamma)}")
    if gamma == 0 and net.backprop != "stored":
        raise ValueError(
            f"gamma must be above 0 for backprop={net.backprop!r}, got 0: a plain residual network cannot be run back; "
            "use backprop='stored'"
        )
    net.gamma = float(gamma)
    if net.arithmetic == "exact":
        as_fraction(net.gamma)


def require_invertible(net: Any) -> None:
    """Raise ValueError if the network, with its settings, cannot be run back."""
    if getattr(net, "gamma", None) == 0:
        raise ValueError("gamma must be above 0 to invert, got 0")


def _found(function: object) -> str:
    return f"the class {function.__name__}" if isinstance(function, type) else type(function).__name__


def require_end_of_run(net: Any, state: Any) -> None:
    """Raise ValueError unless the state comes from `run` of the network and stands at its end."""
    is_state = isinstance(state, State)
    is_ours = is_state and state.run is not None and state.run.origin is net
    if not is_ours or state.layer != len(net.functions):
        found = f"one at layer {state.layer}" if is_ours else f"{'another ' * is_state}{type(state).__name__}"
        raise ValueError(f"state must come from run of this net and stand at layer {len(net.functions)}, got {found}")


def described(net: Any, names: Iterable[str]) -> str:
    """The depth and the settings of these names, for `repr`."""
    return ", ".join([f"depth={len(net.functions)}", *(f"{name}={getattr(net, name)!r}" for name in names)])
