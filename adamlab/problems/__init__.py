"""Problems to minimize, and their registry.

A problem is made by a function with keyword options, whose name is the problem's: `get("rosenbrock", dim=10)`.
"""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from adamlab.problems.digits import digits_softmax
from adamlab.problems.functions import beale, himmelblau, quadratic, rastrigin, rosenbrock
from adamlab.types import Problem

PROBLEMS: dict[str, Callable[..., Problem]] = {
    make.__name__: make for make in (rosenbrock, beale, himmelblau, rastrigin, quadratic, digits_softmax)
}


def get(name: str, **options: Any) -> Problem:
    """The problem of that name.

    Args:
        name: a key of `PROBLEMS`.
        **options: the problem's own, such as `dim`.

    Raises:
        ValueError: there is no such problem, or an option is out of its range.
        TypeError: the problem has no such option.
    """
    if name not in PROBLEMS:
        close = get_close_matches(name, PROBLEMS, n=1)
        remedy = f'did you mean "{close[0]}"?' if close else "there are " + ", ".join(PROBLEMS)
        raise ValueError(f'There is no problem "{name}"; {remedy}')
    return PROBLEMS[name](**options)
