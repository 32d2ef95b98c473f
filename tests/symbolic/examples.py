"""Optimizers made by hand, each with a recurrence of its own kind."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import optax

transformation: Any = optax.GradientTransformation
"""Optax's own, whose types know no such states."""


class Average(NamedTuple):
    count: Any
    average: Any


class Last(NamedTuple):
    last: Any


class Two(NamedTuple):
    fast: Any
    slow: Any


class Late(NamedTuple):
    count: Any
    s: Any


def moving_average(learning_rate: float):
    """The plain mean of all gradients, with weights 1/t."""

    def update(g, s, w=None):
        t = s.count + 1
        mean = s.average + (g - s.average) / t
        return -learning_rate * mean, Average(t, mean)

    return transformation(lambda w: Average(jnp.zeros([], jnp.int32), jnp.zeros_like(w)), update)


def forgetful(learning_rate: float):
    """Steps by the gradient before."""
    return transformation(lambda w: Last(jnp.zeros_like(w)), lambda g, s, w=None: (-learning_rate * s.last, Last(g)))


def fed_by_a_copy(start: float):
    """A sum of the copies of the gradients, each a step late, of which the first is no gradient."""

    def optimizer(b1: float):
        def update(g, s, w=None):
            return -s["sum"], {"copy": g, "sum": b1 * s["sum"] + s["copy"]}

        return transformation(lambda w: {"copy": jnp.full_like(w, start), "sum": jnp.zeros_like(w)}, update)

    return optimizer


def delayed(b1: float, b2: float):
    """A sum of a sum: the second is fed by the first."""

    def update(g, s, w=None):
        fast = b1 * s.fast + g
        slow = b2 * s.slow + fast
        return -slow, Two(fast, slow)

    return transformation(lambda w: Two(jnp.zeros_like(w), jnp.zeros_like(w)), update)


def coupled(b1: float, b2: float):
    """Two sums, each fed by the other."""

    def update(g, s, w=None):
        return -s.fast, Two(b1 * s.fast + b2 * s.slow + g, b2 * s.fast + b1 * s.slow)

    return transformation(lambda w: Two(jnp.zeros_like(w), jnp.zeros_like(w)), update)


def pair_by(*matrix: str):
    """Two states by a matrix, whose entries are formulas in b1 and b2, with the gradient added to both."""

    def optimizer(b1: float, b2: float):
        a, b, c, d = (eval(entry, {"b1": b1, "b2": b2}) for entry in matrix)

        def update(g, s, w=None):
            return -s.fast, Two(a * s.fast + b * s.slow + g, c * s.fast + d * s.slow + g)

        return transformation(lambda w: Two(jnp.ones_like(w), jnp.zeros_like(w)), update)

    return optimizer


def fed_by_a_pair(b1: float, b2: float):
    """An average of one of two sums that feed each other."""

    def update(g, s, w=None):
        first = s["first"] * 0.75 + s["second"] + g
        second = b1 * s["second"] + first
        last = b2 * s["last"] + second
        return -last, {"first": first, "second": second, "last": last}

    return transformation(lambda w: dict.fromkeys(("first", "second", "last"), jnp.zeros_like(w)), update)


def forgetful_later(b1: float):
    """Copies of the gradient until step 5 and of 1 from then on, one later than the other, and what adds one up."""

    def update(g, s, w=None):
        t = s["t"] + 1
        copy = jnp.where(t <= 5, g, 1.0)
        after = {"t": t, "copy": copy, "last": s["copy"], "sum": b1 * s["sum"] + s["copy"]}
        return -s["last"], after

    def init(w):
        return {"t": jnp.zeros([], jnp.int32)} | dict.fromkeys(("copy", "last", "sum"), jnp.zeros_like(w))

    return transformation(init, update)


def late(b1: float):
    """A momentum that begins at the third step."""

    def update(g, s, w=None):
        t = s.count + 1
        trace = jnp.where(t < 3, g, b1 * s.s + g)
        return -trace, Late(t, trace)

    return transformation(lambda w: Late(jnp.zeros([], jnp.int32), jnp.zeros_like(w)), update)


def resetting(learning_rate: float):
    """A count that begins anew after 14 steps, and a longer step where it stands at 5."""

    def update(g, s, w=None):
        return -learning_rate * jnp.where(s == 5, 2.0, 1.0) * g, jnp.where(s == 13, 0, s + 1)

    return transformation(lambda w: jnp.zeros([], jnp.int32), update)


def negative_at_first(learning_rate: float):
    """A state that is below 0 after the first step, for all that later steps say."""

    def update(g, s, w=None):
        state = jnp.where(s.count < 1, -1 - g * g, 0.5 * s.s)
        return -learning_rate * jnp.abs(state), Late(s.count + 1, state)

    return transformation(lambda w: Late(jnp.zeros([], jnp.int32), jnp.zeros_like(w)), update)


def fed_late(learning_rate: float):
    """A sum that is fed from its first step on by a state whose recurrence holds from the third on."""

    def update(g, s, w=None):
        fed = jnp.where(s[2] < 2, 5 * g, 0.5 * s[0] + g)
        total = 0.5 * s[1] + fed
        return -learning_rate * total, (fed, total, s[2] + 1)

    return transformation(lambda w: (jnp.zeros_like(w), jnp.zeros_like(w), jnp.zeros([], jnp.int32)), update)


def other_at_the_start(learning_rate: float):
    """A longer first step, since the sum is 0 ahead of it."""

    def update(g, s, w=None):
        return jnp.where(s == 0, -7 * learning_rate * g, -learning_rate * g), s + g * g

    return transformation(jnp.zeros_like, update)
