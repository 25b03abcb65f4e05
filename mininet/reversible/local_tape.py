"""A residual function evaluated on a tape of its own, which ends at the function's inputs."""

from ..autodiff import Tensor, enable_grad
from ..autodiff.tape import OutsideTape, backpropagate, next_number


class Arguments:
    """What residual functions get beside x: extra inputs and keyword arguments.

    Attributes
    ----------
    tensors : list of Tensor
        Those through which gradients flow.
    """

    def __init__(self, inputs, keywords):
        self.inputs, self.keywords = inputs, keywords
        everything = (*inputs, *keywords.values())
        self.tensors = [value for value in everything if isinstance(value, Tensor) and value.requires_grad]

    def as_leaves(self):
        """(inputs, keywords, leaves) with a leaf of the same data in the place of each of `tensors`."""
        leaves = {tensor: Tensor(tensor.data, requires_grad=True) for tensor in self.tensors}

        def replaced(value):
            return leaves.get(value, value) if isinstance(value, Tensor) else value

        inputs = tuple(replaced(value) for value in self.inputs)
        keywords = {name: replaced(value) for name, value in self.keywords.items()}
        return inputs, keywords, [leaves[tensor] for tensor in self.tensors]


class LocalTape:
    """One evaluation of a function, ready to be differentiated; keeps alive what the tape saved and nothing else.

    Parameters
    ----------
    function : callable(x, *inputs, **keywords) -> Tensor
    x : ndarray
    arguments : Arguments
    name : str
        Of the function, for messages.
    """

    def __init__(self, function, x, arguments, name):
        self._name = name
        self._start = next_number()
        x = Tensor(x, requires_grad=True)
        inputs, keywords, leaves = arguments.as_leaves()
        with enable_grad():
            output = function(x, *inputs, **keywords)
        self._x_slot, self._output_slot = x.slot, output.slot
        self._extra_slots = [(tensor.slot, leaf.slot) for tensor, leaf in zip(arguments.tensors, leaves, strict=True)]
        self._output = output.data

    def take_output(self):
        """The function's value, an ndarray; can be had once."""
        output, self._output = self._output, None
        return output

    def pull_back(self, gradient, sums, parameters, keep_tape):
        """Take the vector-Jacobian product with `gradient`.

        Adds the gradients of the extra inputs and parameters to `sums`, a `GradientSums`, and returns that of x, or
        None if the function does not depend on x.

        parameters : set of Slot, the parameters that the function may use
        """
        if self._output_slot is None:
            return None
        try:
            leaves = backpropagate(self._output_slot, gradient, keep_tape, self._start)
        except OutsideTape as error:
            raise captured(self._name, f"the result of {error}") from None
        by_x = leaves.pop(self._x_slot)
        for outer, local in self._extra_slots:
            total = leaves.pop(local)
            if total is not None:
                sums.add(outer, total)
        for slot in list(leaves.slots()):
            if slot not in parameters:
                raise captured(self._name, f"of shape {slot.shape}")
            sums.add(slot, leaves.pop(slot))
        return by_x


def captured(name, what):
    """The error for a function `name` that gets at a tensor, `what`, by itself, so that its gradient would be lost."""
    return RuntimeError(
        f"{name} used a tensor ({what}) that requires a gradient but is neither a parameter of the net nor an input: "
        "pass it as an extra input, net(x, tensor)"
    )
