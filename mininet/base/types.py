"""Types for annotations everywhere; users find them in `mininet.typing`."""

import os
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.floating[Any]]
"""float32 or float64; like NumPy's own functions, this type often leaves open which."""

IntegerArray: TypeAlias = NDArray[np.integer[Any]]

AnyArray: TypeAlias = NDArray[Any]

PathLike: TypeAlias = str | os.PathLike[str]

Arithmetic: TypeAlias = Literal["exact", "float"]
"""How a network holds x and v."""

Backprop: TypeAlias = Literal["reversible", "stored", "checkpointed"]
"""What a network keeps for the backward pass."""
