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

from abc import ABC, abstractmethod
from collections import namedtuple
from functools import cache, cached_property
from typing import Any

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


class Arithmetic(ABC):
    """One decay rate b at one step, as a rule sees it; its scalars are formed once and shared by all leaves.

    Two averages at the same rate take two arithmetics: XLA turns x / c into x·(1/c) where c has a single use, so that
    bit identity with Optax takes one correction for each that Optax forms.

    Args:
        numbers: what `numbers` made of the decay.
        t: the number of the step, from 1; None for a rule that does not count.
    """

    def __init__(self, numbers: tuple[Any, Any], t: Any):
        self.b, self.c = numbers
        self.t = t

    @staticmethod
    @abstractmethod
    def numbers(decay: Decay) -> tuple[Any, Any]:
        """b and 1 − b as the step needs them, formed on the host, ahead of any jit."""

    @staticmethod
    def state_type(state: Any) -> Any:
        """The NamedTuple that stores a rule's state, field by field in the order of the rule's own."""
        return state

    @abstractmethod
    def one_minus_power(self, t: Any) -> Array:
        """1 − b^t, in the default float."""

    @abstractmethod
    def blend(self, s: Leaf, x: Leaf) -> Leaf:
        """b·s + (1 − b)·x."""

    @abstractmethod
    def shrink(self, s: Leaf) -> Leaf:
        """b·s."""

    @cached_property
    def correction(self) -> Array:
        """1 − b^t."""
        return self.one_minus_power(self.t)

    @cached_property
    def next_correction(self) -> Array:
        """1 − b^(t+1)."""
        return self.one_minus_power(optax.safe_increment(self.t))

    def average(self, s: Leaf, x: Leaf, corrected: bool = True) -> tuple[Leaf, Leaf]:
        """The next state of the moving average of x, and the average itself, for its bias `corrected` or not."""
        m = self.blend(s, x)
        return m, m / self.correction.astype(m.dtype) if corrected else m

    def lookahead(self, m: Leaf, g: Leaf) -> Leaf:
        """Nesterov's average: the state m decayed once more and g mixed in, both corrected (Dozat 2016)."""
        m_next = m / self.next_correction.astype(m.dtype)
        return self.shrink(m_next) + self.c * (g / self.correction.astype(g.dtype))

    def variance(self, s: Leaf, x: Leaf, mean: tuple[Leaf, Leaf, Leaf], corrected: bool) -> tuple[Leaf, Leaf]:
        """The next state, and E|x|² − |E x|²; `mean` is the state of E x before, its state after, and its average."""
        v, v_hat = self.average(s, abs_sq(x), corrected)
        return v, v_hat - abs_sq(mean[-1])


class OptaxArithmetic(Arithmetic):
    """Operand for operand what Optax does; its centered variance can come out negative."""

    @staticmethod
    def numbers(decay: Decay) -> tuple[Any, Any]:
        """b, and 1 − b in binary, which for 0.999 is not the double nearest to 0.001."""
        return decay.rate, 1 - decay.rate

    def one_minus_power(self, t: Any) -> Array:
        """As `optax.tree.bias_correction` has it."""
        return 1 - self.b**t

    def blend(self, s: Leaf, x: Leaf) -> Leaf:
        """As `optax.tree.update_moment` has it."""
        return self.c * x + self.b * s

    def shrink(self, s: Leaf) -> Leaf:
        """b·s."""
        return self.b * s


class AccurateArithmetic(Arithmetic):
    """Everything from c = 1 − b, which is formed in double before it is ever rounded; b itself is not used."""

    @staticmethod
    def numbers(decay: Decay) -> tuple[Any, Any]:
        """No b, and 1 − b in decimal."""
        return None, decay.complement

    def one_minus_power(self, t: Any) -> Array:
        """−expm1(t·log1p(−c)), without cancellation: 0 at c = 0 and 1 at c = 1."""
        return -jnp.expm1(t.astype(jnp.result_type(float)) * jnp.log1p(-self.c))

    def blend(self, s: Leaf, x: Leaf) -> Leaf:
        """s moved to x by the share c."""
        return mix(s, x, self.c)

    def shrink(self, s: Leaf) -> Leaf:
        """s − c·s."""
        return s - self.c * s

    def variance(self, s: Leaf, x: Leaf, mean: tuple[Leaf, Leaf, Leaf], corrected: bool) -> tuple[Leaf, Leaf]:
        """Held at 0 where rounding would make it negative."""
        v, variance = super().variance(s, x, mean, corrected)
        return v, jnp.maximum(variance, 0)


class WeightedArithmetic(AccurateArithmetic):
    """The state is the corrected average itself, a mean in which step t weighs w_t = c / (1 − b^t), or 1/t at b = 1.

    Without bias correction the weight is c, and the average is Optax's.
    """

    @staticmethod
    def state_type(state: Any) -> Any:
        """A type of its own where a field is an average, so that Optax refuses the state and cannot misread it."""
        return _weighted_state(state)

    @cached_property
    def weight(self) -> Array:
        """w_t."""
        return self._weight(self.t, self.correction)

    @cached_property
    def next_weight(self) -> Array:
        """w_(t+1)."""
        return self._weight(optax.safe_increment(self.t), self.next_correction)

    def _weight(self, t: Any, correction: Array) -> Array:
        return jnp.where(self.c == 0, 1 / t.astype(correction.dtype), self.c / jnp.where(self.c == 0, 1, correction))

    def average(self, s: Leaf, x: Leaf, corrected: bool = True) -> tuple[Leaf, Leaf]:
        """The mean moved to x by its weight, as state and as average."""
        m = mix(s, x, self.weight.astype(s.real.dtype)) if corrected else self.blend(s, x)
        return m, m

    def lookahead(self, m: Leaf, g: Leaf) -> Leaf:
        """(1 − w_(t+1))·m̂ + w_t·g, which is the same: b·(1 − b^t) / (1 − b^(t+1)) = 1 − w_(t+1)."""
        return (1 - self.next_weight.astype(m.real.dtype)) * m + self.weight.astype(g.real.dtype) * g

    def variance(self, s: Leaf, x: Leaf, mean: tuple[Leaf, Leaf, Leaf], corrected: bool) -> tuple[Leaf, Leaf]:
        """By its own recursion, (1 − w)·(s + w·|x − m_(t−1)|²), which no rounding can make negative."""
        w = self.weight.astype(s.dtype) if corrected else self.c
        spread = s + w * abs_sq(x - mean[0])
        v = spread - w * spread
        return v, v


ARITHMETICS: dict[str, type[Arithmetic]] = {
    "optax": OptaxArithmetic,
    "accurate": AccurateArithmetic,
    "weighted": WeightedArithmetic,
}


@cache
def _weighted_state(state: Any) -> type:
    names = {"mu": "mu_hat", "nu": "nu_hat"}
    if not names.keys() & set(state._fields):
        return state
    return namedtuple(f"Weighted{state.__name__}", [names.get(name, name) for name in state._fields])
