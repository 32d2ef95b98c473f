"""Every hand-derived backward against autodiff of another implementation, and against central differences."""

from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

from adamlab import layers

Function = Any

STENCIL = {1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
"""Weights of f(x + kh) − f(x − kh) in the central difference of order 6."""

STEP = 4e-3
"""h: the difference errs by f⁽⁷⁾·h⁶/140, some 1e-13 for derivatives of size 100, and by 1e-16/h from rounding."""

WITHIN = 1e-10


class Case(NamedTuple):
    """A layer, the same written otherwise, and the shapes of their arguments."""

    layer: Function
    reference: Function
    shapes: tuple[tuple[int, ...], ...]


def lax_conv(x, kernel, stride=(1, 1), padding=(0, 0), dilation=(1, 1)):
    return lax.conv_general_dilated(
        x,
        kernel,
        stride,
        [(p, p) for p in padding],
        rhs_dilation=dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def known_statistics(dtype):
    return layers.Statistics(jnp.array([0.3, -2.0], dtype), jnp.array([1.5, 0.01], dtype))


def plain_inference(x, gamma, beta, known):
    mean, variance = (row[None, :] for row in known)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * gamma[None, :] + beta[None, :]


def plain_batch_norm(x, gamma, beta, eps=1e-5):
    axes = tuple(range(x.ndim - 1))
    mean, variance = jnp.mean(x, axes, keepdims=True), jnp.var(x, axes, keepdims=True)
    place = (1,) * (x.ndim - 1) + (-1,)
    return gamma.reshape(place) * (x - mean) * lax.rsqrt(variance + eps) + beta.reshape(place)


def lax_pool(x, start, combine, size, stride):
    return lax.reduce_window(x, start, combine, (1, *size, 1), (1, *stride, 1), "VALID")


def conv_case(x, kernel, **geometry) -> Case:
    return Case(
        lambda x, k: layers.conv2d(x, k, **geometry),
        lambda x, k: lax_conv(x, k, **{name: pair(n) for name, n in geometry.items()}),
        (x, kernel),
    )


def pair(n):
    return (n, n) if isinstance(n, int) else n


CASES = {
    "softmax of a vector": Case(layers.softmax, jax.nn.softmax, ((5,),)),
    "softmax of a batch": Case(layers.softmax, jax.nn.softmax, ((2, 3, 4),)),
    "softmax of one class": Case(layers.softmax, jax.nn.softmax, ((3, 1),)),
    "cross-entropy of a vector": Case(
        layers.softmax_cross_entropy, lambda z, y: -jnp.sum(y * jax.nn.log_softmax(z), axis=-1), ((5,), (5,))
    ),
    "cross-entropy of a batch": Case(
        layers.softmax_cross_entropy, lambda z, y: -jnp.sum(y * jax.nn.log_softmax(z), axis=-1), ((3, 2, 7), (3, 2, 7))
    ),
    "dense": Case(layers.dense, lambda x, w, b: jnp.einsum("ni,ij->nj", x, w) + b[None, :], ((3, 5), (5, 2), (2,))),
    "dense of one row": Case(layers.dense, lambda x, w, b: w.T @ x + b, ((4,), (4, 3), (3,))),
    "dense of a stack": Case(
        layers.dense, lambda x, w, b: jnp.tensordot(x, w, 1) + b[None, None, :], ((2, 3, 5), (5, 1), (1,))
    ),
    "relu": Case(layers.relu, jax.nn.relu, ((3, 2, 5),)),
    "batch norm": Case(layers.batch_norm, plain_batch_norm, ((7, 3), (3,), (3,))),
    "batch norm of two": Case(layers.batch_norm, plain_batch_norm, ((2, 1), (1,), (1,))),
    "batch norm in inference": Case(
        lambda x, gamma, beta: layers.batch_norm(x, gamma, beta, known_statistics(x.dtype)),
        lambda x, gamma, beta: plain_inference(x, gamma, beta, known_statistics(x.dtype)),
        ((3, 2), (2,), (2,)),
    ),
    "batch norm's eps": Case(
        lambda x, gamma, eps: layers.batch_norm(x, gamma, gamma, eps=1e-5 + eps**2),
        lambda x, gamma, eps: plain_batch_norm(x, gamma, gamma, 1e-5 + eps**2),
        ((4, 3), (3,), ()),
    ),
    "batch norm of images": Case(layers.batch_norm, plain_batch_norm, ((2, 5, 3, 4), (4,), (4,))),
    "conv": conv_case((2, 6, 5, 3), (3, 2, 3, 4)),
    "conv of one pixel": conv_case((1, 3, 4, 2), (1, 1, 2, 1)),
    "conv with strides": conv_case((2, 8, 5, 1), (3, 2, 1, 2), stride=(3, 2)),
    "conv with strides past the kernel": conv_case((1, 9, 8, 2), (2, 1, 2, 3), stride=(4, 3)),
    "conv with padding": conv_case((2, 4, 3, 2), (3, 3, 2, 2), padding=(2, 1)),
    "conv with more padding than kernel": conv_case((1, 2, 3, 1), (1, 2, 1, 2), padding=(3, 2)),
    "conv with dilation": conv_case((2, 8, 7, 2), (3, 2, 2, 1), dilation=(2, 3)),
    "conv with everything": conv_case((2, 9, 7, 2), (2, 3, 2, 3), stride=(2, 3), padding=(1, 2), dilation=(3, 2)),
    "max pool": Case(layers.max_pool, lambda x: lax_pool(x, -jnp.inf, lax.max, (2, 2), (2, 2)), ((2, 5, 4, 3),)),
    "max pool that overlaps": Case(
        lambda x: layers.max_pool(x, (3, 2), (1, 2)),
        lambda x: lax_pool(x, -jnp.inf, lax.max, (3, 2), (1, 2)),
        ((2, 6, 5, 2),),
    ),
    "mean pool": Case(
        lambda x: layers.mean_pool(x, (2, 3)),
        lambda x: lax_pool(x, 0.0, lax.add, (2, 3), (2, 3)) / 6,
        ((2, 5, 7, 2),),
    ),
    "mean pool that overlaps": Case(
        lambda x: layers.mean_pool(x, 3, (2, 1)),
        lambda x: lax_pool(x, 0.0, lax.add, (3, 3), (2, 1)) / 9,
        ((1, 6, 5, 3),),
    ),
    "dropout": Case(
        lambda x: layers.dropout(x, jax.random.key(3), 0.3),
        lambda x: jnp.where(jax.random.bernoulli(jax.random.key(3), np.float32(0.7), x.shape), x / 0.7, 0.0),
        ((4, 5),),
    ),
}


@pytest.fixture
def arguments(rng, case):
    return [jnp.asarray(rng.normal(size=shape)) for shape in case.shapes]


def each_case(test):
    return pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))(test)


def pulled_back(function):
    """y, and ∂L/∂ of every argument for a given ∂L/∂y, in one program."""

    @jax.jit
    def both(dy, *arguments):
        y, backward = jax.vjp(function, *arguments)
        return y, backward(dy)

    return both


@each_case
def test_backward_is_autodiff_of_the_reference(x64, rng, case, arguments):
    dy = jnp.asarray(rng.normal(size=jax.eval_shape(case.reference, *arguments).shape))
    found, expected = (pulled_back(function)(dy, *arguments) for function in (case.layer, case.reference))
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=WITHIN)


@each_case
def test_backward_is_that_of_central_differences(x64, rng, case, arguments):
    dy = jnp.asarray(rng.normal(size=jax.eval_shape(case.layer, *arguments).shape))
    _, gradients = pulled_back(case.layer)(dy, *arguments)
    losses = jax.jit(jax.vmap(lambda *arguments: jnp.vdot(dy, case.layer(*arguments))))
    reach = jnp.array([sign * k * STEP for k in STENCIL for sign in (1, -1)])
    for which, gradient in enumerate(gradients):
        for _ in range(3):
            direction = rng.normal(size=case.shapes[which])
            direction = jnp.asarray(0.1 * direction / np.abs(direction).max())  # too short to cross a kink
            moved = [
                jnp.stack([x + (r * direction if k == which else 0) for r in reach]) for k, x in enumerate(arguments)
            ]
            ahead, behind = np.asarray(losses(*moved)).reshape(-1, 2).T
            difference = np.dot([*STENCIL.values()], ahead - behind) / STEP
            assert float(jnp.vdot(gradient, direction)) == pytest.approx(difference, abs=WITHIN)


@each_case
@pytest.mark.usefixtures("strict_promotion")
def test_types_are_kept(case):
    for dtype in (jnp.float16, jnp.bfloat16, jnp.float32):
        arguments = [jax.ShapeDtypeStruct(shape, dtype) for shape in case.shapes]
        y = jax.eval_shape(case.layer, *arguments)
        assert y.dtype == dtype
        _, gradients = jax.eval_shape(pulled_back(case.layer), y, *arguments)
        assert {gradient.dtype for gradient in gradients} == {jnp.dtype(dtype)}


@each_case
def test_under_vmap_it_is_the_same(x64, rng, case, arguments):
    gradients, dy = pulled_back(case.layer), jax.eval_shape(case.layer, *arguments)
    dys, *several = [jnp.asarray(rng.normal(size=(2, *x.shape))) for x in (dy, *arguments)]
    mapped = jax.vmap(gradients)(dys, *several)
    for k in range(2):
        alone = gradients(dys[k], *(x[k] for x in several))
        for found, expected in zip(jax.tree.leaves(mapped), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(found[k], expected, rtol=0, atol=1e-12)


SECOND = ("softmax of a vector", "cross-entropy of a vector", "batch norm", "dense", "conv", "mean pool")


@pytest.mark.parametrize("case", [CASES[name] for name in SECOND], ids=SECOND)
def test_hessians_can_be_taken(x64, rng, case, arguments):
    def curvature(function):
        return jax.jit(jax.hessian(lambda x: jnp.sum(function(x, *arguments[1:]) ** 2)))(arguments[0])

    np.testing.assert_allclose(curvature(case.layer), curvature(case.reference), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", SECOND)
def test_one_argument_can_be_mapped_over_and_all_be_computed_again(x64, rng, name):
    case = CASES[name]
    first, *others = [jnp.asarray(rng.normal(size=shape)) for shape in case.shapes]
    several = jnp.stack([first, -2 * first])

    def gradients(layer):
        def loss(x, *others):
            return jnp.sum(jnp.sin(layer(x, *others)))

        return jax.jit(jax.vmap(jax.grad(loss), in_axes=(0, *[None] * len(others))))(several, *others)

    expected = gradients(case.reference)
    for layer in (case.layer, jax.checkpoint(case.layer)):
        np.testing.assert_allclose(gradients(layer), expected, rtol=0, atol=WITHIN)


def test_cross_entropy_is_that_of_optax(x64, rng):
    z, y = jnp.asarray(rng.normal(size=(4, 6))), jax.nn.softmax(jnp.asarray(rng.normal(size=(4, 6))))
    expected = optax.softmax_cross_entropy(z, y)
    np.testing.assert_allclose(layers.softmax_cross_entropy(z, y), expected, rtol=0, atol=1e-14)


def test_the_jacobian_of_softmax_is_the_matrix_it_says(x64, rng):
    z = jnp.asarray(rng.normal(size=(2, 5)))
    y = layers.softmax(z)
    jacobians = jax.vmap(jax.jacrev(jax.nn.softmax))(z)
    np.testing.assert_allclose(layers.softmax_jacobian(y), jacobians, rtol=0, atol=1e-15)
    for row, matrix in zip(np.asarray(y), np.asarray(layers.softmax_jacobian(y)), strict=True):
        for i, j in product(range(5), range(5)):
            assert matrix[i, j] == pytest.approx(row[i] * ((i == j) - row[j]), abs=1e-16)


def test_of_equals_in_a_window_the_first_gets_it_all():
    x = jnp.array([[3.0, 1.0, 3.0], [3.0, 3.0, 2.0]]).reshape(1, 2, 3, 1)
    gradient = jax.grad(lambda x: jnp.sum(layers.max_pool(x, (2, 2), 1) * jnp.array([5.0, 7.0]).reshape(1, 1, 2, 1)))
    np.testing.assert_array_equal(gradient(x).reshape(2, 3), [[5.0, 0.0, 7.0], [0.0, 0.0, 0.0]])


@pytest.mark.parametrize("place", range(4))
def test_nan_in_a_window_is_not_lost(place):
    x = jnp.arange(4.0).at[place].set(jnp.nan).reshape(1, 2, 2, 1)
    assert jnp.isnan(layers.max_pool(x)).all()


def test_relu_has_no_slope_at_0():
    assert jax.grad(layers.relu)(jnp.array(0.0)) == 0.0
    assert jax.grad(layers.relu)(jnp.array(-0.0)) == 0.0


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5])
def test_dropout_refuses_other_rates(rate):
    with pytest.raises(ValueError, match=rf"rate must be at least 0 and below 1, not {rate}"):
        layers.dropout(jnp.ones(3), jax.random.key(0), rate)


def test_what_is_dropped_is_gone_whatever_it_was():
    x = jnp.full(20, jnp.inf)
    y, backward = jax.vjp(lambda x: layers.dropout(x, jax.random.key(0), 0.5), x)
    dropped = y == 0
    assert 0 < dropped.sum() < 20
    np.testing.assert_array_equal(backward(jnp.where(dropped, jnp.nan, 1.0))[0], jnp.where(dropped, 0.0, 2.0))


def test_dropout_keeps_the_mean(x64):
    y = layers.dropout(jnp.ones(10**5), jax.random.key(1), 0.2)
    np.testing.assert_array_equal(np.unique(np.asarray(y)), [0.0, 1.25])
    assert float(y.mean()) == pytest.approx(1.0, abs=5 * 0.5 / np.sqrt(10**5))  # 5 standard errors of 0.5
