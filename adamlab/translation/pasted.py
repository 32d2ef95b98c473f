"""Calls as people have them, `torch.optim.Adam(model.parameters(), lr=3e-4)`, as specs: parsed and never evaluated."""

import ast
import inspect
from collections.abc import Iterator
from typing import Any

from adamlab.calls import Call
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


def call_of(text: str) -> Call:
    """The optimizer that a spec or a whole call writes; the parameters that it is given are skipped.

    Raises:
        InputError: it is neither, or has arguments that a spec cannot write.
    """
    try:
        tree = ast.parse(
            text.strip().rpartition("\n")[2] if "=" not in text.partition("(")[0] else _right(text), mode="eval"
        )
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return parse(text)
    node = tree.body
    home, name = _place(node.func) if isinstance(node, ast.Call) else ("", "")
    if not isinstance(node, ast.Call) or home not in HOMES:
        return parse(text)
    library = HOMES[home]
    return parse(f"{library}.{name}({', '.join(_arguments(node, library, name))})")


def _right(text: str) -> str:
    """What stands on the right of `optimizer = …`."""
    return text.partition("=")[2].strip()


def _place(node: ast.expr) -> tuple[str, str]:
    return (ast.unparse(node.value), node.attr) if isinstance(node, ast.Attribute) else ("", "")


def _arguments(node: ast.Call, library: str, name: str) -> Iterator[str]:
    """The arguments as a spec writes them."""
    FRAMEWORKS[library][name] if name in FRAMEWORKS[library].names else parse(f"{library}.{name}")
    own = _own_parameters(library, name)
    given: dict[str, Any] = dict(zip(own, node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg is None:
            raise InputError(f"{cut(ast.unparse(node), 60)}: write the arguments of ** out; they are not evaluated.")
        given[keyword.arg] = keyword.value
    _require_one_group(given.get("params"), name)
    for key, value in given.items():
        if key in UNREAD[library]:
            continue
        if isinstance(value, ast.Tuple | ast.List) and library == "torch":
            names = names_in(key, own[key].default if key in own else tuple(value.elts))
            yield from (f"{entry}={_written(v)}" for entry, v in zip(names, value.elts, strict=False))
        else:
            yield f"{key}={_written(value)}"


def _own_parameters(library: str, name: str) -> dict[str, inspect.Parameter]:
    from importlib import import_module

    module = import_module("torch.optim" if library == "torch" else "keras.optimizers")
    parameters = inspect.signature(getattr(module, name)).parameters
    return {key: p for key, p in parameters.items() if p.kind is not p.VAR_KEYWORD}


def _require_one_group(params: Any, name: str):
    for group in params.elts if isinstance(params, ast.List) else ():
        keys = [k.value for k in group.keys if isinstance(k, ast.Constant)] if isinstance(group, ast.Dict) else []
        if {*keys} - {"params"}:
            raise InputError(
                f"{name}: a group of parameters has {', '.join(map(str, keys[1:]))}: translate each by itself."
            )


def _written(node: ast.expr) -> str:
    """A value as a spec writes it; of a name with dots the last part, as a symbol."""
    match node:
        case ast.Constant(value=bool() | None as value):
            return str(value).lower()
        case ast.Attribute(attr=attr):
            return attr
        case ast.Constant(value=str() as value):
            return f'"{value}"'
    return ast.unparse(node)
