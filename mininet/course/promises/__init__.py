"""What the pieces of ``mine.py`` promise, chapter by chapter; those of the momentum block are the grader's."""

from ...grader import PROMISES
from . import autodiff, capstone, inversion, storing

BY_NAME = {
    each.name: each
    for each in (
        *PROMISES, *autodiff.PROMISES, *storing.PROMISES, *inversion.PROMISES, *capstone.PROMISES
    )
}  # fmt: skip

CHAPTER_PROMISES: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "02": [
        (("tanh_vjp",), ("tanh_vjp",)),
        (("matmul_vjp",), ("matmul_vjp",)),
        (("walk_back",), ("walk back", "walk back lets go")),
    ],
    "04": [
        (("stored_backward",), ("stored",)),
        (("checkpointed_backward",), ("checkpointed", "checkpoints are few")),
    ],
    "05": [(("forward",), ("forward", "forward is clean")), (("invert",), ("inversion", "invert is clean"))],
    "06": [
        (("multiply",), ("product", "product undone")),
        (("spill_schedule",), ("spilling",)),
        (("forward_exact", "invert_exact"), ("exact forward", "exact inversion", "side information", "exact is clean")),
    ],
    "07": [
        (
            ("backward",),
            (
                "gradients", "gradient of v_0", "finite differences", "tied functions", "float32", "inputs",
                "running statistics", "twice", "memory",
            ),
        ),
        (
            ("backward_exact",),
            ("exact gradients", "same bits", "exact inputs", "exact statistics", "exact memory"),
        ),
        (("training_step",), ("digits",)),
    ],
}  # fmt: skip
"""For each chapter its pieces: the functions, which are written together, and the names of what they promise."""
