"""What docstrings leave to the code: types of parameters and results. Names in them become links."""

import ast
import contextlib
import dataclasses
import inspect
import operator
import re
import textwrap

from numpydoc.docscrape import NumpyDocString

import mininet
from mininet.autodiff import Operation

WRONG = [
    "TypeError, ValueError",
    "    An argument is of a wrong kind or outside what is allowed. The message names it.",
]

WORDS = [
    (r"\bPair\b", "int | (int, int)"),
    (r"\bAxes\b", "int | tuple of int | None"),
    (r"\bIndex\b", "int, slice, array or tuple of them"),
    (r"\b(convolution\.)?Choice\b", '"auto" | "direct" | "winograd"'),
    (r"\bShortcut\b", '"A" | "B"'),
    (r"\bLayout\b", '"linear" | "gpt2"'),
    (r"NDArray\[np\.(\w+?)_?\]", r"ndarray of \1"),
    (r"\bAnyArray\b|\bNDArray\[Any\]", "ndarray"),
    (r"\bBatch\b", "(ndarray, ndarray)"),
    (r"\b(Function|Pull)\b", "Callable[[FloatArray], FloatArray]"),
    (r"\bGradients\b", "list of ndarray or None"),
    (r"\bCache\b", "dict"),
    (r"\bAnyState\b", "State"),
    (r"\bNet\b", "Module"),
    (r"\bFloatDtype\b", "numpy.float32 | numpy.float64"),
    (r"\b(nn|np|collections\.abc)\.(?=[A-Z])", ""),
    (r"np\.(\w+)\[Any\]", r"numpy.\1"),
    (r"Literal\[([^]]*)\]", lambda found: found[1].replace(", ", " | ")),
    (r"\[Any, ...\]|'(?=[A-Z])|(?<=[a-z])'$", ""),
]  # types that only the code has names for


def _complete(app, what, name, found, options, lines):
    """Give each parameter its type, and a function what it returns and raises, where the docstring does not."""
    if what not in ("class", "function", "method", "exception"):
        return
    types, returned = _types(found)
    if what == "method" and "." not in found.__qualname__:  # a function of tensors, made one of theirs
        del types["a"]
    if (types or "Parameters" in lines) and not (dataclasses.is_dataclass(found) and "Attributes" in lines):
        _complete_parameters(lines, types, _meanings(lines, found))
        if what != "method" and not dataclasses.is_dataclass(found) and "Raises" not in lines:
            _add(lines, "Raises", WRONG)
    if returned and "Returns" not in lines:
        _add(lines, "Returns", [returned])


def _types(found):
    """The annotations, as written, of what a class or function takes, by name, and of what it returns."""
    function = inspect.unwrap(found.__init__ if inspect.isclass(found) else found)
    if dataclasses.is_dataclass(found):
        body = _source(found).body
        return {node.target.id: _words(node.annotation) for node in body if isinstance(node, ast.AnnAssign)}, None
    if not inspect.isfunction(function):
        return {}, None
    code = _source(function)
    arguments = [*code.args.posonlyargs, *code.args.args, code.args.vararg, *code.args.kwonlyargs, code.args.kwarg]
    types = {each.arg: _words(each.annotation) for each in arguments if each and each.annotation}
    if not inspect.isfunction(found) and not inspect.isclass(
        found
    ):  # an operation: functions of arrays made one of tensors
        return dict.fromkeys(types, "TensorLike"), "Tensor"
    returned = _words(code.returns) if code.returns and not inspect.isclass(found) else None
    return types, None if returned == "None" else returned


def _meanings(lines, found):
    """What others say of parameters, by name: functions that the first line refers to, and a method's classes."""
    if isinstance(found, Operation):
        shape = "Broadcast as in NumPy." if found.broadcasts else "Of any shape, which the result has too."
        return {name: [shape] for name in _types(found)[0]}
    module, others = inspect.getmodule(found), []
    for name in re.findall(r"`([\w.]+)`", lines[0]):
        for start in (mininet,) if name.startswith("mininet.") else (module, mininet):
            with contextlib.suppress(AttributeError):
                others.append(operator.attrgetter(name.removeprefix("mininet."))(start))
    if inspect.isfunction(found) and "." in found.__qualname__:
        classes = inspect.getmro(getattr(module, found.__qualname__.split(".")[0]))
        ours = [each for each in classes if each.__module__.startswith("mininet")]
        others += [vars(one).get(found.__name__) for one in ours]
        others += [each for one in ours for each in (one, *vars(one).values())]
    meanings = {}
    for other in filter(callable, others):
        for each in NumpyDocString(inspect.getdoc(other) or "")["Parameters"]:
            meanings = dict.fromkeys(each.name.split(", "), each.desc) | meanings if each.desc else meanings
    return meanings


def _words(annotation):
    text = ast.unparse(annotation)
    for pattern, words in WORDS:
        text = re.sub(pattern, words, text)
    return text


def _source(found):
    return ast.parse(textwrap.dedent(inspect.getsource(found))).body[0]


def _complete_parameters(lines, types, meanings):
    entries = []
    if "Parameters" in lines:
        start = lines.index("Parameters")
        end = next((i for i in range(start + 2, len(lines)) if lines[i].startswith("---")), len(lines) + 1) - 1
        for line in lines[start + 2 : end]:
            if line[:1].strip():
                entries.append([line])
            elif line:
                entries[-1].append(line)
        del lines[start:end]
    order = {name: i for i, name in enumerate(types)}
    said = {}
    entries = [entry for entry in entries if _names(entry)[0] in types]
    for entry in entries:
        names = _names(entry)
        if " : " not in entry[0]:
            entry[0] += f" : {types[names[0]]}"
        said |= dict.fromkeys(names, order[names[0]])
    rest = [(order[name], [f"{name} : {types[name]}"]) for name in types if name not in said]
    listed = [(said[_names(entry)[0]], entry) for entry in entries] + rest
    for _, entry in listed:
        if len(entry) == 1:
            entry += [f"    {line}" for line in meanings.get(entry[0].split(" : ")[0], ())]
    if listed:
        _add(lines, "Parameters", [line for _, entry in sorted(listed, key=lambda each: each[0]) for line in entry])


def _names(entry):
    return [name.lstrip("*") for name in entry[0].split(" : ")[0].split(", ")]


def _add(lines, section, content):
    """Put a section where numpydoc expects it: its order is fixed when it writes them."""
    at = next((i for i, line in enumerate(lines) if line == "Examples" or line.startswith(">>> ")), len(lines))
    if lines[at:] and lines[at] != "Examples":
        lines[at:at] = ["Examples", "--------"]
    lines[at:at] = [section, "-" * len(section), *content, ""]


def _resolve(app, env, node, content):
    """A name in a docstring may leave out the modules it is in."""
    if node.get("reftype") != "obj":
        return None
    end = "." + re.sub(r"^F\.", "functional.", node["reftarget"])
    domain = env.domains.python_domain
    objects = domain.objects.items()
    found = [name for name, each in objects if name.endswith(end) and not each.aliased and each.objtype != "parameter"]
    found = [name for name in found if all(name.count(".") < other.count(".") for other in found if other != name)]
    if not found:
        return None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, content)


def setup(app):
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _complete, priority=100)  # before numpydoc
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
