"""Mistakes in a config: each with its key, what was expected, what came, and the nearest valid name."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from adamlab.errors import InputError, cut, listed, nearest

MOST_MISTAKES = 10_000
"""The number of mistakes with which a config is given up."""


@dataclass(frozen=True)
class Mistake:
    """A mistake: its key, such as "optimizer[1].b2", and a message with the cause and the remedy."""

    key: str
    message: str

    def __str__(self):
        text = f"{cut(self.key, 200)}: {self.message}" if self.key else self.message
        return text.replace("\n", "\\n")  # a quoted key can hold line breaks, which would look like further mistakes


class Mistakes(list[Mistake]):
    """The mistakes of a config so far; `where` is its file's name, for messages."""

    def __init__(self, where: str = "the config"):
        super().__init__()
        self.where = where

    def tell(self, key: str, message: str) -> None:
        """Add a mistake.

        Raises:
            ConfigError: there are `MOST_MISTAKES`, and looking for further ones would take long.
        """
        self.append(Mistake(key, message))
        if len(self) >= MOST_MISTAKES:
            raise ConfigError(self.where, self)


class ConfigError(InputError):
    """A config with mistakes, all of which the message names."""

    def __init__(self, where: str, mistakes: Sequence[Mistake]):
        self.mistakes = tuple(dict.fromkeys(mistakes))  # the problems of one table may all have the same mistake
        if len(self.mistakes) == 1:
            super().__init__(f"{where}: {self.mistakes[0]}")
        else:
            lines = listed([*map(str, self.mistakes)])
            super().__init__(f"{where} has {len(self.mistakes):,} mistakes:\n{lines}")


EXPECTED = {
    "bool_type": "true or false",
    "finite_number": "a finite number",
    "float_type": "a number",
    "dict_type": "a table",
    "int_type": "a whole number",
    "list_type": "a list; of tables, each under a head in double brackets, such as [[problem]]",
    "model_type": "a table",
    "string_pattern_mismatch": "letters, digits and any of _ -",
    "string_too_long": "a shorter text",
    "string_type": "a text in quotes",
    "too_short": "at least one",
}


def mistakes_of(error: ValidationError, model: type[BaseModel]) -> Iterator[Mistake]:
    """Pydantic's errors as mistakes, in this project's words."""
    for line in error.errors():
        words = line["msg"] if line["type"] != "too_long" else f"at most {line.get('ctx', {})['max_length']:,} of them"
        yield _mistake(line["type"], words, line["loc"], line["input"], model)


def _mistake(kind: str, words: str, path: tuple[str | int, ...], value: Any, model: type[BaseModel]) -> Mistake:
    if kind == "extra_forbidden":
        return Mistake(join(*path), f"there is no such key; {nearest(str(path[-1]), _keys(model, path[:-1]))}")
    if kind == "missing":
        return Mistake(join(*path), "is missing")
    expected = EXPECTED.get(kind, words.removeprefix("Value error, ").removeprefix("Input should be "))
    came = f"{len(value):,}" if kind == "too_long" else shown(value)
    return Mistake(join(*path), f"expected {expected}; got {came}")


def join(*path: str | int) -> str:
    """The key of a path: "optimizer", 1, "b2" gives "optimizer[1].b2"."""
    key = ""
    for part in path:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key and part else str(part)
    return key


def shown(value: object) -> str:
    """A value much as a config would write it, cut where it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):  # an integer of thousands of digits, a list nested as deep
        text = f"a very large {type(value).__name__}"
    return cut(text, 60)


def _keys(model: type[BaseModel], parents: Sequence[str | int]) -> list[str]:
    for parent in parents:
        annotation = model.model_fields[str(parent)].annotation
        leaves = (annotation, *get_args(annotation))  # a table that may be left out is a union with None
        tables = [leaf for leaf in leaves if isinstance(leaf, type) and issubclass(leaf, BaseModel)]
        if not tables:
            return []
        model = tables[0]
    return list(model.model_fields)
