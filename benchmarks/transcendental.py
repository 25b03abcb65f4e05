"""How far tanh, exp and the sigmoid are off, in units in the last place, at the worst of all float32.

Run it from the root of the repository: ``python -m benchmarks.transcendental``.  It takes some 15 minutes.
"""

import numpy as np

from mininet.kernels import transcendental

EXACT = {"tanh": np.tanh, "exp": np.exp, "sigmoid": lambda x: np.exp(-np.logaddexp(0, -x))}
CHUNK = 2**22


@np.errstate(all="ignore")
def main():
    """Go through all float32 in chunks."""
    worst = dict.fromkeys(EXACT, (0.0, 0.0))
    for start in range(0, 2**32, CHUNK):
        x = np.arange(start, start + CHUNK, dtype=np.uint32).view(np.float32)
        for name, exact in EXACT.items():
            wanted = exact(x.astype(np.float64))
            rounded = wanted.astype(np.float32)
            found = getattr(transcendental, name)(x)
            is_finite = np.isfinite(rounded)
            if not np.array_equal(found[~is_finite], rounded[~is_finite], equal_nan=True):
                raise AssertionError(f"{name} is wrong where it is not finite, at {x[~is_finite]}")
            units = np.where(is_finite, np.abs(found - wanted) / np.spacing(np.abs(rounded)), 0)
            at = units.argmax()
            worst[name] = max(worst[name], (float(units[at]), float(x[at])))
    for name, (units, x) in worst.items():
        print(f"{name:8} {units:.3f} units in the last place, at {x!r}")


if __name__ == "__main__":
    main()
