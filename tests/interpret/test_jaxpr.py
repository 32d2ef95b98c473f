"""The walker in exact numbers against JAX itself, primitive by primitive and structure by structure."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mpmath import mpf, workdps

from adamlab.interpret.arrays import each
from adamlab.interpret.jaxpr import Reader, UnreadableError, trace
from adamlab.interpret.mpmath_algebra import Exact

MATRIX = np.array([[0.3, -1.7, 2.5], [4.0, 0.2, -0.6]])
VECTOR = np.array([1.5, -0.25, 3.0])

FUNCTIONS = {
    "arithmetic": lambda x, y: (x + y) * (x - y) / (2.0 + y**2) - x,
    "powers": lambda x, y: x**3 + jnp.abs(x) ** -2 + jnp.abs(x) ** y + jnp.abs(x) ** 0.3,
    "roots": lambda x, y: jnp.sqrt(jnp.abs(x)) + jax.lax.rsqrt(y**2) + jnp.cbrt(x),
    "exponentials": lambda x, y: jnp.exp(x) + jnp.expm1(y) + jnp.log(jnp.abs(x)) + jnp.log1p(y**2) + jnp.exp2(x),
    "sigmoids": lambda x, y: jnp.tanh(x) + jax.nn.sigmoid(y) + jax.scipy.special.erf(x) + jnp.sin(x) * jnp.cos(y),
    "comparisons": lambda x, y: jnp.where((x > y) & ~(x <= 0.3) | (y == 3.0), x, jnp.maximum(-x, jnp.minimum(y, 1.0))),
    "clips": lambda x, y: (
        jnp.clip(x, -1.0, 1.0) + jax.lax.clamp(-1.0, y, 0.5) + jnp.sign(x) + jnp.floor(y) + jnp.ceil(x)
    ),
    "finite": lambda x, y: jnp.where(jnp.isfinite(x / 0.0), x, y),
    "nan": lambda x, y: (
        jnp.where(jnp.isnan(jnp.sqrt(x)), 1.0, 2.0) + jnp.where(jnp.maximum(jnp.log(x), y) > 0, 3.0, 4.0)
    ),
    "reductions": lambda x, y: (
        x.sum() + x.sum(0) + x.max(1)[1] + x.prod(1)[0] + x.min() + jnp.any(x > 4) + jnp.all(y < 4)
    ),
    "means": lambda x, y: jnp.mean(x, axis=1)[0] + jnp.linalg.norm(x) + jnp.var(y),
    "accumulations": lambda x, y: jnp.cumsum(x, axis=0) + jnp.cumprod(x, axis=1) + jax.lax.cummax(y, reverse=True),
    "products": lambda x, y: x @ y[:, None] + (x @ x.T) + jnp.einsum("ij,ij->i", x, x)[:, None] + jnp.dot(y, y),
    "batched": lambda x, y: jnp.einsum("bij,bjk->bik", jnp.stack([x, 2 * x]), jnp.stack([x.T, x.T])),
    "moves": lambda x, y: jnp.concatenate([x.T.reshape(2, 3), x[:, ::-1], jnp.tile(y, (2, 1))]),
    "slices": lambda x, y: x[:, 1:] + y[jnp.array([2, 0])] + jax.lax.dynamic_slice(y, (jnp.argmax(y) - 1,), (2,)),
    "padding": lambda x, y: jnp.pad(y, (1, 2)) + jnp.zeros(6).at[2:5].set(y),
    "integers": lambda x, y: (jnp.arange(3) // 2 + jnp.arange(3) % 2).astype(y.dtype) * y + y.astype(jnp.int32),
    "argmin": lambda x, y: jnp.argmin(x, axis=1).astype(float) + jnp.argmax(y),
    "cond": lambda x, y: (
        jax.lax.cond(y[0] > 1, lambda: x, lambda: 2 * x) + jax.lax.switch(2, [jnp.sin, jnp.cos, abs], y)
    ),
    "while": lambda x, y: jax.lax.while_loop(lambda c: c[1] < 5, lambda c: (c[0] * 0.5 + y, c[1] + 1), (y, 0))[0],
    "batched while": lambda x, y: jax.vmap(
        lambda row, size: jax.lax.while_loop(lambda c: c[0].sum() < 9, lambda c: (c[0] + size, c[1] + 1), (row, 0))
    )(x, jnp.array([2.0, 0.5])),
    "printed": lambda x, y: (jax.debug.print("{}", y, ordered=False), 2 * y)[1],
    "interpolation": lambda x, y: jnp.interp(x, jnp.array([-1.0, 0.25, 3.0]), y) + jnp.searchsorted(y[::2], 2.0),
    "scan": lambda x, y: jax.lax.scan(lambda c, row: (c + row, c * row), y, x, reverse=True),
    "loops": lambda x, y: jax.lax.fori_loop(0, 4, lambda i, c: c + i * y, y) + jax.jit(lambda z: z * 2)(y),
    "derivatives": lambda x, y: jax.grad(lambda z: jnp.sum(jax.nn.softplus(z) * jax.nn.relu(z)))(y),
    "softmax": lambda x, y: jax.nn.softmax(x) + jax.nn.logsumexp(y),
    "whole powers": lambda x, y: 2 ** jnp.arange(3) + jnp.tan(y) + jnp.clip(jnp.log(-(y**2)), 0.0, 1.0),
    "sorting": lambda x, y: (
        (jnp.sort(x, axis=0), jnp.argsort(y, descending=True), jax.lax.top_k(x, 2)),
        jax.lax.sort((jnp.array([[2, 1, 2]]), x[:1], x[1:]), dimension=1, num_keys=2),
    ),
    "places of extremes": lambda x, y: (jnp.argmax(x, 0), jnp.argmin(jnp.stack([y, y]), 0), jnp.argmax(-y)),
    "order of nan": lambda x, y: (
        (jnp.sort(jnp.sqrt(x)), jnp.argmin(jnp.sqrt(x), 1), jnp.argmax(jnp.log(x))),
        (jnp.max(jnp.sqrt(x)), jnp.argmax(x * 0), jnp.median(y)),
    ),
    "taking": lambda x, y: (
        (jnp.take(y, jnp.array([1, -1, -4, 3])), jnp.take(y, jnp.array([9, -9]), mode="clip"), y[jnp.array([7, -7])]),
        (jnp.take(x, jnp.array([0, 5]), axis=1, fill_value=0.5), jnp.take(x, jnp.array([0, 5]), axis=0, mode="wrap")),
        (x.at[jnp.array([0, 2]), 1].get(mode="fill"), y[jnp.array(250, jnp.uint8) + jnp.array(7, jnp.uint8)]),
    ),
    "scattering": lambda x, y: (
        jnp.zeros(4).at[jnp.array([0, 2, 0, 9])].add(jnp.stack([y[0], y[1], y[2], y[0]])),
        x.at[:, jnp.array([0, 0])].multiply(jnp.stack([y[:2], y[1:]])) + x.at[jnp.array([1, 1])].set(x),
        y.at[jnp.array([0, 0, 1])].min(x[0]) + y.at[jnp.array([0, 0, -1])].max(x[1]) + y.at[1].apply(jnp.cos),
        y.at[jnp.array([0, 0])].subtract(x[:, 0]),
        jnp.zeros(2).at[jnp.zeros(0, int)].add(jnp.zeros(0)),
    ),
    "empty": lambda x, y: (
        (jnp.sum(y[:0]), jnp.prod(x[:, :0], 1), jnp.any(y[:0] > 0), jnp.all(y[:0] > 0), x[:, :0] @ x[:, :0].T),
        (jnp.max(y[:0], initial=2.0), jax.lax.reduce_min(y[:0], (0,)), jax.lax.scan(lambda c, r: (c + r, c), y, x[:0])),
    ),
    "accumulated extremes": lambda x, y: jax.lax.cummin(x, axis=1) + jax.lax.cumlogsumexp(y, reverse=True),
    "long rows": lambda x, y: jnp.argmax(jnp.arange(70.0) * y[1]) + jnp.max(jnp.stack([y] * 40), 0) + jnp.argmin(x),
    "recomputed": lambda x, y: jax.checkpoint(jnp.sin)(y) + jax.grad(lambda z: jnp.sum(jax.nn.silu(z)))(y),
    "complex": lambda x, y: jnp.abs(x * (1 + 2j)) + (jnp.conj(x * 1j) * x * 1j).real + jnp.imag(x * 3j),
}


@cache
def computed() -> dict[str, list[np.ndarray]]:
    """The values of all functions at the matrix and the vector, by JAX, in one program."""
    with jax.enable_x64(True), jax.numpy_rank_promotion("allow"):
        program = jax.jit(lambda x, y: {name: function(x, y) for name, function in FUNCTIONS.items()})
        return {name: list(map(np.asarray, jax.tree.leaves(y))) for name, y in program(MATRIX, VECTOR).items()}


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_exact_numbers_are_those_of_jax(x64, name):
    with jax.numpy_rank_promotion("allow"):
        program = trace(FUNCTIONS[name], MATRIX, VECTOR)
    values = jax.tree.leaves(Reader(Exact()).read(program, each(mpf, MATRIX), each(mpf, VECTOR)))
    for ours, theirs in zip(values, computed()[name], strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours.astype(theirs.dtype), theirs, rtol=1e-13)


def test_a_reader_remembers_moves_by_their_indices(x64):
    program = trace(lambda y, i: y[i], VECTOR, 0)
    reader = Reader(Exact())
    assert [reader.read(program, VECTOR, i).item() for i in (0, 2, 1)] == [1.5, 3.0, -0.25]


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (
            lambda y: jax.lax.reduce(y, 0.0, lambda a, b: a + 2 * b, (0,)),
            "'reduce', at .*: JAX may combine entries in any",
        ),
        (lambda y: jax.lax.reduce_window(y, 0.0, jax.lax.add, (2,), (1,), "VALID"), "'reduce_window_sum'"),
        (lambda y: jnp.linalg.qr(y[None])[0], "'(householder_product|geqrf|qr)'"),
        (lambda y: jax.pure_callback(np.sin, y, y), "'pure_callback'"),
        (lambda y: jax.lax.top_k(jnp.sqrt(y), 2), "'top_k', at .*: JAX places a NaN by its sign"),
        (lambda y: jax.lax.bitcast_convert_type(y, jnp.int64), "'bitcast_convert_type'"),
    ],
)
def test_what_has_no_meaning_here_is_told_by_name(x64, function, told):
    program = trace(function, VECTOR)
    with pytest.raises(UnreadableError, match=f"cannot read the primitive {told}"):
        Reader(Exact()).read(program, each(mpf, VECTOR))


def test_what_cancels_down_to_rounding_errors_is_zero():
    with workdps(50):
        third, reader = mpf(1) / 3, Reader(Exact())
        assert reader.read(trace(lambda x: (x - 0.1) - (x - 0.2) - 0.1, 1.0), third).item() == 0
        assert reader.read(
            trace(lambda x: jnp.sum(x) == 0.0, VECTOR), each(mpf, np.array(["1e9", "0.1", "-1000000000.1"]))
        )
        spread = each(mpf, np.array(["1e12", "0.1", "-1e12", "-0.1"]))
        assert reader.read(trace(jnp.sum, np.zeros(4)), spread).item() == 0
        assert reader.read(trace(jnp.cumsum, np.zeros(4)), spread)[3] == 0
        assert reader.read(trace(lambda x: jnp.dot(x, x) == 0.14, VECTOR), each(mpf, np.array(["0.1", "0.2", "0.3"])))
        assert reader.read(trace(lambda x: jnp.floor(x * 10 + 0.2 * 10), 1.0), mpf("0.1")).item() == 3
        assert reader.read(trace(lambda x: (x * 3 * 10).astype(int), 1.0), mpf("0.1")).item() == 3
        near = mpf(10) ** -35
        kept = each(mpf, np.array([1, near, -1, 0]))
        assert abs(reader.read(trace(jnp.sum, np.zeros(4)), kept).item() / near - 1) < mpf(10) ** -14


def test_a_number_next_to_an_integer_is_rounded_to_it():
    with workdps(50):
        reader = Reader(Exact())
        for error in (mpf(2) ** -160, -(mpf(2) ** -160)):
            for rounded in (jnp.floor, jnp.ceil, lambda x: x.astype(int), lambda x: 3 - x % 3):
                assert reader.read(trace(rounded, 1.0), 3 + error).item() == 3
        for beside in (-(mpf(10) ** -35), mpf(10) ** -35):
            assert reader.read(trace(lambda x: jnp.ceil(x) - jnp.floor(x), 1.0), 3 + beside).item() == 1


def test_constants_in_code_are_the_decimals_that_were_meant():
    program = trace(lambda x: x * 0.1 + jnp.float32(0.1) + (1 - 0.999), 1.0)
    reader = Reader(Exact())
    assert str(reader.read(program, Exact().number(0)).item()) == "0.101"


@pytest.mark.parametrize("written", ["0.999", "0.9999999", "0.99"])
def test_one_minus_a_decimal_is_read_as_it_was_meant(written):
    program = trace(lambda x: x + (1 - float(written)), 1.0)
    with workdps(50):
        assert abs(Reader(Exact()).read(program, mpf(0)).item() - (1 - mpf(written))) < mpf(10) ** -45


def test_an_unknown_primitive_stops_with_its_name_and_its_line():
    program = trace(lambda x: x + jax.random.normal(jax.random.key(0)), 1.0)
    with pytest.raises(UnreadableError, match=r"cannot read the primitive 'random_\w+', at .*test_jaxpr\.py:\d+"):
        Reader(Exact()).read(program, 1.0)
