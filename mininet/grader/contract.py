"""What an implementation consists of, how it is loaded, and how its functions are called.

An implementation is a file (or a module, or any object) with these functions.  In floats:

    forward(functions, gamma, x, v) -> (x, v)                           x_N and v_N, from x_0 and v_0
    invert(functions, gamma, x, v) -> (x, v)                            x_0 and v_0, from x_N and v_N
    backward(functions, gamma, x, v, dx) -> (dx, dv, gradients)         from x_N, v_N and dL/dx_N (dL/dv_N is 0):
                                                                        dL/dx_0, dL/dv_0, gradients by parameters

and, if it also has exact arithmetic, with integers (int64) in units of 2^-40 and gamma = n/d:

    forward_exact(functions, n, d, x, v) -> state                       state[0], state[1] are x_N and v_N;
                                                                        whatever follows is the side information
    invert_exact(functions, n, d, state) -> (x, v)                      may use the state up
    backward_exact(functions, n, d, state, dx) -> (dx, dv, gradients)   gradients are floats; may use the state up

`functions` is the list f_0, ..., f_{N-1} of `mininet.grader.layers.Layer`; N may be 0.  ``f(x)`` is the value,
``f.vjp(x)`` is ``(value, pullback)``, and ``pullback(s)`` is ``(by_x, by_parameters)``.  An evaluation that repeats an
earlier one, as all do in invert and backward, is asked for with ``replay=True``, so that running statistics stay.  In
exact arithmetic f is evaluated at floats, ``x * 2.0**-40``.

`gradients` is a list with an entry for each layer, f_0's first: a list of arrays, one for each parameter.  A function
that stands at several layers has several entries; their sum is its gradient.

Arrays have any shape, also of size 0, and keep shape and dtype.  Those that are given may not be overwritten.
"""

import collections.abc
import contextlib
import copy
import dis
import inspect
import os
import pathlib
import sys
import traceback
import types
import warnings

import numpy as np

from .cases import number, small_cases, small_exact_cases

ARGUMENTS = {
    "forward": ("functions", "gamma", "x", "v"),
    "invert": ("functions", "gamma", "x", "v"),
    "backward": ("functions", "gamma", "x", "v", "dx"),
    "forward_exact": ("functions", "n", "d", "x", "v"),
    "invert_exact": ("functions", "n", "d", "state"),
    "backward_exact": ("functions", "n", "d", "state", "dx"),
}
FLOAT, EXACT = tuple(ARGUMENTS)[:3], tuple(ARGUMENTS)[3:]

_PACKAGES = tuple(os.path.dirname(os.path.abspath(module)) + os.sep for module in (__file__, np.__file__))


class CannotLoad(Exception):
    """There is nothing to grade: the message says why."""


class NotWritten(Exception):
    """A function is missing or is still a stub."""


class Broken(Exception):
    """A promise is broken.

    Attributes
    ----------
    example : str
        The smallest one that fails.
    came : str
        What came there, and what should have.
    cause : str or None
        What is likely to be wrong.
    """

    def __init__(self, example, came, cause=None):
        super().__init__(f"{example}: {came}")
        self.example, self.came, self.cause = str(example), came, cause


def load(source):
    """The `Implementation` in `source`: a path, a mapping of names to functions, a module or any object that has them.

    Raises
    ------
    CannotLoad
        If the file cannot be read or run, or defines none of the functions.
    """
    if isinstance(source, (str, os.PathLike)):
        path = pathlib.Path(source)
        source, name = _module(path), path.name
    else:
        if isinstance(source, collections.abc.Mapping):
            source = types.SimpleNamespace(**source)
        name = getattr(source, "__name__", "your functions")
    if not any(hasattr(source, each) for each in ARGUMENTS):
        raise CannotLoad(f"{name} defines none of the functions {', '.join(ARGUMENTS)}")
    return Implementation(source, name)


def _module(path):
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CannotLoad(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CannotLoad(f"cannot read {path}: it is not a text in UTF-8") from None
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    sys.path.insert(0, str(path.resolve().parent))  # for what stands beside it
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
def _without_warnings():
    """For code of learners: where something overflows, the result will show it."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _in_words(error):
    return f"{type(error).__name__}: {error}{line_of(error)}"


def line_of(error):
    """In which line of the learner's code an exception was raised, in brackets, or nothing."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_PACKAGES)]
    return f" (line {frames[-1].lineno}: {frames[-1].line})" if frames and frames[-1].line else ""


class Implementation:
    """Somebody's functions.  Calls hand them copies, and check the form of what they return.

    Parameters
    ----------
    source : object
    name : str
        For messages.
    """

    def __init__(self, source, name):
        self._source, self.name = source, name

    def has_begun(self, names):
        """Whether one of the functions is more than a stub."""
        float_case, exact_case = small_cases()[-1], small_exact_cases()[-1]  # no layers
        state = exact_case.x, exact_case.v
        samples = {
            "forward": lambda: self.forward(float_case),
            "invert": lambda: self.invert(float_case),
            "backward": lambda: self.backward(float_case),
            "forward_exact": lambda: self.forward_exact(exact_case),
            "invert_exact": lambda: self.call("invert_exact", exact_case, state),
            "backward_exact": lambda: self.call("backward_exact", exact_case, state, exact_case.dx),
        }  # fmt: skip
        for name in names:
            try:
                samples[name]()
            except NotWritten:
                continue
            except Broken:
                pass
            return True
        return False

    # The functions, on a case; options as for `call`

    def forward(self, case, **options):
        """x_N and v_N."""
        return self._pair("forward", case, self.call("forward", case, case.x, case.v, **options))

    def invert(self, case, final=None, **options):
        """x_0 and v_0 from x_N and v_N, the right ones unless others are given."""
        return self._pair("invert", case, self.call("invert", case, *(final or case.final), **options))

    def backward(self, case, final=None, **options):
        """(dL/dx_0, dL/dv_0, gradients) from x_N and v_N, the right ones unless others are given."""
        result = self.call("backward", case, *(final or case.final), case.dx, **options)
        return self._gradients("backward", case, result)

    def forward_exact(self, case, **options):
        """The state."""
        state = self.call("forward_exact", case, case.x, case.v, **options)
        try:
            x, v = state[0], state[1]
        except (TypeError, LookupError):
            raise Broken(case, f"forward_exact must return (x, v, ...), came {_kind(state)}") from None
        for name, array, like in (("state[0]", x, case.x), ("state[1]", v, case.v)):
            if not isinstance(array, np.ndarray) or array.dtype != np.int64 or array.shape != like.shape:
                raise Broken(case, f"{name} must be an int64 array of shape {like.shape}, came {_kind(array)}")
        return state

    def invert_exact(self, case, state, **options):
        """x_0 and v_0."""
        x, v = self._pair("invert_exact", case, self.call("invert_exact", case, state, **options))
        for name, array in (("x", x), ("v", v)):
            if array.dtype.kind != "i":
                raise Broken(case, f"invert_exact must return {name} as integers, came {_kind(array)}")
        return x, v

    def backward_exact(self, case, state, **options):
        """(dL/dx_0, dL/dv_0, gradients)."""
        return self._gradients("backward_exact", case, self.call("backward_exact", case, state, case.dx, **options))

    def call(self, name, case, *arguments, overwritten=None):
        """What the function returns for the case's functions, its gamma or n and d, and copies of the other arguments.

        overwritten : list, to which the names of the arguments are appended that are not as before

        Raises
        ------
        NotWritten
            If there is no such function, or it is a stub.
        Broken
            If it cannot be called so, raises, or returns nothing.
        """
        function = self._function(name)
        numbers = (case.n, case.d) if name in EXACT else (case.gamma,)
        try:
            given = [list(case.functions), *numbers, *copy.deepcopy(arguments)]
        except Exception as error:  # only a state can be anything
            cause = "a state must be of arrays, numbers, and lists of them: no generators, files or locks"
            raise Broken(case, f"the state cannot be copied for {name}: {error}", cause) from None
        try:
            with _without_warnings():
                result = function(*given)
        except NotImplementedError:
            raise NotWritten(f"{name} is not written yet") from None
        except (Exception, SystemExit) as error:
            cause = None
            if isinstance(error, RecursionError):
                cause = "recursion over the layers ends at about a thousand; a loop has no such limit"
            raise Broken(case, f"{name} raised {_in_words(error)}", cause) from None
        if result is None or result is Ellipsis:
            if _is_stub(function):
                raise NotWritten(f"{name} is not written yet")
            raise Broken(case, f"{name} returned {result}", "is a return missing?")
        if overwritten is not None:
            overwritten += _changed(ARGUMENTS[name], (case.functions, *numbers, *arguments), given)
        return result

    def _function(self, name):
        function = getattr(self._source, name, None)
        if function is None:
            raise NotWritten(f"{name} is not there")
        if not callable(function):
            raise Broken(f"calling {name}", f"{name} must be a function, and is {_kind(function)}")
        try:
            inspect.signature(function).bind(*ARGUMENTS[name])
        except TypeError:
            came = f"it takes {inspect.signature(function)}, and must take ({', '.join(ARGUMENTS[name])})"
            raise Broken(f"calling {name}", came) from None
        except ValueError:  # has no signature to be seen
            pass
        return function

    def _pair(self, name, case, result):
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise Broken(case, f"{name} must return (x, v), came {_kind(result)}")
        return tuple(self._array(name, case, *each) for each in zip(("x", "v"), result, (case.x, case.v), strict=True))

    def _gradients(self, name, case, result):
        if not isinstance(result, (tuple, list)) or len(result) != 3:
            raise Broken(case, f"{name} must return (dx, dv, gradients), came {_kind(result)}")
        dx, dv, gradients = result
        dx, dv = self._array(name, case, "dx", dx, case.x), self._array(name, case, "dv", dv, case.x)
        if not isinstance(gradients, (tuple, list)) or len(gradients) != case.depth:
            raise Broken(
                case,
                f"gradients must be a list with an entry for each layer, {case.depth} in all, came {_kind(gradients)}",
                _why_not_one_each(gradients, case.depth),
            )
        checked = []
        for n, (entry, f) in enumerate(zip(gradients, case.functions, strict=True)):
            if not isinstance(entry, (tuple, list)) or len(entry) != len(f.parameters):
                raise Broken(
                    case,
                    f"gradients[{n}] must be a list with an array for each parameter of f_{n}, "
                    f"{len(f.parameters)} in all, came {_kind(entry)}",
                    _why_not_one_each(gradients, case.depth),
                )
            checked.append([
                self._array(name, case, f"gradients[{n}][{k}]", array, theta)
                for k, (array, theta) in enumerate(zip(entry, f.parameters, strict=True))
            ])  # fmt: skip
        return dx, dv, checked

    def _array(self, name, case, what, value, like):
        array = np.asarray(value) if isinstance(value, (np.ndarray, np.generic)) else None
        if array is None or array.dtype.kind not in "if" or array.shape != like.shape:
            raise Broken(case, f"{name} must return {what} as an array of shape {like.shape}, came {_kind(value)}")
        return array


def _kind(value):
    """What a value is, for messages."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and {value.dtype}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, (int, float)):
        return number(value)
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _is_stub(function):
    """Whether its body does nothing: a docstring, ``...``, or ``pass``."""
    if not hasattr(function, "__code__"):
        return False
    return {each.opname for each in dis.get_instructions(function)} <= _DOES_NOTHING


_DOES_NOTHING = {"RESUME", "NOP", "LOAD_CONST", "POP_TOP", "RETURN_VALUE", "RETURN_CONST"}


def _why_not_one_each(gradients, depth):
    """Why there is not one list of arrays for each layer, or None."""
    if not isinstance(gradients, (tuple, list)):
        return None
    if any(isinstance(entry, np.ndarray) for entry in gradients):
        return "a layer's list of arrays must be one entry: append(by_parameters), or insert(0, by_parameters)"
    if len({id(entry) for entry in gradients}) < len(gradients) == depth:
        return "all entries are the same list, as [[]] * N makes them"
    if len(gradients) > depth:
        return "is the list kept from one call to the next, as a default argument gradients=[] is?"
    return "is a layer left out?" if len(gradients) < depth else None


def _changed(names, before, after):
    """Which of the arguments are not as before."""

    def differs(one, other):
        if isinstance(one, np.ndarray):
            return not np.array_equal(one, other)
        return len(one) != len(other) or any(a is not b for a, b in zip(one, other, strict=True))

    return [
        name
        for name, one, other in zip(names, before, after, strict=True)
        if isinstance(one, (np.ndarray, list)) and differs(one, other)
    ]
