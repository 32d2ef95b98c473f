"""Schedules against what they say, at the first update and later."""

import math

import numpy as np
import pytest

from adamlab.schedules import SCHEDULES

EXPECTED = {
    "inverse_sqrt": ({"init": 0.3}, lambda count: 0.3 / math.sqrt(count + 1)),
    "exponential": ({"init": 0.3, "rate": 0.5, "every": 4}, lambda count: 0.3 * 0.5 ** (count / 4)),
    "linear": ({"init": 0.3, "end": 0.1, "steps": 4}, lambda count: max(0.1, 0.3 - 0.05 * count)),
    "cosine": (
        {"init": 0.3, "steps": 8, "alpha": 0.1},
        lambda count: 0.3 * (0.9 * (1 + math.cos(math.pi * min(count, 8) / 8)) / 2 + 0.1),
    ),
    "warmup_cosine": (
        {"peak": 0.4, "warmup": 4, "steps": 12},
        lambda count: 0.1 * count if count < 4 else 0.2 * (1 + math.cos(math.pi * min(count - 4, 8) / 8)),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_has_the_values_it_says(x64, name):
    arguments, expected = EXPECTED[name]
    schedule = SCHEDULES[name](**arguments)
    for count in (0, 1, 3, 4, 5, 11, 20):
        assert np.asarray(schedule(count)).item() == pytest.approx(expected(count), rel=1e-12, abs=1e-15)
