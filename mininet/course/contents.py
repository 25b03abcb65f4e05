"""The notebooks of the course, in their order."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Chapter:
    """A notebook, and the module in `mininet.course.exercises` that checks its exercises."""

    number: str  # as "01"
    file: str  # its name in ``tutorials/``, without its ending
    title: str
    minutes: int  # that it takes without its exercises
    exercises: str
    about: str  # in a sentence


CHAPTERS = (
    Chapter("01", "01_momentum_resnets_in_ten_minutes", "Momentum ResNets in ten minutes", 10, "ten_minutes",
            "The whole idea: the rule, its inverse, why floats drift, how integers repair it, and the memory saved."),
    Chapter("02", "02_autodiff_from_nothing", "Autodiff from nothing", 30, "autodiff",
            "The chain rule as vector-Jacobian products, a tape in sixty lines, and how gradients are checked."),
    Chapter("03", "03_convolution", "Convolution: from loops to Winograd", 40, "convolution",
            "The definition, loops, a matrix product, and Winograd's method with a quarter of the multiplications."),
    Chapter("04", "04_what_backprop_stores", "What backprop stores, and checkpointing", 25, "storing",
            "Which arrays the backward pass needs, what grows with depth, and how checkpoints trade memory for time."),
    Chapter("05", "05_the_momentum_rule", "The momentum rule, its inverse, and the drift of floats", 40,
            "momentum_rule",
            "From the ResNet to a velocity, the inverse in closed form, and the law by which rounding errors grow."),
    Chapter("06", "06_exact_inversion", "Exact inversion: where the bits go", 45, "exact_inversion",
            "Multiplication of integers that can be undone to the last bit, and the number of bits that it must keep."),
    Chapter("07", "07_backprop_without_activations", "Backprop without activations", 40, "adjoint",
            "The adjoint by hand: undo a layer, evaluate it again, pull back; bit for bit what stored backprop gives."),
    Chapter("08", "08_the_second_order_ode", "The second-order ODE", 30, "second_order",
            "Layers as steps in time: what deep momentum networks become, and which paths may cross."),
    Chapter("09", "09_what_can_be_represented", "What can be represented", 40, "representation",
            "Orders that a flow must keep, rings that it cannot open, and the linear maps within reach."),
    Chapter("10", "10_learning_to_optimise", "Learning to optimise, and why RevNets cannot", 30, "optimisation",
            "Sparse coding by layers that come to rest, and the determinant that forbids this to RevNets."),
    Chapter("11", "11_real_images", "Real images", 30, "images",
            "A residual network for images, converted by one line: what changes, what it saves, what it costs."),
)  # fmt: skip
