"""Problems to minimize, and their registry.

A problem is made by a function with keyword options, whose name is the problem's: `get("rosenbrock", dim=10)`.
"""

from collections.abc import Callable
from typing import Any

from adamlab.errors import InputError, nearest
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
        InputError: there is no such problem.
        ValueError: an option is out of its range.
        TypeError: the problem has no such option.
    """
    if name not in PROBLEMS:
        raise InputError(f'There is no problem "{name}"; {nearest(name, PROBLEMS)}')
    return PROBLEMS[name](**options)
