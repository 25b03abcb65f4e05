from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

def statistics(images: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
def normalized(images: NDArray[np.uint8], mean: ArrayLike, deviation: ArrayLike) -> NDArray[np.float32]: ...
def shifted(
    images: NDArray[np.uint8], random: np.random.Generator, padding: int = 4, flips: bool = True
) -> NDArray[np.uint8]: ...
