"""Mutants: a module with one thing changed that a careless edit could change."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
COMBINED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
    ast.Mult: ast.Add,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """The changed *source* of a module, and what was changed on which line."""

    line: int
    change: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Yield every mutant of *source*, one change each, in the order of its lines."""
    tree = ast.parse(source)
    places = [node for node in ast.walk(tree) if isinstance(node, ast.expr | ast.stmt)]
    skipped = _declarations(tree)
    found = []
    for number, node in enumerate(places):
        if node in skipped:
            continue
        for change in range(_changes(node)):
            changed = copy.deepcopy(tree)
            twins = [one for one in ast.walk(changed) if isinstance(one, ast.expr | ast.stmt)]
            what = _change(twins[number], change)
            text = ast.unparse(ast.fix_missing_locations(changed))
            found.append(Mutant(node.lineno, what, text))
    yield from sorted(found, key=lambda mutant: mutant.line)


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
        gone_call = ast.unparse(node.value)
        node.value = ast.Constant(None)
        return f"without {gone_call[:60]}"
    if isinstance(node, ast.If | ast.IfExp):
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return "the other branch"
    node.__class__ = ast.Pass
    return "without break or continue"
