"""Momentum on quadratics, against the rates of its theory."""

from pathlib import Path

import numpy as np
import pytest

import adamlab as al

CONFIG = Path(__file__).parents[2] / "experiments/momentum_rates.toml"

RATES = {
    "gradient descent": lambda kappa: (kappa - 1) / (kappa + 1),
    "Polyak's heavy ball": lambda kappa: (np.sqrt(kappa) - 1) / (np.sqrt(kappa) + 1),
    "Nesterov's momentum": lambda kappa: 1 - 2 / np.sqrt(3 * kappa + 1),
}
"""The factor per step, from Lessard, Recht & Packard 2016, table 1."""


@pytest.mark.slow
def test_every_optimizer_is_as_fast_as_predicted_at_every_condition_number():
    """At its best setting, which is the one made for the problem's condition number."""
    for name, data in al.run(CONFIG).children.items():
        kappa = float(name.rpartition("=")[2])
        for label, rate in RATES.items():
            runs = al.analysis.of_optimizer(data.to_dataset(), label)
            best = runs.isel(run=int(runs.loss[:, -1].fillna(np.inf).argmin("run")))
            assert float(best.kappa) == kappa
            measured = float(best.distance.sel(step=500) / best.distance.sel(step=250)) ** (1 / 250)
            # A double root ρ makes it t·ρ^t, whose t doubles over these steps.
            assert rate(kappa) * (1 - 3e-4) <= measured <= rate(kappa) * 2 ** (1 / 250) + 1e-4
