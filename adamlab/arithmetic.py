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

Derivatives through the steps, by any number, gradient or state and of any order, are finite where the steps are. Those
of `optax` are Optax's own, but for the root of 0. As c → 0 the derivative of m / (1 − b^t) by b is what two numbers
that grow as 1/c leave of each other, so that `accurate` and `weighted` take it by the weights c / (1 − b^t), in whose
derivatives nothing cancels. A float cannot hold both this derivative and that of `accurate`'s state, which is Optax's:
while 1 − b^t < FRESH, 1e-3 in float32, b is taken to be the same at every step, and the derivative of the state by b is
that at a fixed correction, (1 − b^t)·dm̂/db.
"""

from abc import ABC, abstractmethod
from functools import cached_property, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Num

from adamlab.derivatives import differentiated_as, with_derivatives_of
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
        return _one_minus_power(_as_float(t), self.b, self.c)

    def average(self, s: Leaf, x: Leaf, corrected: bool = True) -> tuple[Leaf, Leaf]:
        """The next state of the moving average of x, and the average itself, for its bias `corrected` or not."""
        if not corrected:
            return super().average(s, x, corrected)
        return _average(s, x, self.t, self.b, self.c, self.correction)

    def lookahead(self, m: Leaf, g: Leaf) -> Leaf:
        """Nesterov's average: the state m decayed once more and g mixed in, both corrected (Dozat 2016)."""
        return _lookahead(m, g, self.t, self.b, self.c, self.correction, self.next_correction)

    def blend(self, s: Leaf, x: Leaf) -> Leaf:
        """s moved towards x by the share c."""
        return mix(s, x, self.b, self.c)

    def shrink(self, s: Leaf) -> Leaf:
        """s − c·s, and b·s for small b or an infinite s."""
        return _shrink(s, self.b, self.c)

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
        return _shares(self.t, self.b, self.c, self.previous_correction, self.correction)

    @cached_property
    def next_shares(self) -> tuple[Array, Array]:
        """1 − w_(t+1) and w_(t+1)."""
        return _shares(optax.safe_increment(self.t), self.b, self.c, self.correction, self.next_correction)

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


FRESH = 2.0**13
"""In ulps of 1, the correction 1 − b^t below which a state under the accurate arithmetic has the derivative of m̂."""


def _one_minus_power(steps: Array, b: Any, c: Any) -> Array:
    small = jnp.where(c > 0.5, 0.5, c)
    return jnp.where(c > 0.5, 1 - b**steps, -jnp.expm1(steps * jnp.log1p(-small)))


def _shrink(s: Leaf, b: Any, c: Any) -> Leaf:
    return jnp.where((c > 0.5) | ~jnp.isfinite(s), b * s, s - c * s)


BERNOULLI = (1 / 2, -1 / 12, 1 / 720, -1 / 30240, 1 / 1209600, -1 / 47900160, 691 / 1307674368000)
"""The coefficients of 1/x − 1/(e^x − 1) in 1, x, x³, x⁵ …"""


def _lag(x: Array) -> Array:
    """1/x − 1/(e^x − 1), which falls from 1/2 at x = 0."""
    near, far = jnp.where(x < 1, x, 0.0), jnp.where(x < 1, 1.0, x)
    odd = reduce(lambda rest, coefficient: coefficient + near * near * rest, reversed(BERNOULLI[1:]), 0.0)
    return jnp.where(x < 1, BERNOULLI[0] + near * odd, 1 / far - 1 / jnp.expm1(far))


@jax.custom_jvp
def _weight(steps: Array, b: Any, c: Any) -> Array:
    """w_t = c / (1 − b^t), and 1/t at c = 0."""
    return jnp.where(c == 0, 1 / steps, c / jnp.where(c == 0, 1, _one_minus_power(steps, b, c)))


@_weight.defjvp
def _(numbers, slopes):
    (steps, b, c), (_, _, by_c) = numbers, slopes
    weight, fixed = jax.lax.stop_gradient((_weight(steps, b, c), c))
    linear = weight + jax.lax.stop_gradient(_weight_slope(weight, steps, b, c)) * (c - fixed)
    return with_derivatives_of(weight, linear), _weight_slope(linear, steps, b, c) * by_c


def _weight_slope(weight: Array, steps: Array, b: Any, c: Any) -> Array:
    """dw/dc: with b = e^(−x), w·(t·lag(t·x) − lag(x)) / b; in that of c / (1 − b^t) two terms cancel at small c."""
    small = jnp.where(c > 0.5, 0.5, c)
    x = -jnp.log1p(-small)
    near_one = weight * (steps * _lag(steps * x) - _lag(x)) / (1 - small)
    far = weight / jnp.where(c > 0.5, c, 1) * (1 - steps * weight * b ** (steps - 1))
    return jnp.where(c > 0.5, far, near_one)


def _shares_by_weight(t: Any, b: Any, c: Any, before: Array, correction: Array) -> tuple[Array, Array]:
    take = _weight(_as_float(t), b, c)
    return 1 - take, take


@differentiated_as(_shares_by_weight)
def _shares(t: Any, b: Any, c: Any, before: Array, correction: Array) -> tuple[Array, Array]:
    """1 − w_t and w_t, by the corrections before and at step t."""
    # The first step has all the weight, exactly: by a rounding more the variance would be negative.
    steps, first, plain = _as_float(t), t == 1, c == 0
    divisor = jnp.where(plain, 1, correction)
    keep = jnp.where(plain, (steps - 1) / steps, b * before / divisor)
    take = jnp.where(plain, 1 / steps, c / divisor)
    return jnp.where(first, 0, keep), jnp.where(first, 1, take)


def _is_fresh(correction: Array, s: Leaf) -> Array:
    return (correction > 0) & (correction < FRESH * jnp.finfo(s.dtype).eps)


def _carried(s: Leaf, steps: Array, b: Any, c: Any) -> Leaf:
    """b·s / (1 − b^t) for the state s of t − 1 steps; (1 − w_t)·m̂ of a fresh one, whose derivative is that of m̂."""
    before = _one_minus_power(steps - 1, b, c)
    fresh = _is_fresh(before, s)
    unit = jax.lax.stop_gradient(jnp.where(fresh, before, 1))
    share = jnp.where(fresh, 1 - _weight(steps, b, c), b / _one_minus_power(steps, b, c))
    return share.astype(s.real.dtype) * (s / unit.astype(s.real.dtype))


def _average_by_weight(s: Leaf, x: Leaf, t: Any, b: Any, c: Any, correction: Array) -> tuple[Leaf, Leaf]:
    steps = _as_float(t)
    m_hat = _carried(s, steps, b, c) + _weight(steps, b, c).astype(s.real.dtype) * x
    now = _one_minus_power(steps, b, c)
    return jnp.where(_is_fresh(now, s), jax.lax.stop_gradient(now), now).astype(s.real.dtype) * m_hat, m_hat


@differentiated_as(_average_by_weight)
def _average(s: Leaf, x: Leaf, t: Any, b: Any, c: Any, correction: Array) -> tuple[Leaf, Leaf]:
    """The next state of the moving average of x, and the average corrected for its bias."""
    m = mix(s, x, b, c)
    return m, m / correction.astype(m.dtype)


def _lookahead_by_weight(m: Leaf, g: Leaf, t: Any, b: Any, c: Any, correction: Array, after: Array) -> Leaf:
    steps = _as_float(t)
    return _carried(m, steps + 1, b, c) + _weight(steps, b, c).astype(g.real.dtype) * g


@differentiated_as(_lookahead_by_weight)
def _lookahead(m: Leaf, g: Leaf, t: Any, b: Any, c: Any, correction: Array, after: Array) -> Leaf:
    """Nesterov's average, by the corrections at step t and after it."""
    return _shrink(m / after.astype(m.dtype), b, c) + c * (g / correction.astype(g.dtype))


def _is_inexact(x: Any) -> bool:
    return x is not None and jnp.issubdtype(x.dtype, jnp.inexact)


def _as_float(t: Any) -> Array:
    return t.astype(jnp.result_type(float))


def _like(shares: tuple[Array, Array], leaf: Leaf) -> tuple[Array, Array]:
    keep, take = shares
    return keep.astype(leaf.real.dtype), take.astype(leaf.real.dtype)
