"""Datasets written by hand, whose answers are plain, or drawn at random, to be gone through by loops."""

import numpy as np
import xarray as xr

from adamlab.specs import parse

SGD = "adamlab.sgd(learning_rate={})"
ADAM = "optax.adam(learning_rate={})"


def dataset(rows, steps=3, problem="made", **coordinates):
    """A dataset of runs given as (optimizer, spec, seed, losses, diverged at); the numbers are read off the specs."""
    labels, specs, seeds, losses, diverged = zip(*rows, strict=True)
    losses = np.array(losses, float)
    numbers = [parse(spec).numbers() for spec in specs]
    settings = list(dict.fromkeys(name for setting in numbers for name in setting))
    return xr.Dataset(
        {
            "loss": (("run", "step"), losses),
            "params": (("run", "step", "dim"), np.stack([losses, -losses], axis=2)),
            "final_params": (("run", "parameter"), losses[:, -1:] * [1, -1]),
            "diverged_at": ("run", np.array(diverged)),
        },
        {
            "step": 10 * np.arange(steps),
            "optimizer": ("run", np.array(labels, object)),
            "spec": ("run", np.array(specs, object)),
            "seed": ("run", np.array(seeds)),
        }
        | {name: ("run", np.array([setting.get(name, np.nan) for setting in numbers])) for name in settings}
        | {name: ("run", np.array(values)) for name, values in coordinates.items()},
        {"problem": problem, "source": "", "settings": settings, "metrics": []},
    )


def at_random(rng, settings=(4, 3), seeds=3, steps=4):
    """Runs of two optimizers at so many settings, with ties, divergence and a metric that is better when greater."""
    sizes = zip((SGD, ADAM), settings, strict=True)
    rows = [
        (spec.partition("(")[0], spec.format(0.5**i), seed, rng.integers(1, 9, steps), int(rng.choice([-1, -1, 10])))
        for spec, count in sizes
        for i in range(count)
        for seed in range(seeds)
    ]
    runs = dataset(rows, steps)
    accuracy = rng.integers(0, 9, (len(rows), steps)) / 8
    return runs.assign(test_accuracy=(("run", "step"), accuracy)).isel(run=rng.permutation(len(rows)))
