"""Schemas: the keys of a config beside its tables of problems and optimizers, and their types."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from adamlab.calls import MOST_STEPS
from adamlab.problems import LONGEST_NAME, NAME
from adamlab.studies.config.errors import Mistakes, join, mistakes_of

MOST_TABLES = 1000
"""The greatest number of tables of a kind."""

MOST_NAMES = 100
"""The greatest number of names in a list."""

MOST_SEEDS = 10**6
GREATEST_SEED = 2**32 - 1
SEEDS = f"how many seeds, from 1 to {MOST_SEEDS:,}, or a list of different seeds from 0 to {GREATEST_SEED:,}"


class Schema(BaseModel):
    """A table of a config, whose keys are all known."""

    model_config = ConfigDict(extra="forbid", strict=True)


Model = TypeVar("Model", bound=Schema)


def read_table(model: type[Model], data: Mapping[str, Any], mistakes: Mistakes, key: str = "") -> Model | None:
    """The data as a table of that model; None where it has mistakes, which are added to the others.

    Args:
        model: the table's schema.
        data: plain data, as TOML gives it.
        mistakes: receives the mistakes.
        key: the table's place in the config.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for mistake in mistakes_of(error, model):
            mistakes.tell(join(key, mistake.key), mistake.message)
    return None


def as_list(value: Any) -> Any:
    """A value that is not a list as a list of one."""
    return value if isinstance(value, list) else [value]


def _read_count_or_seeds(value: Any) -> int | tuple[int, ...]:
    if type(value) is int and 1 <= value <= MOST_SEEDS:
        return value
    seeds = value if isinstance(value, list) else []
    fit = all(type(seed) is int and 0 <= seed <= GREATEST_SEED for seed in seeds)
    if seeds and fit and len(set(seeds)) == len(seeds):
        return tuple(seeds)
    raise ValueError(SEEDS)


def _read_seeds(value: Any) -> tuple[int, ...]:
    seeds = _read_count_or_seeds(value)
    return seeds if isinstance(seeds, tuple) else tuple(range(seeds))


def _read_every(value: Any) -> int | dict[str, int]:
    count = value["log"] if isinstance(value, dict) and value.keys() == {"log"} else value
    if type(count) is int and 1 <= count <= MOST_STEPS:
        return value
    raise ValueError("a whole number from 1, or { log = 50 } for about 50 steps, each as many times the one before")


def _in_range(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**1023:
        raise ValueError("a finite number")
    return value


def _read_quantities(value: Any) -> Any:
    if not isinstance(value, list):
        name = value if isinstance(value, str) else "loss"
        raise ValueError(f'a list of quantities, such as ["{name}"]')
    return value


Tables = Annotated[list[dict[str, Any]], Field(max_length=MOST_TABLES)]


class Head(Schema):
    """The keys that configs of every kind have."""

    name: str = Field(pattern=f"^{NAME}$", max_length=LONGEST_NAME)
    question: str = ""
    steps: int
    output: Tables = Field(default=[])


class Record(Schema):
    """[record]: the steps and quantities to record."""

    every: Annotated[int | dict[str, int], BeforeValidator(_read_every)] = 1
    what: Annotated[list[str], BeforeValidator(_read_quantities), Field(max_length=MOST_NAMES)] = ["loss", "params"]
    target: Annotated[float | None, BeforeValidator(_in_range), Field(allow_inf_nan=False)] = None
    costly_every: int = Field(default=1, ge=1, le=MOST_STEPS)


class EvaluationSchema(Schema):
    """[evaluation]: a count of fresh seeds, or the seeds, and the criterion of the best setting."""

    seeds: Annotated[int | tuple[int, ...], BeforeValidator(_read_count_or_seeds)]
    by: str | None = None


class RunsHead(Head):
    """A config of runs; its tables of problems, optimizers and outputs, and its design, are still plain data."""

    steps: int = Field(ge=1, le=MOST_STEPS)
    seeds: Annotated[tuple[int, ...], BeforeValidator(_read_seeds)] = (0,)
    dtype: Literal["float32", "float64"] = "float32"
    design: Any = "grid"
    record: Record = Record()
    by: str | None = None
    evaluation: EvaluationSchema | None = None
    problem: Tables = Field(min_length=1)
    optimizer: Tables = Field(min_length=1)
