"""What an implementation consists of, how it is loaded, and how its functions are called.

An implementation is a file, a module or any object with some of the functions in `ARGUMENTS`; `template` says what each
of them is given and must return.  `functions` are `mininet.grader.layers.Layer`s.
"""

import contextlib
import copy
import dis
import inspect
import operator
import os
import pathlib
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..base.checks import path as path_of
from ..base.types import AnyArray
from .cases import Case, ExactCase, Example, number, small_cases, small_exact_cases
from .reference import Gradients, Pair

ARGUMENTS = {
    "forward": ("functions", "gamma", "x", "v"),
    "invert": ("functions", "gamma", "x", "v"),
    "backward": ("functions", "gamma", "x", "v", "dx"),
    "forward_exact": ("functions", "num", "den", "x", "v"),
    "invert_exact": ("functions", "num", "den", "state"),
    "backward_exact": ("functions", "num", "den", "state", "dx"),
}
FLOAT, EXACT = tuple(ARGUMENTS)[:3], tuple(ARGUMENTS)[3:]

_PACKAGES = tuple(os.path.dirname(os.path.abspath(module)) + os.sep for module in (__file__, np.__file__))


class CannotLoad(Exception):
    """There is nothing to grade; the message says why."""


class NotWritten(Exception):
    """A function is missing or is still a stub."""


class Broken(Exception):
    """A promise is broken: the smallest example that fails, what came there, and the likely cause or None."""

    def __init__(self, example: object, came: str, cause: str | None = None) -> None:
        super().__init__(f"{example}: {came}")
        self.example, self.came, self.cause = str(example), came, cause


def load(source: Any) -> "Implementation":
    """Load an `Implementation`, or raise `CannotLoad` if it defines no function.

    Parameters
    ----------
    source
        The path of a Python file, a module, a mapping of names to functions, or an object that has them.

    Examples
    --------
    >>> load({"forward": lambda functions, gamma, x, v: (x, v)}).name
    'your functions'
    """
    if isinstance(source, (str, os.PathLike)):
        path = path_of("implementation", source)
        source, name = module_at(path), path.name
    else:
        if isinstance(source, Mapping):
            source = types.SimpleNamespace(**source)
        name = getattr(source, "__name__", "your functions")
    if not any(hasattr(source, each) for each in ARGUMENTS):
        raise CannotLoad(f"{name} defines none of the functions {', '.join(ARGUMENTS)}")
    return Implementation(source, name)


def module_at(path: pathlib.Path, names: Mapping[str, object] | None = None) -> types.ModuleType:
    """Run a file as a module that knows `names` from the beginning, or raise `CannotLoad`."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # Notepad puts a mark in front
    except OSError as error:
        raise CannotLoad(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CannotLoad(f"cannot read {path}: it is not a text in UTF-8") from None
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    module.__dict__.update(names or {})
    sys.path.insert(0, str(path.resolve().parent))  # for modules beside it
    try:
        with _without_warnings():
            exec(compile(text, str(path), "exec", dont_inherit=True), module.__dict__)
    except SyntaxError as error:
        raise CannotLoad(f"{path.name} is not Python: line {error.lineno}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        raise CannotLoad(f"{path.name} cannot be imported: {_in_words(error)}") from None
    finally:
        sys.path.pop(0)
    return module


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Run a learner's code: where it overflows, the result shows it."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}{line_of(error)}"


def line_of(error: BaseException) -> str:
    """Say in brackets in which line of the learner's code an exception was raised, if in any."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_PACKAGES)]
    return f" (line {frames[-1].lineno}: {frames[-1].line})" if frames and frames[-1].line else ""


class Implementation:
    """A learner's functions.  Calls hand them copies and check the form of what they return."""

    def __init__(self, source: Any, name: str) -> None:
        self.source, self.name = source, name

    def has_begun(self, names: Sequence[str]) -> bool:
        """Tell whether one of the functions is more than a stub."""
        for name in names:
            case: Any = (small_exact_cases() if name in EXACT else small_cases())[-1]  # no layers
            state = [(case.x, case.v)] if name in ("invert_exact", "backward_exact") else []
            try:
                getattr(self, name)(case, *state)
            except NotWritten:
                continue
            except Broken:
                pass
            return True
        return False

    # The functions on a case; `call` describes the options

    def forward(self, case: Case, **options: Any) -> Pair:
        """Compute x_N and v_N."""
        return self._pair("forward", case, self.call("forward", case, case.x, case.v, **options))

    def invert(self, case: Case, final: Pair | None = None, **options: Any) -> Pair:
        """Recover x_0 and v_0 from `final`, by default the right x_N and v_N."""
        return self._pair("invert", case, self.call("invert", case, *(final or case.final), **options))

    def backward(self, case: Case, final: Pair | None = None, **options: Any) -> Gradients:
        """Compute (dL/dx_0, dL/dv_0, gradients) from `final`, by default the right x_N and v_N."""
        result = self.call("backward", case, *(final or case.final), case.dx, **options)
        return self._gradients("backward", case, result)

    def forward_exact(self, case: ExactCase, **options: Any) -> Any:
        """Compute the state."""
        state = self.call("forward_exact", case, case.x, case.v, **options)
        try:
            x, v = state[0], state[1]
        except (TypeError, LookupError):
            raise Broken(case, f"forward_exact must return (x, v, ...), came {kind(state)}") from None
        for name, array, like in (("state[0]", x, case.x), ("state[1]", v, case.v)):
            if not isinstance(array, np.ndarray) or array.dtype != np.int64 or array.shape != like.shape:
                raise Broken(case, f"{name} must be an int64 array of shape {like.shape}, came {kind(array)}")
        return state

    def invert_exact(self, case: ExactCase, state: Any, **options: Any) -> Pair:
        """Recover x_0 and v_0."""
        return self._pair("invert_exact", case, self.call("invert_exact", case, state, **options))

    def backward_exact(self, case: ExactCase, state: Any, **options: Any) -> Gradients:
        """Compute (dL/dx_0, dL/dv_0, gradients)."""
        return self._gradients("backward_exact", case, self.call("backward_exact", case, state, case.dx, **options))

    def call(self, name: str, case: Case | ExactCase, *arguments: Any, overwritten: list[str] | None = None) -> Any:
        """Call a function with the case's functions, its gamma or n and d, and copies of the other arguments.

        The names of arguments that it changes are appended to `overwritten`.  Raises what `run` does.
        """
        numbers: Any = (case.n, case.d) if isinstance(case, ExactCase) else (case.gamma,)
        try:
            given = [list(case.functions), *numbers, *copy.deepcopy(arguments)]
        except Exception as error:  # only a state can be anything
            allowed = "a state must be of arrays, numbers, and lists of them: no generators, files or locks"
            raise Broken(case, f"the state cannot be copied for {name}: {error}", allowed) from None
        result = self.run(name, case, *given)
        if overwritten is not None:
            overwritten += _changed(ARGUMENTS[name], (case.functions, *numbers, *arguments), given)
        return result

    def run(self, name: str, example: object, *given: Any) -> Any:
        """Call a function.

        Raises `NotWritten` if there is no such function or only a stub, and `Broken` if it takes other arguments,
        raises, or returns nothing.
        """
        function = self.function(name)
        try:
            with _without_warnings():
                result = function(*given)
        except NotImplementedError:
            raise NotWritten(f"{name} is not written yet") from None
        except (Exception, SystemExit) as error:
            deep = isinstance(error, RecursionError)
            cause = "recursion over the layers ends at about a thousand; a loop has no such limit" if deep else None
            raise Broken(example, f"{name} raised {_in_words(error)}", cause) from None
        if result is None or result is Ellipsis:
            if is_stub(function):
                raise NotWritten(f"{name} is not written yet")
            raise Broken(example, f"{name} returned {result}", "is a return missing?")
        return result

    def function(self, name: str) -> Callable[..., Any]:
        """Return the function of this name; raises `NotWritten` without one, `Broken` if it takes other arguments."""
        function: Callable[..., Any] | None = getattr(self.source, name, None)
        if function is None:
            raise NotWritten(f"{name} is not there")
        if not callable(function):
            raise Broken(f"calling {name}", f"{name} must be a function, and is {kind(function)}")
        wanted = ARGUMENTS.get(name)
        if wanted is None:
            return function
        try:
            inspect.signature(function).bind(*wanted)
        except TypeError:
            came = f"it takes {inspect.signature(function)}, and must take ({', '.join(wanted)})"
            raise Broken(f"calling {name}", came) from None
        except ValueError:  # a built-in function without a signature
            pass
        return function

    def _pair(self, name: str, case: Example, result: Any) -> Pair:
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise Broken(case, f"{name} must return (x, v), came {kind(result)}")
        return self._array(name, case, "x", result[0], case.x), self._array(name, case, "v", result[1], case.v)

    def _gradients(self, name: str, case: Example, result: Any) -> Gradients:
        if not isinstance(result, (tuple, list)) or len(result) != 3:
            raise Broken(case, f"{name} must return (dx, dv, gradients), came {kind(result)}")
        dx, dv, gradients = result
        dx, dv = self._array(name, case, "dx", dx, case.x), self._array(name, case, "dv", dv, case.x)

        def require(entries: Any, count: int, what: str) -> None:
            if not isinstance(entries, (tuple, list)) or len(entries) != count:
                came = f"{what}, {count} in all, came {kind(entries)}"
                raise Broken(case, came, _why_not_one_each(gradients, case.depth))

        require(gradients, case.depth, "gradients must be a list with an entry for each layer")
        checked: list[list[AnyArray]] = []
        for n, (entry, f) in enumerate(zip(gradients, case.functions, strict=True)):
            what = f"gradients[{n}]"
            require(entry, len(f.parameters), f"{what} must be a list with an array for each parameter of f_{n}")
            pairs = enumerate(zip(entry, f.parameters, strict=True))
            checked.append([self._array(name, case, f"{what}[{k}]", array, theta) for k, (array, theta) in pairs])
        return dx, dv, checked

    def _array(self, name: str, case: Example, what: str, value: Any, like: AnyArray) -> AnyArray:
        array = np.asarray(value) if isinstance(value, (np.ndarray, np.generic)) else None
        kinds, of = ("i", " of integers") if name == "invert_exact" else ("if", "")
        if array is None or array.dtype.kind not in kinds or array.shape != like.shape:
            raise Broken(case, f"{name} must return {what} as an array{of} of shape {like.shape}, came {kind(value)}")
        return array


def kind(value: Any) -> str:
    """Say in a message what a value is."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and {value.dtype}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, (int, float)):
        return number(value)
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def is_stub(function: Callable[..., Any]) -> bool:
    """Whether the function does nothing: its body is a docstring, ``...`` or ``pass``."""
    does_nothing = {"RESUME", "NOP", "LOAD_CONST", "POP_TOP", "RETURN_VALUE", "RETURN_CONST"}
    return hasattr(function, "__code__") and {each.opname for each in dis.get_instructions(function)} <= does_nothing


def _why_not_one_each(gradients: Any, depth: int) -> str | None:
    """Guess why there is not one list of arrays for each layer."""
    if not isinstance(gradients, (tuple, list)):
        return None
    if any(isinstance(entry, np.ndarray) for entry in gradients):
        return "a layer's list of arrays must be one entry: append(by_parameters), or insert(0, by_parameters)"
    if len({id(entry) for entry in gradients}) < len(gradients) == depth:
        return "all entries are the same list, as [[]] * N makes them"
    if len(gradients) > depth:
        return "is the list kept from one call to the next, as a default argument gradients=[] is?"
    return "is a layer left out?" if len(gradients) < depth else None


def _changed(names: Sequence[str], before: Sequence[Any], after: Sequence[Any]) -> list[str]:
    """List the arguments that are not as before."""

    def differs(one: Any, other: Any) -> bool:
        if isinstance(one, np.ndarray):
            return not np.array_equal(one, other)
        return isinstance(one, list) and (len(one) != len(other) or any(map(operator.is_not, one, other)))

    return [name for name, one, other in zip(names, before, after, strict=True) if differs(one, other)]
