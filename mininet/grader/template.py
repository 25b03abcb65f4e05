"""My momentum block.

    v_{n+1} = gamma v_n + (1 - gamma) f_n(x_n)        x_{n+1} = x_n + v_{n+1}         (equation 2 of the paper)

Fill in the functions, and let them be graded, as often as you like:

    mininet grade THIS_FILE

`functions` is the list f_0, ..., f_{N-1}; it may be empty.  With f one of them and x an array,

    f(x)                    is its value, an array of the same shape and dtype;
    f.vjp(x)                is (value, pullback): the value, and a function for the vector-Jacobian product;
    pullback(s)             is (by_x, by_parameters): (df/dx)^T s, and a list of (df/dtheta)^T s, an array for each
                            parameter;
    f(x, replay=True), f.vjp(x, replay=True)
                            are the same, for an evaluation that repeats an earlier one: running statistics, such as
                            those of batch normalisation, then stay as they are.

gamma lies between 0 and 1.  Arrays have any shape and size, a batch of images or nothing at all.  float32 must stay
float32.  Do not overwrite what you are given: x = x - v makes a new array, x -= v does not.
"""

import numpy as np  # noqa: F401


def forward(functions, gamma, x, v):
    """Run all layers.

    x, v : x_0 and v_0
    Returns (x, v): x_N and v_N.
    """
    ...  # your code


def invert(functions, gamma, x, v):
    """Run back.

    x, v : x_N and v_N
    Returns (x, v): x_0 and v_0.
    """
    ...  # your code: the last layer is undone first


def backward(functions, gamma, x, v, dx):
    """Backpropagate, with nothing stored: undo a layer, pull the gradient back through it, go on to the next.

    x, v : x_N and v_N
    dx : dL/dx_N; dL/dv_N is 0
    Returns (dx, dv, gradients): dL/dx_0, dL/dv_0, and a list with an entry for each layer, that of f_0 first: a list
    of arrays, dL/dtheta for each parameter of the function.  A function that stands at several layers has an entry for
    each of them.
    """
    ...  # your code


# Exact arithmetic: go on here when the functions above are right.  It is graded from your first line on.
#
# x and v are int64 arrays that count units of 2^-40, below 2^56 in size.  gamma is the fraction num/den of small
# integers, 0 < num < den.  Functions see floats, f(x * 2.0**-40); if x comes back as the same integer, these are the
# same floats.  The rule becomes
#
#     v <- v num/den, keeping in a buffer what that would destroy
#     v <- v + round((1 - num/den) f(x 2^-40) 2^40)
#     x <- x + v
#
# Multiplying by num/den destroys log2(den/num) bits per element and layer.  What you keep must not grow faster, as a
# list of all remainders would.  Integers may be negative, and there may be 1,000 layers: is your buffer large enough?


def forward_exact(functions, num, den, x, v):
    """Run all layers.

    Returns a state: state[0] and state[1] are x_N and v_N; let what you need for the way back follow.
    """
    ...  # your code


def invert_exact(functions, num, den, state):
    """Run back from what forward_exact returned, which you may use up.

    Returns (x, v): x_0 and v_0, every bit as it was.
    """
    ...  # your code


def backward_exact(functions, num, den, state, dx):
    """As `backward`, from what forward_exact returned, which you may use up.

    dx and the gradients are floats (float64).
    Returns (dx, dv, gradients).
    """
    ...  # your code
