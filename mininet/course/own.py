"""The course's own pieces: what stands in for a blank that is still open, and a solution of ``mine.py``.

Each section is a chapter's.  A layer is an object `f`.  ``f(x)`` is its value; ``f.vjp(x)`` is the value and a function
``pullback(gradient)`` that returns the gradient by x and a list of those by parameters.
"""

import numpy as np

# %% 02


def tanh_vjp(saved, gradient):
    """The forward function saved its output."""
    (y,) = saved
    return (gradient * (1 - y * y),)


def matmul_vjp(saved, gradient):
    """The forward function saved both of its inputs."""
    a, b = saved
    return gradient @ b.T, a.T @ gradient


def walk_back(records, gradients):
    """Use up the records, last one first, and add each share to `gradients`, {slot: gradient}."""
    while records:
        vjp, saved, inputs, output = records.pop()
        if output not in gradients:
            continue
        shares = vjp(saved, gradients.pop(output))
        for slot, share in zip(inputs, shares, strict=True):
            gradients[slot] = gradients[slot] + share if slot in gradients else share
    return gradients


# %% 04


def stored_backward(functions, x, dx):
    """Go through the chain x -> f(x) with all pullbacks stored; return dL/dx_0 and the layers' gradients."""
    tape = []
    for f in functions:
        x, pullback = f.vjp(x)
        tape.append(pullback)
    gradients = []
    while tape:
        dx, by_parameters = tape.pop()(dx)
        gradients.insert(0, by_parameters)
    return dx, gradients


def checkpointed_backward(functions, x, dx, every):
    """Do it with one x stored for every so many layers."""
    checkpoints = []
    for n, f in enumerate(functions):
        if n % every == 0:
            checkpoints.append((n, x))
        x = f(x)
    gradients = []
    while checkpoints:
        n, x = checkpoints.pop()
        dx, of_segment = stored_backward(functions[n : n + every], x, dx)
        gradients = of_segment + gradients
    return dx, gradients


# %% 05


def forward(functions, gamma, x, v):
    """Run all layers of the momentum rule."""
    for f in functions:
        v = gamma * v + (1 - gamma) * f(x)
        x = x + v
    return x, v


def invert(functions, gamma, x, v):
    """Run back to x_0 and v_0."""
    for f in reversed(functions):
        x = x - v
        v = (v - (1 - gamma) * f(x, replay=True)) / gamma
    return x, v


# %% 06


def multiply(v, b, num, den):
    """Multiply v by num/den; the buffer b keeps what that would destroy."""
    b, v = b * den + v % den, v // den
    v, b = v * num + b % num, b // num
    return v, b


def spill_schedule(num, den, layers):
    """Say before each layer how often 8 bits of each buffer must go, so that none exceeds 32 bits."""
    bound, schedule = 1, []
    for _ in range(layers):
        spills = 0
        while -(-bound * den // num) > 2**32:
            bound = -(-bound // 2**8)
            spills += 1
        schedule.append(spills)
        bound = -(-bound * den // num)
    return schedule


def forward_exact(functions, num, den, x, v):
    """Run all layers in integers; return x, v, the buffers and the stack of spilled bytes."""
    b, stack = np.zeros_like(v), []
    for f, spills in zip(functions, spill_schedule(num, den, len(functions)), strict=True):
        for _ in range(spills):
            stack.append((b % 2**8).astype(np.uint8))
            b = b >> 8
        v, b = multiply(v, b, num, den)
        v = v + np.rint((den - num) / den * f(x * 2.0**-40) * 2.0**40).astype(np.int64)
        x = x + v
    return x, v, b, stack


def invert_exact(functions, num, den, state):
    """Run back, bit for bit."""
    x, v, b, stack = state
    stack = list(stack)
    for f, spills in zip(functions[::-1], spill_schedule(num, den, len(functions))[::-1], strict=True):
        x = x - v
        v = v - np.rint((den - num) / den * f(x * 2.0**-40, replay=True) * 2.0**40).astype(np.int64)
        v, b = multiply(v, b, den, num)
        for _ in range(spills):
            b = (b << 8) + stack.pop()
    return x, v


# %% 07


def backward(functions, gamma, x, v, dx):
    """Backpropagate from x_N and v_N, with nothing stored."""
    p, q, gradients = dx, np.zeros_like(dx), []
    for f in reversed(functions):
        x = x - v
        value, pullback = f.vjp(x, replay=True)
        v = (v - (1 - gamma) * value) / gamma
        s = p + q
        by_x, by_parameters = pullback((1 - gamma) * s)
        p, q = p + by_x, gamma * s
        gradients.insert(0, by_parameters)
        del pullback
    return p, q, gradients


def backward_exact(functions, num, den, state, dx):
    """Backpropagate from what forward_exact returned."""
    x, v, b, stack = state
    stack = list(stack)
    gamma = num / den
    p, q, gradients = dx, np.zeros_like(dx), []
    for f, spills in zip(functions[::-1], spill_schedule(num, den, len(functions))[::-1], strict=True):
        x = x - v
        value, pullback = f.vjp(x * 2.0**-40, replay=True)
        v = v - np.rint((den - num) / den * value * 2.0**40).astype(np.int64)
        v, b = multiply(v, b, den, num)
        for _ in range(spills):
            b = (b << 8) + stack.pop()
        s = p + q
        by_x, by_parameters = pullback((1 - gamma) * s)
        p, q = p + by_x, gamma * s
        gradients.insert(0, by_parameters)
        del pullback
    return p, q, gradients


def training_step(functions, head, num, den, images, labels):
    """Return the loss, its gradient by the head's matrix, and the layers' gradients."""
    x = np.rint(images * 2.0**40).astype(np.int64)
    state = forward_exact(functions, num, den, x, np.zeros_like(x))
    features = state[0] * 2.0**-40
    scores = features @ head
    scores = scores - scores.max(axis=1, keepdims=True)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.log(shares[rows, labels]).mean()
    shares[rows, labels] -= 1
    by_scores = shares / len(labels)
    _, _, gradients = backward_exact(functions, num, den, state, by_scores @ head.T)
    return loss, features.T @ by_scores, gradients
