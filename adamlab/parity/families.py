"""Families of gradients, each of which shows a bug that the others hide."""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

Gradients = Float[np.ndarray, "steps columns"]


@dataclass(frozen=True)
class Family:
    """A family of gradients.

    Attributes:
        sees: the bug that it shows.
        make: `(rng, steps) -> gradients`, a column for each coordinate.
        shape: the columns' shape as one array of parameters.
    """

    sees: str
    make: Callable[[np.random.Generator, int], Gradients]
    shape: tuple[int, ...]


SCALES = 10.0 ** np.array([-30, -20, -12, -8, -4, 4, 9, 12, 18])


def _constant(rng, steps):
    return np.full((steps, 1), 0.7)


def _normal(rng, steps):
    return rng.normal(size=(steps, 2))


def _heavy_tailed(rng, steps):
    return rng.standard_t(2, size=(steps, 2))


def _spiked(rng, steps):
    return np.where(np.arange(steps) % 50 == 49, 30.0, 0.1)[:, None] * _normal(rng, steps)


def _alternating(rng, steps):
    return np.where(np.arange(steps) % 2, -1.0, 1.0)[:, None] * (1 + 0.1 * _normal(rng, steps))


def _zeros(rng, steps):
    return np.where(np.arange(steps) % 3 == 1, 1.0, 0.0)[:, None] * _normal(rng, steps)


def _one_sparse(rng, steps):
    return np.eye(2)[np.minimum(np.arange(steps), 1)] * (np.arange(steps) < 2)[:, None] * _normal(rng, steps)


def _huge_then_tiny(rng, steps):
    return np.where(np.arange(steps) < steps // 3, 1e4, 1e-4)[:, None] * _normal(rng, steps)


def _small(rng, steps):
    return 1e-3 * _normal(rng, steps)


def _scales(rng, steps):
    return SCALES * rng.normal(size=(steps, len(SCALES)))


FAMILIES = {
    "constant": Family("a bias that random signs average away; bias corrections", _constant, ()),
    "normal": Family("an ordinary mistake in the formula", _normal, (2,)),
    "heavy_tailed": Family("how sums round when one step outweighs all before it", _heavy_tailed, (2, 1)),
    "spiked": Family("how the second moment decays after a spike", _spiked, (1, 2)),
    "alternating": Family("a first moment that nearly cancels; |g| in place of g", _alternating, (2,)),
    "zeros": Family("0 / 0 ahead of the first gradient, and states that a zero should leave to decay", _zeros, (2, 1)),
    "one_sparse": Family("what is forgotten, and how fast: one gradient and never another", _one_sparse, (1, 2, 1)),
    "huge_then_tiny": Family("which moment forgets first", _huge_then_tiny, (2,)),
    "small": Family("a start or an ε that is not negligible", _small, (2,)),
    "scales": Family("where ε stands; squares that overflow or underflow, from 1e-30 to 1e18", _scales, (3, 3)),
}


def gradients(names: list[str], steps: int, dtype: str, seed: int = 0) -> dict[str, Gradients]:
    """Gradients (steps, columns) by family, as floats of the type, held within its range; the same for every type."""
    largest, numbers = float(jnp.finfo(dtype).max), {name: i for i, name in enumerate(FAMILIES)}
    drawn = {name: FAMILIES[name].make(np.random.default_rng([seed, numbers[name]]), steps) for name in names}
    return {name: np.clip(g, -largest, largest).astype(jnp.dtype(dtype)) for name, g in drawn.items()}
