"""Programs of earlier studies in the same process."""

import jax
import numpy as np
import optax
import pytest

import adamlab as al
from adamlab.studies.sweep import programs


def config(rate=0.1, steps=3, b1=0.9, spec="adamlab.adam(lr, b1={})"):
    return {
        "name": "recent",
        "steps": steps,
        "problem": [{"name": "rosenbrock"}],
        "optimizer": [{"spec": spec.format(b1), "lr": [rate, 2 * rate]}],
    }


def traced(monkeypatch, *configs):
    """The number of programs traced for each of these studies, and the final losses of each."""
    counts, losses, prepare = [], [], programs.prepare
    programs.RECENT.clear()

    def counted(*arguments, **named):
        counts[-1] += 1
        return prepare(*arguments, **named)

    monkeypatch.setattr(programs, "prepare", counted)
    for given in configs:
        counts.append(0)
        losses.append(al.run(given)["rosenbrock"].ds["loss"].values[:, -1])
    return counts, losses


@pytest.mark.optimized(False)
def test_a_study_of_the_same_shape_is_not_traced_again(monkeypatch):
    counts, losses = traced(monkeypatch, config(), config(rate=0.3), config(b1=0.8), config(rate=0.3))
    assert counts == [1, 0, 1, 0]
    np.testing.assert_array_equal(losses[1], losses[3])
    assert (losses[0] != losses[1]).all()
    assert (losses[2] != losses[0]).all()


@pytest.mark.optimized(False)
def test_own_code_is_traced_each_time(monkeypatch):
    size = {"is": 1.0}
    al.optimizers.register("scaled", lambda lr: al.sgd(lr * size["is"]))
    own = config(rate=1e-4, spec="scaled(lr)")
    first = traced(monkeypatch, own)[1][0]
    size["is"] = 2.0
    counts, losses = traced(monkeypatch, own, own)
    assert counts == [1, 1]
    assert (losses[0] != first).all()


@pytest.mark.optimized(False)
def test_own_schedules_are_traced_each_time(monkeypatch):
    al.schedules.register("scaled_rate", lambda init: lambda count: init)
    counts, _ = traced(monkeypatch, *[config(spec="adamlab.adam(scaled_rate(lr))")] * 2)
    assert counts == [1, 1]


@pytest.mark.optimized(False)
def test_a_function_that_was_replaced_inside_of_a_factory_is_traced(monkeypatch):
    given = config(spec="optax.adam(lr, b1={})")
    (first,) = traced(monkeypatch, given)[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optax.tree, "update_moment", lambda gradient, mean, decay, order: gradient)
        replaced = al.run(given)["rosenbrock"].ds["loss"].values[:, -1]
    assert (first != replaced).all()
    count = len(programs.RECENT)
    np.testing.assert_array_equal(al.run(given)["rosenbrock"].ds["loss"].values[:, -1], first)
    assert len(programs.RECENT) == count


@pytest.mark.optimized(False)
def test_programs_of_other_settings_of_jax_are_others(monkeypatch):
    traced(monkeypatch, config())
    with jax.threefry_partitionable(False):
        al.run(config())
    assert len(programs.RECENT) == 2
