"""The momentum residual network in PyTorch, memory-free and exact: `mininet.reversible` once more, on tensors.

    v_{n+1} = gamma v_n + (1 - gamma) f_n(x_n)        x_{n+1} = x_n + v_{n+1}

`mininet.reversible.momentum`, `call` and `replay` explain what is here, by the same names.  The rule itself, and its
inverse, are in `mininet.bridges.torch_states`.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import get_device_states, set_device_states

from ..base.changes import changed
from ..base.checks import flag, instance, number, one_of, shown
from ..kernels.exact import as_fraction
from .torch_states import ExactState, FloatState

CAPTURED = "used a tensor with a gradient that is not an input: pass it, or pass the module that a lambda hides"


class MomentumNet(nn.Module):
    """A residual network with momentum that is trained without stored activations: `mininet.MomentumNet` for PyTorch.

    Arguments are the same, but `backprop` is "reversible" or "stored", and only functions that are modules may have
    parameters.

    Examples
    --------
    >>> net = MomentumNet([nn.Sequential(nn.Linear(8, 8), nn.Tanh()) for _ in range(100)], gamma=0.9)
    >>> net(torch.zeros(4, 8)).sum().backward()
    """

    def __init__(
        self, functions: Iterable[Callable[..., Tensor]], gamma: float = 0.9,
        init_velocity: Callable[[Tensor], Tensor] | None = None, is_residual: bool = True, arithmetic: str = "exact",
        backprop: str = "reversible",
    ) -> None:  # fmt: skip
        super().__init__()
        if not isinstance(functions, Iterable):
            raise ValueError(f"functions must be a sequence of callables, got {shown(functions)}")
        self.functions = nn.ModuleList(_as_module("functions", function) for function in functions)
        self.init_velocity = None if init_velocity is None else _as_module("init_velocity", init_velocity)
        self.gamma, self.is_residual, self.arithmetic, self.backprop = gamma, is_residual, arithmetic, backprop
        self._check_settings()

    def _check_settings(self) -> None:
        flag("is_residual", self.is_residual)
        one_of("arithmetic", self.arithmetic, ("exact", "float"))
        one_of("backprop", self.backprop, ("reversible", "stored"))
        if number("gamma", self.gamma, 0, below=1) == 0 and self.backprop == "reversible":
            raise ValueError("gamma must be above 0 for backprop='reversible', got 0: use backprop='stored'")
        if self.arithmetic == "exact":
            as_fraction(self.gamma)

    def forward(self, x: Tensor, /, *inputs: Any, **keywords: Any) -> Tensor:
        """x_N, from x_0 = x; every residual function gets the inputs and keywords beside x."""
        self._check_settings()
        call = Call(self, x, *inputs, **keywords)
        if torch.is_grad_enabled() and (x.requires_grad or call.sources):
            return _Backpropagation.apply(call, x, *call.sources)
        return call.through(x, invertible=False)[0]


def _as_module(name: str, function: Any) -> nn.Module:
    if not callable(function) or isinstance(function, type):
        raise ValueError(f"{name} must be callable, got {shown(function)}")
    if isinstance(function, nn.Module):
        return function
    module = nn.Module()
    module.forward = function
    return module


class Call:
    """One call of a network.  A function that is evaluated again draws the same random numbers and moves no statistics.

    Where a method takes a list `tapes`, functions are recorded, and (layer, x, f(x)) is put there.
    """

    def __init__(self, net: MomentumNet, x: Tensor, /, *inputs: Any, **keywords: Any) -> None:
        if not isinstance(x, Tensor) or not x.is_floating_point():
            raise TypeError(f"x must be a tensor of floats, got {_shown(x)}")
        self.net, self.functions = copy.copy(net), [*net.functions, net.init_velocity]  # the last one is layer -1
        self._names = [*map("functions[{}]".format, range(len(net.functions))), "init_velocity"]
        tensors = [each for each in (*inputs, *keywords.values()) if isinstance(each, Tensor) and each.requires_grad]
        self._leaves = {id(tensor): tensor.detach().requires_grad_() for tensor in tensors}
        self._inputs = [self._leaves.get(id(value), value) for value in inputs]
        self._keywords = {name: self._leaves.get(id(value), value) for name, value in keywords.items()}
        parameters = [parameter for parameter in net.parameters() if parameter.requires_grad]
        self.sources = list({id(source): source for source in (*tensors, *parameters)}.values())
        self._finds_captured = torch.is_grad_enabled() and not x.requires_grad and not self.sources
        self.modes = [(module, "training", module.training) for module in net.modules()]
        self.modes += [(parameter, "requires_grad", parameter.requires_grad) for parameter in net.parameters()]
        self._random: dict[int, Any] = {}  # by layer, where the random numbers stood at the first evaluation
        kind = x.device.type
        self._autocast = kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind), False

    def through(self, x: Tensor, tapes: list[Any] | None = None, invertible: bool = True) -> tuple[Tensor, Any]:
        """x_N, and the state there."""
        state = (ExactState if self.net.arithmetic == "exact" else FloatState)(x, self.net.gamma, invertible)
        x = state.input()
        if self.net.init_velocity is not None:
            state.velocity.copy_(state.held("the initial velocity", self.value(-1, x, tapes)))
        for layer in range(len(self.net.functions)):
            x = state.step(self.value(layer, x, tapes))
        return x, state

    def back(self, state: Any) -> Iterator[Any]:
        """Run a state back; yields the tape of each layer, and of the initial velocity."""
        tapes: list[Any] = []
        for layer in reversed(range(len(self.net.functions))):
            state.undo(functools.partial(self.value, layer, tapes=tapes))
            yield tapes.pop()
        start = None if self.net.init_velocity is None else self.value(-1, state.input(), tapes)
        if isinstance(state, ExactState) and not state.can_be_start(start):
            raise RuntimeError(
                "running back did not end where the run began: parameters, statistics or inputs were changed since, or "
                "a residual function is not deterministic"
            )
        yield from tapes

    def value(self, layer: int, x: Tensor, tapes: list[Any] | None = None) -> Tensor:
        """f_layer(x), or the initial velocity for layer -1."""
        function, is_first, kind = self.functions[layer], layer not in self._random, x.device.type
        inputs, keywords = ((), {}) if layer < 0 else (self._inputs, self._keywords)
        buffers = {} if is_first else {name: buffer.clone() for name, buffer in function.named_buffers()}
        random = torch.random.fork_rng([] if x.is_cpu else [x.device], not is_first, device_type=kind)
        records = tapes is not None or self._finds_captured
        with random, torch.autocast(*self._autocast), torch.set_grad_enabled(records):
            if is_first:
                now = torch.get_rng_state(), *get_device_states(x)
                last = next(reversed(self._random.values()), now)  # kept once for functions that draw nothing
                is_last = all(map(torch.equal, (now[0], *now[2]), (last[0], *last[2])))
                self._random[layer] = last if is_last else now
            else:
                torch.set_rng_state(self._random[layer][0])
                set_device_states(*self._random[layer][1:], device_type=kind)
            leaf = x.detach().requires_grad_(tapes is not None)
            output = torch.func.functional_call(function, buffers, (leaf, *inputs), keywords)
            if not isinstance(output, Tensor) or output.shape != x.shape or not output.is_floating_point():
                what = f"floats of shape {tuple(x.shape)}, got {_shown(output)}"
                raise ValueError(f"{self._names[layer]} must return {what}")
            output = output if self.net.is_residual or layer < 0 else output - leaf
        if tapes is not None:
            tapes.append((layer, leaf, output))
        elif self._finds_captured and output.requires_grad:
            raise RuntimeError(f"{self._names[layer]} {CAPTURED}")
        return output.detach()

    def pull_back(self, tape: Any, gradient: Tensor, sums: dict[int, Tensor], keep_tape: bool) -> Tensor:
        """(df/dx)^T dL/df, for dL/df = `gradient`; adds the gradients of sources to `sums`, by their id."""
        layer, x, output = tape
        parameters = [parameter for parameter in self.functions[layer].parameters() if parameter.requires_grad]
        names, leaves = [*self._leaves, *map(id, parameters)], [x, *self._leaves.values(), *parameters]
        known, seen, waiting = set(map(id, leaves)), {None}, {output.grad_fn} - {None}
        while waiting:
            seen.add(node := waiting.pop())
            if id(getattr(node, "variable", x)) not in known:
                raise RuntimeError(f"{self._names[layer]} {CAPTURED}")
            waiting |= {after for after, _ in node.next_functions} - seen
        if not output.requires_grad:
            return torch.zeros_like(gradient)
        by_x, *found = torch.autograd.grad(output, leaves, gradient.to(output.dtype), keep_tape, allow_unused=True)
        for name, each in zip(names, found, strict=True):
            if each is not None:
                sums[name] = sums[name] + each if name in sums else each
        return torch.zeros_like(gradient) if by_x is None else by_x


def _shown(value: object) -> str:
    return f"a tensor of shape {tuple(value.shape)} and {value.dtype}" if isinstance(value, Tensor) else shown(value)


class _Backpropagation(torch.autograd.Function):
    """A network as one operation.  Parameters are among its inputs, so that hooks on them see their gradients."""

    @staticmethod
    def forward(ctx: Any, call: Call, x: Tensor, *sources: Tensor) -> Tensor:
        tapes: list[Any] | None = [] if call.net.backprop == "stored" else None
        y, state = call.through(x, tapes, invertible=tapes is None)
        ctx.call, ctx.kept = call, state if tapes is None else tapes
        ctx.save_for_backward(*sources)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("create_graph must be False: a MomentumNet cannot be differentiated twice")
        ctx.saved_tensors  # noqa: B018 - raises an error if one was changed in place, or the tape has been dropped
        keep_tape = torch._C._autograd._get_current_graph_task_keep_graph()
        call, kept, ctx.kept = ctx.call, ctx.kept, ctx.kept if keep_tape else None
        if call.net.backprop == "reversible":
            tapes = call.back(copy.deepcopy(kept) if keep_tape else kept)
        else:
            tapes = reversed(kept)
        gamma = float(as_fraction(call.net.gamma)) if call.net.arithmetic == "exact" else call.net.gamma
        p = gradient.to(torch.promote_types(gradient.dtype, torch.float32), copy=True)
        q = torch.zeros_like(p)
        sums: dict[int, Tensor] = {}
        with changed(call.modes):
            for tape in tapes:
                by_value = q  # of the initial velocity
                if tape[0] >= 0:
                    s = p + q
                    q, by_value = gamma * s, (1 - gamma) * s
                p += call.pull_back(tape, by_value, sums, keep_tape)
        return None, p.to(gradient.dtype), *(sums.get(id(source)) for source in call.sources)


def to_momentum(
    model: nn.Module, gamma: float, layers: Iterable[str] | None = None, keep_first_block: bool = True,
    is_residual: bool = False,
) -> nn.Module:  # fmt: skip
    """Make a momentum network of a residual network, sharing its modules: `mininet.models.to_momentum` for PyTorch.

    Parameters
    ----------
    model : torch.nn.Module
        It stays as it is.
    layers : iterable of str, optional
        Stages, ``nn.Sequential`` or ``nn.ModuleList``, such as "encoder.layers"; by default layer1, layer2, ...

    Examples
    --------
    >>> encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), num_layers=10)
    >>> net = to_momentum(encoder, gamma=0.9, layers=["layers"])
    >>> [type(layer).__name__ for layer in net.layers]
    ['TransformerEncoderLayer', 'MomentumNet']
    >>> net(torch.zeros(1, 5, 8)).sum().backward()
    """
    kept = int(flag("keep_first_block", keep_first_block))
    names = [name for name, _ in instance("model", model, nn.Module).named_children()]
    layers = [name for name in names if name[:5] == "layer" and name[5:].isdecimal()] if layers is None else layers
    if isinstance(layers, str) or not layers:
        raise ValueError(f"layers must name stages, got {layers!r}")
    for name in layers:
        model = stage = copy.copy(model)
        for part in name.split("."):
            stage._modules = dict(stage._modules)
            stage._modules[part] = stage = copy.copy(stage._modules.get(part, nn.Module()))
        if not isinstance(stage, nn.Sequential | nn.ModuleList):
            raise ValueError(f"layers must name nn.Sequential or nn.ModuleList modules, got {name!r}")
        blocks = list(stage)
        if any(isinstance(block, MomentumNet) for block in blocks):
            raise ValueError(f"layers must name stages of ordinary blocks, but {name} has been converted already")
        net = MomentumNet(blocks[kept:], gamma, None, is_residual, backprop="reversible" if gamma else "stored")
        stage._modules = {str(place): block for place, block in enumerate([*blocks[:kept], net])}
    return model
