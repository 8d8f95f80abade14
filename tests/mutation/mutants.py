"""Mutants: a module with one thing changed that a careless edit could change."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Final

COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
COMBINED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
    ast.Mult: ast.Add,
}  # fmt: skip
_FUNCTIONS: Final = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Mutant:
    """One change of one place of a module.

    *function* is the outermost function around it, by its qualified name; ``None``: the change is
    made when the module is imported.  *lines* are those of the statement: a test that runs none of
    them cannot notice.  *code* is what was changed, as one line, *change* how.
    """

    module: str
    function: str | None
    line: int
    lines: range
    code: str
    change: str
    source: str = field(repr=False, compare=False)
    place: int = field(repr=False)
    which: int = field(repr=False)

    def text(self) -> str:
        """Return the changed module."""
        tree = ast.parse(self.source)
        _change(_places(tree)[self.place], self.which)
        return ast.unparse(ast.fix_missing_locations(tree))

    def compiled(self, filename: str) -> CodeType:
        """Return the changed module as code that says it is from *filename*."""
        return compile(self.text(), filename, "exec")

    def __str__(self) -> str:
        """Say where and what."""
        return f"{self.module}:{self.line} {self.function or 'module'}: {self.code}: {self.change}"


def mutants(module: str, source: str) -> list[Mutant]:
    """Return every mutant of *source*, the text of *module*, in the order of its lines."""
    tree = ast.parse(source)
    around = dict(_surroundings(tree))
    skipped = _declarations(tree)
    above = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found: list[Mutant] = []
    for number, node in enumerate(_places(tree)):
        if node in skipped:
            continue
        function, statement = around[node]
        found += [
            Mutant(
                module=module,
                function=function,
                line=node.lineno,
                lines=_lines(statement),
                code=_told(node, above.get(node)),
                change=_change(copy.deepcopy(node), which),
                source=source,
                place=number,
                which=which,
            )
            for which in range(_changes(node))
        ]
    return sorted(found, key=lambda mutant: mutant.line)


def _told(node: ast.AST, above: ast.AST | None) -> str:
    """Return what is changed as one line, with what it is the value or the body of."""
    if isinstance(above, ast.If) and isinstance(node, ast.Break | ast.Continue):
        return f"if {ast.unparse(above.test)}: {ast.unparse(node)}"
    named = isinstance(above, ast.keyword) or (
        isinstance(above, ast.Assign | ast.AnnAssign) and isinstance(node, ast.Constant)
    )
    return ast.unparse(above if named and above else node).split("\n")[0]


def _places(tree: ast.Module) -> list[ast.expr | ast.stmt]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.expr | ast.stmt)]


def _surroundings(tree: ast.Module) -> Iterator[tuple[ast.AST, tuple[str | None, ast.stmt]]]:
    """Yield each place with the outermost function and the innermost statement around it."""

    def walk(
        node: ast.AST, path: str, function: str | None, statement: ast.stmt | None
    ) -> Iterator[tuple[ast.AST, tuple[str | None, ast.stmt]]]:
        for child in ast.iter_child_nodes(node):
            inner, name, here = path, function, statement
            if isinstance(child, ast.stmt):
                here = child
            if function is None and isinstance(child, ast.ClassDef):
                inner = f"{path}{child.name}."
            if function is None and isinstance(child, _FUNCTIONS):
                name = f"{path}{child.name}"
            if here is not None:
                yield child, (name, here)
            yield from walk(child, inner, name, here)

    yield from walk(tree, "", None, None)


def _lines(statement: ast.stmt) -> range:
    """Return the lines of a statement, without those of the statements in it."""
    last = statement.end_lineno or statement.lineno
    body = getattr(statement, "body", None)
    if body:
        last = max(statement.lineno, body[0].lineno - 1)
    return range(statement.lineno, last + 1)


def _declarations(tree: ast.Module) -> set[ast.AST]:
    """Return what says nothing about behaviour: annotations, decorators, docstrings, messages."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        aside: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            aside += [*node.decorator_list, node.returns, node.args]
        elif isinstance(node, ast.ClassDef):
            aside += node.decorator_list
        elif isinstance(node, ast.AnnAssign):
            aside.append(node.annotation)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            aside.append(node)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            aside += [node.test, node]
        for part in aside:
            if part is not None:
                found.update(ast.walk(part))
    return found


def _changes(node: ast.AST) -> int:
    """Return in how many ways *node* can be changed."""
    if isinstance(node, ast.Compare):
        return sum(type(op) in COMPARED for op in node.ops)
    if isinstance(node, ast.BoolOp):
        return 1 + len(node.values)
    if isinstance(node, ast.UnaryOp):
        return int(isinstance(node.op, ast.Not))
    if isinstance(node, ast.BinOp):
        return int(type(node.op) in COMBINED)
    if isinstance(node, ast.Constant):
        return int(isinstance(node.value, bool | int))
    if isinstance(node, ast.Expr):
        return int(isinstance(node.value, ast.Call))
    return int(isinstance(node, ast.If | ast.IfExp | ast.Break | ast.Continue))


def _change(node: ast.AST, which: int) -> str:
    """Change *node* in place and say how."""
    if isinstance(node, ast.Compare):
        was = node.ops[which]
        node.ops[which] = COMPARED[type(was)]()
        return f"{type(was).__name__} -> {type(node.ops[which]).__name__}"
    if isinstance(node, ast.BoolOp) and which == 0:
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return "and <-> or"
    if isinstance(node, ast.BoolOp):
        gone = node.values.pop(which - 1)
        return f"without {ast.unparse(gone)}"
    if isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd()
        node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
        return "without not"
    if isinstance(node, ast.BinOp):
        node.op = COMBINED[type(node.op)]()
        return "another operator"
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            node.value = not node.value
            return f"{not node.value} -> {node.value}"
        if isinstance(node.value, int):
            node.value += 1
            return f"{node.value - 1} -> {node.value}"
    if isinstance(node, ast.Expr):
        node.value = ast.Constant(None)
        return "without the call"
    if isinstance(node, ast.If | ast.IfExp):
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return "the other branch"
    node.__class__ = ast.Pass
    return "without break or continue"
