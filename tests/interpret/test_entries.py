"""Whether entries of an array depend on each other, held against derivatives and runs by JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

import adamlab as al
from adamlab.interpret.jaxpr import UnreadableError
from adamlab.symbolic.open_optimizer import OpenOptimizer
from tests.symbolic.examples import transformation


def of_step(update):
    """u = f(g, x), and x the sum of the gradients."""
    return lambda lr: transformation(jnp.zeros_like, lambda g, x, w=None: (update(g, x), x + g))


def of_total(lr):
    """A rate that falls with the total of all entries so far: the first step is uncoupled."""
    return transformation(
        lambda w: jnp.zeros([]), lambda g, total, w=None: (-lr * g / (1 + total), total + jnp.sum(g * g))
    )


COUPLED = {
    "optax.adam": "optax.adam",
    "adamlab.adam": "adamlab.adam",
    "optax.lamb": "optax.lamb",
    "optax.rprop": "optax.rprop",
    "optax.adafactor": "optax.adafactor",
    "clipped by the norm": "optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(lr))",
    "clipped by entry": "optax.chain(optax.clip(1.0), optax.sgd(lr))",
    "MultiSteps": "optax.MultiSteps(optax.adam(lr), every_k_schedule=3)",
    "a total from the second step on": of_total,
    "reversed": of_step(lambda g, x: jnp.flip(g) + x),
    "the other's past": of_step(lambda g, x: g + 0.5 * jnp.roll(x, 1)),
    "a loop of known length": of_step(lambda g, x: lax.fori_loop(0, 3, lambda i, y: 0.5 * y + i * g, x)),
    "a loop over entries": of_step(lambda g, x: lax.scan(lambda c, y: (c + y, c), 0.0, g)[1] if g.ndim else g),
    "sorted": of_step(lambda g, x: jnp.sort(g) if g.ndim else g),
    "a product of matrices": of_step(lambda g, x: jnp.eye(g.size)[::-1] @ g.reshape(-1)),
}


def depends_on_others(tx, steps=3):
    """Whether the derivatives of the updates by the other entries of some gradient are not all 0."""

    def updates(gradients):
        w = jnp.ones(gradients.shape[1])
        state, rows = tx.init(w), []
        for g in gradients:
            u, state = tx.update(g, state, w)
            rows.append(u)
        return jnp.stack(rows)

    derivatives = jax.jacobian(updates)(jnp.asarray(np.random.default_rng(0).normal(scale=3, size=(steps, 2))))
    others = [np.asarray(derivatives)[:, i, :, 1 - i] for i in (0, 1)]
    return bool(np.any(np.abs(others) > 1e-9))


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("case", COUPLED)
def test_entries_are_coupled_where_derivatives_say_so(case, x64):
    optimizer = OpenOptimizer.of(COUPLED[case])
    numbers = {name: 0.25 if value is None else value for name, value in optimizer.subject.numbers.items()}
    tx = optimizer.subject.built(numbers).build()
    assert optimizer.is_coupled() == depends_on_others(optax.with_extra_args_support(tx))


def test_a_coupling_of_late_steps_alone_is_seen():
    def update(g, t, w=None):
        return jnp.where(t > 10**6, jnp.mean(g), g), t + 1

    assert OpenOptimizer.of(lambda: transformation(lambda w: jnp.zeros([], jnp.int32), update)).is_coupled()


def test_places_that_depend_on_what_is_read_are_refused():
    taken = OpenOptimizer.of(
        of_step(lambda g, x: lax.dynamic_slice(jnp.tile(g.reshape(-1), 2), (x.reshape(-1)[0].astype(int),), (g.size,)))
    )
    with pytest.raises(UnreadableError, match="dynamic_slice"):
        taken.is_coupled()


MATRICES = [(2, 3), (2, 3, 4), (130, 200)]


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize(
    ("optimizer", "shapes"),
    [
        ("optax.adam", []),
        ("adamlab.amsgrad", []),
        ("optax.lion", []),
        ("optax.contrib.muon", [(2, 3), (130, 200)]),
        (of_step(lambda g, x: g / g.size), [(2,), (5,), (2, 3), (2, 3, 4), (130, 200)]),
        (of_step(lambda g, x: jnp.sign(g) if g.ndim > 1 else g), MATRICES),
        (of_step(lambda g, x: jnp.broadcast_to(g[:1], g.shape) if g.ndim > 1 else g), MATRICES),
        (of_step(lambda g, x: g**5 if g.ndim > 1 else g**3), MATRICES),
        (of_step(lambda g, x: 0.9 * g - 0.1 if g.ndim > 1 else 0.1 * g - 0.9), MATRICES),
        (of_step(lambda g, x: x - g if g.ndim > 1 else g - x), MATRICES),
        (of_step(lambda g, x: g / jnp.sum(g * g, tuple(range(1, g.ndim)), keepdims=True)), [(2,), (5,), *MATRICES]),
        (of_step(lambda g, x: g * jnp.ones(g.shape)), []),
    ],
)
def test_shapes_with_code_of_their_own_are_named(optimizer, shapes):
    assert OpenOptimizer.of(optimizer).shapes_apart() == shapes


def test_a_key_of_random_numbers_is_told():
    key = jax.random.key(0)
    noisy = of_step(lambda g, x: g + jax.random.normal(key, g.shape))
    verdict = al.prove(noisy, of_step(lambda g, x: g))
    assert verdict.status == "unknown"
    assert "the code holds a key of random numbers" in verdict.explanation


def test_what_mixes_the_entries_of_matrices_alone_is_not_proved_for_them():
    def of_rows(g, x):
        return jnp.broadcast_to(g[:1], g.shape) if g.ndim > 1 else g

    def rescaled(g, x):
        return of_rows(g * 2.0, x) / 2.0

    verdict = al.prove(of_step(rescaled), of_step(of_rows))
    assert verdict.status == "proved"
    assert "the parameter is a single number; arrays of some shapes have code of their own" in verdict.assumptions
