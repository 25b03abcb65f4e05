"""Looking up rows of a table."""

import numpy as np
from numpy.typing import ArrayLike

from .. import seeding
from ..autodiff import Tensor
from ..autodiff import functional as F
from ..base.checks import integer
from ..base.types import IntegerArray
from .module import Module, Parameter


class Embedding(Module):
    """A trained vector for each of `num_embeddings` integers.

    Parameters
    ----------
    num_embeddings : int
        The integers are those from 0 to num_embeddings - 1.
    embedding_dim : int
        The length of each vector.

    Attributes
    ----------
    weight : Parameter (num_embeddings, embedding_dim)
        Starts normal with deviation 1, as in PyTorch.

    Examples
    --------
    >>> nn.Embedding(10, 3)(np.array([[1, 2], [3, 1]])).shape
    (2, 2, 3)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        shape = integer("num_embeddings", num_embeddings, 1), integer("embedding_dim", embedding_dim, 1)
        random = seeding.generator_for(*seeding.next_draw())
        self.weight = Parameter(random.standard_normal(shape, np.float32))

    def forward(self, indices: IntegerArray | ArrayLike) -> Tensor:
        return F.embedding(indices, self.weight)

    def described(self) -> str:
        return "{}, {}".format(*self.weight.shape)
