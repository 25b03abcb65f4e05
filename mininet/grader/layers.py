"""The residual functions that implementations are given: small ones, in NumPy, which note what is done with them."""

import weakref

import numpy as np


class Watch:
    """What is noted of the use of some layers.

    Parameters
    ----------
    keeps_points : bool
        Whether the points at which layers are evaluated are kept.

    Attributes
    ----------
    calls : list of (layer, str, ndarray)
        Each evaluation, "value" or "vjp", and where it was.
    dtypes : set of dtype
        Of the arrays that layers were evaluated at.
    most_alive : int
        How many pullbacks were there at once.
    """

    def __init__(self, keeps_points=False):
        self.keeps_points = keeps_points
        self.calls, self.dtypes, self.most_alive = [], set(), 0
        self._alive = weakref.WeakSet()

    def note_evaluation(self, layer, kind, x):
        """To be called at each evaluation."""
        self.dtypes.add(x.dtype)
        if self.keeps_points:
            self.calls.append((layer, kind, x))

    def note_pullback(self, pullback):
        """To be called with each new pullback."""
        self._alive.add(pullback)
        self.most_alive = max(self.most_alive, len(self._alive))

    def points(self, layer, *kinds):
        """Where the layer was evaluated, in order."""
        return [x for each, kind, x in self.calls if each is layer and kind in kinds]


class Pullback:
    """The vector-Jacobian product of one evaluation: of s = dL/df(x), gives dL/dx and a list of dL/dtheta."""

    __slots__ = ("__weakref__", "_function")

    def __init__(self, function):
        self._function = function

    def __call__(self, s):
        """(by_x, by_parameters)."""
        return self._function(np.asarray(s))


class Layer:
    """A residual function f.

    ``f(x)`` is its value, an array like x.  ``f.vjp(x)`` is ``(value, pullback)``, and ``pullback(s)``, with
    s = dL/df(x), is ``(by_x, by_parameters)``: (df/dx)^T s, and a list of (df/dtheta)^T s, an array for each parameter.
    With ``replay=True`` either repeats an earlier evaluation: running statistics stay as they are.

    Attributes
    ----------
    parameters : list of ndarray
    watch : Watch
    moves : int
        How often running statistics have moved.
    """

    def __init__(self, *parameters):
        self.parameters = list(parameters)
        self.watch = Watch()
        self.moves = 0

    def __call__(self, x, replay=False):
        """f(x)."""
        return self._evaluate_noted("value", x, replay)[0]

    def vjp(self, x, replay=False):
        """The value, and the function that pulls gradients back."""
        value, pullback = self._evaluate_noted("vjp", x, replay)
        pullback = Pullback(pullback)
        self.watch.note_pullback(pullback)
        return value, pullback

    def _evaluate_noted(self, kind, x, replay):
        x = np.array(x)  # the caller may overwrite its own
        self.watch.note_evaluation(self, kind, x)
        if not replay:
            self._move_statistics(x)
        return self.evaluate(x)

    def value(self, x):
        """f(x), leaving no trace."""
        return self.evaluate(x)[0]

    def evaluate(self, x):
        """f(x) and its pullback, leaving no trace."""
        raise NotImplementedError

    def moved(self, direction, distance):
        """The same function with other parameters: moved by distance * direction, a list of arrays."""
        return type(self)(*(theta + distance * by for theta, by in zip(self.parameters, direction, strict=True)))

    def _move_statistics(self, x):
        """Nothing to move, as a rule."""


class Scale(Layer):
    """f(x) = a x."""

    def __init__(self, a):
        super().__init__(np.asarray(a, float).reshape(1) if np.isscalar(a) else a)

    def __str__(self):
        return f"{self.parameters[0][0]:g} x" if self.parameters[0][0] else "0"

    def evaluate(self, x):
        """f(x) and its pullback."""
        (a,) = self.parameters
        return a * x, lambda s: (a * s, [np.sum(s * x).reshape(1)])


class Dense(Layer):
    """f(x) = tanh(x W + b), on the last axis; the norm of W, and so the slope of f, is at most 1."""

    def __str__(self):
        return "tanh(x W + b)"

    @classmethod
    def random(cls, features, random, dtype=np.float64):
        """With W and b drawn from a generator."""
        weight = random.standard_normal((features, features))
        weight /= np.linalg.norm(weight, 2)
        return cls(weight.astype(dtype), random.uniform(-1, 1, features).astype(dtype))

    def evaluate(self, x):
        """f(x) and its pullback."""
        weight, bias = self.parameters
        value = np.tanh(x @ weight + bias)

        def pullback(s):
            by_sum = s * (1 - value**2)
            rows = by_sum.reshape(-1, len(bias))
            return by_sum @ weight.T, [x.reshape(-1, len(bias)).T @ rows, rows.sum(axis=0)]

        return value, pullback


class Centred(Layer):
    """f(x) = tanh(w (x - mean of the batch)), which keeps a running mean as batch normalisation does."""

    def __init__(self, w):
        super().__init__(w)
        self.running_mean = np.zeros_like(w)

    def __str__(self):
        return "tanh(w (x - mean of the batch)), with a running mean"

    def evaluate(self, x):
        """f(x) and its pullback."""
        (w,) = self.parameters
        centred = x - x.mean(axis=0)
        value = np.tanh(w * centred)

        def pullback(s):
            by_product = s * (1 - value**2)
            by_centred = w * by_product
            return by_centred - by_centred.mean(axis=0), [np.sum(by_product * centred, axis=0)]

        return value, pullback

    def _move_statistics(self, x):
        self.running_mean = 0.9 * self.running_mean + 0.1 * x.mean(axis=0)
        self.moves += 1


class Stored(Layer):
    """Stands for a layer whose evaluation at `point` was stored: answers with that, whatever x it is given."""

    def __init__(self, layer, point):
        super().__init__(*layer.parameters)
        self._layer, self._stored = layer, layer.evaluate(point)

    def __str__(self):
        return str(self._layer)

    def evaluate(self, x):
        """f and its pullback as they were stored."""
        return self._stored
