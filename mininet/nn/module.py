"""Modules: functions with parameters that can be listed, saved and loaded."""

from collections.abc import Mapping

import numpy as np

from .. import memory
from ..autodiff import Tensor
from ..checks import array as array_of
from ..checks import flag, instance, shown


class Parameter(Tensor):
    """A tensor that is trained: a leaf that requires a gradient unless it is frozen with ``requires_grad = False``."""

    __slots__ = ()
    memory_kind = "parameters"

    def __init__(self, array, requires_grad=True):
        super().__init__(array, requires_grad)


class Module:
    """Base class of layers and networks.

    A subclass calls ``super().__init__()``, assigns parameters, modules and lists of modules to attributes, names its
    untrained arrays with `register_buffer`, and defines ``forward``.  Dotted names follow the attributes, as in
    PyTorch: ``functions.0.weight`` is the parameter ``weight`` of the first module in the list ``functions``.

    Attributes
    ----------
    training : bool
        Whether layers that behave differently in training (batch normalisation, dropout) do so; see `train`, `eval`.
    """

    def __init__(self):
        self.training = True
        self._buffers = []

    def __call__(self, *inputs, **keywords):
        """Compute `forward`."""
        return self.forward(*inputs, **keywords)

    def forward(self, *inputs, **keywords):
        """What the module computes."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def register_buffer(self, name, array):
        """Make `array` an attribute that `state_dict` and `to` know: state that is not trained."""
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"name must be that of an attribute, got {shown(name)}")
        instance("array", array, np.ndarray)
        memory.note(array, "parameters")
        self._buffers.append(name)
        setattr(self, name, array)

    # What is inside

    def named_children(self):
        """(name, module) for the modules directly inside this one."""
        return ((name, value) for name, value in self._members() if isinstance(value, Module))

    def named_modules(self):
        """(dotted name, module) for this module and all below it, each module once."""
        return ((prefix, module) for prefix, module, _ in self._walk())

    def modules(self):
        """This module and all below it, each once."""
        return (module for _, module, _ in self._walk())

    def named_parameters(self):
        """(dotted name, parameter), each parameter once, under the first of its names."""
        seen = set()
        for prefix, _, members in self._walk():
            for name, value in members:
                if isinstance(value, Parameter) and value not in seen:
                    seen.add(value)
                    yield _joined(prefix, name), value

    def parameters(self):
        """All parameters, each once."""
        return (parameter for _, parameter in self.named_parameters())

    def _members(self):
        """(name, value) for the modules and tensors among the attributes and in lists and dicts there: functions.0."""
        members = []
        for name, value in vars(self).items():
            _add(members, name, value)
        return members

    def _walk(self):
        """(dotted name, module, its members) for this module and all below it, each module once."""
        seen, waiting = set(), [("", self)]
        while waiting:
            prefix, module = waiting.pop()
            if module not in seen:
                seen.add(module)
                members = module._members()
                yield prefix, module, members
                children = [(_joined(prefix, name), value) for name, value in members if isinstance(value, Module)]
                waiting.extend(reversed(children))

    def named_buffers(self):
        """(dotted name, array) for the arrays that belong to the state but are not trained."""
        for prefix, module in self.named_modules():
            for name in module._buffers:
                yield _joined(prefix, name), getattr(module, name)

    # State

    def state_dict(self):
        """Copies of all parameters and buffers by dotted name; what several modules share appears once."""
        arrays = {name: parameter.data.copy() for name, parameter in self.named_parameters()}
        arrays.update((name, array.copy()) for name, array in self.named_buffers())
        return arrays

    def load_state_dict(self, state):
        """Copy arrays into the parameters and buffers of the same names.

        Parameters
        ----------
        state : mapping of str to array_like
            Exactly the names of `state_dict`, with the same shapes.  Floats are converted to the dtype of this module.

        Raises
        ------
        ValueError
            Listing every missing, unexpected and misshapen entry; nothing is changed then.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be a mapping of names to arrays, got {type(state).__name__}")
        own = {name: parameter.data for name, parameter in self.named_parameters()} | dict(self.named_buffers())
        given = {name: array_of(f"state[{name!r}]", array) for name, array in state.items()}
        problems = [f"missing {name}" for name in own if name not in given]
        problems += [f"unexpected {name}" for name in given if name not in own]
        for name in own.keys() & given.keys():
            if given[name].shape != own[name].shape:
                problems.append(f"{name} has shape {given[name].shape}, expected {own[name].shape}")
            elif given[name].dtype.kind != "f":
                problems.append(f"{name} has dtype {given[name].dtype}, expected floats")
            elif (
                np.abs(given[name], where=np.isfinite(given[name]), out=np.zeros(given[name].shape)).max(initial=0)
                > np.finfo(own[name].dtype).max
            ):
                problems.append(f"{name} has values beyond {own[name].dtype}")
        if problems:
            raise ValueError("state does not fit: " + "; ".join(sorted(problems)))
        for name, array in own.items():
            array[...] = given[name]

    # Switches

    def train(self, mode=True):
        """Switch this module and all below it to training; returns it."""
        mode = flag("mode", mode)
        for module in self.modules():
            module.training = mode
        return self

    def eval(self):
        """Switch this module and all below it to evaluation; returns it."""
        return self.train(False)

    def zero_grad(self):
        """Drop the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, dtype):
        """Convert all parameters and buffers to float32 or float64, dropping gradients; returns the module."""
        try:
            is_float = dtype is not None and np.dtype(dtype) in (np.float32, np.float64)  # None would be float64
        except TypeError:
            is_float = False
        if not is_float:
            raise TypeError(f"dtype must be float32 or float64, got {getattr(dtype, '__name__', shown(dtype))}")
        dtype = np.dtype(dtype)
        self.zero_grad()
        for parameter in self.parameters():
            parameter.data = parameter.data.astype(dtype)
            memory.note(parameter.data, "parameters")
        for module in self.modules():
            for name in module._buffers:
                setattr(module, name, getattr(module, name).astype(dtype))
        return self

    def __repr__(self):
        lines = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        inside = "".join(f"\n  {line}" for line in lines)
        return f"{type(self).__name__}({self.described()}{inside}{chr(10) if inside else ''})"

    def described(self):
        """The settings of this module, for `repr`."""
        return ""


def _add(members, name, value):
    """Add (name, value) to `members`, or what is in `value`."""
    if isinstance(value, (Module, Tensor)):
        members.append((name, value))
    elif isinstance(value, (list, tuple, dict)):
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            _add(members, f"{name}.{key}", entry)


def _joined(prefix, name):
    return f"{prefix}.{name}" if prefix else name
