"""The rules once more, in 50-digit arithmetic, straight from their papers; shares no code with adamlab.

Gradients are exactly the floats that the optimizer sees, hyper-parameters are read as decimals: 0.999 is 999/1000.
A learning rate or a weight decay can be a schedule of the number of finished updates, of plain arithmetic.
Each function gives the list of updates for the gradients of one coordinate.
"""

from collections.abc import Callable
from typing import Any

from mpmath import mp, mpf, sqrt

mp.dps = 50


def number(value) -> Any:
    """A hyper-parameter, read as the decimal that it was written as, unless it has its 50 digits already."""
    return value if isinstance(value, mpf) else mpf(repr(float(value)))


def each_step(value) -> Callable[[int], Any]:
    """The value of a number or a schedule at step t, from 1."""
    if callable(value):
        return lambda t: value(mpf(t - 1))
    constant = number(value)
    return lambda t: constant


def sgd(gradients, learning_rate, momentum=None, nesterov=False):
    """Sutskever et al. 2013 in the form of all frameworks: m = g + μm; u = −ηm, or −η(g + μm)."""
    eta, mu, m, updates = each_step(learning_rate), number(momentum or 0), mpf(0), []
    for t, g in enumerate(map(mpf, gradients), start=1):
        m = g + mu * m
        updates.append(-eta(t) * (g + mu * m if nesterov else m))
    return updates


def adagrad(gradients, learning_rate, initial_accumulator_value=0.1, eps=1e-7):
    """Duchi et al. 2011 with ε inside the root: u = −η·g / √(G₀ + Σg² + ε), 0 while the sum is 0."""
    eta, total, eps, updates = each_step(learning_rate), number(initial_accumulator_value), number(eps), []
    for t, g in enumerate(map(mpf, gradients), start=1):
        total += g**2
        updates.append(-eta(t) * g / sqrt(total + eps) if total > 0 else mpf(0))
    return updates


def rmsprop(
    gradients,
    learning_rate,
    decay=0.9,
    eps=1e-8,
    initial_scale=0.0,
    eps_in_sqrt=True,
    centered=False,
    momentum=None,
    nesterov=False,
    bias_correction=False,
):
    """Tieleman & Hinton 2012; centered: Graves 2013; the learning rate ahead of the momentum, as in Optax."""
    eta, rho, eps, mu = each_step(learning_rate), number(decay), number(eps), number(momentum or 0)
    m, v, trace, updates = mpf(0), number(initial_scale), mpf(0), []
    for t, g in enumerate(map(mpf, gradients), start=1):
        m = rho * m + (1 - rho) * g
        v = rho * v + (1 - rho) * g**2
        unbias = 1 - rho**t if bias_correction else mpf(1)
        scale = v / unbias - ((m / unbias) ** 2 if centered else 0)
        u = -eta(t) * g / (sqrt(scale + eps) if eps_in_sqrt else sqrt(scale) + eps)
        trace = u + mu * trace
        updates.append(u + mu * trace if nesterov else trace)
    return updates


def adam(gradients, learning_rate, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, nesterov=False, bias_correction=True):
    """Kingma & Ba 2015, Algorithm 1; nesterov: Dozat 2016, Algorithm 2 without the β₂ on v̂."""
    eta, (beta1, beta2, eps, eps_root) = each_step(learning_rate), map(number, (b1, b2, eps, eps_root))
    m, v, updates = mpf(0), mpf(0), []
    for t, g in enumerate(map(mpf, gradients), start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        unbias1, unbias1_ahead, unbias2 = (
            (1 - beta1**t, 1 - beta1 ** (t + 1), 1 - beta2**t) if bias_correction else (mpf(1),) * 3
        )
        m_hat = m / unbias1
        if nesterov:
            m_hat = beta1 * m / unbias1_ahead + (1 - beta1) * g / unbias1
        updates.append(-eta(t) * m_hat / (sqrt(v / unbias2 + eps_root) + eps))
    return updates


def adamw(gradients, weights, learning_rate, weight_decay=1e-4, **hyper):
    """Loshchilov & Hutter 2019, Algorithm 2, the decay times the learning rate; `weights` are w ahead of each step."""
    eta, decay = each_step(learning_rate), each_step(weight_decay)
    updates = adam(gradients, learning_rate, **hyper)
    return [u - eta(t) * decay(t) * w for t, (u, w) in enumerate(zip(updates, weights, strict=True), start=1)]


def adamax(gradients, learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    """Kingma & Ba 2015, Algorithm 2, with ε beside |g| as in Optax and PyTorch."""
    eta, (beta1, beta2, eps) = each_step(learning_rate), map(number, (b1, b2, eps))
    m, norm, updates = mpf(0), mpf(0), []
    for t, g in enumerate(map(mpf, gradients), start=1):
        m = beta1 * m + (1 - beta1) * g
        norm = max(beta2 * norm, abs(g) + eps)
        updates.append(-eta(t) / (1 - beta1**t) * m / norm)
    return updates


def adamaxw(gradients, weights, learning_rate, weight_decay=1e-4, **hyper):
    """AdaMax with the decay of AdamW."""
    eta, decay = each_step(learning_rate), each_step(weight_decay)
    updates = adamax(gradients, learning_rate, **hyper)
    return [u - eta(t) * decay(t) * w for t, (u, w) in enumerate(zip(updates, weights, strict=True), start=1)]


def nadam(gradients, learning_rate, **hyper):
    """Dozat 2016, Algorithm 2 without the β₂ on v̂."""
    return adam(gradients, learning_rate, nesterov=True, **hyper)


def nadamw(gradients, weights, learning_rate, **hyper):
    """NAdam with the decay of AdamW."""
    return adamw(gradients, weights, learning_rate, nesterov=True, **hyper)


def amsgrad(
    gradients,
    learning_rate,
    b1=0.9,
    b2=0.999,
    eps=1e-8,
    eps_root=0.0,
    bias_correction_mu=True,
    bias_correction_nu=True,
):
    """Reddi et al. 2018, Algorithm 2, with the corrections that Optax adds, that of v ahead of the maximum."""
    eta, (beta1, beta2, eps, eps_root) = each_step(learning_rate), map(number, (b1, b2, eps, eps_root))
    m, v, v_max, updates = mpf(0), mpf(0), mpf(0), []
    for t, g in enumerate(map(mpf, gradients), start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        v_max = max(v_max, v / (1 - beta2**t) if bias_correction_nu else v)
        m_hat = m / (1 - beta1**t) if bias_correction_mu else m
        updates.append(-eta(t) * m_hat / (sqrt(v_max + eps_root) + eps))
    return updates


def adadelta(gradients, weights, learning_rate=-1.0, rho=0.9, eps=1e-6, weight_decay=0.0):
    """Zeiler 2012, Algorithm 1, times −η; the decay is an L2 term. Without a rate Optax goes along the gradient."""
    eta, decay, (rho, eps) = each_step(learning_rate), each_step(weight_decay), map(number, (rho, eps))
    e_g, e_x, updates = mpf(0), mpf(0), []
    for t, (g_loss, w) in enumerate(zip(map(mpf, gradients), weights, strict=True), start=1):
        g = g_loss + decay(t) * w
        e_g = rho * e_g + (1 - rho) * g**2
        x = sqrt(e_x + eps) / sqrt(e_g + eps) * g
        e_x = rho * e_x + (1 - rho) * x**2
        updates.append(-eta(t) * x)
    return updates
