"""How a moving average, its bias correction and its decay are rounded.

A rule says what is computed and leaves the rounding to the arithmetic that arrives in place of each decay rate b.
Read as formulas, the three are the same. With c = 1 − b, and t the number of the step from 1:

=========  ====================================  =================================  ==================================
name       the average m_t of x_t                its bias correction                what the state holds
=========  ====================================  =================================  ==================================
optax      (1−b)·x + b·m, as Optax writes it     m / (1 − b^t)                      m, in Optax's own state
accurate   m moved to x by the share c           m / −expm1(t·log1p(−c))            m, in Optax's own state
weighted   m̂ moved to x by c / (1 − b^t)         none is needed: m̂ is the average   m̂, in a state of its own
=========  ====================================  =================================  ==================================

`optax` is bit-identical to Optax in the same context on a CPU, faults included: it uses b in two roundings at once
(1−b from a double, b^t from b in float32), which puts a systematic error of 6e-6 into every float32 Adam update.
`accurate` takes everything from c, which is formed in double on the host. `weighted` is defined at b = 1 too, where
its average is the plain mean, c / (1 − b^t) → 1/t, and Adam is Adagrad.
"""

from collections import namedtuple
from functools import cache, cached_property
from typing import Any, Protocol

import jax.numpy as jnp
import optax
from jaxtyping import Array, Inexact

from adamlab.types import Decay

Leaf = Inexact[Array, "*leaf"]


def abs_sq(x: Leaf) -> Leaf:
    """|x|², real: the square of a real x, the squared absolute value of a complex one."""
    return (jnp.conj(x) * x).real


def mix(s: Leaf, x: Leaf, w: Any) -> Leaf:
    """S moved towards x by the share w, counted from the nearer end: s + w·(x − s), exactly x at w = 1."""
    return jnp.where(w > 0.5, x - (1 - w) * (x - s), s + w * (x - s))


class Arithmetic(Protocol):
    """One decay rate b at one step, as a rule sees it; its scalars are formed once and shared by all leaves.

    It is made of its `numbers` and of t, the number of the step from 1, or None for a rule that does not count.
    Two averages at the same rate take two arithmetics: XLA turns x / c into x·(1/c) where c has a single use, so that
    bit identity with Optax takes one correction for each that Optax forms.
    """

    def __init__(self, numbers: tuple[Any, ...], t: Any): ...

    @staticmethod
    def numbers(decay: Decay) -> tuple[Any, ...]:
        """What the step needs to know of the decay, made on the host, ahead of any jit."""
        ...

    @staticmethod
    def state_type(state: Any) -> Any:
        """The NamedTuple that stores a rule's state, field by field in the order of the rule's own `state`."""
        ...

    def average(self, s: Leaf, x: Leaf, corrected: bool = True) -> tuple[Leaf, Leaf]:
        """The next state of the moving average of x, and the average, for its bias `corrected` or as it is."""
        ...

    def lookahead(self, m: Leaf, g: Leaf) -> Leaf:
        """Nesterov's average: the state m decayed once more and g mixed in, both corrected (Dozat 2016)."""
        ...

    def variance(self, s: Leaf, x: Leaf, mean: tuple[Leaf, Leaf, Leaf], corrected: bool) -> tuple[Leaf, Leaf]:
        """The next state, and E|x|² − |E x|²; `mean` is the state of E x before, its state after, and its average."""
        ...

    def shrink(self, s: Leaf) -> Leaf:
        """b·s."""
        ...


class OptaxArithmetic:
    """Operand for operand what Optax does."""

    def __init__(self, numbers: tuple[Any, ...], t: Any):
        self.b, self.c = numbers
        self.t = t

    @staticmethod
    def numbers(decay: Decay) -> tuple[Any, ...]:
        """B, and 1 − b in double, which for 0.999 is not the double nearest to 0.001."""
        return decay.rate, 1 - decay.rate

    @staticmethod
    def state_type(state: Any) -> Any:
        """Optax's own."""
        return state

    @cached_property
    def correction(self):
        """1 − b^t, in the default float."""
        return 1 - self.b**self.t

    @cached_property
    def next_correction(self):
        """1 − b^(t+1)."""
        return 1 - self.b ** optax.safe_increment(self.t)

    def average(self, s: Leaf, x: Leaf, corrected: bool = True) -> tuple[Leaf, Leaf]:
        """`optax.tree.update_moment`, and `optax.tree.bias_correction`."""
        m = self.c * x + self.b * s
        return m, m / self.correction.astype(m.dtype) if corrected else m

    def lookahead(self, m: Leaf, g: Leaf) -> Leaf:
        """`optax.scale_by_adam(nesterov=True)`."""
        m_next = m / self.next_correction.astype(m.dtype)
        return self.b * m_next + self.c * (g / self.correction.astype(g.dtype))

    def variance(self, s: Leaf, x: Leaf, mean: tuple[Leaf, Leaf, Leaf], corrected: bool) -> tuple[Leaf, Leaf]:
        """V − |m|², which rounding can make negative."""
        v, v_hat = self.average(s, abs_sq(x), corrected)
        return v, v_hat - abs_sq(mean[-1])

    def shrink(self, s: Leaf) -> Leaf:
        """b·s."""
        return self.b * s


class AccurateArithmetic:
    """Average and correction from c = 1 − b, which is formed in double before it is ever rounded."""

    def __init__(self, numbers: tuple[Any, ...], t: Any):
        (self.c,) = numbers
        self.t = t

    @staticmethod
    def numbers(decay: Decay) -> tuple[Any, ...]:
        """1 − b."""
        return (decay.complement,)

    @staticmethod
    def state_type(state: Any) -> Any:
        """Optax's own: the state has the same meaning, so that either can go on from the other's."""
        return state

    @cached_property
    def correction(self):
        """1 − b^t, in the default float."""
        return _one_minus_power(self.c, self.t)

    @cached_property
    def next_correction(self):
        """1 − b^(t+1)."""
        return _one_minus_power(self.c, optax.safe_increment(self.t))

    def average(self, s: Leaf, x: Leaf, corrected: bool = True) -> tuple[Leaf, Leaf]:
        """The average moved to x by the share c."""
        m = mix(s, x, self.c)
        return m, m / _like(self.correction, m) if corrected else m

    def lookahead(self, m: Leaf, g: Leaf) -> Leaf:
        """The formula of `OptaxArithmetic.lookahead` with the accurate corrections."""
        m_next = m / _like(self.next_correction, m)
        return self.shrink(m_next) + self.c * (g / _like(self.correction, g))

    def variance(self, s: Leaf, x: Leaf, mean: tuple[Leaf, Leaf, Leaf], corrected: bool) -> tuple[Leaf, Leaf]:
        """V − |m|², held at 0 where rounding would make it negative."""
        v, v_hat = self.average(s, abs_sq(x), corrected)
        return v, jnp.maximum(v_hat - abs_sq(mean[-1]), 0)

    def shrink(self, s: Leaf) -> Leaf:
        """S − c·s."""
        return s - self.c * s


class WeightedArithmetic(AccurateArithmetic):
    """The state is the corrected average itself, a mean in which step t weighs w_t = c / (1 − b^t), or 1/t at b = 1.

    Without bias correction the weight is c, and the average is Optax's.
    """

    @staticmethod
    def state_type(state: Any) -> Any:
        """A type of its own where a field is an average, so that Optax refuses the state and cannot misread it."""
        return _weighted_state(state)

    @cached_property
    def weight(self):
        """w_t."""
        return _weight(self.c, self.t, self.correction)

    @cached_property
    def next_weight(self):
        """w_(t+1)."""
        return _weight(self.c, optax.safe_increment(self.t), self.next_correction)

    def average(self, s: Leaf, x: Leaf, corrected: bool = True) -> tuple[Leaf, Leaf]:
        """The mean moved to x by its weight."""
        m = mix(s, x, _like(self.weight, s) if corrected else self.c)
        return m, m

    def lookahead(self, m: Leaf, g: Leaf) -> Leaf:
        """(1 − w_(t+1))·m̂ + w_t·g, which is the same: b·(1 − b^t) / (1 − b^(t+1)) = 1 − w_(t+1)."""
        return (1 - _like(self.next_weight, m)) * m + _like(self.weight, g) * g

    def variance(self, s: Leaf, x: Leaf, mean: tuple[Leaf, Leaf, Leaf], corrected: bool) -> tuple[Leaf, Leaf]:
        """The variance's own recursion, (1 − w)·(s + w·|x − m_(t−1)|²), which no rounding can make negative."""
        w = _like(self.weight, s) if corrected else self.c
        v = (1 - w) * (s + w * abs_sq(x - mean[0]))
        return v, v


ARITHMETICS: dict[str, type[Arithmetic]] = {
    "optax": OptaxArithmetic,
    "accurate": AccurateArithmetic,
    "weighted": WeightedArithmetic,
}


def _one_minus_power(c: Any, t: Any) -> Array:
    """1 − (1 − c)^t without the cancellation, 0 at c = 0 and 1 at c = 1."""
    return -jnp.expm1(t.astype(jnp.result_type(float)) * jnp.log1p(-c))


def _weight(c: Any, t: Any, correction: Array) -> Array:
    return jnp.where(c == 0, 1 / t.astype(correction.dtype), c / jnp.where(c == 0, 1, correction))


def _like(scalar: Array, leaf: Array) -> Array:
    return scalar.astype(leaf.real.dtype)


@cache
def _weighted_state(state: Any) -> type:
    names = {"mu": "mu_hat", "nu": "nu_hat"}
    if not names.keys() & set(state._fields):
        return state
    return namedtuple(f"Weighted{state.__name__}", [names.get(name, name) for name in state._fields])
