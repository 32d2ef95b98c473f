"""Layers read as formulas: each backward, as its code has it, is SymPy's derivative of its forward."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sympy import Rational, Symbol, exp, sqrt

from adamlab import layers
from adamlab.interpret.equality import same
from adamlab.interpret.jaxpr import UnreadableError
from adamlab.symbolic.functions import pulled_back, read, symbols

pytestmark = pytest.mark.optimized(False)


def equal(left, right) -> bool:
    return left.shape == right.shape and all(same(a, b) for a, b in zip(left.flat, right.flat, strict=True))


def chain_rule(y, x, cotangent):
    """∂L/∂x_i = Σ_k ∂L/∂y_k·∂y_k/∂x_i, differentiated by SymPy."""
    pairs = [*zip(cotangent.flat, y.flat, strict=True)]
    return np.array([sum(dy * value.diff(symbol) for dy, value in pairs) for symbol in x.flat], object).reshape(x.shape)


def is_its_derivative(layer, *arguments) -> bool:
    y = read(layer, *arguments)
    cotangent = symbols("d", *y.shape)
    gradients = pulled_back(layer, *arguments, cotangent=cotangent)
    return all(equal(back, chain_rule(y, x, cotangent)) for x, back in zip(arguments, gradients, strict=True))


LAYERS = {
    "softmax": (layers.softmax, symbols("z", 3)),
    "softmax of a batch": (layers.softmax, symbols("z", 2, 2)),
    "cross-entropy of a class": (lambda z: layers.softmax_cross_entropy(z, jnp.eye(3)[1]), symbols("z", 3)),
    "batch norm in inference": (
        lambda x, gamma, beta: layers.batch_norm(x, gamma, beta, layers.Statistics(jnp.ones(1), 2 * jnp.ones(1))),
        symbols("x", 2, 1),
        symbols("gamma", 1),
        symbols("beta", 1),
    ),
    "cross-entropy": (layers.softmax_cross_entropy, symbols("z", 3), symbols("y", 3)),
    "dense": (layers.dense, symbols("x", 2, 3), symbols("W", 3, 2), symbols("b", 2)),
    "batch norm": (layers.batch_norm, symbols("x", 3, 2), symbols("gamma", 2), symbols("beta", 2)),
    "batch norm of images": (layers.batch_norm, symbols("x", 1, 2, 2, 1), symbols("gamma", 1), symbols("beta", 1)),
    "conv": (layers.conv2d, symbols("x", 1, 3, 2, 2), symbols("K", 2, 2, 2, 1)),
    "conv with everything": (
        lambda x, k: layers.conv2d(x, k, (2, 1), (1, 0), (1, 2)),
        symbols("x", 1, 3, 3, 1),
        symbols("K", 2, 2, 1, 2),
    ),
    "mean pool": (lambda x: layers.mean_pool(x, 2, 1), symbols("x", 1, 3, 3, 1)),
    "relu": (layers.relu, np.array([Symbol("a", positive=True), Symbol("b", negative=True)])),
}


@pytest.mark.one_case_in(4)
@pytest.mark.parametrize("name", LAYERS)
def test_the_backward_is_the_derivative(name):
    assert is_its_derivative(*LAYERS[name])


@pytest.mark.parametrize("winner", range(4))
def test_a_window_s_gradient_goes_to_the_greatest(winner):
    x, less, dy = symbols("x", 1)[0], symbols("p", 1, positive=True)[0], symbols("d", 1, 1, 1, 1)
    window = np.array([x if place == winner else x - less for place in range(4)], object)
    (back,) = pulled_back(layers.max_pool, window.reshape(1, 2, 2, 1), cotangent=dy)
    assert [*back.flat] == [dy.item() if place == winner else 0 for place in range(4)]


def test_the_formulas_are_those_of_the_textbook():
    z, y, d = symbols("z", 3), symbols("y", 3), symbols("d", 1)[0]
    total = sum(map(exp, z))
    assert equal(read(layers.softmax, z), np.array([exp(each) / total for each in z]))
    dz, _ = pulled_back(layers.softmax_cross_entropy, z, y, cotangent=np.array(d))
    assert equal(dz, np.array([d * (exp(a) / total * sum(y) - b) for a, b in zip(z, y, strict=True)]))
    jacobian = read(layers.softmax_jacobian, y)
    assert equal(jacobian, np.array([[y[i] * (int(i == j) - y[j]) for j in range(3)] for i in range(3)]))


def test_batch_norm_can_be_the_identity():
    x, eps = symbols("x", 3, 1), Rational(1, 4)
    mean = sum(x[:, 0]) / 3
    variance = sum((each - mean) ** 2 for each in x[:, 0]) / 3
    beta = np.array([mean], object)
    for gamma, is_identity in ((sqrt(variance + eps), True), (sqrt(variance), False)):
        y = read(lambda *args: layers.batch_norm(*args, eps=0.25), x, np.array([gamma], object), beta)
        assert equal(y, x) == is_identity


WRONG = {
    "the variance is taken for a constant": lambda x_hat, scale, dy: scale * (dy - dy.mean(0)),
    "the mean is taken for a constant": lambda x_hat, scale, dy: scale * (dy - x_hat * (dy * x_hat).mean(0)),
    "N is one too few": lambda x_hat, scale, dy: scale * (dy - dy.sum(0) / 2 - x_hat * (dy * x_hat).sum(0) / 2),
    "right": lambda x_hat, scale, dy: scale * (dy - dy.mean(0) - x_hat * (dy * x_hat).mean(0)),
}


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_backward_is_seen(name):
    @jax.custom_vjp
    def made_up(x):
        return forward(x)[0]

    def forward(x):
        sigma = jnp.sqrt(x.var(0) + 1e-5)
        x_hat = (x - x.mean(0)) / sigma
        return x_hat, (x_hat, 1 / sigma)

    def backward(kept, dy):
        x_hat, scale = kept
        return (WRONG[name](x_hat, scale, dy),)

    made_up.defvjp(forward, backward)
    with jax.numpy_rank_promotion("allow"):
        assert is_its_derivative(made_up, symbols("x", 3, 1)) == (name == "right")


def test_a_function_is_read_as_it_is_now():
    """JAX would remember the trace of a function, whatever has changed about it."""
    factors, x = [2.0], symbols("x", 1)

    def scaled(x):
        return factors[0] * x

    assert equal(read(scaled, x), 2 * x)
    factors[0] = 3.0
    assert equal(read(scaled, x), 3 * x)


def test_what_cannot_be_read_says_so():
    with pytest.raises(UnreadableError, match="cannot read the primitive"):
        read(jnp.linalg.inv, symbols("a", 2, 2))
