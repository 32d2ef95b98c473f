"""Arithmetics: how a moving average, its bias correction and its decay are rounded.

A rule says what is computed and leaves the rounding to the arithmetic that arrives in place of each decay rate b.
Read as formulas, the three are the same. With c = 1 − b, and t the number of the step from 1:

=========  ====================================  =================================  ==================================
name       the average m_t of x_t                its bias correction                what the state holds
=========  ====================================  =================================  ==================================
optax      (1−b)·x + b·m, as Optax writes it     m / (1 − b^t)                      m, in Optax's own state
accurate   m moved to x by the share c           m / −expm1(t·log1p(−c))            m, in Optax's own state
weighted   m̂ moved to x by c / (1 − b^t)         none is needed: m̂ is the average   m̂, in a state of its own
=========  ====================================  =================================  ==================================

`optax` is bit-identical to Optax on a CPU, both under jit or both under scan, faults included: it uses b in two
roundings at once (1 − b from a double, b^t from b in float32), which puts a systematic error of 6e-6 into every
float32 Adam update. `accurate` goes by the smaller of b and c, both formed in double on the host. `weighted` is
defined at b = 1 too, where its average is the plain mean, c / (1 − b^t) → 1/t, and Adam is Adagrad.
"""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Num

from adamlab.types import Decay, Rule

Leaf = Num[Array, "*leaf"]


def abs_sq(x: Leaf) -> Leaf:
    """|x|², real: the square of a real x, the squared absolute value of a complex one."""
    return (jnp.conj(x) * x).real


def mix(s: Leaf, x: Leaf, keep: Any, take: Any) -> Leaf:
    """keep·s + take·x for shares that add up to 1, counted from the nearer end; exactly x at take = 1."""
    step = x - s
    nearer = jnp.where(take > 0.5, x - keep * step, s + take * step)
    # Where s or x has overflowed, ∞ − ∞ would make a NaN that never goes away.
    return jnp.where(jnp.isfinite(step), nearer, keep * s + take * x)


def two_sum(a: Leaf, b: Leaf) -> tuple[Leaf, Leaf]:
    """a + b as rounded, and what the rounding left out of it, exactly; 0 where the sum has overflowed."""
    total = a + b
    from_b = total - a
    rest = (a - (total - from_b)) + (b - from_b)
    return total, jnp.where(jnp.isfinite(total), rest, 0)


def next_correction(complement: Any, correction: Any, rest: Any) -> tuple[Any, Any]:
    """1 − b^(t+1) of 1 − b^t, both with what their rounding left out: as good as any power, and without one.

    c_(t+1) = c_t + c·(1 − c_t). Each increment is as good as c_t is, and errors in c_t are forgotten at the rate b.
    """
    return two_sum(correction, complement * ((1 - correction) - rest) + rest)


def cast(x: Any, dtype: Any) -> Any:
    """x in that type; x itself where it has it, since a cast would make its weak type strong: another trace."""
    return x if x.dtype == dtype else x.astype(dtype)


class Arithmetic(ABC):
    """One decay rate b at one step, as a rule sees it; its scalars are formed once and shared by all leaves.

    Two averages at the same rate take two arithmetics: XLA turns x / c into x·(1/c) where c has a single use, so that
    bit identity with Optax takes one correction for each that Optax forms.

    Args:
        numbers: what `numbers` made of the decay.
        t: the number of the step, from 1; None for a rule that does not count.
    """

    def __init__(self, numbers: tuple[Any, ...], t: Any):
        self.b, self.c = numbers
        self.t = t

    @staticmethod
    @abstractmethod
    def numbers(decay: Decay) -> tuple[Any, ...]:
        """b and 1 − b as the step needs them, formed on the host, ahead of any jit."""

    @staticmethod
    def state_type(rule: Rule) -> Any:
        """The NamedTuple that stores a rule's state."""
        return rule.state

    @staticmethod
    def widened(*leaves: Any) -> list[Any]:
        """The leaves as a rule computes with them: in their widest floating type, which is at least float32.

        In float16 an ε of 1e-8 is 0, and a zero gradient would divide 0 by 0.
        """
        kinds = [jnp.finfo(x.dtype).dtype for x in leaves if _is_inexact(x)]
        real = max([jnp.dtype(jnp.float32), *kinds], key=lambda kind: kind.itemsize)
        wide = {False: real, True: np.result_type(real, np.complex64)}
        return [x if x is None else cast(x, wide[jnp.iscomplexobj(x)]) for x in leaves]

    @abstractmethod
    def one_minus_power(self, t: Any) -> Array:
        """1 − b^t, in the default float."""

    @abstractmethod
    def blend(self, s: Leaf, x: Leaf) -> Leaf:
        """b·s + (1 − b)·x."""

    @abstractmethod
    def shrink(self, s: Leaf) -> Leaf:
        """b·s."""

    def accumulate(self, s: Leaf, x: Leaf) -> Leaf:
        """x + b·s."""
        return x + self.shrink(s)

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

    def variance(self, s: Leaf, x: Leaf, before: Leaf, mean: Leaf, corrected: bool) -> tuple[Leaf, Leaf]:
        """The next state, and E|x|² − |E x|²; `before` is the state of E x ahead of the step, `mean` E x after it."""
        v, v_hat = self.average(s, abs_sq(x), corrected)
        return v, v_hat - abs_sq(mean)


class OptaxArithmetic(Arithmetic):
    """Optax's own arithmetic, operand for operand; its centered variance can come out negative."""

    @staticmethod
    def numbers(decay: Decay) -> tuple[Any, Any]:
        """b, and 1 − b in binary, which for 0.999 is not the double nearest to 0.001."""
        return decay.rate, 1 - decay.rate

    @staticmethod
    def widened(*leaves: Any) -> list[Any]:
        """The leaves as they come."""
        return list(leaves)

    def one_minus_power(self, t: Any) -> Array:
        """1 − b^t as `optax.tree.bias_correction` computes it."""
        return 1 - self.b**t

    def blend(self, s: Leaf, x: Leaf) -> Leaf:
        """b·s + (1 − b)·x as `optax.tree.update_moment` computes it."""
        return self.c * x + self.b * s

    def shrink(self, s: Leaf) -> Leaf:
        """b·s."""
        return self.b * s


class AccurateArithmetic(Arithmetic):
    """Arithmetic by the smaller of b and c = 1 − b, both formed in double before either is rounded."""

    def __init__(self, numbers: tuple[Any, ...], t: Any):
        *shares, self.carried = numbers
        super().__init__(tuple(shares), t)

    @staticmethod
    def numbers(decay: Decay) -> tuple[Any, Any, tuple[Any, Any] | None]:
        """b, 1 − b in decimal, and the corrections where a sweep carries them."""
        return decay.rate, decay.complement, decay.corrections

    @cached_property
    def previous_correction(self) -> Array:
        """1 − b^(t−1); at the first step anything finite."""
        return self.one_minus_power(jnp.maximum(self.t - 1, 1)) if self.carried is None else self.carried[0]

    @cached_property
    def correction(self) -> Array:
        """1 − b^t."""
        return self.one_minus_power(self.t) if self.carried is None else self.carried[1]

    @cached_property
    def next_correction(self) -> Array:
        """1 − b^(t+1)."""
        if self.carried is None:
            return self.one_minus_power(optax.safe_increment(self.t))
        return self.c + self.b * self.carried[1]

    def one_minus_power(self, t: Any) -> Array:
        """−expm1(t·log1p(−c)), without the cancellation in 1 − b^t, which is good enough for small b."""
        small = jnp.where(self.c > 0.5, 0.5, self.c)
        return jnp.where(self.c > 0.5, 1 - self.b ** _as_float(t), -jnp.expm1(_as_float(t) * jnp.log1p(-small)))

    def blend(self, s: Leaf, x: Leaf) -> Leaf:
        """s moved towards x by the share c."""
        return mix(s, x, self.b, self.c)

    def shrink(self, s: Leaf) -> Leaf:
        """s − c·s, and b·s for small b or an infinite s."""
        return jnp.where((self.c > 0.5) | ~jnp.isfinite(s), self.b * s, s - self.c * s)

    def accumulate(self, s: Leaf, x: Leaf) -> Leaf:
        """s + (x − c·s), which moves a sum that has settled by its own rounding alone; x + b·s as in `shrink`."""
        return jnp.where((self.c > 0.5) | ~jnp.isfinite(s), x + self.b * s, s + (x - self.c * s))

    def variance(self, s: Leaf, x: Leaf, before: Leaf, mean: Leaf, corrected: bool) -> tuple[Leaf, Leaf]:
        """E|x|² − |E x|², held at 0 where rounding would make it negative."""
        v, variance = super().variance(s, x, before, mean, corrected)
        return v, jnp.maximum(variance, 0)


class WeightedArithmetic(AccurateArithmetic):
    """Arithmetic whose state is the corrected average itself: step t weighs w_t = c / (1 − b^t) in it, or 1/t at b = 1.

    Without bias correction the weight is c, and the average is Optax's.
    """

    @staticmethod
    def state_type(rule: Rule) -> Any:
        """A type of its own where the state holds something else, so that Optax refuses it and cannot misread it."""
        return rule.weighted or rule.state

    @cached_property
    def shares(self) -> tuple[Array, Array]:
        """1 − w_t and w_t."""
        return self._shares(self.t, self.previous_correction, self.correction)

    @cached_property
    def next_shares(self) -> tuple[Array, Array]:
        """1 − w_(t+1) and w_(t+1)."""
        return self._shares(optax.safe_increment(self.t), self.correction, self.next_correction)

    def _shares(self, t: Any, before: Array, correction: Array) -> tuple[Array, Array]:
        # The first step has all the weight, exactly: by a rounding more the variance would be negative.
        steps, first, plain = _as_float(t), t == 1, self.c == 0
        divisor = jnp.where(plain, 1, correction)
        keep = jnp.where(plain, (steps - 1) / steps, self.b * before / divisor)
        take = jnp.where(plain, 1 / steps, self.c / divisor)
        return jnp.where(first, 0, keep), jnp.where(first, 1, take)

    def average(self, s: Leaf, x: Leaf, corrected: bool = True) -> tuple[Leaf, Leaf]:
        """The mean moved towards x by the weight of this step, as state and as average."""
        m = mix(s, x, *_like(self.shares, s)) if corrected else self.blend(s, x)
        return m, m

    def lookahead(self, m: Leaf, g: Leaf) -> Leaf:
        """(1 − w_(t+1))·m̂ + w_t·g, which is the same: b·(1 − b^t) / (1 − b^(t+1)) = 1 − w_(t+1)."""
        keep, _ = _like(self.next_shares, m)
        _, take = _like(self.shares, m)
        return keep * m + take * g

    def variance(self, s: Leaf, x: Leaf, before: Leaf, mean: Leaf, corrected: bool) -> tuple[Leaf, Leaf]:
        """The variance by its own recursion, (1 − w)·(s + w·|x − m_(t−1)|²), which no rounding can make negative."""
        keep, take = _like(self.shares, s) if corrected else (self.b, self.c)
        spread = s + take * abs_sq(x - before)
        nearer = jnp.where(take > 0.5, keep * spread, spread - take * spread)
        v = jnp.where(jnp.isfinite(spread), nearer, spread)  # not ∞ − ∞, a NaN that never goes away
        return v, v


ARITHMETICS: dict[str, type[Arithmetic]] = {
    "optax": OptaxArithmetic,
    "accurate": AccurateArithmetic,
    "weighted": WeightedArithmetic,
}


def _is_inexact(x: Any) -> bool:
    return x is not None and jnp.issubdtype(x.dtype, jnp.inexact)


def _as_float(t: Any) -> Array:
    return t.astype(jnp.result_type(float))


def _like(shares: tuple[Array, Array], leaf: Leaf) -> tuple[Array, Array]:
    keep, take = shares
    return keep.astype(leaf.real.dtype), take.astype(leaf.real.dtype)
