"""Tensors, the tape and the gradient checker."""

import numpy as np
from misuse.table import NAN, NO_FLAGS, NO_INTEGERS, NO_NUMBERS, case, each, entered, leaf, works, zeros

import mininet
from mininet import Tensor
from mininet import functional as F
from mininet.autodiff import as_tensor, check_gradient, check_jacobian, gradients, replaying

ONES = np.ones(3)


def square(x):
    return x * x


def assigned(name, value):
    """The attribute of a tensor that was set to a value."""
    tensor = leaf(3)
    setattr(tensor, name, value)
    return getattr(tensor, name)


def computed():
    return leaf(3) * 2


def gradient_of(f, *arguments, **keywords):
    """What `Tensor.backward` leaves in the leaf."""
    x = leaf(3)
    f(x * 2, *arguments, **keywords)
    return x.grad


def used_up(f):
    y = F.sum(F.exp(leaf(3)))
    f(y)
    f(y)


CASES = [
    # Making tensors
    *each(Tensor, "array", lambda f, v: f(v), types=(None, "1.5", object(), [None, 1.0], {}, 1j, zeros(2, dtype=int), zeros(2, dtype=np.float16), zeros(2, dtype=bool), zeros(2, dtype=complex), np.array(["a"]), np.float32([1]).astype(">f4")), says="float32"),
    *each(Tensor, "requires_grad", lambda f, v: f([1.0], v), types=(*NO_FLAGS, np.float64)),
    works(Tensor, "numbers and lists become float32", lambda f: f([[1, 2], [3, True]]).data, lambda: np.float32([[1, 2], [3, 1]])),
    *each(as_tensor, "value", lambda f, v: f(v), types=(None, "1.5", 1j, zeros(2, dtype=int)), says="float32"),
    works(as_tensor, "a number takes the dtype of another tensor", lambda f: f(2, like=ONES).dtype.name, lambda: "float64"),
    # Attributes and operators
    *each(Tensor, "grad set to", lambda f, v: assigned("grad", v), values=([0.0] * 3, 0.0, Tensor(ONES), ONES, zeros(2)), says="grad"),
    case(Tensor, "grad of a tensor that needs none", lambda f: setattr(f(zeros(3)), "grad", zeros(3)), ValueError, "grad"),
    case(Tensor, "data set to integers", lambda f: assigned("data", zeros(3, dtype=int)), TypeError, "float32"),
    case(Tensor, "requires_grad of a computed tensor", lambda f: setattr(computed(), "requires_grad", False), RuntimeError, "requires_grad"),
    case(Tensor, "a power that is no number", lambda f: f(ONES) ** "2", TypeError, "exponent"),
    case(Tensor, "an array of another dtype on the left", lambda f: zeros(3) - f(ONES), TypeError, "subtract"),
    # Going backward
    case(Tensor.backward, "a tensor that depends on nothing", lambda f: f(Tensor(1.0)), RuntimeError, "backward"),
    case(Tensor.backward, "no gradient for several elements", lambda f: gradient_of(f), ValueError, "backward"),
    *each(Tensor.backward, "gradient", lambda f, v: gradient_of(f, v), values=(ONES, zeros(2), zeros(1, 3), zeros(), 1.0, [1.0, 1.0, 1.0], zeros(3, dtype=int), "text")),
    case(Tensor.backward, "twice", used_up, RuntimeError, "keep_tape"),
    *each(gradients, "output", lambda f, v: f(v, ONES, []), types=(None, ONES, 1.0)),
    *each(gradients, "wrt", lambda f, v: f(computed(), zeros(3), v), values=([Tensor(ONES)], [None], [ONES])),
    works(gradients, "a leaf that the output does not depend on", lambda f: f(computed(), zeros(3), [leaf(2)])[0] is None, lambda: True),
    # The gradient checker
    *(row for check in (check_gradient, check_jacobian) for row in (
        *each(check, "an input", lambda f, v: f(square, v), types=(zeros(3), [1.0], 1.0, None, zeros(3, dtype=int), Tensor(ONES)), says="input 0 must be an ndarray of float64, got"),
        case(check, "no inputs", lambda f: f(square), ValueError, "inputs"),
        *each(check, "function", lambda f, v: f(v, ONES), types=(None, "square", 3)),
        case(check, "a function that returns an array", lambda f: f(lambda x: x.data, ONES), TypeError, "the result of function must be a Tensor, got ndarray"),
        *each(check, "tolerance", lambda f, v: f(square, ONES, tolerance=v), values=(*NO_NUMBERS, -1e-6)),
        case(check, "a function that gives NaN", lambda f: f(lambda x: x * NAN, ONES), mininet.autodiff.GradientError, "nan"),
    )),
    *each(check_gradient, "directions", lambda f, v: f(square, ONES, directions=v), types=NO_INTEGERS, values=(0, -1)),
    *each(check_gradient, "seed", lambda f, v: f(square, ONES, seed=v), types=("0", None, 1.5), values=(-1,)),
    # Modes
    *each(replaying, "random_position", lambda f, v: entered(f(v)), types=(None, 3, (1,), (1, 2, 3), "ab"), says="position"),
]  # fmt: skip
