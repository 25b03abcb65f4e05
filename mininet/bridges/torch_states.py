"""The momentum rule on tensors of PyTorch, in floats and in integers, forward and back.

`mininet.reversible.momentum`, `mininet.kernels.exact` and `remainders` explain what is here, by the same names.  If the
residual functions compute the same floats, the integers are mininet's.
"""

from __future__ import annotations  # the documentation is built without torch, of which nothing can be asked then

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..kernels.exact import FRACTION_BITS, LARGEST, LIMIT, as_fraction
from ..kernels.remainders import SPILL_BITS, spill_schedule


class FloatState:
    """x and v as floats, `position` and `velocity`; going back divides rounding errors by gamma."""

    def __init__(self, x: Tensor, gamma: float, invertible: bool = True) -> None:
        self.layer, self.gamma, self.dtype = 0, gamma, x.dtype
        self.position = self.held("x", x)
        self.velocity = torch.zeros_like(self.position)

    def held(self, name: str, values: Tensor) -> Tensor:
        """`values`, which errors call `name`, as x and v are held."""
        return values.detach().to(torch.promote_types(values.dtype, torch.float32), copy=True)

    def input(self) -> Tensor:
        """x as floats, in a tensor of its own."""
        return self.position.to(self.dtype, copy=True)

    def step(self, residual: Tensor) -> Tensor:
        """v = gamma v + (1 - gamma) f(x), then x = x + v, which is returned."""
        self.velocity.mul_(self.gamma).add_(residual, alpha=1 - self.gamma)
        self.position.add_(self.velocity)
        self.layer += 1
        return self.input()

    def undo(self, function: Callable[[Tensor], Tensor]) -> None:
        """x = x - v, then v = (v - (1 - gamma) f(x)) / gamma."""
        self.position.sub_(self.velocity)
        self.velocity.sub_(function(self.input()), alpha=1 - self.gamma).div_(self.gamma)
        self.layer -= 1


class ExactState(FloatState):
    """x and v as integers in units of 2^-40, and the remainders of multiplying v by gamma, `packed` and `spilled`."""

    def __init__(self, x: Tensor, gamma: float, invertible: bool = True) -> None:
        super().__init__(x, gamma)
        self.fraction, self._invertible = as_fraction(gamma), invertible
        self.packed = torch.zeros_like(self.position, dtype=torch.float64)  # integers below 2^32
        self.spilled: list[Tensor] = []
        self._scale = float((1 - self.fraction) * 2**FRACTION_BITS)
        self._dtypes: list[torch.dtype] = []  # layer by layer, what v is divided in
        self._reach, self._speed = _largest(self.position), 0.0  # no |x| and, after a step, no |v| is larger

    def held(self, name: str, values: Tensor) -> Tensor:
        """`values`, which errors call `name`, rounded to units as int64."""
        if not (largest := _largest(values)) < float("inf"):
            raise ValueError(f"{name} must be finite in exact arithmetic, got NaN or infinity")
        if largest > LARGEST:
            raise OverflowError(f"{name} must lie within +-{LARGEST:,.0f} in exact arithmetic, got {largest:,.6g}")
        return (values.detach().double() * 2.0**FRACTION_BITS).round_().long()

    def input(self) -> Tensor:
        """The floats nearest to x, via float64."""
        return self.position.double().mul_(2.0**-FRACTION_BITS).to(self.dtype)

    def step(self, residual: Tensor) -> Tensor:
        """v = gamma v + (1 - gamma) f(x), then x = x + v; the remainders take in what gamma v loses."""
        n, d = self.fraction.as_integer_ratio()
        change = _largest(residual) * self._scale
        speed = self._speed if self.layer else _largest(self.velocity)
        if change != change:
            raise FloatingPointError(f"the residual function returned NaN, in layer {self.layer}")
        self._dtypes.append(torch.float64 if max(speed, change) <= 2**50 and n < 2**18 else torch.int64)
        for _ in range(n and spill_schedule(self.fraction).spills_before(self.layer)):
            high = (self.packed * 2.0**-SPILL_BITS).floor_()
            if self._invertible:
                self.spilled.append((self.packed - high * 2**SPILL_BITS).byte())
            self.packed = high
        if n == 0:
            self.velocity.zero_()
        values = torch.empty_like(self.position, dtype=self.dtype)
        arrays = self.position, self.velocity, self.packed, residual, values
        for x, v, b, f, floats in _blocks(*arrays) if change <= LIMIT else ():
            gamma_v = _multiplied(v.to(self._dtypes[-1]), b, n or 1, d)
            x += v.copy_(gamma_v.add_((f.double() * self._scale).round_().to(gamma_v.dtype)))
            floats.copy_(x.double().mul_(2.0**-FRACTION_BITS))
        self._speed = n / d * speed + change + n
        self._reach += self._speed
        if max(self._reach, self._speed) > LIMIT:
            self._reach, self._speed = _largest(self.position), _largest(self.velocity)
        if max(self._reach, self._speed, change) > LIMIT:
            where = f"+-{LARGEST:,.0f}, in layer {self.layer}"
            raise OverflowError(f"x, v or f(x) left the range of exact arithmetic, {where}")
        self.layer += 1
        return values

    def undo(self, function: Callable[[Tensor], Tensor]) -> None:
        """x = x - v, then v = (v - (1 - gamma) f(x)) / gamma, with the bits that the remainders give back."""
        values = torch.empty_like(self.position, dtype=self.dtype)
        for x, v, floats in _blocks(self.position, self.velocity, values):
            floats.copy_(x.sub_(v).double().mul_(2.0**-FRACTION_BITS))
        (n, d), dtype = self.fraction.as_integer_ratio(), self._dtypes.pop()
        for v, b, f in _blocks(self.velocity, self.packed, function(values)):
            gamma_v = v.to(dtype).sub_((f.double() * self._scale).round_().to(dtype))
            v.copy_(_multiplied(gamma_v, b, d, n))
        self.layer -= 1
        for _ in range(spill_schedule(self.fraction).spills_before(self.layer)):
            self.packed.mul_(2**SPILL_BITS).add_(self.spilled.pop())

    def can_be_start(self, velocity: Tensor | None) -> bool:
        """Whether v is `velocity`, or 0 for None, and no remainder is left, as at the start of every run."""
        expected = 0 if velocity is None else self.held("the initial velocity", velocity)
        return not self.packed.any() and not (self.velocity != expected).any()


def _blocks(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Parts of tensors of one shape that a processor's cache holds, in the order of the first one's memory."""
    axes = sorted(range(tensors[0].ndim), key=tensors[0].stride, reverse=True)
    size = 2**18 if tensors[0].is_cpu else max(1, tensors[0].numel())
    return zip(*(tensor.permute(axes).reshape(-1).split(size) for tensor in tensors), strict=True)


def _multiplied(v: Tensor, b: Tensor, factor: int, divisor: int) -> Tensor:
    """Multiply v by factor / divisor in place, with the remainders b."""
    quotient = _divide(v, divisor, torch.empty_like(v))
    carry = v.sub_(quotient, alpha=divisor).add_(b.to(v.dtype), alpha=divisor)  # b divisor + v mod divisor
    rest = _divide(carry, factor, b).to(v.dtype)
    return carry.sub_(rest, alpha=factor).add_(quotient, alpha=factor)  # quotient factor + carry mod factor


def _divide(v: Tensor, by: int, out: Tensor) -> Tensor:
    """Floor division of integers, into `out`; in float64 for |v| up to 2^50 and products with `by` below 2^53."""
    if v.dtype == torch.int64:
        return out.copy_(v.div(by, rounding_mode="floor"))
    # (v + 1/2) / by is off by less than 1/2 / by before it is rounded, so never by an integer
    return torch.add(torch.tensor(0.5 / by, dtype=v.dtype), v, alpha=1 / by, out=out).floor_()


def _largest(values: Tensor) -> float:
    """The largest absolute value, NaN if one is NaN."""
    lowest, highest = (end.item() for end in torch.aminmax(values)) if values.numel() else (0, 0)
    return max(-lowest, highest)
