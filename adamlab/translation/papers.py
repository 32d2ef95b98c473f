"""The algorithms of papers, written once, and how the forms of the table of translations stand to them."""

from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import optax

from adamlab.symbolic.proving.proofs import prove
from adamlab.symbolic.proving.verdicts import Verdict
from adamlab.translation.table import SAME, Near, Same

Transformation = optax.GradientTransformation


def _steps(step: Callable[..., Any], **begin: float) -> Transformation:
    """The transformation whose step gives the change of the parameter and the next values of what it keeps.

    Args:
        step: a function of the gradient, the parameter, the number of the step from 1 on, and what it keeps.
        **begin: by name, the values of what it keeps ahead of the first step.
    """
    kind: Any = namedtuple("Kept", ["count", *begin])

    def init(params: Any) -> Any:
        starts = (jax.tree.map(lambda w, x=x: jnp.full_like(w, x), params) for x in begin.values())
        return kind(jnp.zeros((), jnp.int32), *starts)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        count = optax.safe_increment(state.count)
        change, *kept = step(updates, params, jnp.asarray(count, float), *state[1:])
        return change, kind(count, *kept)

    return optax.GradientTransformation(init, update)


def gradient_descent(lr) -> Transformation:
    """Robbins & Monro 1951."""
    return _steps(lambda g, w, t: (-lr * g,))


def heavy_ball(lr, m) -> Transformation:
    """Polyak 1964: w_t = w_(t-1) − lr·g_t + m·(w_(t-1) − w_(t-2)); `d` is the difference of the last two."""

    def step(g, w, t, d):
        d = m * d - lr * g
        return d, d

    return _steps(step, d=0.0)


def nesterov(lr, m) -> Transformation:
    """Sutskever et al. 2013, (3) and (4), with the point θ + m·v at which the gradient is taken as the parameter."""

    def step(g, w, t, v):
        v_next = m * v - lr * g
        return v_next + m * (v_next - v), v_next

    return _steps(step, v=0.0)


def sgdw(lr, alpha, m, wd) -> Transformation:
    """Loshchilov & Hutter 2019, Algorithm 1, whose η_t is lr: SGD with momentum and decoupled weight decay."""

    def step(g, w, t, d):
        d = m * d + lr * alpha * g
        return -d - lr * wd * w, d

    return _steps(step, d=0.0)


def adam(lr, b1, b2, e) -> Transformation:
    """Kingma & Ba 2015, Algorithm 1."""

    def step(g, w, t, m, v):
        m, v = _moments(g, m, v, b1, b2)
        return -lr * (m / (1 - b1**t)) / (jnp.sqrt(v / (1 - b2**t)) + e), m, v

    return _steps(step, m=0.0, v=0.0)


def _moments(g, m, v, b1, b2):
    return b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2


def adamw(lr, alpha, b1, b2, e, wd) -> Transformation:
    """Loshchilov & Hutter 2019, Algorithm 2, whose η_t is lr."""

    def step(g, w, t, m, v):
        m, v = _moments(g, m, v, b1, b2)
        return -lr * (alpha * (m / (1 - b1**t)) / (jnp.sqrt(v / (1 - b2**t)) + e) + wd * w), m, v

    return _steps(step, m=0.0, v=0.0)


def adamax(lr, b1, b2) -> Transformation:
    """Kingma & Ba 2015, Algorithm 2."""

    def step(g, w, t, m, u):
        m, u = b1 * m + (1 - b1) * g, jnp.maximum(b2 * u, jnp.abs(g))
        return -lr / (1 - b1**t) * m / u, m, u

    return _steps(step, m=0.0, u=0.0)


def adagrad(lr, e) -> Transformation:
    """Duchi, Hazan & Singer 2011, Figure 1: the diagonal proximal matrix δI + diag(s), with δ = e."""

    def step(g, w, t, total):
        total = total + g**2
        return -lr * g / (e + jnp.sqrt(total)), total

    return _steps(step, total=0.0)


def rmsprop(lr, a) -> Transformation:
    """Tieleman & Hinton 2012, lecture 6e: the gradient divided by the root of MeanSquare."""

    def step(g, w, t, v):
        v = a * v + (1 - a) * g**2
        return -lr * g / jnp.sqrt(v), v

    return _steps(step, v=0.0)


def graves(lr, a, m, e) -> Transformation:
    """Graves 2013, (38) to (41), with one rate for both averages."""

    def step(g, w, t, n, mean, d):
        n, mean = a * n + (1 - a) * g**2, a * mean + (1 - a) * g
        d = m * d - lr * g / jnp.sqrt(n - mean**2 + e)
        return d, n, mean, d

    return _steps(step, n=0.0, mean=0.0, d=0.0)


def adadelta(r, e) -> Transformation:
    """Zeiler 2012, Algorithm 1."""

    def step(g, w, t, e_g, e_x):
        e_g = r * e_g + (1 - r) * g**2
        x = -jnp.sqrt(e_x + e) / jnp.sqrt(e_g + e) * g
        return x, e_g, r * e_x + (1 - r) * x**2

    return _steps(step, e_g=0.0, e_x=0.0)


def _nadam(lr, b1, b2, e, mu, average=None, again=1.0) -> Transformation:
    """Dozat's step with momentum μ_t, a rate of the average, by default μ_t, and a factor on v̂."""

    def step(g, w, t, m, v, product):
        now, later = mu(t), mu(t + 1)
        rate, product = now if average is None else average, product * now
        m, v = rate * m + (1 - rate) * g, b2 * v + (1 - b2) * g**2
        m_hat = later * m / (1 - product * later) + (1 - now) * g / (1 - product)
        return -lr * m_hat / (jnp.sqrt(again * v / (1 - b2**t)) + e), m, v, product

    return _steps(step, m=0.0, v=0.0, product=1.0)


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

    return _steps(step, m=0.0, v=0.0)


def _radam(lr, b1, b2, is_rectified) -> Transformation:
    def step(g, w, t, m, v):
        m, v = _moments(g, m, v, b1, b2)
        m_hat, at_last = m / (1 - b1**t), 2 / (1 - b2) - 1
        rho = at_last - 2 * t * b2**t / (1 - b2**t)
        r = jnp.sqrt((rho - 4) * (rho - 2) * at_last / ((at_last - 4) * (at_last - 2) * rho))
        return -lr * jnp.where(is_rectified(rho), r * m_hat / jnp.sqrt(v / (1 - b2**t)), m_hat), m, v

    return _steps(step, m=0.0, v=0.0)


def radam(lr, b1, b2) -> Transformation:
    """Liu et al. 2020, Algorithm 2."""
    return _radam(lr, b1, b2, lambda rho: rho > 4)


def radam_from_5_on(lr, b1, b2) -> Transformation:
    """RAdam, rectified where ρ_t ≥ 5."""
    return _radam(lr, b1, b2, lambda rho: rho >= 5)


def amsgrad(lr, b1, b2) -> Transformation:
    """Reddi, Kale & Kumar 2018, Algorithm 2."""

    def step(g, w, t, m, v, v_max):
        m, v = _moments(g, m, v, b1, b2)
        v_max = jnp.maximum(v_max, v)
        return -lr * m / jnp.sqrt(v_max), m, v, v_max

    return _steps(step, m=0.0, v=0.0, v_max=0.0)


def amsgrad_corrected(lr, b1, b2) -> Transformation:
    """AMSGrad with both moments corrected, the second after the maximum."""

    def step(g, w, t, m, v, v_max):
        m, v = _moments(g, m, v, b1, b2)
        v_max = jnp.maximum(v_max, v)
        return -lr * (m / (1 - b1**t)) / jnp.sqrt(v_max / (1 - b2**t)), m, v, v_max

    return _steps(step, m=0.0, v=0.0, v_max=0.0)


def amsgrad_of_corrected(lr, b1, b2) -> Transformation:
    """AMSGrad with both moments corrected, the second ahead of the maximum."""

    def step(g, w, t, m, v, v_max):
        m, v = _moments(g, m, v, b1, b2)
        v_max = jnp.maximum(v_max, v / (1 - b2**t))
        return -lr * (m / (1 - b1**t)) / jnp.sqrt(v_max), m, v, v_max

    return _steps(step, m=0.0, v=0.0, v_max=0.0)


def lion(lr, b1, b2, wd) -> Transformation:
    """Chen et al. 2023, Algorithm 2."""

    def step(g, w, t, m):
        return -lr * (jnp.sign(b1 * m + (1 - b1) * g) + wd * w), b2 * m + (1 - b2) * g

    return _steps(step, m=0.0)


def _lamb(lr, b1, b2, e, wd, ratio) -> Transformation:
    def step(g, w, t, m, v):
        m, v = _moments(g, m, v, b1, b2)
        r = m / (1 - b1**t) / (jnp.sqrt(v / (1 - b2**t)) + e) + wd * w
        return -lr * ratio(jnp.sqrt(jnp.sum(w**2)), jnp.sqrt(jnp.sum(r**2))) * r, m, v

    return _steps(step, m=0.0, v=0.0)


def lamb(lr, b1, b2, e, wd) -> Transformation:
    """You et al. 2020, Algorithm 2: with φ(z) = z."""
    return _lamb(lr, b1, b2, e, wd, lambda size, of_step: size / of_step)


def lamb_from_0_on(lr, b1, b2, e, wd) -> Transformation:
    """LAMB with the ratio 1 where a norm is 0."""

    def ratio(size, of_step):
        return jnp.where((size == 0) | (of_step == 0), 1.0, size / of_step)

    return _lamb(lr, b1, b2, e, wd, ratio)


def yogi(lr, b1, b2, e) -> Transformation:
    """Zaheer et al. 2018, Algorithm 2."""

    def step(g, w, t, m, v):
        m, v = b1 * m + (1 - b1) * g, v - (1 - b2) * jnp.sign(v - g**2) * g**2
        return -lr * m / (jnp.sqrt(v) + e), m, v

    return _steps(step, m=0.0, v=0.0)


def yogi_corrected(lr, b1, b2, e) -> Transformation:
    """Yogi with both moments corrected, which begin at 1e-6."""

    def step(g, w, t, m, v):
        m, v = b1 * m + (1 - b1) * g, v - (1 - b2) * jnp.sign(v - g**2) * g**2
        return -lr * (m / (1 - b1**t)) / (jnp.sqrt(v / (1 - b2**t)) + e), m, v

    return _steps(step, m=1e-6, v=1e-6)


@dataclass(frozen=True)
class Standing:
    """How a form of the table stands to the algorithm of its paper.

    Attributes:
        algorithm: the paper's; its docstring says whose.
        given: the numbers at which the two are the same; empty where they always are.
        but: in words, what else differs; empty where nothing does.
        variant: the algorithm with that difference, which is the form's for every t; None where nothing else differs.
    """

    algorithm: Callable[..., Transformation]
    given: Mapping[str, float] = field(default_factory=dict)
    but: str = ""
    variant: Callable[..., Transformation] | None = None

    @property
    def paper(self) -> str:
        """The paper, and where it has the algorithm."""
        return (self.algorithm.__doc__ or "").partition("\n")[0].partition(": ")[0].rstrip(".")

    @property
    def is_same(self) -> bool:
        """Whether the form is the paper's algorithm, whatever its numbers are."""
        return not self.given and not self.but


CORRECTED = "both moments are corrected, the second {} the maximum: the first step is lr, where the paper's is 3.2·lr"

STANDINGS: dict[str, Standing] = {
    "optax.sgd(learning_rate=lr)": Standing(gradient_descent),
    "optax.sgd(learning_rate=lr, momentum=m)": Standing(heavy_ball),
    "optax.sgd(learning_rate=lr, momentum=m, nesterov=true)": Standing(nesterov),
    "optax.adam(learning_rate=lr, b1=b1, b2=b2, eps=e)": Standing(adam),
    "optax.adamw(learning_rate=lr, b1=b1, b2=b2, eps=e, weight_decay=wd)": Standing(adamw, {"alpha": 1.0}),
    "optax.adamax(learning_rate=lr, b1=b1, b2=b2, eps=e)": Standing(adamax, {"e": 0.0}),
    "keras.Adagrad(learning_rate=lr, initial_accumulator_value=a, epsilon=e)": Standing(adagrad, {"a": 0.0, "e": 0.0}),
    "torch.RMSprop(lr=lr, alpha=a, eps=e)": Standing(rmsprop, {"e": 0.0}),
    "torch.RMSprop(lr=lr, alpha=a, eps=e, centered=true)": Standing(graves, {"m": 0.0, "e": 0.0}),
    "torch.RMSprop(lr=lr, alpha=a, eps=e, momentum=m, centered=true)": Standing(graves, {"e": 0.0}),
    "optax.rmsprop(learning_rate=lr, decay=a, eps=e)": Standing(rmsprop, {"e": 0.0}),
    "optax.rmsprop(learning_rate=lr, decay=a, eps=e, centered=true)": Standing(graves, {"m": 0.0}),
    "optax.adadelta(learning_rate=lr, rho=r, eps=e)": Standing(adadelta, {"lr": 1.0}),
    "keras.Nadam(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e)": Standing(
        nadam,
        {},
        "the momentum grows by 0.96^t, not 0.96^(t/250); the average goes by β₁, not μ_t; v̂ lacks a further β₂, 0.999",
        nadam_of_keras,
    ),
    "optax.lion(learning_rate=lr, b1=b1, b2=b2, weight_decay=0.0)": Standing(lion, {"wd": 0.0}),
    "optax.lion(learning_rate=lr, b1=b1, b2=b2, weight_decay=wd)": Standing(lion),
    "optax.lamb(learning_rate=lr, b1=b1, b2=b2, eps=e)": Standing(
        lamb, {"wd": 0.0}, "the ratio is 1, not 0, for parameters at 0", lamb_from_0_on
    ),
    "optax.lamb(learning_rate=lr, b1=b1, b2=b2, eps=e, weight_decay=wd)": Standing(
        lamb, {}, "the ratio is 1, not 0, for parameters at 0", lamb_from_0_on
    ),
    "torch.SGD(lr=lr, weight_decay=wd)": Standing(sgdw, {"alpha": 1.0, "m": 0.0}),
    "keras.SGD(learning_rate=lr, momentum=m, weight_decay=wd)": Standing(sgdw, {"alpha": 1.0}),
    "optax.yogi(learning_rate=lr, b1=b1, b2=b2, eps=e)": Standing(
        yogi, {}, "both moments begin at 1e-6, not 0, and are corrected", yogi_corrected
    ),
    "keras.Adam(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e)": Standing(adam, {"e": 0.0}),
    "keras.AdamW(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e, weight_decay=wd)": Standing(
        adamw, {"alpha": 1.0, "e": 0.0}
    ),
    "keras.Adam(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e, weight_decay=wd)": Standing(
        adamw, {"alpha": 1.0, "e": 0.0}
    ),
    "keras.Adamax(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e)": Standing(adamax, {"e": 0.0}),
    "torch.Adam(lr=lr, beta1=b1, beta2=b2, eps=e, amsgrad=true)": Standing(
        amsgrad, {"e": 0.0}, CORRECTED.format("after"), amsgrad_corrected
    ),
    "keras.Adam(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e, amsgrad=true)": Standing(
        amsgrad, {"e": 0.0}, CORRECTED.format("after"), amsgrad_corrected
    ),
    "optax.amsgrad(learning_rate=lr, b1=b1, b2=b2, eps=e)": Standing(
        amsgrad, {"e": 0.0}, CORRECTED.format("ahead of"), amsgrad_of_corrected
    ),
    "torch.Adagrad(lr=lr, initial_accumulator_value=a, eps=e)": Standing(adagrad, {"a": 0.0}),
    "torch.NAdam(lr=lr, beta1=b1, beta2=b2, eps=e, momentum_decay=psi)": Standing(
        nadam,
        {"psi": 0.004},
        "the average goes by β₁, not μ_t; v̂ lacks a further β₂, 0.999",
        nadam_of_frameworks,
    ),
    "optax.nadam(learning_rate=lr, b1=b1, b2=b2, eps=e)": Standing(
        nadam,
        {},
        "the momentum is β₁, and does not grow from β₁/2 on; v̂ lacks a further β₂, 0.999",
        nadam_of_constant_momentum,
    ),
    "optax.radam(learning_rate=lr, b1=b1, b2=b2, eps=e, threshold=5.0)": Standing(
        radam,
        {"e": 0.0},
        "rectified where ρ_t ≥ 5, not > 4: with β₂ = 0.999 from step 6 on, not 5",
        radam_from_5_on,
    ),
}
"""By form: a row's first form stands for all forms of that row which are the same."""

UNWRITTEN = (
    "RMSprop with momentum",
    "SGD with Nesterov's momentum and weight decay",
    "RMSprop with weight decay",
    "RMSprop, centered, with weight decay",
    "Adagrad with weight decay",
    "Adadelta with weight decay",
    "AMSGrad with AdamW's weight decay",
)
"""The rows of the table whose optimizers no paper has."""

OPEN = (
    "keras.Lamb(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=e, weight_decay=wd)",
    "torch.RAdam(lr=lr, beta1=b1, beta2=b2, eps=e)",
    "torch.Rprop(lr=lr, etaminus=a, etaplus=b, step_size_min=low, step_size_max=high)",
    "optax.rprop(learning_rate=lr, eta_minus=a, eta_plus=b, min_step_size=low, max_step_size=high)",
)
"""The forms that were neither proved to be their paper's algorithm, at any numbers, nor told from it in words."""


def standing_of(form: str) -> Standing | None:
    """How a form of the table stands to its paper; None where no algorithm of a paper is known for it."""
    alike = (other for row in SAME if form in row.forms.values() for other in row.forms.values())
    return next((STANDINGS[other] for other in (form, *alike) if other in STANDINGS), None)


def standings(row: Same | Near) -> dict[str, Standing]:
    """By library, how the forms of a row stand to their paper."""
    known = {library: standing_of(form) for library, form in row.forms.items()}
    return {library: standing for library, standing in known.items() if standing is not None}


def decided(form: str, standing: Standing) -> tuple[Verdict, bool]:
    """The verdict on whether a form is its paper's algorithm, and whether that and the conditions are as stated."""
    verdict = prove(form, standing.algorithm)
    if standing.is_same:
        return verdict, verdict.holds
    own = prove(form, standing.variant or standing.algorithm, given=standing.given)
    return verdict, verdict.status == "refuted" and own.holds
