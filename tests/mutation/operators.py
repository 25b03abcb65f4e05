"""Mutants of a module: copies of its syntax tree with one thing changed.

Left out: docstrings, annotations, imports, decorators, `__all__` and `__slots__`; what texts for people are made of
(whatever is inside a `raise` or an f-string, `__repr__`, `__str__`, `described`); the names under which profiles list
times (`measured`, `measured_as`, `Operation`); names and texts that are given to checks of arguments, for messages;
abstract methods; ``strict=True``, an assertion; the number of ``reshape(-1)``, for which any negative one would do.
"""

import ast
import collections
import copy
import dataclasses
import functools
from collections.abc import Callable

BINARY = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.MatMult: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
LABELLED = {"measured", "measured_as", "Operation"}
CHECKS = {
    "array", "array_of", "captured", "flag", "float_array", "instance", "integer", "not_repeated", "number", "one_of",
    "pair", "property", "require_in_range", "require_one_dtype", "require_rank", "to_units", "_require_like_position",
    "_require_way_back", "_require_window",
}  # fmt: skip
FOR_PEOPLE = {"__repr__", "__str__", "described"}
FIELDS_LEFT_OUT = {"annotation", "returns", "decorator_list", "format_spec"}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change: `before` and `after` are the line of code, unparsed, in the function or class `place`.

    `lines` has the numbers of the changed statement's lines; of a compound statement, those of its head; of one in a
    function whose results are cached, that of its `def`, as any test may get what another one has computed.
    """

    file: str
    lines: range
    place: str
    before: str
    after: str
    make: Callable = dataclasses.field(compare=False, repr=False)
    """() -> the module's syntax tree, with the change."""

    @property
    def text(self):
        """What is recognised again when the file has changed elsewhere."""
        return f"{self.file} | {self.place} | {self.before} -> {self.after}"


def mutants(source, file="<string>"):
    """All mutants of the module `source`, in the order of the code."""
    tree = ast.parse(source)
    found, texts = [], collections.Counter()
    for steps in _places(tree, ()):
        around = max(length for length in range(1, len(steps) + 1) if isinstance(_at(tree, steps[:length]), ast.stmt))
        statement = _at(tree, steps[:around])
        for change in _changes(_at(tree, steps)):
            changed = _changed(statement, steps[around:], change)
            place, before, after = _qualified_name(tree, steps), _shown(statement), _shown(changed)
            texts[place, before, after] += 1
            if texts[place, before, after] > 1:  # the same statement stands there several times
                place += f" ({texts[place, before, after]})"
            make = functools.partial(_changed, tree, steps, change)
            found.append(Mutant(file, _lines(tree, steps[:around]), place, before, after, make))
    return found


def _changed(root, steps, change):
    """A copy of the tree `root`, with the node at the end of `steps` changed."""
    copied = copy.deepcopy(root)
    node = _at(copied, steps)
    replacement = change(node)
    nodes = replacement if isinstance(replacement, list) else [replacement or ast.Pass()]
    nodes = [ast.copy_location(replacement, node) for replacement in nodes]
    if not steps:
        return nodes[0]
    parent, (field, index) = _at(copied, steps[:-1]), steps[-1]
    if index is None:
        setattr(parent, field, nodes[0])
    else:
        getattr(parent, field)[index : index + 1] = nodes
    return ast.fix_missing_locations(copied)


def _places(node, steps):
    """The ways to all nodes that may be changed, as (field, index) from the root."""
    if _is_left_out(node):
        return
    if steps:
        yield steps
    if isinstance(node, ast.Raise):
        return
    for field, value in ast.iter_fields(node):
        if field in FIELDS_LEFT_OUT:
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                if _is_text(child) and _name_of_call(node) in CHECKS:
                    continue
                way = (*steps, (field, index))
                yield from [way] if _name_of_call(node) == "reshape" and _is_negative(child) else _places(child, way)


def _is_left_out(node):
    match node:
        case ast.Import() | ast.ImportFrom() | ast.JoinedStr() | ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__" | "__slots__")]):
            return True
        case ast.FunctionDef(name=name, body=body):
            return name in FOR_PEOPLE or (isinstance(body[-1], ast.Raise) and "NotImplementedError" in _shown(body[-1]))
        case ast.Call():
            return _name_of_call(node) in LABELLED
        case ast.keyword(arg="strict" | "doc"):
            return True
    return False


def _name_of_call(node):
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "id", getattr(function, "attr", None))


def _is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_negative(node):
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def _changes(node):
    """Functions that get the node's copy and return what stands in its place: a node, several, or None for nothing."""
    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in BINARY:
            yield _with(op=BINARY[type(op)]())
        case ast.BoolOp(op=op):
            yield _with(op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.Compare(ops=ops):
            for i, op in enumerate(ops):
                for other in COMPARISONS[type(op)]:
                    yield _with(ops=[*ops[:i], other(), *ops[i + 1 :]])
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield lambda copied: copied.operand
        case ast.Constant(value=value):
            yield from (_with(value=other) for other in _other_values(value))
        case ast.Name(id=name) if name in NAMES:
            yield _with(id=NAMES[name])
        case ast.Slice():
            yield from (_with(**{end: None}) for end in ("lower", "upper", "step") if getattr(node, end) is not None)
        case ast.Call(keywords=keywords):
            for i, keyword in enumerate(keywords):
                if not _is_left_out(keyword):
                    yield _with(keywords=keywords[:i] + keywords[i + 1 :])
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield _with(value=ast.Constant(None))
        case ast.Break():
            yield lambda copied: ast.Continue()
        case ast.Continue():
            yield lambda copied: ast.Break()
        case ast.With(items=items):
            for i, item in enumerate(items):
                if item.optional_vars is None and not _is_left_out(item.context_expr):
                    rest = items[:i] + items[i + 1 :]
                    yield _with(items=rest) if rest else lambda copied: copied.body
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) if not isinstance(
            test, (ast.Compare, ast.UnaryOp)
        ):
            yield lambda copied: _negated(copied)
        case ast.comprehension(ifs=[_, *_]):
            yield _with(ifs=[])
        case ast.Expr() | ast.AugAssign() | ast.Delete() | ast.Raise():
            yield lambda copied: None
        case ast.Assign(targets=[target]) if not _makes_names(target):
            yield lambda copied: None


def _makes_names(target):
    """Whether an assignment is where variables begin: without it the code could not run at all."""
    return any(isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store) for part in ast.walk(target))


def _with(**fields):
    def change(copied):
        for name, value in fields.items():
            setattr(copied, name, copy.deepcopy(value))
        return copied

    return change


def _negated(copied):
    copied.test = ast.UnaryOp(ast.Not(), copied.test)
    return copied


def _other_values(value):
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, (int, float)):
        return [value + 1, value - 1] if isinstance(value, int) else [value + 1]
    return [value + "_"] if isinstance(value, str) else []


def _is_none(node):
    return isinstance(node, ast.Constant) and node.value is None


def _at(tree, steps):
    for field, index in steps:
        tree = getattr(tree, field) if index is None else getattr(tree, field)[index]
    return tree


def _lines(tree, steps):
    for length in range(1, len(steps)):
        around = _at(tree, steps[:length])
        if any("cache" in ast.unparse(decorator) for decorator in getattr(around, "decorator_list", ())):
            return range(around.lineno, around.lineno + 1)
    statement = _at(tree, steps)
    body = getattr(statement, "body", None)
    return range(statement.lineno, max(statement.lineno + 1, body[0].lineno) if body else statement.end_lineno + 1)


def _qualified_name(tree, steps):
    nodes = [_at(tree, steps[:length]) for length in range(1, len(steps))]
    return ".".join(node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))) or "<module>"


def _shown(statement):
    """A statement in one line; of a compound one, the head."""
    return ast.unparse(statement).split(":\n")[0].replace("\n", " ")
