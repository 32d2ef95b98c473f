"""Masks: the parameters that an optimizer takes, told by a pattern of their paths."""

from collections.abc import Callable
from fnmatch import fnmatchcase

import jax
import numpy as np

from adamlab.errors import InputError
from adamlab.types import PyTree


def mask(pattern: str) -> Callable[[PyTree], PyTree]:
    """The function `params -> tree of flags`, true where a parameter's path fits the pattern.

    A path is the keys on the way to a parameter, as in "dense/kernel"; that of parameters which are one array is "".
    In the pattern * stands for any characters, ? for one of them; a ! ahead of it turns it round.

    >>> mask("*kernel")({"dense": {"bias": 0.0, "kernel": 0.0}})
    {'dense': {'bias': False, 'kernel': True}}

    Raises:
        InputError: when the function is called, where the pattern fits no parameter at all.
    """
    fits = pattern.removeprefix("!")

    def flags(params: PyTree) -> PyTree:
        paths = [path_of(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        if paths and not any(fnmatchcase(path, fits) for path in paths):
            known = ", ".join(f'"{path}"' for path in paths[:20]) + (", …" if len(paths) > 20 else "")
            raise InputError(f'no parameter has a path like "{fits}"; their paths are {known}')
        return jax.tree_util.tree_map_with_path(
            lambda path, _: fnmatchcase(path_of(path), fits) != pattern.startswith("!"), params
        )

    return flags


def required_flags(mask: PyTree | Callable[[PyTree], PyTree]) -> PyTree | Callable[[PyTree], PyTree]:
    """The mask, a tree or a function to one, whose leaves have to be truth values: numbers would be taken for such.

    Raises:
        InputError: a leaf is none; where the mask is a function, when it is called.
    """
    if callable(mask):
        return lambda params: required_flags(mask(params))
    for path, leaf in jax.tree_util.tree_leaves_with_path(mask):
        if np.dtype(getattr(leaf, "dtype", type(leaf))) != bool:
            where = f' at "{path_of(path)}"' if path else ""
            raise InputError(
                f"mask: expected True or False for each parameter, or for a branch of them; got {leaf!r}{where}"
            )
    return mask


def path_of(path: tuple) -> str:
    """The keys of a path in a tree, as "dense/kernel"."""
    return jax.tree_util.keystr(path, simple=True, separator="/")
