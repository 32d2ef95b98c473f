"""Performance profiles beside their definition, written as loops."""

import numpy as np
import pytest
import xarray as xr

from adamlab import analysis
from adamlab.errors import InputError
from tests.analysis.examples import SGD, dataset


def costing(costs, problem="made", **coordinates):
    """One setting an optimizer, whose run with seed i costs the i-th number."""
    pairs = [(label, seed) for label, numbers in costs.items() for seed in range(len(numbers))]
    rows = [(label, SGD.format(0.1), seed, [9, 9, 1], -1) for label, seed in pairs]
    runs = dataset(rows, problem=problem, **coordinates)
    return runs.assign(steps_to_target=("run", np.concatenate(list(costs.values()))))


def test_a_profile_by_hand():
    """On seeds 0 to 3 a costs 10, 30, fails, fails; b 20, 10, 40, fails."""
    over = analysis.performance_profiles(costing({"a": [10, 30, -1, -1], "b": [20, 10, 40, -1]}))
    np.testing.assert_array_equal(over.ratio, [[1, 3, np.inf, np.inf], [2, 1, 1, np.inf]])
    assert over.factor.values.tolist() == [1, 2, 3]
    assert over.profile.values.tolist() == [[0.25, 0.25, 0.5], [0.5, 0.75, 0.75]]


def test_profiles_of_several_problems_are_their_definition(rng):
    for _ in range(20):
        costs = {p: {s: rng.choice([-1, 5, 10, 20, 40], 6) for s in "abc"} for p in ("one", "two")}
        tree = xr.DataTree.from_dict({f"/{p}": costing(each, p) for p, each in costs.items()})
        over = analysis.performance_profiles(tree)
        instances = [(p, i) for p in costs for i in range(6)]
        assert list(zip(over.problem.values, over.seed.values, strict=True)) == instances
        for s in "abc":
            for tau, share in zip(over.factor.values, over.profile.sel(optimizer=s).values, strict=True):
                within = 0
                for p, i in instances:
                    spent = [t[i] for t in costs[p].values() if t[i] >= 0]
                    within += bool(costs[p][s][i] >= 0 and costs[p][s][i] <= tau * min(spent, default=0))
                assert share == within / len(instances)
        finite = over.ratio.values[np.isfinite(over.ratio.values)]
        assert set(over.factor.values) == {1, *finite}


def test_what_costs_nothing_is_within_no_factor_of_anything_else():
    over = analysis.performance_profiles(costing({"a": [0, 0], "b": [0, 5]}))
    np.testing.assert_array_equal(over.ratio, [[1, 1], [1, np.inf]])


def test_a_cost_can_be_made_of_the_runs():
    runs = costing({"a": [1, 1], "b": [1, 1]})
    runs.loss[:, 1] = [0.5, 9, 9, 9]
    over = analysis.performance_profiles(runs, lambda r: analysis.steps_to(r, 1))
    np.testing.assert_array_equal(over.ratio, [[1, 1], [2, 1]])


def test_only_instances_of_all_optimizers_count():
    runs = costing({"a": [1, 2, 3], "b": [3, 2, 1]}, done=[True, True, True, False, True, True])
    assert analysis.performance_profiles(runs).seed.values.tolist() == [1, 2]
    with pytest.raises(InputError, match="no problem and seed has a result of every optimizer"):
        analysis.performance_profiles(runs.isel(run=[0, 4]))


def test_the_same_seed_from_another_start_is_another_instance():
    over = analysis.performance_profiles(costing({"a": [1, 4], "b": [2, 2]}, start=[0, 1, 0, 1], seed=[5, 5, 5, 5]))
    assert (over.seed.values.tolist(), over.start.values.tolist()) == ([5, 5], [0, 1])
    np.testing.assert_array_equal(over.ratio, [[1, 2], [2, 1]])


def test_without_a_cost_one_is_asked_for():
    runs = costing({"a": [1, 4], "b": [2, 2]}).drop_vars("steps_to_target")
    with pytest.raises(InputError, match='made: a profile takes a cost; record "steps_to_target"'):
        analysis.performance_profiles(runs)
