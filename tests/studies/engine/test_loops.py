"""Loops over steps: numbers that all runs share, and how many kernels XLA makes of a step."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adamlab import problems
from adamlab.studies.engine.loops import Steps
from adamlab.studies.engine.program import ON_A_THREAD, options_for, prepare
from adamlab.studies.engine.recording import Recording, recorded_steps
from tests.computing import runs_of

IN_TURN = 8
"""The most kernels of a loop that XLA runs in turn, without handing them to threads."""

FREE = {"bitcast", "constant", "get-tuple-element", "parameter", "tuple"}
"""The operations of XLA that no kernel is made of."""


@jax.custom_jvp
def root(x):
    return jnp.sqrt(x)


root.defjvp(lambda x, slope: (root(*x), slope[0]))


def step(t, carry):
    count = carry["count"] + 1
    correction = 1 - jnp.float32(0.9) ** count
    mean = 0.9 * carry["mean"] + 0.1 * jax.jit(root)(carry["w"])
    return {
        "count": count,
        "followed": carry["largest"] + count,
        "largest": jnp.maximum(carry["largest"], jnp.max(carry["w"]).astype(int)),
        "mean": mean,
        "w": carry["w"] + mean / correction / (t + 1) + count // 2,
    }


CARRY = {
    "count": jnp.int32(0),
    "followed": jnp.int32(0),
    "largest": jnp.int32(0),
    "mean": jnp.zeros(3),
    "w": jnp.array([1.0, 2.0, 3.0]),
}


def by(advance):
    """The carry after steps by `advance(begin, end, carry)`, in two parts."""
    return jax.jit(lambda middle, carry: advance(middle, 7, advance(0, middle, carry)))(4, CARRY)


@pytest.mark.parametrize("names", [(), ("count",), ("count", "followed", "largest")])
def test_steps_are_those_of_a_plain_loop(names):
    def advance(begin, end, carry):
        steps = Steps(step, carry, [name in names for name in sorted(CARRY)])
        # What may be shared and follows from the runs is left to them, with all that follows from it.
        assert (len(steps.begin(begin, carry).shared) == 2) == bool(names)
        return steps.carry(steps.until(end, steps.begin(begin, carry)))

    plain = by(lambda begin, end, carry: jax.lax.fori_loop(begin, end, step, carry))
    chex.assert_trees_all_close(by(advance), plain, rtol=1e-6)
    chex.assert_trees_all_equal_dtypes(by(advance), plain)


def test_what_a_step_tells_of_is_told_once():
    told = []

    def telling(t, carry):
        jax.debug.callback(lambda *values: told.append([*map(np.asarray, values)]), carry["count"], carry["mean"])
        jax.debug.callback(lambda: told.append([]))
        return step(t, carry)

    def advance(carry):
        steps = Steps(telling, carry, [name == "count" for name in sorted(CARRY)])
        assert len(steps.begin(0, carry).shared) == 2
        return steps.carry(steps.until(3, steps.begin(0, carry)))

    jax.block_until_ready(jax.jit(advance)(CARRY))
    jax.effects_barrier()
    assert sorted(int(values[0]) for values in told if values) == [0, 1, 2]
    assert len(told) == 6


def test_runs_are_divided_by_a_small_number_that_they_share():
    def halving(t, carry):
        return {"number": carry["number"] / 2, "w": carry["w"] / 2 / (carry["number"] / 2) * carry["number"]}

    def advance(carry):
        steps = Steps(halving, carry, [True, False])
        return steps.carry(steps.until(20, steps.begin(0, carry)))

    # The last number is 2⁻²⁰, whose inverse is beyond float16.
    carry = {"number": jnp.float16(1), "w": jnp.float16([0.001, 0.002, 0.003])}
    chex.assert_trees_all_equal(jax.jit(advance)(carry), {"number": jnp.float16(2**-20), "w": carry["w"]})


def kernels_of_a_step(text):
    """The operations in the body of the loop in the loop over recorded steps, but for those that cost nothing."""
    parts = dict(re.findall(r"^(?:ENTRY )?%([\w.\-]+) \((.*?)^}", text, re.DOTALL | re.MULTILINE))
    inside = re.search(r"^ENTRY %([\w.\-]+)", text, re.MULTILINE)
    assert inside is not None
    name = inside[1]
    for _ in ("records", "steps"):
        (name,) = re.findall(r" while\(.*?body=%([\w.\-]+)", parts[name])
    lines = [line for line in parts[name].splitlines() if " = " in line]
    kinds = [(re.search(r" ([a-z][a-z\-]*)\(", line.partition(" = ")[2]), line) for line in lines]
    return [(kind[1], line) for kind, line in kinds if kind is not None and kind[1] not in FREE]


@pytest.mark.parametrize("by_seed", [False, True])
def test_kernels_over_many_data_are_divided_between_cores(by_seed):
    def problem(size):
        data = jnp.ones(size)

        def loss(w, batch=data):
            return jnp.mean((batch * w[0] - w[1]) ** 2)

        sample = (lambda key, t: data + jax.random.normal(key)) if by_seed else None
        kind = type(problems.get("quadratic"))
        return kind("fit", lambda w, b: loss(w, b) if by_seed else loss(w), lambda key: jnp.ones(2), loss, sample)

    assert options_for(problem(2)) == ON_A_THREAD
    assert options_for(problem(1000)) is None


@pytest.mark.optimized(True)
@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("adamlab.amsgrad(lr)", "quadratic"),
        pytest.param("optax.nadam(lr)", "himmelblau", marks=pytest.mark.slow),
        pytest.param("adamlab.adam(warmup_cosine(lr, 20, 200))", "rosenbrock", marks=pytest.mark.slow),
        pytest.param("adamlab.rmsprop(lr)", "beale", marks=pytest.mark.slow),
    ],
)
def test_a_step_is_run_in_turn_and_copies_no_array(spec, name):
    rates = np.geomspace(1e-3, 1e-1, 1264)  # so many that XLA would divide them between two cores
    runs = runs_of(spec, {"lr": rates}, range(1264))
    program = prepare(problems.get(name), runs, Recording(recorded_steps(30, 10), ("loss", "params")))
    text = str(program.compiled[0].as_text())
    kernels = kernels_of_a_step(text)
    assert "outer_dimension_partitions" not in text
    assert 4 < len(kernels) <= IN_TURN, kernels
    assert not [line for kind, line in kernels if kind == "copy" and "[]" not in line.partition(" copy(")[0]]
