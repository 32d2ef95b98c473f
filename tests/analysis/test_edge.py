"""Runs at the edge of stability, below it and beyond, told from datasets written by hand."""

import numpy as np
import pytest

from adamlab import analysis
from tests.analysis.examples import ADAM, SGD, dataset

RATIOS = {
    "at the edge": ([9.0, 0.5, 1.2, 0.9, 1.0, 0.96], 20, 0.98),
    "off it": ([0.5, 0.9, 1.1, 0.8, 0.6, 0.5], 20, 0.55),
    "below it": ([1.4, 0.5, 0.6, 0.7, 0.6, 0.5], -1, 0.7),
    "diverged": ([0.5, 1.5, 9.0, np.nan, np.nan, np.nan], -1, np.nan),
}
"""Of sharpness to a threshold, at steps 0, 10 … 50, with when the edge is reached and the ratio that is told."""


def at_ratios(ratios, specs, problem="made", diverged=()):
    rows = [
        (spec.partition("(")[0], spec, 0, [3.0, *[2.0] * 5], 20 if i in diverged else -1)
        for i, spec in enumerate(specs)
    ]
    runs = dataset(rows, 6, problem)
    threshold = 2 / runs.learning_rate.values[:, None] * np.ones(6)
    return runs.assign(
        stability_threshold=(("run", "step"), threshold),
        preconditioned_sharpness=(("run", "step"), threshold * np.array(ratios)),
    )


def all_states():
    specs = [SGD.format(0.1), SGD.format(0.01), ADAM.format(0.1), SGD.format(1.0)]
    return at_ratios([ratios for ratios, *_ in RATIOS.values()], specs, diverged=(3,))


def test_where_each_run_stands():
    rows = analysis.edge_rows(all_states())
    assert rows.state.tolist() == [*RATIOS]
    assert rows.reached.tolist() == [reached for _, reached, _ in RATIOS.values()]
    assert rows.ratio.tolist() == pytest.approx([ratio for *_, ratio in RATIOS.values()], nan_ok=True)


def test_steps_without_a_value_do_not_count():
    """As where a costly quantity is recorded seldom."""
    (row,) = analysis.edge_rows(at_ratios([[9, np.nan, 1.2, np.nan, 0.8, 1.0]], [SGD.format(0.1)])).to_dict("records")
    assert (row["state"], row["reached"], row["ratio"]) == ("at the edge", 20, pytest.approx(0.9))


def test_runs_without_a_threshold_are_not_below_it():
    """NaN of an optimizer that has none; at one below 0, by a weight decay, no steps converge."""
    runs = at_ratios([[0.5, 0.9, 1.1, 1.0, 1.0, 1.0]] * 3, [SGD.format(0.1), ADAM.format(0.1), SGD.format(1.0)])
    runs["stability_threshold"] = runs.stability_threshold * np.array([1, np.nan, -0.1])[:, None]
    assert analysis.edge_rows(runs).state.tolist() == ["at the edge", "unknown", "unknown"]
    told = analysis.answer(runs)
    assert told.startswith("1 of 1 run")
    assert "below it" not in told
    assert "edge" not in analysis.answer(runs.isel(run=[1, 2]))


def test_the_answer_says_by_how_much_they_differ():
    told = analysis.answer(all_states())
    assert told.startswith(
        "1 of 4 runs come to the edge of stability and stay there, the median of the preconditioned sharpness at 0.98 "
        "times the threshold read off the code. 1 run stayed below it, at most at 0.70 of it (optax.adam). 1 run came "
        "to it and went on at 0.55 times the threshold (adamlab.sgd). By the final loss"
    )
    assert "edge" not in analysis.answer(all_states().drop_vars("stability_threshold"))
    both = {
        "a": at_ratios([[0.5, 1, 1.1, 1.02, 1.02, 1]], [SGD.format(0.1)], "a"),
        "b": at_ratios([[0.5, 1, 1, 1, 0.9, 1]] * 2, [SGD.format(0.1), ADAM.format(0.1)], "b"),
    }
    whole = analysis.answer(both).splitlines()[0]
    assert "3 of 3 runs come to" in whole
    assert (
        "at 1.00 to 1.02 times the threshold read off the code: adamlab.sgd 1.00 to 1.02 and optax.adam 1.00" in whole
    )
