"""All that is public and can be called: what the tables must speak of.  (Readers of files are in tests/hostile.)"""

import ast
import dataclasses
import importlib
import inspect
import json

from support import ROOT

MODULES = [
    "mininet",
    "mininet.autodiff",
    "mininet.functional",
    "mininet.nn",
    "mininet.optim",
    "mininet.reversible",
    "mininet.models",
    "mininet.models.unrolled",
    "mininet.datasets",
    "mininet.datasets.augmentation",
    "mininet.training",
    "mininet.memory",
    "mininet.precision",
    "mininet.seeding",
    "mininet.plotting",
    "mininet.profiling",
    "mininet.kernels",
    "mininet.course",
    "mininet.course.checking",
    "mininet.course.controls",
    "mininet.grader",
]


def callables():
    """{name: object} of every public function, class and method that takes arguments; each object once."""
    found = {}
    for name, value in [*_of_modules(), *_of_notebooks()]:
        if inspect.isclass(value):
            members = [] if issubclass(value, BaseException) else _of_class(value)
        else:
            members = [(name, value)] if callable(value) and _parameters(value) else []
        found |= {_identity(member): (key, member) for key, member in members if _identity(member) not in found}
    return dict(found.values())


def _identity(value):
    return id(getattr(value, "__func__", value))


def _of_modules():
    for name in MODULES:
        module = importlib.import_module(name) if name != "mininet.functional" else _functional()
        own = [key for key, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
        for key in getattr(module, "__all__", [key for key in own if not key.startswith("_")]):
            yield f"{name}.{key}", getattr(module, key)


def _functional():
    return importlib.import_module("mininet.autodiff.functional")


def _of_class(kind):
    """The class itself, if it takes arguments, and its methods that do, inherited ones as well."""
    if _parameters(kind) and not dataclasses.is_dataclass(kind) and not issubclass(kind, tuple):  # no plain records
        yield f"{kind.__module__}.{kind.__qualname__}", kind
    for owner in kind.__mro__:
        if not owner.__module__.startswith("mininet"):
            continue
        for key, value in vars(owner).items():
            function = getattr(value, "__func__", value)
            if not key.startswith("_") and inspect.isfunction(function) and len(_parameters(function)) > 1:
                yield f"{owner.__module__}.{owner.__qualname__}.{key}", getattr(owner, key)


def _parameters(function):
    return list(inspect.signature(function).parameters)


def _of_notebooks():
    """What notebooks and their solutions call of the experiments and kernels."""
    for nodes in _notebooks():
        imported = {}
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mininet."):
                for alias in node.names:
                    value = imported[alias.asname or alias.name] = _imported(node.module, alias.name)
                    if callable(value) and _counts(value.__module__):
                        yield f"{node.module}.{alias.name}", value
        for node in nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                value = getattr(imported.get(node.value.id), node.attr, None)
                if callable(value) and _counts(getattr(value, "__module__", "")):
                    yield f"{value.__module__}.{node.attr}", value


def _counts(module):
    return module.startswith(("mininet.experiments", "mininet.kernels"))


def _imported(module, name):
    value = getattr(importlib.import_module(module), name, None)
    return importlib.import_module(f"{module}.{name}") if value is None else value


def _notebooks():
    """For each notebook, all nodes of its code and of its solutions."""
    for path in sorted((ROOT / "tutorials").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        solutions = ROOT / "tutorials" / "solutions" / f"{path.stem}.py"
        code += [solutions.read_text(encoding="utf-8")] if solutions.exists() else []
        lines = (line for text in code for line in text.splitlines() if not line.startswith("%"))
        yield list(ast.walk(ast.parse("\n".join(lines))))
