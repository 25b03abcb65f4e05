"""What all layered networks share: residual functions one after the other, and the walk through them and back."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np

from .. import seeding
from ..autodiff import Operation, Tensor, as_tensor, is_recording, replaying
from ..autodiff.tape import GradientSums, Slot
from ..autodiff.tensor import TensorLike, slot_of
from ..base.checks import flag, number, one_of, shown
from ..base.interrupts import interruptible_between_operations
from ..base.types import Arithmetic, Backprop, FloatArray
from ..kernels import momentum
from ..kernels.exact import as_fraction
from ..nn import Module, ModuleList
from .call import WAYS, Call
from .inversion import InversionReport, measure_inversion
from .replay import ResidualFunction
from .state import State

Pull: TypeAlias = Callable[[FloatArray], FloatArray]
"""One layer on the way back: pull(dL/df) is (df/dx)^T dL/df.

It also adds up the parameters' gradients, and drops its tape unless that is to be walked again.
"""

AnyState = TypeVar("AnyState", bound=State)
Values = TypeVar("Values")


class LayeredNet(Module, Generic[AnyState, Values]):
    """Base class of networks that put residual functions one after the other.

    A subclass gives `start`, the state at layer 0, and `adjoint`, by which gradients go back through the layers.

    Attributes
    ----------
    functions : list of callables
    is_residual : bool
        False if the functions compute the whole map of a residual block, so that f(x) = function(x) - x.
    arithmetic, backprop : str
        One of `ARITHMETICS` and one of `BACKPROPS`.
    """

    ARITHMETICS: tuple[str, ...] = ("exact", "float")
    BACKPROPS: tuple[str, ...] = tuple(WAYS)
    SETTINGS: tuple[str, ...] = ("is_residual", "arithmetic", "backprop")
    """Those that `repr` shows."""

    functions: list[Any]
    is_residual: bool
    arithmetic: Arithmetic
    backprop: Backprop
    gamma: float  # where there is momentum
    init_velocity: Callable[[Tensor], Tensor] | None = None

    def __init__(
        self,
        functions: Iterable[ResidualFunction],
        is_residual: bool,
        arithmetic: Arithmetic,
        backprop: Backprop,
        **settings: Any,
    ) -> None:
        if not isinstance(functions, Iterable) or (callable(functions) and not isinstance(functions, ModuleList)):
            raise ValueError(f"functions must be a sequence of callables, got {type(functions).__name__}")
        self.functions = list(functions)
        self.is_residual, self.arithmetic, self.backprop = is_residual, arithmetic, backprop
        vars(self).update(settings)
        self._check_settings()

    def start(self, x: FloatArray, invertible: bool) -> AnyState:
        """The state at layer 0, with v_0 = 0 if there is a velocity.

        Parameters
        ----------
        x
            x_0, of a shape that the functions keep.
        invertible
            Whether the state will be run back, and so must keep what that takes.
        """
        raise NotImplementedError

    def adjoint(self, gradient: FloatArray, pulls: Iterable[Pull]) -> tuple[FloatArray, FloatArray | None]:
        """dL/dx_0, and dL/dv_0 if there is a velocity, from dL/dx_N.

        Parameters
        ----------
        gradient
            dL/dx_N.
        pulls
            One for each layer, the last one first: pull(dL/df_n) is (df_n/dx)^T dL/df_n, and adds up dL/dtheta_n.
        """
        raise NotImplementedError

    @interruptible_between_operations
    def forward(self, x: TensorLike, /, *inputs: Any, **keywords: Any) -> Tensor:
        """x_N, from x_0 = x.

        On the tape the whole network is one operation, whose vector-Jacobian product walks back through the layers.

        Parameters
        ----------
        x : Tensor
            x_0, of a shape that the functions keep.
        inputs, keywords
            Passed to every residual function; gradients flow to the tensors among them.
        """
        self._check_settings()
        x = as_tensor(x)
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        call = Call(self, inputs, keywords, map(slot_of, parameters))
        sources = [*call.functions.tensors, *parameters]
        needs_tape = is_recording() and (x.requires_grad or len(sources) > 0)
        slots = [tensor.slot for tensor in sources]
        operation = Operation(type(self).__name__, _forward, _vjp, consumes_saved=True)
        return operation(x, *sources, call=call, slots=slots, needs_tape=needs_tape)

    @interruptible_between_operations
    def run(self, x: TensorLike, /, *inputs: Any, **keywords: Any) -> AnyState:
        """Run the layers without a tape.

        Returns
        -------
        State
            At the last layer, for `invert`; its `values()` are floats.
        """
        self._check_settings()
        call = Call(self, inputs, keywords)
        state: AnyState = call.through(as_tensor(x).data)
        state.call = call
        return state

    @interruptible_between_operations
    def invert(self, state: AnyState, /, *inputs: Any, **keywords: Any) -> Values:
        """Run back to layer 0.

        Parameters
        ----------
        state
            What `run` returned; it is overwritten.
        inputs, keywords
            Those that `run` got.

        Returns
        -------
        ndarray, or tuple of them
            `state.values()`: x_0, with v_0 if there is a velocity, as floats.

        Raises
        ------
        RuntimeError
            In exact arithmetic, if parameters or inputs have changed since `run`; floats cannot tell.
        """
        for _ in self._walk_back(state, inputs, keywords):
            pass
        values: Values = state.values()
        return values

    @interruptible_between_operations
    def inverse_trajectory(self, state: AnyState, /, *inputs: Any, **keywords: Any) -> FloatArray:
        """Like `invert`, but tells where x passes through on the way back.

        Parameters
        ----------
        state
            What `run` returned; it is overwritten.
        inputs, keywords
            Those that `run` got.

        Returns
        -------
        ndarray (depth + 1, ...)
            In the order of `trajectory`: x_0, where the way back ends, comes first.
        """
        return np.stack([state.output() for _ in self._walk_back(state, inputs, keywords)][::-1])

    def _walk_back(self, state: AnyState, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> Iterator[None]:
        """Undo layer after layer; yields before the first, and after each."""
        self._check_settings()
        depth, is_state, kind = len(self.functions), isinstance(state, State), type(state).__name__
        is_ours = is_state and state.call is not None and state.call.origin is self
        if not is_ours or state.layer != depth:
            found = f"one at layer {state.layer}" if is_ours else f"another {kind}" if is_state else kind
            raise ValueError(f"state must come from run of this net and stand at layer {depth}, got {found}")
        self._require_invertible()
        call = state.call
        call.functions.inputs, call.functions.keywords = inputs, keywords
        yield
        for _ in range(call.depth):
            call.undo(state)
            yield
        call.check_start(state, when="since the run")

    @interruptible_between_operations
    def trajectory(self, x: TensorLike, /, *inputs: Any, **keywords: Any) -> FloatArray:
        """Where x passes through: x_0, ..., x_N, without a tape, leaving running statistics and random numbers alone.

        The velocities of a momentum network are their differences, v_{n+1} = x_{n+1} - x_n.

        Returns
        -------
        ndarray (depth + 1, ...)
        """
        self._check_settings()
        call = Call(self, inputs, keywords)
        with replaying(seeding.position()):
            state = call.start(as_tensor(x).data, invertible=False)
            positions = [state.output()]
            for _ in range(call.depth):
                call.advance(state)
                positions.append(state.output())
        return np.stack(positions)

    @interruptible_between_operations
    def check_inversion(self, x: TensorLike, /, *inputs: Any, **keywords: Any) -> InversionReport:
        """Run forward and back, and report how far every layer's state comes back from where it was.

        Leaves running statistics and random numbers as they are.  Keeps all states: memory grows with depth.
        """
        self._check_settings()
        self._require_invertible()
        return measure_inversion(Call(self, inputs, keywords), as_tensor(x).data)

    def described(self) -> str:
        """The settings of this net, for `repr`."""
        settings = [f"{name}={getattr(self, name)!r}" for name in self.SETTINGS]
        return ", ".join([f"depth={len(self.functions)}", *settings])

    # Settings may be changed, and are checked where they are used

    def _check_settings(self) -> None:
        for layer, function in enumerate(self.functions):
            if not _is_function(function):
                raise ValueError(f"functions must be callables, got {shown(function)} at {layer}")
        flag("is_residual", self.is_residual)
        one_of("arithmetic", self.arithmetic, self.ARITHMETICS)
        one_of("backprop", self.backprop, self.BACKPROPS)
        if self.init_velocity is not None and not _is_function(self.init_velocity):
            raise ValueError(f"init_velocity must be None or a callable, got {shown(self.init_velocity)}")
        if hasattr(self, "gamma"):
            self.gamma = number("gamma", self.gamma, 0, below=1)
            if self.gamma == 0 and self.backprop != "stored":
                raise ValueError(
                    f"gamma must be above 0 for backprop={self.backprop!r}, got 0: a plain residual network cannot be "
                    "run back; use backprop='stored'"
                )
            if self.arithmetic == "exact":
                as_fraction(self.gamma)

    def _require_invertible(self) -> None:
        if getattr(self, "gamma", None) == 0:
            raise ValueError("gamma must be above 0 to invert, got 0")


def _is_function(value: object) -> bool:
    return callable(value) and not isinstance(value, type)


def _forward(x: FloatArray, *sources: FloatArray, call: Call, slots: list[Slot | None], needs_tape: bool) -> Any:
    """x_N, and what the vjp needs.

    `sources`, extra inputs and parameters, are arguments so that the tape has their `slots`; the functions know them.
    """
    if not needs_tape:
        call.functions.detects_captured = is_recording()
        return call.through(x, invertible=False).output(), None
    output, back = WAYS[call.net.backprop](call, x)
    return output, (call, back, slots)


def _vjp(saved: Any, gradient: FloatArray, needs: Sequence[bool], keep_tape: bool) -> list[FloatArray | None]:
    """Walk back through the layers by the network's adjoint, adding up the gradients of parameters and extra inputs."""
    call, back, slots = saved
    sums = GradientSums()
    # generators, so that a layer is undone when `adjoint` asks for its pull, and not before
    pulls = (functools.partial(pull_back, sums=sums) for pull_back in back(keep_tape))
    by_x, by_velocity = call.net.adjoint(gradient, itertools.islice(pulls, call.depth))
    for pull in pulls:  # after the last layer `back` checks where it has ended, and has one more pull if v_0 = g(x_0)
        momentum.add(by_x, pull(by_velocity))
    return [by_x, *(sums.pop(slot) for slot in slots)]
