"""Curvature and noise at a point: the largest eigenvalue of the Hessian, preconditioned or not, and gradient noise."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from adamlab.types import Problem, PyTree, Sampler

ITERATIONS = 40
"""Lanczos iterations, a Hessian-vector product each: what is left of the error falls as exp(−4·40·√gap)."""

BATCHES = 64
"""Minibatches that the gradient noise scale is estimated from."""

OF_NO_STEP = np.uint32(2**32 - 1)
"""A number that no step has, so that a key folded with it draws what no step of the run does."""


def sharpness(
    objective: Callable[[PyTree], jax.Array], params: PyTree, preconditioner: PyTree | None = None
) -> jax.Array:
    """The largest eigenvalue of the objective's Hessian H at these parameters, or of P⁻¹H.

    Lanczos iterations from a fixed normal vector. No vector is kept to orthogonalize by: what rounding then adds to the
    tridiagonal matrix are copies of eigenvalues that are already there (Paige 1980), harmless to the largest. They are
    of P^(−½)·H·P^(−½), which is symmetric and has the eigenvalues of P⁻¹H.

    Args:
        objective: the objective.
        params: the parameters.
        preconditioner: the diagonal of P, positive numbers in a tree like the parameters'; by default 1.
    """
    flat, unravel = ravel_pytree(params)
    scale = 1.0 if preconditioner is None else 1 / jnp.sqrt(ravel_pytree(preconditioner)[0])

    def gradient(w: jax.Array) -> jax.Array:
        return ravel_pytree(jax.grad(lambda w: objective(unravel(w)))(w))[0]

    # The derivative of the gradient is symmetric, and its transpose needs no jvp, which hand-derived backwards lack.
    transposed = jax.vjp(gradient, flat)[1]

    def times_hessian(v: jax.Array) -> jax.Array:
        return scale * transposed(scale * v)[0]

    def iterate(carry, _):
        before, v, beta = carry
        product = times_hessian(v)
        alpha = jnp.vdot(v, product)
        rest = product - alpha * v - beta * before
        size = jnp.linalg.norm(rest)
        return (v, jnp.where(size > 0, rest / jnp.where(size > 0, size, 1), 0), size), (alpha, size, jnp.vdot(v, v) > 0)

    drawn = jnp.asarray(np.random.default_rng(0).normal(size=flat.size), flat.dtype)
    first = (jnp.zeros_like(flat), drawn / jnp.linalg.norm(drawn), jnp.zeros((), flat.dtype))
    alphas, betas, goes_on = jax.lax.scan(iterate, first, length=min(ITERATIONS, flat.size))[1]
    alphas = jnp.where(goes_on, alphas, alphas[0])  # after an exact end the rest must not add an eigenvalue of 0
    matrix = jnp.diag(alphas) + jnp.diag(betas[:-1], 1) + jnp.diag(betas[:-1], -1)
    finite = jnp.isfinite(matrix).all()
    return jnp.where(finite, jnp.linalg.eigvalsh(jnp.where(finite, matrix, 0))[-1], jnp.nan)


def gradient_noise_scale(problem: Problem, params: PyTree, key: jax.Array, t: Any, state: PyTree = None) -> jax.Array:
    """The simple noise scale tr Σ / |G|² of McCandlish et al. 2018, section 2.2.

    G is the gradient of the mean loss, Σ the covariance of examples' gradients. Both are estimated without bias from
    `BATCHES` minibatches that the run itself does not see: with g_i their gradients and V = Σ|g_i − ḡ|²/(n − 1), it is
    tr Σ = B·V for n batches of B examples and |G|² = |ḡ|² − V/n, which is the paper's appendix A.1 for batches of B and
    n·B. Of N examples drawn without replacement tr Σ = V·B·(N − 1)/(N − B).

    Args:
        problem: whose `sample` is a `Sampler`.
        params: the parameters.
        key: the key of the run's batches.
        t: the number of steps done.
        state: the problem's, where it has one.
    """
    sampler = problem.sample
    assert isinstance(sampler, Sampler)
    keys = jax.random.split(jax.random.fold_in(jax.random.fold_in(key, OF_NO_STEP), t), BATCHES)

    def gradient(drawn: jax.Array) -> jax.Array:
        batch = sampler(drawn, 1)
        return ravel_pytree(jax.grad(problem.loss)(params, batch if state is None else (batch, state)))[0]

    def add(sums, drawn):
        # Welford's: squares of sums would cancel where the noise is small.
        count, mean, squares = sums
        g = gradient(drawn)
        new_mean = mean + (g - mean) / (count + 1)
        return (count + 1, new_mean, squares + jnp.vdot(g - mean, g - new_mean)), None

    zero = jnp.zeros_like(ravel_pytree(params)[0])
    (_, mean, squares), _ = jax.lax.scan(add, (jnp.zeros((), zero.dtype), zero, jnp.zeros((), zero.dtype)), keys)
    size, examples = sampler.batch_size, sampler.examples
    variance = squares / (BATCHES - 1)
    noise = variance * (size * (examples - 1) / max(1, examples - size) if sampler.by_epoch else size)
    signal = jnp.vdot(mean, mean) - variance / BATCHES
    return jnp.where(
        signal > 0, noise / jnp.where(signal > 0, signal, 1), jnp.where(jnp.isnan(signal), signal, jnp.inf)
    )
