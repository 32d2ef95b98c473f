"""Adam and its kin, as their papers have them, and with the differences that libraries have."""

import jax.numpy as jnp

from adamlab.translation.papers.steps import Transformation, stepping


def adam(lr, b1, b2, e) -> Transformation:
    """Kingma & Ba 2015, Algorithm 1."""

    def step(g, w, t, m, v):
        m, v = _moments(g, m, v, b1, b2)
        return -lr * (m / (1 - b1**t)) / (jnp.sqrt(v / (1 - b2**t)) + e), m, v

    return stepping(step, m=0.0, v=0.0)


def adamw(lr, alpha, b1, b2, e, wd) -> Transformation:
    """Loshchilov & Hutter 2019, Algorithm 2, whose η_t is lr."""

    def step(g, w, t, m, v):
        m, v = _moments(g, m, v, b1, b2)
        return -lr * (alpha * (m / (1 - b1**t)) / (jnp.sqrt(v / (1 - b2**t)) + e) + wd * w), m, v

    return stepping(step, m=0.0, v=0.0)


def adamax(lr, b1, b2) -> Transformation:
    """Kingma & Ba 2015, Algorithm 2."""

    def step(g, w, t, m, u):
        m, u = b1 * m + (1 - b1) * g, jnp.maximum(b2 * u, jnp.abs(g))
        return -lr / (1 - b1**t) * m / u, m, u

    return stepping(step, m=0.0, u=0.0)


def amsgrad(lr, b1, b2) -> Transformation:
    """Reddi, Kale & Kumar 2018, Algorithm 2."""

    def step(g, w, t, m, v, v_max):
        m, v = _moments(g, m, v, b1, b2)
        v_max = jnp.maximum(v_max, v)
        return -lr * m / jnp.sqrt(v_max), m, v, v_max

    return stepping(step, m=0.0, v=0.0, v_max=0.0)


def amsgrad_corrected(lr, b1, b2) -> Transformation:
    """AMSGrad with both moments corrected, the second after the maximum."""

    def step(g, w, t, m, v, v_max):
        m, v = _moments(g, m, v, b1, b2)
        v_max = jnp.maximum(v_max, v)
        return -lr * (m / (1 - b1**t)) / jnp.sqrt(v_max / (1 - b2**t)), m, v, v_max

    return stepping(step, m=0.0, v=0.0, v_max=0.0)


def amsgrad_of_corrected(lr, b1, b2) -> Transformation:
    """AMSGrad with both moments corrected, the second ahead of the maximum."""

    def step(g, w, t, m, v, v_max):
        m, v = _moments(g, m, v, b1, b2)
        v_max = jnp.maximum(v_max, v / (1 - b2**t))
        return -lr * (m / (1 - b1**t)) / jnp.sqrt(v_max), m, v, v_max

    return stepping(step, m=0.0, v=0.0, v_max=0.0)


def _nadam(lr, b1, b2, e, mu, average=None, again=1.0) -> Transformation:
    """Dozat's step with momentum μ_t, a rate of the average, by default μ_t, and a factor on v̂."""

    def step(g, w, t, m, v, product):
        now, later = mu(t), mu(t + 1)
        rate, product = now if average is None else average, product * now
        m, v = rate * m + (1 - rate) * g, b2 * v + (1 - b2) * g**2
        m_hat = later * m / (1 - product * later) + (1 - now) * g / (1 - product)
        return -lr * m_hat / (jnp.sqrt(again * v / (1 - b2**t)) + e), m, v, product

    return stepping(step, m=0.0, v=0.0, product=1.0)


def nadam(lr, b1, b2, e) -> Transformation:
    """Dozat 2016, Algorithm 2: with its momentum μ_t = β₁·(1 − ½·0.96^(t/250))."""
    return _nadam(lr, b1, b2, e, lambda t: b1 * (1 - 0.5 * 0.96 ** (t * 0.004)), again=b2)


def nadam_of_frameworks(lr, b1, b2, e, psi) -> Transformation:
    """NAdam with the average by β₁ and v̂ as in Adam."""
    return _nadam(lr, b1, b2, e, lambda t: b1 * (1 - 0.5 * 0.96 ** (t * psi)), average=b1)


def nadam_of_keras(lr, b1, b2, e) -> Transformation:
    """The same with a momentum that grows 250 times as fast as in the paper."""
    return nadam_of_frameworks(lr, b1, b2, e, psi=1.0)


def nadam_of_constant_momentum(lr, b1, b2, e) -> Transformation:
    """NAdam with μ_t = β₁ and v̂ as in Adam."""

    def step(g, w, t, m, v):
        m, v = _moments(g, m, v, b1, b2)
        m_hat = b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
        return -lr * m_hat / (jnp.sqrt(v / (1 - b2**t)) + e), m, v

    return stepping(step, m=0.0, v=0.0)


def _radam(lr, b1, b2, is_rectified) -> Transformation:
    def step(g, w, t, m, v):
        m, v = _moments(g, m, v, b1, b2)
        m_hat, at_last = m / (1 - b1**t), 2 / (1 - b2) - 1
        rho = at_last - 2 * t * b2**t / (1 - b2**t)
        r = jnp.sqrt((rho - 4) * (rho - 2) * at_last / ((at_last - 4) * (at_last - 2) * rho))
        return -lr * jnp.where(is_rectified(rho), r * m_hat / jnp.sqrt(v / (1 - b2**t)), m_hat), m, v

    return stepping(step, m=0.0, v=0.0)


def radam(lr, b1, b2) -> Transformation:
    """Liu et al. 2020, Algorithm 2."""
    return _radam(lr, b1, b2, lambda rho: rho > 4)


def radam_above_5(lr, b1, b2) -> Transformation:
    """RAdam, rectified where ρ_t > 5."""
    return _radam(lr, b1, b2, lambda rho: rho > 5)


def radam_from_5_on(lr, b1, b2) -> Transformation:
    """RAdam, rectified where ρ_t ≥ 5."""
    return _radam(lr, b1, b2, lambda rho: rho >= 5)


def yogi(lr, b1, b2, e) -> Transformation:
    """Zaheer et al. 2018, Algorithm 2."""

    def step(g, w, t, m, v):
        m, v = b1 * m + (1 - b1) * g, v - (1 - b2) * jnp.sign(v - g**2) * g**2
        return -lr * m / (jnp.sqrt(v) + e), m, v

    return stepping(step, m=0.0, v=0.0)


def yogi_corrected(lr, b1, b2, e) -> Transformation:
    """Yogi with both moments corrected, which begin at 1e-6."""

    def step(g, w, t, m, v):
        m, v = b1 * m + (1 - b1) * g, v - (1 - b2) * jnp.sign(v - g**2) * g**2
        return -lr * (m / (1 - b1**t)) / (jnp.sqrt(v / (1 - b2**t)) + e), m, v

    return stepping(step, m=1e-6, v=1e-6)


def _lamb(lr, b1, b2, e, wd, ratio) -> Transformation:
    def step(g, w, t, m, v):
        m, v = _moments(g, m, v, b1, b2)
        r = m / (1 - b1**t) / (jnp.sqrt(v / (1 - b2**t)) + e) + wd * w
        return -lr * ratio(_norm(w), _norm(r)) * r, m, v

    return stepping(step, m=0.0, v=0.0)


def _norm(x):
    return jnp.sqrt(jnp.sum(x**2))


def _ratio_from_0_on(size, of_step):
    return jnp.where((size == 0) | (of_step == 0), 1.0, size / of_step)


def lamb(lr, b1, b2, e, wd) -> Transformation:
    """You et al. 2020, Algorithm 2: with φ(z) = z."""
    return _lamb(lr, b1, b2, e, wd, lambda size, of_step: size / of_step)


def lamb_from_0_on(lr, b1, b2, e, wd) -> Transformation:
    """LAMB with the ratio 1 where a norm is 0."""
    return _lamb(lr, b1, b2, e, wd, _ratio_from_0_on)


def lamb_of_keras(lr, b1, b2, e, wd) -> Transformation:
    """LAMB from 0 on with the decay ahead of the step, whose ratio goes by what is left."""

    def step(g, w, t, m, v):
        m, v = _moments(g, m, v, b1, b2)
        r, left = m / (1 - b1**t) / (jnp.sqrt(v / (1 - b2**t)) + e), w - lr * wd * w
        return left - lr * _ratio_from_0_on(_norm(left), _norm(r)) * r - w, m, v

    return stepping(step, m=0.0, v=0.0)


def _moments(g, m, v, b1, b2):
    return b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
