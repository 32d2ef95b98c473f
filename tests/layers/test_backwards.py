"""Every hand-derived backward against autodiff of another implementation, and against central differences."""

from functools import cache
from itertools import product
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

from adamlab import layers

pytestmark = pytest.mark.optimized(False)

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
        padding if isinstance(padding, str) else [(p, p) for p in padding],
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
    last = (1,) * (x.ndim - 1) + (-1,)
    return gamma.reshape(last) * (x - mean) * lax.rsqrt(variance + eps) + beta.reshape(last)


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
    "conv of the same size": conv_case((2, 7, 6, 1), (3, 2, 1, 2), padding="SAME"),
    "conv of the same size over strides": conv_case((1, 8, 7, 2), (2, 4, 2, 1), stride=(3, 2), padding="SAME"),
    "conv of the same size with dilation": conv_case((1, 5, 8, 1), (2, 3, 1, 2), padding="SAME", dilation=(3, 2)),
    "conv without padding": conv_case((1, 5, 4, 1), (2, 3, 1, 2), padding="VALID"),
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


SECOND = ("softmax of a vector", "cross-entropy of a vector", "batch norm", "dense", "conv", "mean pool")

each_case = pytest.mark.parametrize("name", CASES)
each_second = pytest.mark.parametrize("name", SECOND)


QUICKLY = {"xla_backend_optimization_level": 0}
"""Most of the time goes into compiling; what is computed is the same."""


def in_one_program(functions: dict[str, Function]) -> Function:
    """The program of all functions, each of its own arguments by name, in float64."""
    program = jax.jit(lambda given: {name: f(*given[name]) for name, f in functions.items()}, compiler_options=QUICKLY)

    def run(arguments: dict[str, Any]) -> dict[str, Any]:
        with jax.enable_x64(True):
            return jax.tree.map(np.asarray, program(arguments))

    return run


def pulled_back(function: Function) -> Function:
    """The function of ∂L/∂y and the arguments that gives y and ∂L/∂ of every argument."""

    def both(dy, *arguments):
        y, backward = jax.vjp(function, *arguments)
        return y, backward(dy)

    return both


def drawn(batch: tuple[int, ...] = ()) -> dict[str, list[np.ndarray]]:
    """Of every case ∂L/∂y and the arguments, or a batch of them."""
    return {name: _drawn(case, batch) for name, case in CASES.items()}


def _drawn(case: Case, batch: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(20150507)
    arguments = [rng.normal(size=batch + shape) for shape in case.shapes]
    dy = jax.eval_shape(case.reference, *(jax.ShapeDtypeStruct(shape, "float32") for shape in case.shapes))
    return [rng.normal(size=batch + dy.shape), *arguments]


INPUTS = drawn()
LAYERS = in_one_program({name: pulled_back(case.layer) for name, case in CASES.items()})
REFERENCES = in_one_program({name: pulled_back(case.reference) for name, case in CASES.items()})


@cache
def backwards() -> tuple[dict[str, Any], dict[str, Any]]:
    """Of every case y and its gradients, by the layer and by the reference."""
    return LAYERS(INPUTS), REFERENCES(INPUTS)


@pytest.mark.one_case_in(2)
@each_case
def test_backward_is_autodiff_of_the_reference(name):
    ours, theirs = backwards()
    chex.assert_trees_all_equal_shapes(ours[name], theirs[name])
    chex.assert_trees_all_close(ours[name], theirs[name], rtol=0, atol=WITHIN)


REACH = np.array([sign * k * STEP for k in STENCIL for sign in (1, -1)])


@cache
def directions(name: str) -> list[tuple[int, np.ndarray]]:
    """Three directions for each argument, by its number, too short to cross a kink."""
    rng = np.random.default_rng(4)
    ways = [(which, rng.normal(size=shape)) for which, shape in enumerate(CASES[name].shapes) for _ in range(3)]
    return [(which, 0.1 * way / np.abs(way).max()) for which, way in ways]


def around(name: str) -> list[np.ndarray]:
    """∂L/∂y, and the arguments at the points of the stencil along each direction."""
    dy, *arguments = INPUTS[name]
    steps = [(which, r * way) for which, way in directions(name) for r in REACH]
    return [dy, *(np.stack([x + way if which == k else x for which, way in steps]) for k, x in enumerate(arguments))]


def losses_of(layer: Function) -> Function:
    return lambda dy, *stacked: jax.vmap(lambda *arguments: jnp.vdot(dy, layer(*arguments)))(*stacked)


@cache
def losses() -> dict[str, Any]:
    program = in_one_program({name: losses_of(case.layer) for name, case in CASES.items()})
    return program({name: around(name) for name in CASES})


@pytest.mark.one_case_in(2)
@each_case
def test_backward_is_that_of_central_differences(name):
    _, gradients = backwards()[0][name]
    along = losses()[name].reshape(-1, len(STENCIL), 2)
    differences = (along[:, :, 0] - along[:, :, 1]) @ np.array([*STENCIL.values()]) / STEP
    slopes = [np.vdot(gradients[which], way) for which, way in directions(name)]
    np.testing.assert_allclose(slopes, differences, rtol=0, atol=WITHIN)


@pytest.mark.one_case_in(3)
@each_case
@pytest.mark.usefixtures("strict_promotion")
def test_types_are_kept(name):
    case = CASES[name]
    for dtype in (jnp.float16, jnp.bfloat16, jnp.float32):
        arguments = [jax.ShapeDtypeStruct(shape, dtype) for shape in case.shapes]
        y = jax.eval_shape(case.layer, *arguments)
        assert y.dtype == dtype
        _, gradients = jax.eval_shape(pulled_back(case.layer), y, *arguments)
        chex.assert_trees_all_equal_shapes_and_dtypes(list(gradients), arguments)


@cache
def mapped_and_alone() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    two = drawn((2,))
    mapped = in_one_program({name: jax.vmap(pulled_back(case.layer)) for name, case in CASES.items()})
    return mapped(two), [LAYERS({name: [x[k] for x in inputs] for name, inputs in two.items()}) for k in range(2)]


@pytest.mark.one_case_in(2)
@each_case
def test_under_vmap_it_is_the_same(name):
    mapped, alone = mapped_and_alone()
    stacked = jax.tree.map(lambda *rows: np.stack(rows), *(each[name] for each in alone))
    chex.assert_trees_all_close(mapped[name], stacked, rtol=0, atol=1e-12)


def curvature(function: Function) -> Function:
    """The Hessian of Σy² by the first argument."""
    return lambda dy, first, *others: jax.hessian(lambda x: jnp.sum(function(x, *others) ** 2))(first)


def gradients_over_the_first(layer: Function) -> Function:
    """The gradients of Σ sin y by the first argument, for two values of it side by side."""

    def mapped(dy, first, *others):
        one_by_one = jax.grad(lambda x, *others: jnp.sum(jnp.sin(layer(x, *others))))
        return jax.vmap(one_by_one, in_axes=(0, *[None] * len(others)))(jnp.stack([first, -2 * first]), *others)

    return mapped


@cache
def second() -> dict[str, Any]:
    """Of some cases the curvature and the gradients, by the reference, the layer, and the layer computed again."""

    def computed(case: Case) -> Function:
        ours = case.layer, jax.checkpoint(case.layer)
        return lambda *inputs: (
            [curvature(function)(*inputs) for function in (case.reference, case.layer)],
            [gradients_over_the_first(function)(*inputs) for function in (case.reference, *ours)],
        )

    return in_one_program({name: computed(CASES[name]) for name in SECOND})(INPUTS)


@each_second
def test_hessians_can_be_taken(name):
    (expected, ours), _ = second()[name]
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-9)


@each_second
def test_one_argument_can_be_mapped_over_and_all_be_computed_again(name):
    _, (expected, *ours) = second()[name]
    for gradients in ours:
        np.testing.assert_allclose(gradients, expected, rtol=0, atol=WITHIN)


def test_cross_entropy_is_that_of_optax(x64, rng):
    z, y = jnp.asarray(rng.normal(size=(4, 6))), jax.nn.softmax(jnp.asarray(rng.normal(size=(4, 6))))
    expected = optax.softmax_cross_entropy(z, y)
    np.testing.assert_allclose(layers.softmax_cross_entropy(z, y), expected, rtol=0, atol=1e-14)


def test_the_jacobian_of_softmax_is_the_matrix_it_says(x64, rng):
    @jax.jit
    def computed(z):
        y = layers.softmax(z)
        return y, layers.softmax_jacobian(y), jax.vmap(jax.jacrev(jax.nn.softmax))(z)

    y, matrices, expected = map(np.asarray, computed(rng.normal(size=(2, 5))))
    np.testing.assert_allclose(matrices, expected, rtol=0, atol=1e-15)
    for row, matrix in zip(y, matrices, strict=True):
        for i, j in product(range(5), range(5)):
            assert matrix[i, j] == pytest.approx(row[i] * ((i == j) - row[j]), abs=1e-16)


def test_of_equals_in_a_window_the_first_gets_it_all():
    x = jnp.array([[3.0, 1.0, 3.0], [3.0, 3.0, 2.0]]).reshape(1, 2, 3, 1)
    dy = jnp.array([5.0, 7.0]).reshape(1, 1, 2, 1)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(layers.max_pool(x, (2, 2), 1) * dy)))
    np.testing.assert_array_equal(gradient(x).reshape(2, 3), [[5.0, 0.0, 7.0], [0.0, 0.0, 0.0]])


def test_nan_in_a_window_is_not_lost():
    windows = np.where(np.eye(4), np.nan, np.arange(4.0)).reshape(4, 2, 2, 1)
    assert jnp.isnan(layers.max_pool(jnp.asarray(windows))).all()


def test_relu_has_no_slope_at_0():
    assert jax.grad(layers.relu)(jnp.array(0.0)) == 0.0
    assert jax.grad(layers.relu)(jnp.array(-0.0)) == 0.0


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5])
def test_dropout_refuses_other_rates(rate):
    with pytest.raises(ValueError, match=rf"rate must be at least 0 and below 1, not {rate}"):
        layers.dropout(jnp.ones(3), jax.random.key(0), rate)


def test_what_is_dropped_is_gone_whatever_it_was():
    @jax.jit
    def computed(x):
        y, backward = jax.vjp(lambda x: layers.dropout(x, jax.random.key(0), 0.5), x)
        return y == 0, backward(jnp.where(y == 0, jnp.nan, 1.0))[0]

    dropped, gradient = computed(jnp.full(20, jnp.inf))
    assert 0 < dropped.sum() < 20
    np.testing.assert_array_equal(gradient, np.where(dropped, 0.0, 2.0))


def test_dropout_keeps_the_mean(x64):
    y = jax.jit(lambda x: layers.dropout(x, jax.random.key(1), 0.2))(jnp.ones(10**5))
    np.testing.assert_array_equal(np.unique(np.asarray(y)), [0.0, 1.25])
    assert float(y.mean()) == pytest.approx(1.0, abs=5 * 0.5 / np.sqrt(10**5))  # 5 standard errors of 0.5
