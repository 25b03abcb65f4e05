"""Public callables that no table speaks of, and why."""

EXCEPTIONS = {
    "said of the base class's subclasses: it raises NotImplementedError": (
        "mininet.optim.Schedule.factor", "mininet.models.resnet._ResNet.stem", "mininet.reversible.protocol.State.step",
        "mininet.reversible.protocol.State.undo_input", "mininet.reversible.protocol.State.undo_rest",
    ),
    "the steps of these are said by undo_position and undo_velocity, which they call": (
        "mininet.reversible.states.MomentumState.undo_input", "mininet.reversible.states.MomentumState.undo_rest",
    ),
    "not looked at by a state that is not exact": ("mininet.reversible.protocol.State.verify_start",),
    "hooks of the engine, called for each array it makes or holds: checks would take longer than they": (
        "mininet.memory.forget", "mininet.memory.forget_owner", "mininet.memory.hold", "mininet.memory.let_go",
        "mininet.profiling.measured", "mininet.profiling.measured_as", "mininet.reversible.protocol.State.copy",
    ),
    "needs a folder of images: tests/datasets/test_image_folder.py": ("mininet.datasets.image_folder.ImageFolder.path",),
    "needs a running notebook: tests/course/test_controls.py": ("mininet.course.explore",),
    "take what grade makes of its argument": ("mininet.grader.promises_for", "mininet.grader.try_promise"),
}  # fmt: skip
