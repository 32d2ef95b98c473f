"""Datasets of runs written by hand, which no engine has to compute."""

from typing import Any

import numpy as np
import xarray as xr


def plane() -> xr.Dataset:
    """The landscape of (w₁ − 1)² + 10·w₂² over [−2, 2]², whose minimum is at (1, 0)."""
    grid = np.linspace(-2.0, 2.0, 41)
    x, y = np.meshgrid(grid, grid)
    return xr.Dataset(
        {"landscape": (("y", "x"), (x - 1) ** 2 + 10 * y**2), "minima": (("minimum", "dim"), [[1.0, 0.0]])},
        {"x": grid, "y": grid},
        {"of": "problem", "problem": "bowl", "source": "by hand"},
    )


def paths(steps: int = 4, **of: np.ndarray) -> xr.Dataset:
    """Runs in the plane, one an optimizer, from the path of each; their moments are those of Adam with β₁ = β₂ = ½."""
    labels = [*of]
    params = np.stack([np.asarray(path, float) for path in of.values()])
    with np.errstate(all="ignore"):
        loss = (params[..., 0] - 1) ** 2 + 10 * params[..., 1] ** 2
        gradients = np.stack([2 * (params[..., 0] - 1), 20 * params[..., 1]], axis=-1)
        gradients = np.concatenate([np.full_like(gradients[:, :1], np.nan), gradients[:, :-1]], axis=1)
        m, v = np.zeros_like(params), np.zeros_like(params)
        for t in range(1, steps + 1):
            m[:, t] = (m[:, t - 1] + gradients[:, t]) / 2
            v[:, t] = (v[:, t - 1] + gradients[:, t] ** 2) / 2
        correction = (1 - 0.5 ** np.arange(steps + 1))[:, None]
        updates = np.concatenate([np.full_like(params[:, :1], np.nan), np.diff(params, axis=1)], axis=1)
        vectors = {"params": params, "gradients": gradients, "updates": updates, "m": m, "v": v}
        vectors |= {"m_hat": m / correction, "v_hat": v / correction}
    bad = ~np.isfinite(params).all(axis=2)
    diverged_at = np.where(np.any(bad, axis=1), np.argmax(bad, axis=1), -1)
    return (
        runs(labels, loss, diverged_at=diverged_at)
        .merge(plane(), combine_attrs="override")
        .assign({name: (("run", "step", "dim"), values) for name, values in vectors.items()})
    )


def runs(labels: Any, loss: Any, seeds: Any = None, diverged_at: Any = None, **settings: Any) -> xr.Dataset:
    """Runs with these labels and losses (run, step), and a coordinate for each setting."""
    loss = np.asarray(loss, float)
    count = len(loss)
    numbers = {name: np.asarray(values, float) for name, values in settings.items()}
    specs = [", ".join([label, *(f"{n}={v[i]}" for n, v in numbers.items())]) for i, label in enumerate(labels)]
    coordinates = {
        "optimizer": np.array(labels, object),
        "spec": np.array(specs, object),
        "seed": np.zeros(count, int) if seeds is None else np.asarray(seeds),
        **numbers,
    }
    variables = {
        "diverged_at": np.full(count, -1) if diverged_at is None else np.asarray(diverged_at),
        "optax_run": np.full(count, -1),
    }
    return xr.Dataset(
        {"loss": (("run", "step"), loss), **{name: ("run", values) for name, values in variables.items()}},
        {"step": np.arange(loss.shape[1]), **{name: ("run", values) for name, values in coordinates.items()}},
        {"of": "runs", "problem": "bowl", "settings": [*numbers], "metrics": []},
    )
