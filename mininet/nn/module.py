"""Modules: functions with parameters that can be listed, saved and loaded."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, ParamSpec, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ..autodiff import Tensor
from ..autodiff.tensor import TensorLike
from ..base import instruments
from ..base.checks import array as array_of
from ..base.checks import flag, instance, shown
from ..base.types import AnyArray, FloatArray

P = ParamSpec("P")

Member: TypeAlias = tuple[str, Any]
"""A module or tensor inside a module, after its name."""

FloatDtype: TypeAlias = type[np.float32 | np.float64] | np.dtype[np.floating[Any]] | Literal["float32", "float64"]


class Parameter(Tensor):
    """A tensor to train: a leaf that requires a gradient unless it is frozen with ``requires_grad = False``.

    Parameters
    ----------
    array : array_like
        As for `Tensor`.
    requires_grad : bool
        False freezes it.

    Examples
    --------
    >>> nn.Parameter([1.0, 2.0]).requires_grad
    True
    """

    __slots__ = ()
    memory_kind = "parameters"

    def __init__(self, array: TensorLike, requires_grad: bool = True) -> None:
        super().__init__(array, requires_grad)


class _Computes(Protocol[P]):
    def forward(self, *inputs: P.args, **keywords: P.kwargs) -> Tensor: ...


class Misfits(NamedTuple):
    """Names that a state lacks, and that a module lacks."""

    missing: list[str]
    unexpected: list[str]


class Module:
    """Base class of layers and networks.

    A subclass defines ``forward``.  It assigns parameters, modules, and lists or dicts of them to attributes, and calls
    `register_buffer` for arrays that are state but not trained.  Dotted names follow the attributes, as in PyTorch:
    ``functions.0.weight`` is the parameter ``weight`` of the first module in the list ``functions``.

    Attributes
    ----------
    training : bool
        Whether batch normalisation and dropout behave as in training; `train` and `eval` switch it.

    Examples
    --------
    >>> class Twice(nn.Module):
    ...     def forward(self, x):
    ...         return 2 * x
    >>> Twice()(Tensor([1.0, 2.0]))
    Tensor([2., 4.], dtype=float32)
    """

    training = True
    _buffers: tuple[str, ...] = ()

    if TYPE_CHECKING:  # a call takes the arguments of `forward`

        @property
        def __call__(self: "_Computes[P]") -> Callable[P, Tensor]:
            """Compute `forward`."""

    else:

        def __call__(self, /, *inputs, **keywords):
            """Compute `forward`."""
            return self.forward(*inputs, **keywords)

    def forward(self, /, *inputs: Any, **keywords: Any) -> Tensor:
        """Compute the output; a subclass defines this.

        Parameters
        ----------
        inputs, keywords
            What the `forward` of the subclass takes.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def register_buffer(self, name: str, array: FloatArray) -> None:
        """Make an array an attribute that `state_dict` and `to` include: state that is not trained.

        Parameters
        ----------
        name
            Of the attribute, a Python identifier.
        array
            Kept as it is, without a copy.
        """
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"name must be that of an attribute, got {shown(name)}")
        instance("array", array, np.ndarray)
        instruments.note(array, "parameters")
        self._buffers += (name,)
        setattr(self, name, array)

    # What is inside

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """Iterate over (name, module) for the modules directly inside this one."""
        return ((name, value) for name, value in self._members() if isinstance(value, Module))

    def named_modules(self) -> Iterator[tuple[str, "Module"]]:
        """Iterate over (dotted name, module) for this module and all below it, each module once."""
        return ((prefix, module) for prefix, module, _ in self._walk())

    def modules(self) -> Iterator["Module"]:
        """Iterate over this module and all below it, each once."""
        return (module for _, module, _ in self._walk())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Iterate over (dotted name, parameter), each parameter once, under its first name."""
        seen: set[Parameter] = set()
        for prefix, _, members in self._walk():
            for name, value in members:
                if isinstance(value, Parameter) and value not in seen:
                    seen.add(value)
                    yield _joined(prefix, name), value

    def parameters(self) -> Iterator[Parameter]:
        """Iterate over all parameters, each once."""
        return iter(self.contents()[1])

    def contents(self) -> tuple[list["Module"], list[Parameter]]:
        """List this module with all below it, and all parameters, each once."""
        modules: dict[Module, None] = {}
        parameters: dict[Parameter, None] = {}
        waiting = [self]
        while waiting:
            module = waiting.pop()
            if module not in modules:
                modules[module] = None
                children: list[Module] = []
                _sort(vars(module).values(), children, parameters)
                waiting += reversed(children)
        return list(modules), list(parameters)

    def _members(self) -> list[Member]:
        """List (name, value) for modules and tensors that are attributes, or in lists and dicts there: functions.0."""
        members: list[Member] = []
        for name, value in vars(self).items():
            _add(members, name, value)
        return members

    def _walk(self) -> Iterator[tuple[str, "Module", list[Member]]]:
        """Iterate over (dotted name, module, its members), each module once."""
        seen: set[Module] = set()
        waiting: list[tuple[str, Module]] = [("", self)]
        while waiting:
            prefix, module = waiting.pop()
            if module not in seen:
                seen.add(module)
                members = module._members()
                yield prefix, module, members
                children = [(_joined(prefix, name), value) for name, value in members if isinstance(value, Module)]
                waiting.extend(reversed(children))

    def named_buffers(self) -> Iterator[tuple[str, FloatArray]]:
        """Iterate over (dotted name, array) for the arrays that are state but not trained."""
        for prefix, module in self.named_modules():
            for name in module._buffers:
                yield _joined(prefix, name), getattr(module, name)

    # State

    def state_dict(self) -> dict[str, FloatArray]:
        """Copy all parameters and buffers into a dict by dotted name; what several modules share appears once."""
        arrays = {name: parameter.data.copy() for name, parameter in self.named_parameters()}
        arrays.update((name, array.copy()) for name, array in self.named_buffers())
        return arrays

    def load_state_dict(self, state: Mapping[str, ArrayLike], strict: bool = True) -> Misfits:
        """Copy arrays into the parameters and buffers of those names, and return the names that found no partner.

        Parameters
        ----------
        state
            Arrays by name, of the shapes in `state_dict`.  Floats are converted to the dtype of this
            module; buffers of other kinds must have theirs.
        strict
            Whether a name that is missing or unexpected is an error.

        Raises
        ------
        ValueError
            Listing every entry that does not fit; nothing is changed then.

        Examples
        --------
        >>> one, other = nn.Linear(2, 3), nn.Linear(2, 3, bias=False)
        >>> one.load_state_dict(other.state_dict(), strict=False)
        Misfits(missing=['bias'], unexpected=[])
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be a mapping of names to arrays, got {type(state).__name__}")
        own = {name: parameter.data for name, parameter in self.named_parameters()} | dict(self.named_buffers())
        given = {name: array_of(f"state[{name!r}]", array) for name, array in state.items()}
        misfits = Misfits([name for name in own if name not in given], [name for name in given if name not in own])
        problems = [_problem(name, given[name], own[name]) for name in own if name in given]
        if flag("strict", strict):
            problems += [f"{what} {name}" for what, names in misfits._asdict().items() for name in names]
        if any(problems):
            raise ValueError("state does not fit: " + "; ".join(sorted(filter(None, problems))))
        for name in own.keys() & given.keys():
            own[name][...] = given[name]
        return misfits

    # Switches

    def train(self, mode: bool = True) -> Self:
        """Switch this module and all below it to training, and return it.

        Each child's own `train` is called, so a layer that overrides it can stay in evaluation.

        Parameters
        ----------
        mode
            False switches to evaluation, as `eval` does.
        """
        self.training = flag("mode", mode)
        for _, child in self.named_children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Switch this module and all below it to evaluation, and return it."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Drop the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, dtype: FloatDtype) -> Self:
        """Convert all parameters and buffers of floats, drop gradients, and return the module.

        Parameters
        ----------
        dtype
            float32 or float64.
        """
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
            instruments.note(parameter.data, "parameters")
        for module in self.modules():
            for name in module._buffers:
                array = getattr(module, name)
                setattr(module, name, array.astype(dtype) if array.dtype.kind == "f" else array)
        return self

    def __repr__(self) -> str:
        lines = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        inside = "".join(f"\n  {line}" for line in lines)
        return f"{type(self).__name__}({self.described()}{inside}{chr(10) if inside else ''})"

    def described(self) -> str:
        """Describe the settings of this module for `repr`."""
        return ""


def _sort(values: Iterable[object], modules: list[Module], parameters: dict[Parameter, None]) -> None:
    """Put those of `values`, and of lists and dicts among them, that are modules or parameters where they belong."""
    for value in values:
        if isinstance(value, Module):
            modules.append(value)
        elif isinstance(value, Parameter):
            parameters[value] = None
        elif isinstance(value, (list, tuple, dict)):
            _sort(value.values() if isinstance(value, dict) else value, modules, parameters)


def _add(members: list[Member], name: str, value: object) -> None:
    """Add (name, value) to `members`, or else what `value` contains."""
    if isinstance(value, (Module, Tensor)):
        members.append((name, value))
    elif isinstance(value, (list, tuple, dict)):
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            _add(members, f"{name}.{key}", entry)


def _problem(name: str, given: AnyArray, own: AnyArray) -> str:
    """Say why `given` cannot be copied into `own`, if so."""
    if given.shape != own.shape:
        return f"{name} has shape {given.shape}, expected {own.shape}"
    is_float = own.dtype.kind == "f"
    fits = given.dtype.kind == "f" if is_float else given.dtype == own.dtype
    if not fits:
        return f"{name} has dtype {given.dtype}, expected {'floats' if is_float else own.dtype}"
    with np.errstate(over="ignore"):
        overflows = np.isinf(given.astype(own.dtype)) & ~np.isinf(given)
    return f"{name} has values beyond {own.dtype}" if overflows.any() else ""


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
