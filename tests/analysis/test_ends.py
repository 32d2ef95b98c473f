"""Best settings at the end of what was tried."""

import numpy as np
import pytest

from adamlab import analysis
from tests.analysis.examples import SGD, dataset


def tried(losses, argument="learning_rate", label="a"):
    """Runs of settings given by their number with the final loss, or None where they diverged."""
    spec = "optax.sgd(learning_rate=0.5, momentum={})" if argument == "momentum" else SGD
    return [
        (label, spec.format(value), 0, [9, 9, np.nan if loss is None else loss], 10 if loss is None else -1)
        for value, loss in losses.items()
    ]


def told(rows):
    return analysis.range_ends(dataset(rows))[["optimizer", "setting", "value", "end"]].to_numpy().tolist()


def test_both_ends_are_told():
    assert told(tried({1e-3: 3, 1e-2: 2, 1e-1: 1})) == [["a", "learning_rate", 0.1, "largest"]]
    assert told(tried({1e-3: 1, 1e-2: 2, 1e-1: 3})) == [["a", "learning_rate", 1e-3, "smallest"]]
    assert told(tried({1e-3: 3, 1e-2: 1, 1e-1: 2})) == []
    (note,) = analysis.range_ends(dataset(tried({1e-4: 3, 1e-3: 1}))).note
    assert note == "learning_rate = 0.001 is the largest that was tried"


@pytest.mark.parametrize("losses", [{0.1: 1}, {0.1: None, 0.2: None}, {0.1: 1, 0.2: 1}, {0.1: 1, 0.2: 2, 0.3: 1}])
def test_without_a_range_or_a_best_end_nothing_is_told(losses):
    assert told(tried(losses)) == []


def test_what_ends_there_is_not_told():
    assert told(tried({0.0: 1, 0.9: 2}, "momentum")) == []
    assert told(tried({1.0: 1, 0.9: 2}, "momentum")) == []
    assert told(tried({0.0: 2, 0.9: 1}, "momentum")) == [["a", "momentum", 0.9, "largest"]]
    assert told(tried({1.0: 1, 0.9: 2})) == [["a", "learning_rate", 1.0, "largest"]]


def test_a_decay_is_told_as_it_was_given():
    rows = [
        ("a", f"adamlab.adam(learning_rate=0.1, b2={b2})", 0, [9, 9, loss], -1) for b2, loss in ((0.9, 2), (0.999, 1))
    ]
    runs = dataset(rows)
    assert analysis.range_ends(runs).setting.tolist() == ["b2"]
    runs = runs.assign_coords({"1-b2": ("run", [0.1, 0.001])})
    runs.attrs["settings"] = [*runs.attrs["settings"], "1-b2"]
    assert analysis.range_ends(runs).note.tolist() == ["1-b2 = 0.001 is the smallest that was tried"]


def test_each_optimizer_has_its_own_range():
    rows = tried({0.1: 1, 0.2: 2}) + tried({0.2: 1, 0.4: 2, 0.05: 3}, label="b")
    assert told(rows) == [["a", "learning_rate", 0.1, "smallest"]]
    table = analysis.standings(dataset(rows)).set_index("optimizer")
    assert table.at_end.to_dict() == {"a": "learning_rate = 0.1 is the smallest that was tried", "b": ""}
    assert table.n.tolist() == [1, 1]
