"""Calls as people have them, `torch.optim.Adam(model.parameters(), lr=3e-4)`, as specs: parsed and never evaluated."""

import ast
import inspect
import re
from collections.abc import Iterator
from textwrap import dedent
from typing import NamedTuple

from adamlab.calls import Call, SpecError
from adamlab.errors import InputError, cut
from adamlab.frameworks import FRAMEWORKS
from adamlab.frameworks.pytorch import HOW, names_in
from adamlab.specs import parse

HOMES = {
    "torch.optim": "torch",
    "optim": "torch",
    "keras.optimizers": "keras",
    "tf.keras.optimizers": "keras",
    "tensorflow.keras.optimizers": "keras",
    "optimizers": "keras",
}
"""The modules that optimizers are called from, by the library that specs have for them."""

UNREAD = {"torch": {"params", *HOW}, "keras": {"name"}}
"""The arguments that say nothing of a step's formula."""

IN_SPECS = ("optax", "adamlab", "torch", "keras")
"""Where a name with dots begins that is a function, and no number of the program's."""


OF_A_NUMBER = re.compile(
    r"float|(torch|tf|tensorflow|keras|np|numpy|jnp|jax)\..*?"
    r"(tensor|as_tensor|constant|convert_to_tensor|array|asarray|float16|bfloat16|float32|float64)"
)
"""Functions whose result is the number that they are given first."""


class Pasted(NamedTuple):
    """The optimizer that a text writes, and in words what was taken for granted of it."""

    call: Call
    remarks: tuple[str, ...] = ()


def call_of(text: str) -> Pasted:
    """The optimizer that a spec or the last line of a program writes; the parameters that it is given are skipped.

    Numbers that the program has elsewhere, such as `args.lr`, are symbols, by their last names.

    Raises:
        InputError: it is neither, or has arguments that a spec cannot write.
    """
    try:
        node = _last(ast.parse(dedent(text).strip()))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Pasted(parse(text))
    if isinstance(node, ast.Attribute) and (place := _place(node))[0] in HOMES:
        return Pasted(parse(f"{HOMES[place[0]]}.{place[1]}"))
    if not isinstance(node, ast.Call):
        return Pasted(parse(text if node is None else ast.unparse(node)))
    _require_written_out(node)
    home, name = _place(node.func)
    if home not in HOMES:
        return Pasted(parse(ast.unparse(_Symbols(node).visit(node))))
    library = HOMES[home]
    FRAMEWORKS[library][name] if name in FRAMEWORKS[library].names else parse(f"{library}.{name}")
    own = _own_parameters(library, name)
    given = _given(node, own, name)
    remarks = [*_taken_for_parameters(given["params"], name)] if library == "torch" and "params" in given else []
    given = _given(_Symbols(node).visit(node), own, name)
    return Pasted(parse(f"{library}.{name}({', '.join(_arguments(given, own, library, name))})"), tuple(remarks))


def _last(tree: ast.Module) -> ast.expr | None:
    """The value of the last statement, with or without a name for it; None where it has none."""
    statement = tree.body[-1] if tree.body else None
    return statement.value if isinstance(statement, ast.Expr | ast.Assign | ast.AnnAssign | ast.Return) else None


def _place(node: ast.expr) -> tuple[str, str]:
    return (ast.unparse(node.value), node.attr) if isinstance(node, ast.Attribute) else ("", "")


def _require_written_out(node: ast.Call):
    if any(isinstance(given, ast.Starred) for given in node.args) or any(k.arg is None for k in node.keywords):
        raise InputError(f"{cut(ast.unparse(node), 60)}: write the arguments of * and ** out; they are not evaluated.")


class _Symbols(ast.NodeTransformer):
    """A call with a bare name for each number that the program has elsewhere, and its own name for each."""

    def __init__(self, node: ast.Call):
        self.names = {each.id: each.id for each in ast.walk(node) if isinstance(each, ast.Name)}

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if node.args and OF_A_NUMBER.fullmatch(ast.unparse(node.func)):
            return self.visit(node.args[0])
        node.args = [self.visit(given) for given in node.args]
        node.keywords = [ast.keyword(k.arg, self.visit(k.value)) for k in node.keywords]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        full = ast.unparse(node)
        return node if full.partition(".")[0] in IN_SPECS else self._symbol(full, node.attr)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return self._symbol(ast.unparse(node), key) if isinstance(key, str) and key.isidentifier() else node

    def _symbol(self, full: str, short: str) -> ast.Name:
        """The last name, or the whole where another number has that."""
        if self.names.setdefault(short, full) != full:
            short = "".join(c if c.isalnum() else "_" for c in full)
        return ast.Name(short)


def _arguments(given: dict[str, ast.expr], own: dict[str, inspect.Parameter], library: str, name: str) -> Iterator[str]:
    """The arguments as a spec writes them."""
    for key, value in given.items():
        if key in UNREAD[library]:
            continue
        default = own[key].default if key in own else None
        if isinstance(default, tuple) and library == "torch":
            names = names_in(key, default)
            yield from (f"{entry}={v}" for entry, v in zip(names, _entries(value, key, names, name), strict=True))
        elif isinstance(value, ast.Tuple | ast.List) and library == "torch":
            raise SpecError(f"{name}: {key} is a single value, not {cut(ast.unparse(value), 60)}.")
        else:
            yield f"{key}={_written(value)}"


def _given(node: ast.Call, own: dict[str, inspect.Parameter], name: str) -> dict[str, ast.expr]:
    """The arguments by name."""
    if len(node.args) > len(own):
        raise SpecError(f"{name} takes at most {len(own)} arguments, not {len(node.args)}.")
    given = dict(zip(own, node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg in given:
            raise SpecError(f"{name}: {keyword.arg} is given twice.")
        given[str(keyword.arg)] = keyword.value
    return given


def _entries(value: ast.expr, key: str, names: tuple[str, ...], name: str) -> list[str]:
    """The numbers of an argument that is a pair; of a name symbols, which are the entries' own names."""
    if isinstance(value, ast.Name):
        return [*names]
    if not isinstance(value, ast.Tuple | ast.List) or len(value.elts) != len(names):
        raise SpecError(f"{name}: {key} must be {len(names)} numbers, {', '.join(names)}; not {ast.unparse(value)}.")
    return [_written(entry) for entry in value.elts]


def _own_parameters(library: str, name: str) -> dict[str, inspect.Parameter]:
    from importlib import import_module

    module = import_module("torch.optim" if library == "torch" else "keras.optimizers")
    parameters = inspect.signature(getattr(module, name)).parameters
    return {key: p for key, p in parameters.items() if p.kind is not p.VAR_KEYWORD}


def _taken_for_parameters(params: ast.expr, name: str) -> Iterator[str]:
    """A remark where the parameters may be groups that have settings of their own.

    Raises:
        InputError: they are.
    """
    dictionaries = [keys for node in ast.walk(params) if "params" in (keys := _keys(node))]
    for keys in dictionaries:
        others = [key for key in keys if key != "params"]
        if others:
            raise InputError(
                f"{name}: a group of parameters has {', '.join(others)}: translate each group by itself, as a call "
                "with the group's own settings; in Optax, optax.partition puts them together."
            )
    names = {node.attr for node in ast.walk(params) if isinstance(node, ast.Attribute)}
    if not dictionaries and not names & {"parameters", "named_parameters"}:
        yield (
            f"{cut(ast.unparse(params), 60)} was taken for parameters that all have these settings; groups of "
            "parameters with settings of their own have to be translated one by one."
        )


def _keys(node: ast.AST) -> list[str]:
    """The keys of a dictionary, in either way of writing it; "**" for those that are not written out."""
    match node:
        case ast.Dict(keys=keys):
            return ["**" if key is None else str(getattr(key, "value", ast.unparse(key))) for key in keys]
        case ast.Call(func=ast.Name(id="dict"), args=args, keywords=keywords):
            return ["**" for _ in args] + [keyword.arg or "**" for keyword in keywords]
    return []


def _written(node: ast.expr) -> str:
    """A value as a spec writes it."""
    match node:
        case ast.Constant(value=bool() | None as value):
            return str(value).lower()
        case ast.Constant(value=str() as value):
            return f'"{value}"'
    return ast.unparse(node)
