"""Changes of a program's text: those that algebra allows, and small ones that it does not."""

import ast
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tests.fuzzing.programs import Program


def _call(name: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


class _Rewriter(ast.NodeTransformer):
    """Rewrites parts at random by laws of real numbers that hold for infinities and NaN too."""

    def __init__(self, rng: np.random.Generator, p: float, has_unsigned: bool):
        self.rng, self.p, self.has_unsigned = rng, p, has_unsigned

    def visit(self, node: ast.AST) -> ast.AST:
        node = super().generic_visit(node)
        if isinstance(node, ast.expr) and self.rng.random() < self.p:
            options = list(self.forms(node))
            return options[self.rng.integers(len(options))] if options else node
        return node

    def forms(self, node: ast.expr) -> Iterator[ast.expr]:
        match node:
            case ast.BinOp(a, ast.Add() | ast.Mult() as op, b):
                yield ast.BinOp(b, op, a)
                if isinstance(op, ast.Mult) and isinstance(b, ast.BinOp) and isinstance(b.op, ast.Add | ast.Sub):
                    yield ast.BinOp(ast.BinOp(a, op, b.left), b.op, ast.BinOp(a, op, b.right))
            case ast.BinOp(a, ast.Div(), b):
                yield ast.BinOp(a, ast.Mult(), ast.BinOp(ast.Constant(1), ast.Div(), b))
            case ast.BinOp(a, ast.Sub(), b) if not self.has_unsigned:
                yield ast.BinOp(a, ast.Add(), ast.UnaryOp(ast.USub(), b))
            case ast.BinOp(a, ast.Pow(), ast.Constant(2)):
                yield ast.BinOp(a, ast.Mult(), a)
            case ast.Call(ast.Name("where"), [condition, a, b]):
                yield _call("where", ast.UnaryOp(ast.Invert(), condition), b, a)
            case ast.Call(ast.Name("abs"), [a]):
                yield _call("maximum", a, ast.UnaryOp(ast.USub(), a))
            case ast.Call(ast.Name("maximum"), [a, b]):
                yield _call("where", ast.Compare(a, [ast.Gt()], [b]), a, b)
                yield _call("maximum", b, a)
            case ast.Call(ast.Name("minimum"), [a, b]):
                yield _call("minimum", b, a)
            case ast.Name("g"):
                yield ast.BinOp(ast.BinOp(node, ast.Div(), ast.Constant(2)), ast.Mult(), ast.Constant(2))
                yield _call("where", ast.Compare(node, [ast.Gt()], [ast.Constant(0)]), node, node)


def rewritten(program: Program, rng: np.random.Generator, p: float = 0.15) -> Program:
    """The same optimizer with parts rewritten by algebra."""
    has_unsigned = any("uint" in kind for kind, _ in program.states.values())
    wholes = {name for name, (kind, _) in program.states.items() if kind != "float"}
    rewriter = _Rewriter(rng, p, has_unsigned)
    lines = [
        (name, text if name in (*wholes, "t") else ast.unparse(rewriter.visit(ast.parse(text, mode="eval"))))
        for name, text in program.lines
    ]
    return replace(program, lines=tuple(lines))


def renamed(program: Program, rng: np.random.Generator) -> Program:
    """The same optimizer with other names of its states, and these in another order."""
    names = {x: f"{'abcdefh'[int(rng.integers(7))]}_{x}" for x in program.states}
    pairs = list(names.items())
    rng.shuffle(pairs)

    def text_of(text: str) -> str:
        tree = ast.parse(text, mode="eval")
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                before = node.id.endswith("_")
                name = node.id.removesuffix("_")
                node.id = names[name] + "_" * before if name in names else node.id
        return ast.unparse(tree)

    return replace(
        program,
        states={new: program.states[old] for old, new in pairs},
        lines=tuple((names.get(name, name), text_of(text)) for name, text in program.lines),
    )


def variants(program: Program) -> Iterator[Program]:
    """The programs with one part of a line replaced by one of its own parts, or with a line or a state less."""
    for k, (name, text) in enumerate(program.lines):
        for changed in _parts_put_up(text):
            yield replace(program, lines=(*program.lines[:k], (name, changed), *program.lines[k + 1 :]))
    for name in program.states:
        lines = tuple(line for line in program.lines if line[0] != name)
        yield replace(program, states={x: s for x, s in program.states.items() if x != name}, lines=lines)
    for k, (name, _) in enumerate(program.lines):
        if name not in (*program.states, "u"):
            yield replace(program, lines=program.lines[:k] + program.lines[k + 1 :])
    for name in program.numbers:
        yield replace(program, numbers={x: d for x, d in program.numbers.items() if x != name})


def _parts_put_up(text: str) -> Iterator[str]:
    nodes = [n for n in ast.walk(ast.parse(text, mode="eval")) if isinstance(n, ast.expr)]
    for k, node in enumerate(nodes):
        inner = [n for n in ast.walk(node) if isinstance(n, ast.expr) and n is not node]
        choices = [*inner, *([ast.Constant(1)] if not isinstance(node, ast.Constant) else [])]
        for part in choices:
            yield ast.unparse(_with(text, k, part))


def _with(text: str, k: int, new: ast.expr) -> ast.AST:
    """The text's tree with another node in the place of its k-th."""
    tree = ast.parse(text, mode="eval")
    old = [n for n in ast.walk(tree) if isinstance(n, ast.expr)][k]

    class Put(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is old else self.generic_visit(node)

    return Put().visit(tree)


def changed(program: Program, rng: np.random.Generator) -> Program:
    """The program with one small change in one of its lines."""
    lines = [k for k, (name, _) in enumerate(program.lines) if name not in ("count", "t")]
    for _ in range(20):
        k = int(rng.choice(lines))
        name, text = program.lines[k]
        nodes = [n for n in ast.walk(ast.parse(text, mode="eval")) if isinstance(n, ast.expr)]
        options = [(place, new) for place, node in enumerate(nodes) for new in _mistakes(program, node)]
        if options:
            place, new = options[int(rng.integers(len(options)))]
            text = ast.unparse(_with(text, place, new))
            return replace(program, lines=(*program.lines[:k], (name, text), *program.lines[k + 1 :]))
    return program


def _mistakes(program: Program, node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Constant(bool()):
            pass
        case ast.Constant(int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(float(value)):
            yield ast.Constant(float(f"{value * (1.5 if value < 0.6 else 1.01):.6g}"))
            yield ast.Constant(float(f"{value + 0.001:.6g}"))
        case ast.BinOp(a, ast.Add(), b):
            yield a
            yield ast.BinOp(a, ast.Sub(), b)
        case ast.BinOp(a, ast.Pow(), b):
            yield ast.BinOp(a, ast.Pow(), ast.BinOp(b, ast.Add(), ast.Constant(1)))
        case ast.Name(name) if name in program.states:
            yield ast.Name(f"{name}_", ast.Load())
        case ast.Name("g"):
            yield _call("abs", node)
        case ast.Call(ast.Name("maximum"), arguments):
            yield _call("minimum", *arguments)
        case ast.Call(ast.Name("abs" | "sqrt" | "sign"), [argument]):
            yield argument
        case ast.Compare(a, [ast.Gt()], b):
            yield ast.Compare(a, [ast.GtE()], b)
