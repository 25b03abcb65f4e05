"""Weights from PyTorch, and back.

PyTorch keeps the channels of images before height and width, and weights as (out, in, kh, kw) and (out, in).  Here
channels come last, and weights are (kh, kw, in, out) and (in, out).  Names agree, so we only transpose a state dict.
Where images are flattened, PyTorch's columns are in the order (c, h, w) and ours in (h, w, c): a `Linear` behind a
`Flatten` is permuted, with the channels of the last convolution or norm before it (or one, if there is none).
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import nn
from ..base.checks import array as array_of
from ..base.checks import instance
from ..base.checks import path as path_of
from ..base.files import written_atomically
from ..base.npz import read_npz
from ..base.types import AnyArray, FloatArray, PathLike
from . import safetensors

_TO_PYTORCH = {nn.Conv2d: (3, 2, 0, 1), nn.Linear: (1, 0)}
"""PyTorch's order of axes for the weights of a layer."""

_COUNTER = ".num_batches_tracked"
"""How the names of the counters end that only PyTorch's batch norms have."""


def pytorch_state_dict(net: nn.Module) -> dict[str, FloatArray]:
    """Copy the state of `net`, with the names and in the layout of PyTorch.

    ``torch.from_numpy`` makes tensors of these contiguous arrays for ``load_state_dict`` of a PyTorch network.

    Examples
    --------
    >>> models.pytorch_state_dict(nn.Linear(8, 3))["weight"].shape
    (3, 8)
    """
    transposed, flattened = _transposed(instance("net", net, nn.Module)), _flattened(net)
    state = {
        name: np.array(array.transpose(transposed[name]) if name in transposed else array, order="C")
        for name, array in net.state_dict().items()
    }
    for name, channels in flattened.items():
        state[name] = _reordered(state[name], -1, channels)
    return state


def save_pytorch_state_dict(net: nn.Module, path: PathLike) -> None:
    """Write `pytorch_state_dict` to a file, as a whole or not at all.

    `path` ends in ``.npz``, for ``np.load``, or ``.safetensors``, for ``safetensors.torch.load_file``.
    """
    path = path_of("path", path)
    if path.suffix not in (".npz", ".safetensors"):
        raise ValueError(f"path must end in .npz or .safetensors, got {str(path)!r}")
    state: dict[str, Any] = pytorch_state_dict(net)
    with written_atomically(path) as temporary:
        if path.suffix == ".npz":
            np.savez(temporary, **state)
        else:
            safetensors.save(state, temporary)


def load_pytorch_state_dict(net: nn.Module, source: Mapping[str, Any] | PathLike) -> None:
    """Copy a PyTorch state dict into `net`.

    `source` is a state dict, which may hold PyTorch's tensors, or the path of an ``.npz`` or ``.safetensors`` file with
    one.  Pickled files (``.pt``, ``.pth``) are refused, because loading one runs whatever code it holds: convert them
    where you trust them.

    Raises
    ------
    ValueError
        Listing every missing, unexpected and misshapen entry, or saying why the file cannot be read; then nothing
        changes.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> models.load_pytorch_state_dict(nn.Linear(8, 3), {"weight": np.ones((3, 8)), "bias": np.ones(3)})
    """
    instance("net", net, nn.Module)
    entries = _entries(source)
    try:
        _load(net, entries)
    except ValueError as error:
        if entries is source:
            raise
        raise ValueError(f"{source}: {error}") from None


def _load(net: nn.Module, entries: Mapping[str, Any]) -> None:
    given = {name: _array(name, value) for name, value in entries.items()}
    expected = pytorch_state_dict(net)
    counters = {f"{name}{_COUNTER}" for name, module in net.named_modules() if isinstance(module, nn.BatchNorm2d)}
    given = {name: array for name, array in given.items() if name not in counters}
    problems = [f"missing {name}" for name in expected if name not in given]
    problems += [f"unexpected {name}" for name in given if name not in expected]
    problems += [
        f"{name} has shape {given[name].shape}, expected {expected[name].shape}"
        for name in expected
        if name in given and given[name].shape != expected[name].shape
    ]
    if problems:
        raise ValueError("state dict does not fit: " + "; ".join(problems))
    transposed = _transposed(net)
    for name, channels in _flattened(net).items():
        given[name] = _reordered(given[name], channels, -1)
    net.load_state_dict(
        {
            name: array.transpose(np.argsort(transposed[name])) if name in transposed else array
            for name, array in given.items()
        }
    )


def _transposed(net: nn.Module) -> dict[str, tuple[int, ...]]:
    """Map the names of weights that PyTorch keeps in another order to that order of axes."""
    return {
        f"{name}.weight" if name else "weight": axes
        for name, module in net.named_modules()
        for kind, axes in _TO_PYTORCH.items()
        if isinstance(module, kind)
    }


def _flattened(net: nn.Module) -> dict[str, int]:
    """Map the names of `Linear` weights behind a `Flatten` to the channels of the images that are flattened."""
    found, channels, is_flat = {}, 1, False
    for name, module in net.named_modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
            channels = module.weight.shape[-1]
        elif isinstance(module, nn.Flatten):
            is_flat = True
        elif isinstance(module, nn.Linear) and is_flat:
            is_flat = False
            if module.in_features % channels:
                raise ValueError(f"{name} must read images of {channels} channels, got {module.in_features} features")
            found[f"{name}.weight"] = channels
    return found


def _reordered(weight: AnyArray, first: int, second: int) -> AnyArray:
    """The columns of (out, in), which count `first` times `second`, with the two exchanged; -1 is what is left."""
    return np.ascontiguousarray(weight.reshape(len(weight), first, second).swapaxes(1, 2).reshape(weight.shape))


def _entries(source: Mapping[str, Any] | PathLike) -> Mapping[str, Any]:
    if isinstance(source, Mapping):
        return source
    try:
        path = pathlib.Path(source)
    except TypeError:
        raise TypeError(f"source must be a mapping or a path, got {type(source).__name__}") from None
    if path.suffix == ".safetensors":
        return safetensors.load(path)
    if path.suffix != ".npz":
        raise ValueError(f"source must be an .npz or .safetensors file, got {str(path)!r}; nothing is unpickled")
    return read_npz(path)


def _array(name: str, value: Any) -> AnyArray:
    array = array_of(name, value)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must hold numbers, got {array.dtype}")
    return array
