"""The shape of a convolution's output against JAX's own, and against windows counted one by one."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from adamlab.layers import conv2d, conv_output_shape, max_pool, mean_pool

sides = st.tuples(st.integers(1, 12), st.integers(1, 12))
few = st.tuples(st.integers(1, 4), st.integers(1, 4))
paddings = st.tuples(st.integers(0, 4), st.integers(0, 4)) | st.sampled_from(["SAME", "VALID"])


@settings(max_examples=150)
@given(sides, few, few, paddings, few, st.integers(1, 3), st.integers(1, 4))
def test_shape_is_that_of_jax(sides, kernel, stride, padding, dilation, batch, channels):
    """Padding is two numbers or a word."""
    shape, kernel_shape = (batch, *sides, 2), (*kernel, 2, channels)

    def convolved(x, k):
        pads = padding if isinstance(padding, str) else [(p, p) for p in padding]
        numbers = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(x, k, stride, pads, rhs_dilation=dilation, dimension_numbers=numbers)

    arguments = [jax.ShapeDtypeStruct(s, np.float32) for s in (shape, kernel_shape)]
    expected = jax.eval_shape(convolved, *arguments).shape
    if 0 in expected:
        with pytest.raises(ValueError, match=r"no output is left along axis [12]: a window that spans"):
            conv_output_shape(shape, kernel, channels, stride, padding, dilation)
    else:
        assert conv_output_shape(shape, kernel, channels, stride, padding, dilation) == expected
        assert jax.eval_shape(lambda x, k: conv2d(x, k, stride, padding, dilation), *arguments).shape == expected


def test_windows_counted_one_by_one():
    for side, kernel, stride, padding in product(range(1, 11), range(1, 5), range(1, 5), range(4)):
        last = side + 2 * padding - kernel
        starts = [start for start in range(0, side + 2 * padding, stride) if start <= last]
        if starts:
            shape = conv_output_shape((1, side, 12, 1), (kernel, 1), 7, (stride, 1), (padding, 0))
            assert shape == (1, len(starts), 12, 7)


def test_the_example_of_the_docstring():
    assert conv_output_shape((32, 28, 28, 1), (5, 5), 16, stride=2, padding=1) == (32, 13, 13, 16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ((1, 3, 9, 1), (4, 2), 1),
            r"no output .* along axis 1: a window that spans 4 does not fit into 3 \+ 0 \+ 0",
        ),
        (((1, 9, 3, 1), 2, 1, 1, 1, (1, 5)), r"along axis 2: a window that spans 6 does not fit into 3 \+ 1 \+ 1"),
        (((1, 3, 9), 2, 1), "input_shape must be 4 whole numbers"),
        (((1, -3, 9, 1), 2, 1), "input_shape must be 4 whole numbers"),
        (((1, 3, 9, 1), 2, 0), "out_channels must be a whole number, at least 1; got 0"),
        (((1, 3, 9, 1), (2, 2, 2), 1), "kernel_size must be one whole number or two, at least 1; got"),
        (((1, 3, 9, 1), 2, 1, 0), "stride must be one whole number or two, at least 1; got 0"),
        (((1, 3, 9, 1), 2, 1, 1, -1), "padding must be one whole number or two, at least 0; got -1"),
        (((1, 3, 9, 1), 2, 1, 1, "FULL"), 'padding must be .* or "SAME" or "VALID"; got \'FULL\''),
        (((1, 3, 9, 1), 2, 1, 1, 0, (1, 0)), "dilation must be one whole number or two, at least 1"),
        (((1, 3, 9, 1), True, 1), "kernel_size must be one whole number or two"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        conv_output_shape(*arguments)


def test_channels_must_agree():
    with pytest.raises(ValueError, match="x has 3 channels and the kernel 2"):
        conv2d(jnp.ones((1, 4, 4, 3)), jnp.ones((2, 2, 2, 1)))


@pytest.mark.parametrize("pool", [max_pool, mean_pool])
def test_a_pool_needs_a_window(pool):
    with pytest.raises(ValueError, match="no output is left along axis 2"):
        pool(jnp.ones((1, 3, 1, 1)))


def test_numpy_s_whole_numbers_do_as_well():
    shape = conv_output_shape((np.int64(2), 9, 9, 1), (np.int64(3), 3), np.int64(4), stride=np.int32(2))
    assert shape == (2, 4, 4, 4)
    assert {type(side) for side in shape} == {int}


def test_an_empty_batch_stays_empty():
    assert conv_output_shape((0, 5, 5, 1), 3, 2) == (0, 3, 3, 2)
    assert conv2d(jnp.ones((0, 5, 5, 1)), jnp.ones((3, 3, 1, 2))).shape == (0, 3, 3, 2)


@pytest.mark.parametrize("layer", [lambda x: conv2d(x, jnp.ones((2, 2, 1, 1))), max_pool, mean_pool])
def test_images_have_four_axes(layer):
    with pytest.raises(ValueError, match=r"images must be \(B, W, H, C\); got an array of shape \(4, 4, 1\)"):
        layer(jnp.ones((4, 4, 1)))


def test_kernels_have_four_axes():
    with pytest.raises(ValueError, match="the kernel must be"):
        conv2d(jnp.ones((1, 4, 4, 1)), jnp.ones((2, 2, 1)))


def test_the_sum_of_many_halves_is_right():
    for dtype in (jnp.bfloat16, jnp.float16):
        images = jnp.full((1, 18, 18, 1), 3e4, dtype)
        np.testing.assert_array_equal(jax.jit(lambda x: mean_pool(x, 18))(images), images[:, :1, :1])
    seen = jax.grad(lambda x: jnp.sum(conv2d(x, jnp.ones((17, 17, 1, 1), jnp.bfloat16))))
    assert jax.jit(seen)(jnp.ones((1, 33, 33, 1), jnp.bfloat16))[0, 16, 16, 0] == jnp.asarray(289, jnp.bfloat16)
