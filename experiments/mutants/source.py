"""Mutants of source code: each changes one node of a function's syntax tree, as a programmer's mistake would."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SIGNS: dict[type[ast.operator], ast.operator] = {ast.Add: ast.Sub(), ast.Sub: ast.Add()}
OPPOSITES: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Lt: ast.GtE(), ast.GtE: ast.Lt(), ast.Gt: ast.LtE(), ast.LtE: ast.Gt(),
    ast.Eq: ast.NotEq(), ast.NotEq: ast.Eq(), ast.Is: ast.IsNot(), ast.IsNot: ast.Is(),
}  # fmt: skip
RENAMED = {
    "sum": "mean", "mean": "sum", "add": "subtract", "subtract": "add", "maximum": "minimum", "minimum": "maximum",
}  # fmt: skip
TRANSPOSES = ("transpose", "swapaxes")
Change = tuple[str, ast.AST]


@dataclass(frozen=True)
class Mutant:
    """A change of one node: `kind` is a column of the table, `text` shows the change."""

    kind: str
    line: int
    text: str
    parent: ast.AST
    field: str
    position: int | None
    new: ast.AST


def mutants(module: ast.Module, first_lines: set[int]) -> list[Mutant]:
    """Return every mutant of the functions that begin at these lines, without those of functions within them."""
    result: dict[str, Mutant] = {}
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef) and _first_line(function) in first_lines:
            for parent, field, position, old in _nodes(function, "body"):
                for kind, new in _changes(old):
                    text = f"{ast.unparse(old)} -> {ast.unparse(new)}"
                    mutant = Mutant(kind, getattr(old, "lineno", function.lineno), text, parent, field, position, new)
                    with changed(module, mutant):
                        result.setdefault(ast.unparse(function), mutant)
    return list(result.values())


@contextmanager
def changed(module: ast.Module, mutant: Mutant) -> Iterator[ast.Module]:
    """Yield the syntax tree with the mutant's node in it; afterwards restore it."""
    old = getattr(mutant.parent, mutant.field)
    new = mutant.new
    if mutant.position is not None:
        new = [*old[: mutant.position], new, *old[mutant.position + 1 :]]
    setattr(mutant.parent, mutant.field, new)
    try:
        yield ast.fix_missing_locations(module)
    finally:
        setattr(mutant.parent, mutant.field, old)


def _first_line(function: ast.FunctionDef) -> int:
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])


def _nodes(parent: ast.AST, *fields: str) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Yield the nodes below `parent`, with their place, but not those of inner functions, errors and docstrings."""
    for field in fields:
        value = getattr(parent, field)
        for position, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(node, ast.AST) or isinstance(node, ast.FunctionDef | ast.Raise | ast.expr_context):
                continue
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue
            yield parent, field, position, node
            yield from _nodes(node, *(name for name in node._fields if name != "annotation"))


def _changes(node: ast.AST) -> Iterator[Change]:
    yield from _arithmetic(node)
    yield from _statements(node)
    yield from _calls(node)
    yield from _numbers_and_slices(node)


def _arithmetic(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.BinOp(left, ast.Add() | ast.Sub() as op, right):
            yield "term", left
            yield "term", right
            yield "sign", ast.BinOp(left, SIGNS[type(op)], right)
            if isinstance(op, ast.Sub):
                yield "swap", ast.BinOp(right, op, left)
        case ast.BinOp(left, ast.Mult(), right):
            yield "mask", left
            yield "mask", right
        case ast.BinOp(left, ast.Div() | ast.FloorDiv() | ast.Pow() as op, right):
            yield "mask", left
            yield "swap", ast.BinOp(right, op, left)
        case ast.BinOp(left, ast.MatMult() as op, right):
            yield "transpose", ast.BinOp(right, op, left)
        case ast.UnaryOp(ast.USub(), operand):
            yield "sign", operand
        case ast.UnaryOp(ast.Invert() | ast.Not(), operand):
            yield "mask", operand
        case ast.Compare(left, [op], [right]) if type(op) in OPPOSITES:
            yield "mask", ast.Compare(left, [OPPOSITES[type(op)]], [right])
        case ast.BoolOp(_, [first, second]):
            yield "mask", first
            yield "mask", second
        case ast.IfExp(_, body, orelse):
            yield "mask", body
            yield "mask", orelse


def _statements(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.AugAssign(target, ast.Add() | ast.Sub() as op, value):
            yield "term", ast.Pass()
            yield "sign", ast.AugAssign(target, SIGNS[type(op)], value)
        case ast.AugAssign():
            yield "mask", ast.Pass()
        case ast.Assign([ast.Subscript()], _):
            yield "term", ast.Pass()
        case ast.Expr(ast.Call()):
            yield "term", ast.Pass()
        case ast.If(test, body, orelse):
            yield "mask", ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)


def _calls(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Attribute(value, "T"):
            yield "transpose", value
        case ast.Call(ast.Attribute(value, name), _) if name in TRANSPOSES:
            yield "transpose", value
        case ast.Call(ast.Attribute(value, name), arguments, keywords) if name in RENAMED:
            kind = "mean" if name in ("sum", "mean") else "sign"
            yield kind, ast.Call(ast.Attribute(value, RENAMED[name], ast.Load()), arguments, keywords)
        case ast.Call(ast.Attribute() as function, [left, right], keywords):
            if function.attr == "multiply":
                for arguments in ([left, ast.Constant(1.0)], [ast.Constant(1.0), right]):
                    yield "mask", ast.Call(function, arguments, keywords)
            elif function.attr == "matmul":
                yield "transpose", ast.Call(function, [right, left], keywords)
        case ast.Call(ast.Attribute(ast.Name("np"), _), [argument], []):
            yield "mask", argument
    match node:
        case ast.Call(ast.Attribute(), [left, right], keywords):
            yield "swap", ast.Call(node.func, [right, left], keywords)


def _numbers_and_slices(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Constant(bool() | str() | None):
            return
        case ast.Constant(int() as value):
            yield "shift", ast.Constant(value + 1)
            yield "shift", ast.Constant(value - 1)
        case ast.Constant(float() as value):
            yield "x 1.01", ast.Constant(1.01 * value)
            yield "x 2", ast.Constant(2.0 * value)
            yield "sign", ast.Constant(-value)
        case ast.Slice(lower, upper, step):
            if step is not None:
                yield "transpose", ast.Slice(lower, upper, None)
            yield "shift", ast.Slice(_plus_one(lower), upper, step)
            if upper is not None:
                yield "shift", ast.Slice(lower, _plus_one(upper), step)


def _plus_one(bound: ast.expr | None) -> ast.expr:
    return ast.Constant(1) if bound is None else ast.BinOp(bound, ast.Add(), ast.Constant(1))
