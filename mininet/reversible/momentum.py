"""The momentum residual network: the paper's subject.

    v_{n+1} = gamma v_n + (1 - gamma) f_n(x_n)        x_{n+1} = x_n + v_{n+1}         (equation 2)

It is run backwards in closed form, so its backward pass needs no stored activations: undo one layer, evaluate f_n once
more on a local tape, take one vector-Jacobian product, drop the tape.
"""

import numbers
from collections.abc import Iterable

from ..autodiff import as_tensor, is_recording
from ..autodiff.tape import GradientSums, Operation
from ..autodiff.tensor import apply
from ..kernels import buffers, exact
from ..kernels.momentum import add, adjoint_step
from ..nn import Module
from ..profiling import measured
from .evaluation import START, Evaluation
from .inversion import measure_inversion
from .local_tape import Arguments
from .states import ExactState, FloatState
from .trajectories import WAYS


class MomentumNet(Module):
    """A residual network with momentum, drop-in for ``x = x + f(x)`` layers, trained without storing activations.

    Parameters
    ----------
    functions : sequence of callables
        The residual functions f_0, ..., f_{N-1}, modules as a rule.  Each maps x to a tensor of the same shape and
        dtype, ``f(x, *inputs, **keywords)``; the same one may stand at several layers.  No layers is the identity.
        The array of x is overwritten after the call: a function that keeps it must copy it.
    gamma : float
        Momentum, at least 0 and below 1; 0 is the plain residual network, for ``backprop="stored"`` only.
    init_velocity : callable, optional
        v_0 = init_velocity(x_0); without it v_0 = 0.
    is_residual : bool
        False if the functions compute the whole map of a residual block, so that f(x) = function(x) - x.
    arithmetic : {"exact", "float"}
        Whether x and v are integers, and the inversion exact to the last bit, or floats.  In exact arithmetic gamma is
        a fraction near it, and x_0, x and v are rounded to multiples of 2^-40 (9.1e-13), up to 2,097,152.
    backprop : {"reversible", "stored", "checkpointed"}
        What is kept for the backward pass: the final state; all activations; the state every sqrt(N) layers.
        Parameters must not change between forward and backward: what is computed again would be something else.  The
        checkpointed way notices, and in exact arithmetic the reversible one; the others cannot.

    Raises
    ------
    ValueError
        For an argument outside what is allowed, naming it.

    Examples
    --------
    >>> net = MomentumNet([nn.Sequential(nn.Linear(8, 8), nn.Tanh()) for _ in range(100)], gamma=0.9)
    >>> y = net(x)
    """

    def __init__(self, functions, gamma=0.9, init_velocity=None, is_residual=True, arithmetic="exact",
                 backprop="reversible"):  # fmt: skip
        super().__init__()
        if callable(functions) or not isinstance(functions, Iterable):
            raise ValueError(f"functions must be a sequence of callables, got {type(functions).__name__}")
        self.functions = list(functions)
        self.init_velocity = init_velocity
        self.is_residual = bool(is_residual)
        self.gamma, self.arithmetic, self.backprop = gamma, arithmetic, backprop
        self._check_settings()

    def _check_settings(self):
        for number, function in enumerate(self.functions):
            if not callable(function):
                raise ValueError(f"functions must be callables, got {type(function).__name__} at {number}")
        if self.init_velocity is not None and not callable(self.init_velocity):
            raise ValueError(f"init_velocity must be None or a callable, got {type(self.init_velocity).__name__}")
        for name, allowed in (("arithmetic", ("exact", "float")), ("backprop", tuple(WAYS))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if not isinstance(self.gamma, numbers.Real) or isinstance(self.gamma, bool) or not 0 <= self.gamma < 1:
            raise ValueError(f"gamma must be a number of at least 0 and below 1, got {self.gamma!r}")
        if self.gamma == 0 and self.backprop != "stored":
            raise ValueError(
                f"gamma must be above 0 for backprop={self.backprop!r}, got 0: a plain residual network "
                "cannot be run back; use backprop='stored'"
            )
        self.gamma = float(self.gamma)
        if self.arithmetic == "exact":
            exact.as_fraction(self.gamma)

    def described(self):
        """The settings of this net, for `repr`."""
        return (
            f"depth={len(self.functions)}, gamma={self.gamma}, is_residual={self.is_residual}, "
            f"arithmetic={self.arithmetic!r}, backprop={self.backprop!r}"
        )

    def forward(self, x, /, *inputs, **keywords):
        """x_N, from x_0 = x.

        Parameters
        ----------
        x : Tensor
        inputs, keywords
            Passed to every residual function; gradients flow to the tensors among them.
        """
        self._check_settings()
        x = as_tensor(x)
        arguments = Arguments(inputs, keywords)
        others = [*arguments.tensors, *(parameter for parameter in self.parameters() if parameter.requires_grad)]
        needs_tape = is_recording() and (x.requires_grad or len(others) > 0)
        evaluation = Evaluation(self, x.data, arguments)
        return apply(_MOMENTUM_NET, x, *others, evaluation=evaluation, way=WAYS[self.backprop] if needs_tape else None,
                     slots=[tensor.slot for tensor in others])  # fmt: skip

    def run(self, x, /, *inputs, **keywords):
        """Run the layers without a tape, and return the final state.

        Returns
        -------
        FloatState or ExactState
            With `position`, `velocity`, and, if exact, `buffer` and `spilled`; `values()` gives x_N and v_N as floats.
        """
        self._check_settings()
        evaluation = Evaluation(self, as_tensor(x).data, Arguments(inputs, keywords))
        state = evaluation.run_through()
        state.replay = evaluation.replay
        return state

    def invert(self, state, /, *inputs, **keywords):
        """Run a state from `run` back to layer 0, overwriting it.

        Parameters
        ----------
        state : FloatState or ExactState
            From `run` with the same inputs and keywords.

        Returns
        -------
        x0, v0 : ndarray
            As floats.  The state itself holds them too; if exact, as integers, with buffers back to 0.
        """
        self._check_settings()
        is_state = isinstance(state, (FloatState, ExactState))
        is_ours = is_state and state.replay is not None and state.replay.net is self
        if not is_ours or state.layer != len(self.functions):
            found = f"one at layer {state.layer}" if is_ours else f"{'another ' * is_state}{type(state).__name__}"
            raise ValueError(
                f"state must come from run of this net and stand at layer {len(self.functions)}, got {found}"
            )
        if self.gamma == 0:
            raise ValueError("gamma must be above 0 to invert, got 0")
        evaluation = Evaluation(self, None, Arguments(inputs, keywords), state.replay)
        for _ in range(evaluation.depth):
            evaluation.undo(state)
        return state.values()

    def check_inversion(self, x, /, *inputs, **keywords):
        """Run forward and back, and report how far x_n and v_n come back from where they were, layer by layer.

        Leaves running statistics and random numbers as they are.  Keeps all x_n and v_n: memory grows with depth.

        Returns
        -------
        InversionReport
        """
        self._check_settings()
        if self.gamma == 0:
            raise ValueError("gamma must be above 0 to invert, got 0")
        return measure_inversion(Evaluation(self, as_tensor(x).data, Arguments(inputs, keywords)))


def _momentum_net(x, *others, evaluation, way, slots):
    """x_N, and what the vjp needs.

    `others`, extra inputs and parameters, are arguments so that the tape has their `slots`; the functions know them.
    """
    if way is None:
        # On record, yet nothing known needs a gradient: whatever turns up was captured
        return evaluation.run_through(invertible=False, expects_no_gradient=is_recording()).kept_value(), None
    trajectory = way(evaluation)
    final, trajectory.final = trajectory.final, None  # belongs to the caller from here on
    return final, (evaluation, trajectory, slots)


def _momentum_net_vjp(saved, gradient, needs, keep_tape):
    """The adjoint of the momentum rule, layer by layer from the last one, with p = dL/dx and q = dL/dv:

        s = p + q      p <- p + (1 - gamma) (df/dx)^T s      dL/dtheta = (1 - gamma) (df/dtheta)^T s      q <- gamma s

    and for v_0 = g(x_0) at last  p <- p + (dg/dx)^T q.
    """  # fmt: skip
    evaluation, trajectory, slots = saved
    sums = GradientSums()
    p = buffers.empty(gradient.shape, gradient.dtype, "gradients")
    p[...] = gradient
    q = buffers.zeros(p.shape, p.dtype, "gradients")
    for layer, tape in trajectory.tapes_backwards(keep_tape):
        with measured("adjoint step"):
            by_output = q if layer == START else adjoint_step(p, q, evaluation.gamma)
        by_x = tape.pull_back(by_output, sums, evaluation.parameters, keep_tape)
        if by_x is not None:
            with measured("adjoint step"):
                add(p, by_x)
        del tape, by_output, by_x  # before the next layer's are made
    return [p, *(sums.pop(slot) for slot in slots)]


_MOMENTUM_NET = Operation("momentum_net", _momentum_net, _momentum_net_vjp, consumes_saved=True)
