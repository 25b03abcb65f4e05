"""The notebooks of the course, in their order."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Chapter:
    """A notebook, and the module in `mininet.course.exercises` that checks its exercises."""

    number: str  # as "01"
    file: str  # its name in ``tutorials/``, without its ending
    title: str
    minutes: int  # that it takes, exercises included
    exercises: str
    about: str  # in a sentence
    is_core: bool = True  # or else a side path, which no other chapter needs
    optional: int = 0  # minutes of exercises that come after the summary

    @property
    def time(self) -> str:
        """As "60 min", or as "10 min, +10 with exercises" if these are optional."""
        return f"{self.minutes - self.optional} min" + f", +{self.optional} with exercises" * (self.optional > 0)


CHAPTERS = (
    Chapter("01", "01_momentum_resnets_in_ten_minutes", "Momentum ResNets in ten minutes", 20, "ten_minutes",
            "What training keeps in memory, the momentum rule, its inverse, the drift of floats, and the exact fix.",
            optional=10),
    Chapter("02", "02_autodiff_from_nothing", "Autodiff from nothing", 75, "autodiff",
            "Vector-Jacobian products, a tape, and how gradients are checked. You write the walk back."),
    Chapter("03", "03_convolution", "Convolution: from loops to Winograd", 50, "convolution",
            "The definition, loops, a matrix product, and Winograd's method with fewer multiplications.", False),
    Chapter("04", "04_what_backprop_stores", "What backprop stores, and checkpointing", 60, "storing",
            "Which arrays the backward pass needs, what grows with depth. You write checkpointing."),
    Chapter("05", "05_the_momentum_rule", "The momentum rule, its inverse, and the drift of floats", 60,
            "momentum_rule",
            "From the ResNet to a velocity, and the law by which floats drift. You write the rule and its inverse."),
    Chapter("06", "06_exact_inversion", "Exact inversion: where the bits go", 90, "exact_inversion",
            "Where 0.9 times an integer loses its bits, and how few to keep. You write the exact network."),
    Chapter("07", "07_backprop_without_activations", "Backprop without activations", 120, "adjoint",
            "Undo a layer, evaluate it again, pull back. You write it in floats and exactly, and train digits on it."),
    Chapter("08", "08_the_second_order_ode", "The second-order ODE", 50, "second_order",
            "Layers as steps in time: what deep momentum networks become, and which paths may cross.", False),
    Chapter("09", "09_what_can_be_represented", "What can be represented", 55, "representation",
            "Orders that a flow must keep, rings that it cannot open, and the linear maps within reach.", False),
    Chapter("10", "10_learning_to_optimise", "Learning to optimise, and why RevNets cannot", 50, "optimisation",
            "Sparse coding by layers that come to rest, and the determinant that forbids this to RevNets.", False),
    Chapter("11", "11_real_images", "Real images", 45, "images",
            "A residual network for images, converted by one line: what it saves, what it costs, where it wins."),
    Chapter("12", "12_a_transformer_that_stores_nothing", "A transformer that stores nothing", 25, "transformer",
            "Attention from nothing, the momentum rule around it, memory that stays flat, and a network that writes."),
)  # fmt: skip
