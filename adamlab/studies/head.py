"""What a config holds beside its tables of problems, optimizers and outputs: how long to run, and what to record."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from adamlab.calls import MOST_STEPS
from adamlab.problems import NAME
from adamlab.studies.mistakes import Mistakes, mistakes_of

MOST_SEEDS = 10**6
GREATEST_SEED = 2**32 - 1
SEEDS = f"how many seeds, from 1 to {MOST_SEEDS:,}, or a list of different seeds from 0 to {GREATEST_SEED:,}"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


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


class Record(_Strict):
    """[record]: after which steps what is recorded."""

    every: Annotated[int | dict[str, int], BeforeValidator(_read_every)] = 1
    what: list[str] = ["loss", "params"]
    target: Annotated[float | None, BeforeValidator(_in_range), Field(allow_inf_nan=False)] = None


class EvaluationHead(_Strict):
    """[evaluation]: a count of fresh seeds, or the seeds, and what the best setting is judged by."""

    seeds: Annotated[int | tuple[int, ...], BeforeValidator(_read_count_or_seeds)]
    by: str = "final_loss"


class Head(_Strict):
    """A config, its tables of problems, optimizers and outputs, and its design, still as plain data."""

    name: str = Field(pattern=f"^{NAME}$")
    question: str = ""
    steps: int = Field(ge=1, le=MOST_STEPS)
    seeds: Annotated[tuple[int, ...], BeforeValidator(_read_seeds)] = (0,)
    dtype: Literal["float32", "float64"] = "float32"
    design: Any = "grid"
    record: Record = Record()
    evaluation: EvaluationHead | None = None
    problem: list[dict[str, Any]] = Field(min_length=1)
    optimizer: list[dict[str, Any]] = Field(min_length=1)
    output: list[dict[str, Any]] = []


def read_head(data: Mapping[str, Any], mistakes: Mistakes) -> Head | None:
    """All but the tables; tells what is wrong, and then gives None."""
    try:
        return Head.model_validate(data)
    except ValidationError as error:
        mistakes += mistakes_of(error, Head)
    return None
