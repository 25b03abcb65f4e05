"""What notebooks call of the experiments."""

import numpy as np
from misuse.table import INF, NAN, NO_FLAGS, NO_INTEGERS, NO_NAMES, NO_NUMBERS, case, each, works, zeros

from mininet import datasets, models
from mininet.experiments import (
    continuous_limit,
    crossing,
    drift,
    fixed_points,
    image_memory,
    image_training,
    learning_to_optimize,
    linear_flow,
    matrix_search,
    nested_rings,
    ode,
    representable,
    rings,
)
from mininet.experiments.sparse_coding import SparseCoding

ONE = np.eye(2)
X0 = np.ones((2, 1))
RANDOM = np.random.default_rng(0)
TASK = SparseCoding.random(3, 5, 0.1, np.random.default_rng(0))
Y = TASK.samples(2, np.random.default_rng(1))
NO_MATRICES = (3.0, None, "matrix", zeros(2), zeros(2, 3), [["a", "b"], ["c", "d"]])
SETTINGS = image_training.Settings(dataset="digits", epochs=1)


def field(x, t):
    return -x


def split(**changes):
    images, labels = zeros(4, 8, 8, 3, dtype=np.uint8), np.array([0, 1, 2, 0])
    images[::2] = 1
    return datasets.Split(images, labels, images, labels)._replace(**changes)


def of_matrices(*functions):
    """What may not stand in the place of a matrix; functions are called with the matrix and epsilon = 1."""
    return [row for f, call in functions for row in (
        *each(f, "matrix", NO_MATRICES, call, ValueError, "matrix must be an array"),
        *each(f, "matrix of", (NAN, INF), lambda f, v, c=call: c(f, np.full((2, 2), v)), ValueError, "matrix must be one matrix (n, n) of finite real numbers"),
        case(f, "an empty matrix", lambda f, c=call: c(f, zeros(0, 0)), ValueError, "matrix must not be empty, got shape (0, 0)"),
        case(f, "two matrices", lambda f, c=call: c(f, zeros(2, 2, 2)), ValueError, "matrix must be one matrix (n, n)"),
        case(f, "a complex matrix", lambda f, c=call: c(f, 1j * ONE), ValueError, "matrix must be one matrix (n, n) of finite real numbers"),
    )]  # fmt: skip


EPSILON = "epsilon must be a finite number"

CASES = [
    # Linear flows
    *each(linear_flow.psi, "epsilon", (*NO_NUMBERS, 0, -1, 1e-4), lambda f, v: f(1.0, v), ValueError, f"{EPSILON} of at least 0.001, got"),
    *each(linear_flow.psi, "theta", ("1", None, object(), [None]), lambda f, v: f(v, 1.0), TypeError, "theta must be numbers, got"),
    works(linear_flow.psi, "no elements", lambda f: f(np.zeros(0), 1.0), lambda: np.zeros(0)),
    *(row for f in (linear_flow.lowest_point, linear_flow.lowest_value) for row in each(f, "epsilon", (*NO_NUMBERS, 0, -1), lambda f, v: f(v), ValueError, f"{EPSILON} above 0, got")),
    *each(linear_flow.preimage, "epsilon", (*NO_NUMBERS, 0, -1), lambda f, v: f(0.5, v), ValueError, EPSILON),
    *each(linear_flow.preimage, "value", (NAN, INF, complex(0, NAN)), lambda f, v: f(v, 1.0), ValueError, "value must be finite, got"),
    *each(linear_flow.exponential, "matrices", NO_MATRICES, lambda f, v: f(v), ValueError, "matrices must be an array (..., n, n) of numbers, got"),
    *each(linear_flow.exponential, "matrices of", (NAN, INF), lambda f, v: f(np.full((2, 2), v)), ValueError, "matrices must be finite, got NaN or infinity"),
    case(linear_flow.exponential, "no matrices", lambda f: f(zeros(0, 2, 2)), ValueError, "matrices must not be empty, got shape (0, 2, 2)"),
    *each(linear_flow.psi_of_matrix, "theta", NO_MATRICES, lambda f, v: f(v, 1.0), ValueError, "theta must be an array (..., n, n) of numbers, got"),
    *each(linear_flow.psi_of_matrix, "epsilon", (0, -1, NAN), lambda f, v: f(ONE, v), ValueError, "epsilon must be above 0, got"),
    works(linear_flow.exponential, "a matrix of integers", lambda f: np.round(f(zeros(2, 2, dtype=int)), 15), lambda: ONE),
    # What can be represented
    *of_matrices((representable.is_representable, lambda f, v: f(v, 1.0)), (representable.is_exponential, lambda f, v: f(v)), (representable.unpaired, lambda f, v: f(v)),
                 (representable.needed_factor, lambda f, v: f(v, 1.0)), (representable.construct, lambda f, v: f(v, 1.0))),
    *each(representable.is_representable, "epsilon", (0, -1, NAN, "1"), lambda f, v: f(ONE, v), ValueError, EPSILON),
    *each(representable.unpaired, "tolerance", (NAN, -1, "0", None), lambda f, v: f(ONE, v), ValueError, "tolerance must be a finite number of at least 0, got"),
    case(representable.construct, "a matrix out of reach", lambda f: f(np.diag([1.0, -5.0]), 1.0), ValueError, "matrix must be representable at epsilon 1.0"),
    case(representable.construct, "a Jordan block", lambda f: f(np.array([[1.0, 1.0], [0.0, 1.0]]), 1.0), ValueError, "matrix must be diagonalisable"),
    *each(matrix_search.draw_all, "count", (*NO_INTEGERS,), lambda f, v: f(v), TypeError, "count must be an integer, got"),
    *each(matrix_search.draw_all, "sizes", ((), 3, None), lambda f, v: f(1, v), ValueError, "sizes must be a sequence of at least one, got"),
    *each(matrix_search.draw_all, "sizes", ((1,), (0,), (-2,)), lambda f, v: f(1, v), ValueError, "size must be at least 2, got"),
    case(matrix_search.draw_all, "a size whose eigenvalues are never apart", lambda f: f(2, (1, 60)[1:]), ValueError, "size must be so small that random matrices have eigenvalues apart, got 60"),
    *each(matrix_search.draw_all, "epsilons", ((0,), (-1.0,), ("1",)), lambda f, v: f(1, epsilons=v), ValueError, f"{EPSILON} above 0, got"),
    *each(matrix_search.search_all, "starts", (0, -1), lambda f, v: f([(ONE, 1.0)], v), ValueError, "starts must be at least 1, got"),
    *each(matrix_search.search_all, "pairs", ([ONE, 1.0], [(ONE,)]), lambda f, v: f(v), ValueError, "pairs must be pairs of a matrix and its epsilon, as draw_all gives them"),
    works(matrix_search.search_all, "no pairs", lambda f: f([]), lambda: []),
    # Differential equations
    *(row for f, call in ((continuous_limit.momentum_net, lambda f, depth: f(field, 1.0, depth)), (continuous_limit.residual_net, lambda f, depth: f(field, depth))) for row in (
        *each(f, "depth", NO_INTEGERS, call, TypeError, "depth must be an integer, got"),
        *each(f, "depth", (0, -1), call, ValueError, "depth must be at least 1, got"),
    )),
    *each(continuous_limit.residual_net, "field", (None, 3, "tanh"), lambda f, v: f(v, 2), TypeError, "field must be callable, got"),
    *each(continuous_limit.momentum_net, "epsilon", (*NO_NUMBERS, 0, -1, 0.5), lambda f, v: f(field, v, 2), ValueError, f"{EPSILON} above 0.5, got"),
    *each(continuous_limit.second_order, "epsilon", (*NO_NUMBERS, 0, -1), lambda f, v: f(field, v), ValueError, f"{EPSILON} above 0, got"),
    *each(continuous_limit.runge_kutta, "steps", (0, -1), lambda f, v: f(lambda x, t: -x, X0, v), ValueError, "steps must be at least 1, got"),
    *each(continuous_limit.runge_kutta, "steps", NO_INTEGERS, lambda f, v: f(lambda x, t: -x, X0, v), TypeError, "steps must be an integer, got"),
    *each(continuous_limit.reference, "x0", (None, [1.0], 1.0, zeros(2, dtype=int)), lambda f, v: f(field, v), TypeError, "x0 must be an ndarray of float32 or float64, got"),
    *each(continuous_limit.reference, "epsilon", (0, -1, NAN, "1"), lambda f, v: f(field, X0, v), ValueError, f"{EPSILON} above 0, got"),
    *each(continuous_limit.reference, "steps", (0, 1), lambda f, v: f(field, X0, None, v), ValueError, "steps must be at least 2, got"),
    case(continuous_limit.convergence, "no depths", lambda f: f(None, continuous_limit.reference(field, X0, None, 2), ()), ValueError, "depths must be at least one, got none"),
    *each(ode.first_order_limit, "epsilons", ((0,), (0.1, -1), (NAN,)), lambda f, v: f(field, X0, v), ValueError, "epsilons must be a finite number above 0, got"),
    case(ode.first_order_limit, "no epsilons", lambda f: f(field, X0, ()), ValueError, "epsilons must be at least one, got none"),
    *each(ode.crossings, "path", (None, X0, zeros(2, 2, 2), zeros(0, 2, 1), [[[1.0]]][0]), lambda f, v: f(v), ValueError, "path must be an array (times, points, 1), got"),
    works(ode.crossings, "one point", lambda f: f(zeros(3, 1, 1)), lambda: 0),
    # Drift
    *each(drift.depths_for, "gamma", (*NO_NUMBERS, 0, 1), lambda f, v: f(v), ValueError, "gamma must be a finite number above 0 and below 1, got"),
    *each(drift.depths_for, "largest", (0, -1), lambda f, v: f(0.5, v), ValueError, "largest must be at least 1, got"),
    *each(drift.functions, "depth", NO_INTEGERS, lambda f, v: f(v, 0.5, drift.Settings()), TypeError, "depth must be an integer, got"),
    *each(drift.functions, "settings", (None, {}, 3), lambda f, v: f(1, 0.5, v), TypeError, "settings must be a Settings, got"),
    *each(drift.inputs, "settings", (None, {}, 3), lambda f, v: f(v), TypeError, "settings must be a Settings, got"),
    *each(drift.measure, "kind", NO_NAMES, lambda f, v: f(0.5, v, [1]), ValueError, "kind must be one of float32, float64, exact, got"),
    *each(drift.measure, "depths", ([1.5], ["1"], [None]), lambda f, v: f(0.5, "exact", v), TypeError, "depths must be an integer, got"),
    case(drift.measure, "no depths", lambda f: f(0.5, "exact", []), ValueError, "depths must be at least one, got none"),
    *each(drift.first_wrong, "drift", (None, [], {}), lambda f, v: f(v), TypeError, "drift must be a Drift, got"),
    # Crossing and rings
    *each(crossing.grid, "points", NO_INTEGERS, lambda f, v: f(v), TypeError, "points must be an integer, got"),
    *each(crossing.grid, "points", (0, -1), lambda f, v: f(v), ValueError, "points must be at least 1, got"),
    *each(crossing.compare, "seeds", (0, -1), lambda f, v: f(v), ValueError, "seeds must be at least 1, got"),
    *each(crossing.compare, "steps", (1.5, "9", None), lambda f, v: f(1, v), TypeError, "steps must be an integer, got"),
    *(row for f in (crossing.draw, crossing.table) for row in each(f, "outcomes", (None, [], "outcomes"), lambda f, v: f(v), TypeError, "outcomes must be a dict, got")),
    *each(nested_rings.compare, "rings", (0, -1), lambda f, v: f(v, 1), ValueError, "rings must be at least 1, got"),
    *each(nested_rings.compare, "steps", (1.5, "9", None), lambda f, v: f(2, v), TypeError, "steps must be an integer, got"),
    *each(nested_rings.compare, "learning_rates", ([0.1], 0.1, "ResNet"), lambda f, v: f(2, 1, v), TypeError, "learning_rates must be a dict, got"),
    case(nested_rings.compare, "an unknown rival", lambda f: f(2, 1, {"RevNet": (0.1,)}), ValueError, "a rival in learning_rates must be one of ResNet, Momentum ResNet, got 'RevNet'"),
    *each(rings.draw_layers, "results", (None, [], {}), lambda f, v: f(v), TypeError, "results must be a dict by number of rings, with at least one, got"),
    # Learning to optimise
    *each(SparseCoding.random, "measurements", (0, -1), lambda f, v: f(v, 2, 0.1, RANDOM), ValueError, "measurements must be at least 1, got"),
    *each(SparseCoding.random, "atoms", NO_INTEGERS, lambda f, v: f(2, v, 0.1, RANDOM), TypeError, "atoms must be an integer, got"),
    *each(SparseCoding.random, "penalty", (*NO_NUMBERS, -0.1), lambda f, v: f(2, 2, v, RANDOM), ValueError, "penalty must be a finite number of at least 0, got"),
    *each(SparseCoding.random, "random", (None, 0, np.random), lambda f, v: f(2, 2, 0.1, v), TypeError, "random must be a Generator, got"),
    *each(SparseCoding.samples, "count", (1.5, "2", None), lambda f, v: f(TASK, v, RANDOM), TypeError, "count must be an integer, got"),
    works(SparseCoding.samples, "none", lambda f: f(TASK, 0, RANDOM), lambda: zeros(0, 3)),
    *(case(f, "shapes that do not go together", lambda f: f(TASK, zeros(2, 4), Y), ValueError, "z and y must be (n, 5) and (n, 3), got (2, 4) and (2, 3)") for f in (SparseCoding.loss, SparseCoding.duality_gap)),
    *(case(f, "z and y of different lengths", lambda f: f(TASK, zeros(1, 5), Y), ValueError, "z and y must be (n, 5) and (n, 3), got (1, 5) and (2, 3)") for f in (SparseCoding.loss, SparseCoding.duality_gap)),
    case(SparseCoding.solve, "measurements", lambda f: f(TASK, zeros(2, 4)), ValueError, "z and y must be (n, 5) and (n, 3)"),
    *each(SparseCoding.solve, "iterations", (1.5, "9", None), lambda f, v: f(TASK, Y, v), TypeError, "iterations must be an integer, got"),
    *each(learning_to_optimize.losses_by_depth, "settings", (None, {}, 3), lambda f, v: f(v), TypeError, "settings must be a Settings, got"),
    case(learning_to_optimize.losses_by_depth, "no depths", lambda f: f(learning_to_optimize.Settings(depths=())), ValueError, "depths must be at least one, got none"),
    case(learning_to_optimize.losses_by_depth, "no seeds", lambda f: f(learning_to_optimize.Settings(seeds=0)), ValueError, "seeds must be at least 1, got 0"),
    *each(learning_to_optimize.Settings.task, "random", (None, 0), lambda f, v: f(learning_to_optimize.Settings(), v), TypeError, "random must be a Generator, got"),
    *each(fixed_points.stability_limit, "gamma", (*NO_NUMBERS, 1, -0.1), lambda f, v: f(v), ValueError, "gamma must be a finite number of at least 0 and below 1, got"),
    *each(fixed_points.layer_jacobians, "slope", NO_MATRICES, lambda f, v: f(v, 0.5), ValueError, "slope must be an array (..., n, n) of numbers, got"),
    *each(fixed_points.layer_jacobians, "gamma", (1, -0.1, NAN), lambda f, v: f(ONE, v), ValueError, "gamma must be a finite number of at least 0 and below 1, got"),
    *each(fixed_points.spectral_radius, "matrix", (*NO_MATRICES, zeros(2, 2, 2), np.full((2, 2), NAN)), lambda f, v: f(v), ValueError, "matrix must be"),
    *each(fixed_points.radii, "slopes", (1.0, None, [], [[1.0]]), lambda f, v: f(v, 0.5), ValueError, "slopes must be at least one number, got"),
    *each(fixed_points.slope_at, "z", (1.0, None, zeros(2, 2)), lambda f, v: f(v, zeros(3), None), ValueError, "z and y must be arrays (atoms,) and (measurements,), got"),
    *each(fixed_points.come_to_rest, "task", (None, ONE), lambda f, v: f(v, 0.5), TypeError, "task must be a SparseCoding, got"),
    *each(fixed_points.come_to_rest, "depth", (0, -1), lambda f, v: f(TASK, 0.5, v), ValueError, "depth must be at least 1, got"),
    # Images
    *each(image_memory.measure, "method", NO_NAMES, lambda f, v: f(models.resnet20, v, 1, 8), ValueError, "method must be one of"),
    *each(image_memory.measure, "batch_size", (0, -1), lambda f, v: f(models.resnet20, "stored", v, 8), ValueError, "batch_size must be at least 1, got"),
    *each(image_memory.measure, "size", (1.5, "8", None), lambda f, v: f(models.resnet20, "stored", 1, v), TypeError, "size must be an integer, got"),
    *each(image_training.load, "name", NO_NAMES, lambda f, v: f(v), ValueError, "name must be one of digits, cifar10, cifar100, got"),
    *each(image_training.load, "download", NO_FLAGS, lambda f, v: f("cifar10", "nowhere", v), TypeError, "download must be True or False, got"),
    case(image_training.load, "a folder that is not there", lambda f: f("cifar10", "nowhere"), FileNotFoundError, "not found in"),
    *each(image_training.training, "settings", (None, {}, "digits"), lambda f, v: f(v, split()), TypeError, "settings must be a Settings, got"),
    *each(image_training.training, "split", (None, (), "digits"), lambda f, v: f(SETTINGS, v), TypeError, "split must be a Split, got"),
    *(case(image_training.training, f"{name} = {value!r}", lambda f, n=name, v=value: f(image_training.Settings(batch_size=2, **{n: v}), split()), ValueError, message)
      for name, value, message in (
          ("network", "nn", "network must be one of resnet20, resnet32"), ("network", "", "network must be one of"), ("gamma", 2, "gamma must be a number of at least 0 and below 1, got 2"),
          ("gamma", NAN, "gamma must be a number"),
          ("normalization", "mine", "normalization must be one of dataset, imagenet, got 'mine'"), ("learning_rate", NAN, "lr must be a finite number of at least 0, got nan"),
          ("seed", -1, "seed must be at least 0 and below 2**64, got -1"), ("epochs", 0, "epochs must be at least 1, got 0"), ("weights", "weights.pt", "source must be an .npz or .safetensors file"))),
    case(image_training.training, "a RevNet as a momentum network", lambda f: f(image_training.Settings("revnet20", 0.9, batch_size=2), split()), ValueError, "gamma must be None for revnet20, which is reversible already, got 0.9"),
]  # fmt: skip
