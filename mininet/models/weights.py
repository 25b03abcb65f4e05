"""Weights from PyTorch, and back.

PyTorch keeps the channels of images before height and width, and weights as (out, in, kh, kw) and (out, in).  Here
channels come last, and weights are (kh, kw, in, out) and (in, out).  Names agree, so we only transpose a state dict.
Where images are flattened, PyTorch's columns are in the order (c, h, w) and ours in (h, w, c): a `Linear` behind a
`Flatten` is permuted, with the channels of the last convolution or norm before it (or one, if there is none).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from .. import nn
from ..base.checks import array as array_of
from ..base.checks import instance, one_of
from ..base.checks import path as path_of
from ..base.files import written_atomically
from ..base.npz import read_npz, write_npz
from ..base.types import AnyArray, FloatArray, PathLike
from . import safetensors
from .transformer import Transformer

Layout: TypeAlias = Literal["linear", "gpt2"]

_TO_PYTORCH = {nn.Conv2d: (3, 2, 0, 1), nn.Linear: (1, 0)}
"""PyTorch's order of axes for the weights of a layer."""

_COUNTER = ".num_batches_tracked"
"""How the names of the counters end that only PyTorch's batch norms have."""


def pytorch_state_dict(net: nn.Module, layout: Layout | None = None) -> dict[str, FloatArray]:
    """Copy the state of `net`, with the names and in the layout of PyTorch.

    ``torch.from_numpy`` makes tensors of these contiguous arrays for ``load_state_dict`` of a PyTorch network.  What
    modules share is one array under all its names; a `Transformer` has GPT-2's names only.

    Parameters
    ----------
    net
        Anything made of `mininet.nn`; it stays as it is.
    layout
        As for `load_pytorch_state_dict`.

    Examples
    --------
    >>> models.pytorch_state_dict(nn.Linear(8, 3))["weight"].shape
    (3, 8)
    """
    state: dict[str, FloatArray] = {}
    copies: dict[Any, FloatArray] = {}
    for name, entry in _entries(instance("net", net, nn.Module), _layout(net, layout)).items():
        key = entry.what, entry.axes, entry.channels
        if key not in copies:
            copies[key] = np.array(entry.to_pytorch(entry.array), order="C")
        state[name] = copies[key]
    return state


def save_pytorch_state_dict(net: nn.Module, path: PathLike, layout: Layout | None = None) -> None:
    """Write `pytorch_state_dict` to a file, as a whole or not at all.

    Parameters
    ----------
    net
        Anything made of `mininet.nn`.
    path
        Ends in ``.npz``, for ``np.load``, or ``.safetensors``, for ``safetensors.torch.load_file``.
    layout
        As for `load_pytorch_state_dict`.

    Examples
    --------
    >>> models.save_pytorch_state_dict(nn.Linear(8, 3), "linear.npz")
    >>> models.load_pytorch_state_dict(nn.Linear(8, 3), "linear.npz")
    """
    path = path_of("path", path)
    if path.suffix not in (".npz", ".safetensors"):
        raise ValueError(f"path must end in .npz or .safetensors, got {str(path)!r}")
    state: dict[str, Any] = pytorch_state_dict(net, layout)
    with written_atomically(path) as temporary:
        if path.suffix == ".npz":
            write_npz(temporary, state)
        else:
            safetensors.save(state, temporary)


def load_pytorch_state_dict(
    net: nn.Module, source: Mapping[str, Any] | PathLike, prefix: str = "", layout: Layout | None = None
) -> None:
    """Copy a PyTorch state dict into `net`.

    A `Transformer` takes the state dicts of Hugging Face's GPT-2, with or without "transformer." in front of names and
    with or without the output's weights, which are those of the embedding.  Masks are left out.

    Parameters
    ----------
    net : Module
        Of what is shared in it, the state dict may have every name or only some.
    source : mapping or path
        A state dict, which may hold PyTorch's tensors, or the path of an ``.npz`` or ``.safetensors`` file with one.
        Pickled files (``.pt``, ``.pth``) are refused, because loading one runs whatever code it holds: convert them
        where you trust them.
    prefix : str
        What the names in `source` have in front, such as "module."; names without it are left out.
    layout : "linear" or "gpt2", optional
        How the weights of linear layers lie in `source`: (out, in), as PyTorch's own layers have them, or (in, out), as
        GPT-2's.  By default "gpt2" for a `Transformer`, and "linear" for other networks.  Say which: a square matrix
        does not show it.

    Raises
    ------
    ValueError
        Saying what is missing, unexpected and misshapen, or why the file cannot be read; then nothing changes.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> models.load_pytorch_state_dict(nn.Linear(8, 3), {"weight": np.ones((3, 8)), "bias": np.ones(3)})
    >>> parallel = {"module.weight": np.ones((3, 8)), "module.bias": np.ones(3)}
    >>> models.load_pytorch_state_dict(nn.Linear(8, 3), parallel, prefix="module.")
    """
    instance("net", net, nn.Module)
    instance("prefix", prefix, str)
    given = _read(source)
    try:
        kept = {name.removeprefix(prefix): value for name, value in given.items() if name.startswith(prefix)}
        _load(net, _as_gpt2(kept) if isinstance(net, Transformer) else kept, _layout(net, layout))
    except ValueError as error:
        if given is source:
            raise
        raise ValueError(f"{source}: {error}") from None


def _layout(net: nn.Module, layout: Layout | None) -> Layout:
    default: Layout = "gpt2" if isinstance(net, Transformer) else "linear"
    return default if layout is None else one_of("layout", layout, ("linear", "gpt2"))


def _as_gpt2(given: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out prefixes, masks, and the output's weights, which must be those of the embedding."""
    names = {name: name.removeprefix("transformer.") for name in given}
    state = {names[name]: value for name, value in given.items() if not name.endswith((".attn.bias", ".masked_bias"))}
    output = state.pop("lm_head.weight", None)
    if output is not None and "wte.weight" in state:
        output, embedding = _array("lm_head.weight", output), _array("wte.weight", state["wte.weight"])
        if not np.array_equal(output, embedding, equal_nan=True):
            raise ValueError("lm_head.weight differs from wte.weight, with which it is one here")
    return state


def _load(net: nn.Module, given: Mapping[str, Any], layout: Layout) -> None:
    entries = _entries(net, layout)
    first: dict[Any, str] = {}  # the first name of what each entry is
    for name, entry in entries.items():
        first.setdefault(entry.what, name)
    found = {first[entry.what] for name, entry in entries.items() if name in given}
    missing = [name for name in first.values() if name not in found]
    counters = {f"{name}{_COUNTER}" for name, module in _every_name(net) if isinstance(module, nn.BatchNorm2d)}
    unexpected = [f"unexpected {name}" for name in given if name not in entries and name not in counters]
    state: dict[str, AnyArray] = {}
    misshapen = []
    for name, entry in entries.items():
        if name in given:
            array, expected = _array(name, given[name]), entry.to_pytorch(entry.array).shape
            if array.shape != expected:
                misshapen.append(f"{name} has shape {array.shape}, expected {expected}")
                continue
            array = entry.from_pytorch(array)
            if not np.array_equal(state.setdefault(first[entry.what], array), array, equal_nan=True):
                misshapen.append(f"{name} differs from {first[entry.what]}, with which it is one here")
    problems = [*_few([f"missing {name}" for name in missing]), *_few(unexpected), *_few(misshapen)]
    if problems:
        raise ValueError("state dict does not fit: " + "; ".join(problems) + _hint(missing, given))
    net.load_state_dict(state)


def _few(problems: list[str]) -> list[str]:
    return [*problems[:2], f"{len(problems) - 2} more of this kind"] if len(problems) > 3 else problems


def _hint(missing: list[str], given: Mapping[str, Any]) -> str:
    """Name the prefix with which all that is missing would be there."""
    for name in given if missing else ():
        prefix = name.removesuffix(missing[0])
        if prefix != name and all(f"{prefix}{other}" in given for other in missing):
            return f"; what is missing is there with prefix={prefix!r}"
    return ""


class _Entry(NamedTuple):
    """A parameter or buffer under one of its names."""

    what: Any  # the same under each name
    array: AnyArray
    axes: tuple[int, ...] | None  # PyTorch's order
    channels: int | None  # of the images that are flattened before this weight is used

    def to_pytorch(self, array: AnyArray) -> AnyArray:
        array = array if self.axes is None else array.transpose(self.axes)
        return array if self.channels is None else _reordered(array, -1, self.channels)

    def from_pytorch(self, array: AnyArray) -> AnyArray:
        array = array if self.channels is None else _reordered(array, self.channels, -1)
        return array if self.axes is None else array.transpose(np.argsort(self.axes))


def _entries(net: nn.Module, layout: Layout) -> dict[str, _Entry]:
    """Map every name of every parameter and buffer, those of shared ones too, to what it is."""
    entries, flattened = {}, _flattened(net)
    for prefix, module in net.named_modules() if isinstance(net, Transformer) else _every_name(net):
        prefix = prefix and f"{prefix}."
        axes = next((axes for kind, axes in _TO_PYTORCH.items() if isinstance(module, kind)), None)
        if layout == "gpt2" and isinstance(module, nn.Linear):
            axes = None
        for name, value in module._members():
            if isinstance(value, nn.Parameter):
                order = (axes, flattened.get(module)) if name == "weight" else (None, None)
                entries[f"{prefix}{name}"] = _Entry(id(value), value.data, *order)
        for name in module._buffers:
            entries[f"{prefix}{name}"] = _Entry((module, name), getattr(module, name), None, None)
    return entries


def _every_name(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Iterate over (dotted name, module) as PyTorch does: a shared module comes under each of its names."""
    waiting: list[tuple[str, nn.Module, tuple[nn.Module, ...]]] = [("", net, ())]
    while waiting:
        prefix, module, above = waiting.pop()
        yield prefix, module
        above = (*above, module)
        children = [(name, child) for name, child in module.named_children() if child not in above]
        waiting += [(f"{prefix}.{name}" if prefix else name, child, above) for name, child in reversed(children)]


def _flattened(net: nn.Module) -> dict[nn.Module, int]:
    """Map each `Linear` behind a `Flatten` to the channels of the images that are flattened."""
    found: dict[nn.Module, int] = {}
    channels, is_flat = 1, False
    for name, module in net.named_modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
            channels = module.weight.shape[-1]
        elif isinstance(module, nn.Flatten):
            is_flat = True
        elif isinstance(module, nn.Linear) and is_flat:
            is_flat = False
            if module.in_features % channels:
                raise ValueError(f"{name} must read images of {channels} channels, got {module.in_features} features")
            found[module] = channels
    return found


def _reordered(weight: AnyArray, first: int, second: int) -> AnyArray:
    """The columns of (out, in), which count `first` times `second`, with the two exchanged; -1 is what is left."""
    return np.ascontiguousarray(weight.reshape(len(weight), first, second).swapaxes(1, 2).reshape(weight.shape))


def _read(source: Mapping[str, Any] | PathLike) -> Mapping[str, Any]:
    if isinstance(source, Mapping):
        for name in source:
            instance("source", name, str)
        return source
    try:
        path = path_of("source", source)
    except TypeError:
        raise TypeError(f"source must be a mapping or a path, got {type(source).__name__}") from None
    if path.suffix == ".safetensors":
        return safetensors.load(path)
    if path.suffix != ".npz":
        raise ValueError(f"source must be an .npz or .safetensors file, got {str(path)!r}; nothing is unpickled")
    return read_npz(path)


def _array(name: str, value: Any) -> AnyArray:
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # a tensor of PyTorch
        value = value.detach().cpu()
        try:
            value = value.numpy()
        except TypeError:  # NumPy has no bfloat16, nor what is narrower
            value = value.float().numpy()
    array = array_of(name, value)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} must hold numbers, got {array.dtype}")
    return array
