"""Mutants of a module: copies of its syntax tree with one thing changed.

Left out: docstrings, annotations, type variables, imports, decorators; texts for people (in a `raise`, an f-string,
`__repr__`); the names that profiles list; names and texts given to checks of arguments; abstract methods;
``strict=True``, an assertion; defaults of parameters that a function does not read.
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
LABELLED = {"measured", "measured_as", "Operation", "TypeVar"}
CHECKS = {
    "alike", "array", "array_of", "flag", "float_array", "instance", "integer", "number", "one_of", "pair", "property",
    "Replay", "require_not_empty", "require_one_dtype", "require_rank", "require_window", "to_units", "_list_of",
    "_require_in_range",
}  # fmt: skip
FIELDS_LEFT_OUT = {"annotation", "bases", "returns", "decorator_list", "format_spec"}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change: of `before` to `after`, both unparsed, a statement of the function or class `place`.

    `lines` are those of the statement or its head; in a function whose results are cached, that of its `def`, since any
    test may get what another one has computed.  `make` gives the module's tree with the change.
    """

    file: str
    lines: range
    place: str
    before: str
    after: str
    make: Callable = dataclasses.field(compare=False, repr=False)

    @property
    def text(self):
        return f"{self.file} | {self.place} | {self.before} -> {self.after}"


def mutants(source, file="<string>"):
    """All mutants of the module `source`, in the order of the code."""
    tree = ast.parse(source)
    found, texts = [], collections.Counter()
    for node, around in _places(tree, ()):
        statement = [each for each in (*around, node) if isinstance(each, ast.stmt)][-1]
        scopes = [each for each in around if isinstance(each, (ast.FunctionDef, ast.ClassDef))]
        for change in _changes(node):
            place = ".".join(each.name for each in scopes) or "<module>"
            key = place, _shown(statement), _shown(_changed(statement, node, change))
            texts[key] += 1
            if texts[key] > 1:  # the same statement stands there several times
                place += f" ({texts[key]})"
            make = functools.partial(_changed, tree, node, change)
            found.append(Mutant(file, _lines(statement, scopes), place, *key[1:], make))
    return found


class _Replacing(ast.NodeTransformer):
    def __init__(self, node, by):
        self.node, self.by = node, by

    def visit(self, node):
        return self.by if node is self.node else self.generic_visit(node)


def _changed(root, node, change):
    """A copy of the tree `root` in which the `node` is changed."""
    copies = {}
    copied = copy.deepcopy(root, copies)
    twin = copies[id(node)]
    by = change(twin) or ast.Pass()
    changed = _Replacing(twin, by).visit(copied)
    return ast.fix_missing_locations(changed[0] if isinstance(changed, list) else changed)


def _places(node, around):
    """All nodes that may be changed, with those around them from the root."""
    if _is_left_out(node):
        return
    if around:
        yield node, around
    unread = _defaults_of_unread(node, around) if isinstance(node, ast.arguments) else []
    for field, value in ast.iter_fields(node):
        if field in FIELDS_LEFT_OUT or isinstance(node, ast.Raise):
            continue
        for child in value if isinstance(value, list) else [value]:
            is_text = isinstance(child, ast.Constant) and isinstance(child.value, str) and _called(node) in CHECKS
            is_minus_1 = isinstance(child, ast.UnaryOp) and _called(node) == "reshape"  # any negative number would do
            if isinstance(child, ast.AST) and not is_text and not is_minus_1 and child not in unread:
                yield from _places(child, (*around, node))


def _defaults_of_unread(arguments, around):
    """The defaults of parameters that the function has only because the method that it overrides reads them."""
    read = {each.id for each in ast.walk(around[-1]) if isinstance(each, ast.Name)}
    last = zip([*arguments.posonlyargs, *arguments.args][::-1], arguments.defaults[::-1], strict=False)
    pairs = [*last, *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    return [default for parameter, default in pairs if parameter.arg not in read]


def _is_left_out(node):
    match node:
        case ast.Import() | ast.ImportFrom() | ast.JoinedStr() | ast.Expr(value=ast.Constant()):
            return True
        case (
            ast.Assign(targets=[ast.Name(id="__all__" | "__slots__" | "step_name")]) | ast.keyword(arg="strict" | "doc")
        ):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.FunctionDef(name="__repr__" | "__str__" | "described"):
            return True
        case ast.FunctionDef(body=[*_, ast.Raise() as last]):
            return "NotImplementedError" in ast.unparse(last)
    return _called(node) in LABELLED


def _called(node):
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "id", getattr(function, "attr", None))


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
        case ast.Constant(value=bool() as value):
            yield _with(value=not value)
        case ast.Constant(value=int() | float() as value):
            yield _with(value=value + 1)
        case ast.Constant(value=str() as value):
            yield _with(value=value + "_")
        case ast.Name(id=name) if name in NAMES:
            yield _with(id=NAMES[name])
        case ast.Slice():
            yield from (_with(**{end: None}) for end in ("lower", "upper", "step") if getattr(node, end) is not None)
        case ast.Call(keywords=keywords):
            for i, keyword in enumerate(keywords):
                if not _is_left_out(keyword):
                    yield _with(keywords=keywords[:i] + keywords[i + 1 :])
        case ast.Return(value=value) if value is not None and not (isinstance(value, ast.Constant) and not value.value):
            yield _with(value=ast.Constant(None))
        case ast.Break() | ast.Continue():
            yield lambda copied: ast.Continue() if isinstance(copied, ast.Break) else ast.Break()
        case ast.With(items=[ast.withitem(context_expr=context, optional_vars=None)]) if not _is_left_out(context):
            yield lambda copied: copied.body
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) if not isinstance(
            test, (ast.Compare, ast.UnaryOp)
        ):
            yield _with(test=ast.UnaryOp(ast.Not(), test))
        case ast.comprehension(ifs=[_, *_]):
            yield _with(ifs=[])
        case ast.Expr() | ast.AugAssign() | ast.Delete() | ast.Raise():
            yield lambda copied: None
        case ast.Assign(targets=[target]) if not any(
            isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store) for part in ast.walk(target)
        ):  # without those that make names the code could not run
            yield lambda copied: None


def _with(**fields):
    def change(copied):
        for name, value in fields.items():
            setattr(copied, name, copy.deepcopy(value))
        return copied

    return change


def _lines(statement, scopes):
    for scope in scopes:
        if any("cache" in ast.unparse(decorator) for decorator in scope.decorator_list):
            return range(scope.lineno, scope.lineno + 1)
    body = getattr(statement, "body", None)
    return range(statement.lineno, max(statement.lineno + 1, body[0].lineno) if body else statement.end_lineno + 1)


def _shown(statement):
    """A statement in one line; of a compound one, the head."""
    return ast.unparse(statement).split(":\n")[0].replace("\n", " ")
