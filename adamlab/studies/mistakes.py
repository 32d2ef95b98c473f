"""What is wrong in a config: each mistake by its key, with what was expected, what came, the nearest valid name."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from adamlab.errors import InputError
from adamlab.specs import nearest


@dataclass(frozen=True)
class Mistake:
    """One mistake: the key where it stands, such as "optimizer[1].b2", and what is wrong and what to do, in words."""

    key: str
    message: str

    def __str__(self):
        return f"{self.key}: {self.message}" if self.key else self.message


class ConfigError(InputError):
    """A config that cannot be run, with all its mistakes."""

    def __init__(self, where: str, mistakes: Sequence[Mistake]):
        self.mistakes = tuple(mistakes)
        if len(self.mistakes) == 1:
            super().__init__(f"{where}: {self.mistakes[0]}")
        else:
            lines = "\n".join(f"  {mistake}" for mistake in self.mistakes)
            super().__init__(f"{where} has {len(self.mistakes)} mistakes:\n{lines}")


def mistakes_of(error: ValidationError, key: str, model: type[BaseModel]) -> list[Mistake]:
    """Pydantic's errors in our words; `key` is where the validated table stands in the file."""
    return [_mistake(dict(line), key, model) for line in error.errors(include_url=False)]


def _mistake(line: dict, key: str, model: type[BaseModel]) -> Mistake:
    *parents, last = line["loc"]
    here = join(key, *line["loc"])
    if line["type"] == "extra_forbidden":
        return Mistake(here, f"there is no such key; {nearest(str(last), _keys(model, parents))}")
    if line["type"] == "missing":
        return Mistake(here, "is missing")
    if line["type"] == "string_pattern_mismatch":
        return Mistake(here, f"expected letters, digits and any of _ . -; got {shown(line['input'])}")
    message = line["msg"].removeprefix("Value error, ").replace("Input should", "expected it to")
    return Mistake(here, f"{message}; got {shown(line['input'])}")


def join(*path: str | int) -> str:
    """The key of a path: "optimizer", 1, "b2" is "optimizer[1].b2"."""
    key = ""
    for part in path:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key and part else str(part)
    return key


def shown(value: object) -> str:
    """The value as a config would write it, cut where it is long."""
    text = {True: "true", False: "false"}.get(value, repr(value)) if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _keys(model: type[BaseModel], parents: Sequence[str | int]) -> list[str]:
    for parent in parents:
        annotation = model.model_fields[str(parent)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
