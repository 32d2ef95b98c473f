"""The problems by name."""

from collections.abc import Callable
from typing import Any

import numpy as np

from adamlab.calls import call, signature
from adamlab.errors import InputError, nearest
from adamlab.own import MODULES, registered
from adamlab.problems.networks.named import MAKERS as NETWORKS
from adamlab.problems.networks.sequences import copying, grammar, modular_addition
from adamlab.problems.stochastic.deep_quadratic import quadratic_deep
from adamlab.problems.stochastic.heavy_tails import heavy_tailed_regression
from adamlab.problems.stochastic.online import reddi, reddi_cyclic, reddi_stochastic
from adamlab.problems.stochastic.regression import least_squares, sparse_logistic, wilson
from adamlab.problems.surfaces.many_minima import ackley, branin, himmelblau, rastrigin, styblinski_tang
from adamlab.problems.surfaces.quadratics import booth, matyas, noisy_quadratic, quadratic, ravine
from adamlab.problems.surfaces.valleys import beale, rosenbrock, saddle
from adamlab.types import Problem

_MAKERS = (
    rosenbrock,
    beale,
    saddle,
    quadratic,
    noisy_quadratic,
    ravine,
    booth,
    matyas,
    himmelblau,
    branin,
    rastrigin,
    ackley,
    styblinski_tang,
    reddi,
    reddi_cyclic,
    reddi_stochastic,
    least_squares,
    wilson,
    sparse_logistic,
    quadratic_deep,
    heavy_tailed_regression,
    modular_addition,
    copying,
    grammar,
    *NETWORKS,
)

PROBLEMS: dict[str, Callable[..., Problem]] = {make.__name__: make for make in _MAKERS}
"""Each problem's maker; `adamlab.problems.register` adds to it."""

BUILT_IN = frozenset(PROBLEMS)
"""The names that cannot be registered anew."""


def get(name: str, **options: Any) -> Problem:
    """The problem of that name.

    Args:
        name: a key of `PROBLEMS`.
        **options: the problem's own, such as `dim`.

    Raises:
        InputError: there is no such problem, or it has no such option.
        ValueError: an option is out of its range.
    """
    plain = {option: value.item() if isinstance(value, np.generic) else value for option, value in options.items()}
    return call(name, find(name), plain).build()


def all_problems() -> dict[str, Callable[..., Problem]]:
    """The makers of all problems by name; those of a module that was imported by name are "mine.bowl", too."""
    own = {
        f"{library}.{name}": f
        for library, module in MODULES.items()
        for name, f in module.functions().items()
        if signature(f).return_annotation is Problem
    }
    return PROBLEMS | {full: PROBLEMS[name] for full, name in registered("problem").items()} | own


def find(name: str) -> Callable[..., Problem]:
    """The maker of the problem of that name.

    Raises:
        InputError: there is none; names the nearest, and how code of the user's own is imported.
    """
    known = all_problems()
    if name not in known:
        own = 'for one of your own import its module: --import mine.py, or imports=["mine.py"] for al.run'
        raise InputError(f'there is no problem "{name}"; {nearest(name, known)}; {own}')
    return known[name]
