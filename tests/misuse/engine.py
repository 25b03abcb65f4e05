"""Tensors, the tape and the gradient checker."""

import numpy as np
from misuse.table import INF, NAN, NO_FLAGS, NO_INTEGERS, NO_NUMBERS, case, each, entered, leaf, random, works, zeros
from support import strided

import mininet
from mininet import Tensor, autodiff
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
    *each(Tensor, "array", (None, "text", object(), [None], {}, 1j, zeros(2, dtype=int), zeros(2, dtype=np.float16), zeros(2, dtype=bool), zeros(2, dtype=complex), np.array(["a"]), np.float32([1]).astype(">f4")),
          lambda f, v: f(v), TypeError, "a Tensor holds float32 or float64, got"),
    case(Tensor, "lists of different lengths", lambda f: f([[1.0], [1.0, 2.0]]), ValueError, "array must be an array or lists of equal lengths, got [[1.0], [1.0, 2.0]]"),
    *each(Tensor, "requires_grad", (*NO_FLAGS, np.float64), lambda f, v: f([1.0], v), TypeError, "requires_grad must be True or False, got"),
    works(Tensor, "numbers and lists become float32", lambda f: f([[1, 2], [3, True]]).data, lambda: np.float32([[1, 2], [3, 1]])),
    works(Tensor, "a tensor", lambda f: f(Tensor([1.0])).data, lambda: np.float32([1])),
    works(Tensor, "a strided array is used as it is", lambda f: f(strided(random(2, 3))), lambda: random(2, 3)),
    works(Tensor, "no elements", lambda f: f(zeros(0, 3)), lambda: zeros(0, 3)),
    works(Tensor, "NaN and infinity", lambda f: f([NAN, INF]), lambda: np.float32([NAN, INF])),
    *each(as_tensor, "value", (None, "text", 1j, zeros(2, dtype=int)), lambda f, v: f(v), TypeError, "a Tensor holds float32 or float64, got"),
    works(as_tensor, "a number takes the dtype of another tensor", lambda f: f(2, like=ONES).dtype.name, lambda: "float64"),
    # Attributes and operators
    *each(Tensor, "grad set to", ([0.0] * 3, 0.0, Tensor(ONES), ONES, zeros(2)), lambda f, v: assigned("grad", v), ValueError, "grad must be None or an ndarray of shape (3,) and float32, got"),
    case(Tensor, "grad of a tensor that needs none", lambda f: setattr(f(zeros(3)), "grad", zeros(3)), ValueError, "grad can be set only where requires_grad is True"),
    case(Tensor, "data set to integers", lambda f: assigned("data", zeros(3, dtype=int)), TypeError, "a Tensor holds float32 or float64, got int64"),
    case(Tensor, "data of a computed tensor", lambda f: setattr(computed(), "data", zeros(3)), RuntimeError, "data can be set on leaves only; this tensor was computed: use detach()"),
    case(Tensor, "requires_grad of a computed tensor", lambda f: setattr(computed(), "requires_grad", False), RuntimeError, "requires_grad can be set on leaves only"),
    case(Tensor, "a shape that is set", lambda f: setattr(f(zeros(3)), "shape", (1, 3)), AttributeError, "shape"),
    case(Tensor, "an element that is set", lambda f: f(zeros(3)).__setitem__(0, 1.0), AttributeError, "__setitem__"),
    case(Tensor, "the truth of several elements", lambda f: bool(f(zeros(3))), ValueError, "ambiguous"),
    case(Tensor, "several elements as a number", lambda f: float(f(zeros(3))), ValueError, "size 1"),
    case(Tensor, "the length of a scalar", lambda f: len(f(1.0)), TypeError, "unsized"),
    case(Tensor, "a power of a tensor", lambda f: f(ONES) ** f(ONES), TypeError, "exponent must be a Python number, got Tensor"),
    case(Tensor, "a sum with a text", lambda f: f(ONES) + "1", TypeError, "a Tensor holds float32 or float64, got"),
    case(Tensor, "an array of another dtype on the left", lambda f: zeros(3) - f(ONES), TypeError, "subtract got float32 and float64"),
    case(Tensor, "an integer that no float holds", lambda f: f(ONES) + 10**400, OverflowError, "int too large to convert to float"),
    works(Tensor, "an array on the left", lambda f: ONES - f(ONES), lambda: np.zeros(3)),
    works(Tensor, "division by 0", lambda f: f(np.float32([1.0])) / f(np.float32([INF])), lambda: zeros(1)),
    # Going backward
    case(Tensor.backward, "a tensor that depends on nothing", lambda f: f(Tensor(1.0)), RuntimeError, "backward needs a tensor that requires a gradient"),
    case(Tensor.backward, "no gradient for several elements", lambda f: gradient_of(f), ValueError, "backward needs a gradient for a tensor of shape (3,); only a tensor with one element has the default 1"),
    *each(Tensor.backward, "gradient", (ONES, zeros(2), zeros(1, 3), zeros(), 1.0, [1.0, 1.0, 1.0], zeros(3, dtype=int), "text"), lambda f, v: gradient_of(f, v), ValueError, "gradient must have shape (3,) and dtype float32, got"),
    case(Tensor.backward, "a gradient of lists of different lengths", lambda f: gradient_of(f, [[1.0], [1.0, 2.0]]), ValueError, "gradient must be an array or lists of equal lengths"),
    case(Tensor.backward, "twice", used_up, RuntimeError, "the tape was already used and released at operation 'sum': call backward(keep_tape=True) the first time"),
    works(Tensor.backward, "a strided gradient", lambda f: gradient_of(f, strided(random(3))), lambda: 2 * random(3)),
    works(Tensor.backward, "a tensor as gradient", lambda f: gradient_of(f, Tensor(random(3))), lambda: 2 * random(3)),
    works(Tensor.backward, "a gradient of NaN", lambda f: gradient_of(f, np.float32([NAN, 1, INF])), lambda: np.float32([NAN, 2, INF])),
    *each(gradients, "output", (None, ONES, 1.0), lambda f, v: f(v, ONES, []), TypeError, "output must be a Tensor, got"),
    *each(gradients, "wrt", ([Tensor(ONES)], [None], [ONES]), lambda f, v: f(computed(), zeros(3), v), ValueError, "wrt must be leaves that require a gradient, got"),
    case(gradients, "wrt a computed tensor", lambda f: f(computed(), zeros(3), [computed()]), ValueError, "wrt must be leaves that require a gradient"),
    case(gradients, "a gradient of another shape", lambda f: f(computed(), zeros(2), [leaf(3)]), ValueError, "gradient must have shape (3,) and dtype float32, got (2,) float32"),
    works(gradients, "a leaf that the output does not depend on", lambda f: f(computed(), zeros(3), [leaf(2)])[0] is None, lambda: True),
    # The gradient checker
    *(row for check in (check_gradient, check_jacobian) for row in (
        *each(check, "an input", (zeros(3), [1.0], 1.0, None, zeros(3, dtype=int), Tensor(ONES)), lambda f, v: f(square, v), TypeError, "input 0 must be an ndarray of float64, got"),
        case(check, "no inputs", lambda f: f(square), ValueError, "inputs must be at least one array, got none"),
        *each(check, "function", (None, "square", 3), lambda f, v: f(v, ONES), TypeError, "function must be callable, got"),
        case(check, "a function that returns an array", lambda f: f(lambda x: x.data, ONES), TypeError, "the result of function must be a Tensor, got ndarray"),
        *each(check, "tolerance", (*NO_NUMBERS, -1e-6), lambda f, v: f(square, ONES, tolerance=v), ValueError, "tolerance must be a finite number of at least 0, got"),
        case(check, "a function that gives NaN", lambda f: f(lambda x: x * NAN, ONES), mininet.autodiff.GradientError, "nan"),
        works(check, "no elements", lambda f: f(square, np.zeros((0, 3))) is None, lambda: True),
        works(check, "a strided input", lambda f: f(square, strided(ONES)) is None, lambda: True),
    )),
    *each(check_gradient, "directions", NO_INTEGERS, lambda f, v: f(square, ONES, directions=v), TypeError, "directions must be an integer, got"),
    *each(check_gradient, "directions", (0, -1), lambda f, v: f(square, ONES, directions=v), ValueError, "directions must be at least 1, got"),
    case(check_gradient, "seed = -1", lambda f: f(square, ONES, seed=-1), ValueError, "seed must be at least 0, got -1"),
    *each(check_gradient, "seed", ("0", None, 1.5), lambda f, v: f(square, ONES, seed=v), TypeError, "seed must be an integer, got"),
    # Modes
    *each(replaying, "random_position", (None, 3, (1,), (1, 2, 3), "ab"), lambda f, v: entered(f(v)), TypeError, "position must be a pair (seed, number), as position() gives it, got"),
    case(replaying, "a position below 0", lambda f: entered(f((0, -1))), ValueError, "number must be at least 0 and below 2**64, got -1"),
    works(autodiff.no_grad, "as a decorator, again and again", lambda f: [f()(computed)().requires_grad for _ in range(2)], lambda: [False, False]),
]  # fmt: skip
