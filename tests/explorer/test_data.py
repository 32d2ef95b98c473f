"""The data of the explorer's page: what was recorded, thinned within its room, and told where it is."""

import base64
import json

import numpy as np
import pytest
import xarray as xr

from adamlab.errors import InputError
from adamlab.explorer import write_explorer
from adamlab.explorer.data import MOST_LINES, explorer_data

STEPS = np.arange(0, 101, 2)


def runs_of(specs: dict[str, dict[str, list[float]]], seeds: int = 2, **vectors: int) -> xr.Dataset:
    """Runs of optimizers with a grid of numbers, whose loss is the run's number plus the step."""
    rows = []
    for label, numbers in specs.items():
        grid = np.stack(np.meshgrid(*numbers.values(), indexing="ij"), axis=-1).reshape(-1, len(numbers))
        rows += [(label, dict(zip(numbers, map(float, at), strict=True)), seed) for at in grid for seed in range(seeds)]
    count = len(rows)
    names = list(dict.fromkeys(name for numbers in specs.values() for name in numbers))
    loss = np.arange(count)[:, None] + STEPS[None, :].astype(float)
    return xr.Dataset(
        {
            "loss": (("run", "step"), loss),
            "diverged_at": ("run", np.full(count, -1)),
            "done": ("run", np.ones(count, bool)),
        }
        | {
            name: (("run", "step", f"{name}_entry"), loss[:, :, None] * np.arange(1, size + 1))
            for name, size in vectors.items()
        },
        {
            "step": STEPS,
            "optimizer": ("run", np.array([label for label, _, _ in rows], object)),
            "spec": ("run", np.array([f"{label}({at})" for label, at, _ in rows], object)),
            "seed": ("run", np.array([seed for _, _, seed in rows])),
        }
        | {name: ("run", np.array([at.get(name, np.nan) for _, at, _ in rows])) for name in names},
        {"problem": "made-up", "settings": names, "metrics": [], "of": "runs"},
    )


def decoded(data: dict, name: str) -> np.ndarray:
    quantity = next(quantity for quantity in data["quantities"] if quantity["name"] == name)
    numbers = np.frombuffer(base64.b64decode(quantity["values"]), {32: "<f4", 64: "<f8"}[quantity["bits"]])
    return numbers.reshape(len(data["runs"]["spec"]), len(data["steps"]), quantity["lines"])


def test_all_is_there_where_there_is_room():
    runs = runs_of({"adam": {"lr": [0.1, 0.2, 0.3], "b2": [0.9, 0.99]}, "sgd": {"lr": [1.0]}}, v=2, norms=9)
    data = explorer_data(runs)
    assert data["notes"] == []
    assert data["steps"] == STEPS.tolist()
    np.testing.assert_array_equal(decoded(data, "loss")[:, :, 0], runs.loss)
    np.testing.assert_array_equal(decoded(data, "v"), runs.v)
    assert (data["quantities"][-1]["lines"], data["quantities"][-1]["of"]) == (MOST_LINES, 9)
    adam, sgd = data["optimizers"]
    assert adam["numbers"] == [{"name": "lr", "values": [0.1, 0.2, 0.3]}, {"name": "b2", "values": [0.9, 0.99]}]
    assert adam["is_grid"]
    assert sgd["numbers"] == []
    # The median final loss of a setting is that of its two runs, 0 and 1, 2 and 3, and so on.
    assert [setting["score"] for setting in adam["settings"]] == [100.5 + 2 * k for k in range(6)]
    assert adam["settings"][1]["at"] == {"lr": 0.1, "b2": 0.99}


def test_a_decay_and_its_complement_are_one_number():
    runs = runs_of({"adam": {"lr": [0.1, 0.2], "b2": [0.9, 0.99, 0.999]}})
    runs = runs.assign_coords({"1-b2": 1 - runs.b2, "a": runs.lr * runs.b2})
    runs.attrs["settings"] = ["a", "lr", "b2", "1-b2"]
    (adam,) = explorer_data(runs)["optimizers"]
    assert adam["is_grid"]
    assert [number["name"] for number in adam["numbers"]] == ["lr", "1-b2"]
    assert adam["settings"][0]["at"].keys() == {"lr", "1-b2"}


def test_tiny_values_are_not_0():
    runs = runs_of({"adam": {"lr": [0.1]}}, seeds=1)
    runs["loss"][0, -1] = 1e-60
    assert decoded(explorer_data(runs), "loss")[0, -1] == 1e-60


def test_seeds_of_an_evaluation_say_so():
    runs = runs_of({"adam": {"lr": [0.1]}}, seeds=2).assign_coords(stage=("run", ["tuning", "evaluation"]))
    assert explorer_data(runs)["runs"]["seed"] == ["0", "1, evaluation: best settings only"]


def test_settings_that_are_no_grid_are_told_apart():
    runs = runs_of({"adam": {"lr": [0.1, 0.2], "b2": [0.9, 0.99]}}).isel(run=slice(0, 6))
    assert not explorer_data(runs)["optimizers"][0]["is_grid"]


def test_a_run_that_diverged_has_no_score_and_is_no_number():
    runs = runs_of({"adam": {"lr": [0.1, 0.2]}}, seeds=1)
    runs["diverged_at"][1] = 50
    runs["loss"][1, 25:] = np.inf
    runs["loss"][1, 24] = 1e300
    data = explorer_data(runs)
    assert [setting["score"] for setting in data["optimizers"][0]["settings"]] == [100.0, None]
    assert np.isinf(decoded(data, "loss")[1, 25:]).all()
    assert decoded(data, "loss")[1, 24] == 1e300  # which is beyond 32 bits
    json.dumps(data, allow_nan=False)


@pytest.mark.parametrize(("room", "seeds", "steps"), [(60_000, 4, 46), (20_000, 1, 51), (2_000, 1, 6)])
def test_seeds_and_steps_are_left_out_and_it_is_said(room, seeds, steps):
    runs = runs_of({"adam": {"lr": np.geomspace(0.1, 1, 60).tolist()}}, seeds=4)
    data = explorer_data(runs, room)
    sent = sum(len(quantity["values"]) for quantity in data["quantities"])
    assert sent <= 1.01 * room
    assert len(set(data["runs"]["seed"])) == seeds
    assert len(data["steps"]) == steps
    assert {data["steps"][0], data["steps"][-1]} == {0, 100}
    assert len(data["notes"]) == (seeds < 4) + (steps < 51)


def test_of_very_many_settings_the_best_is_kept():
    runs = runs_of({"adam": {"lr": np.geomspace(1, 0.1, 3000).tolist()}}, seeds=1).isel(step=slice(0, 2))
    data = explorer_data(runs)
    settings = data["optimizers"][0]["settings"]
    assert 1900 < len(settings) <= 2000
    assert min(setting["score"] for setting in settings) == 2.0
    assert "of 3000 settings are shown" in data["notes"][0]


def test_what_has_no_runs_is_refused(tmp_path):
    runs = runs_of({"adam": {"lr": [0.1]}})
    for data in (runs.assign(done=("run", np.zeros(2, bool))), xr.Dataset(attrs={"of": "readings"})):
        with pytest.raises(InputError, match="nothing to explore"):
            write_explorer(xr.DataTree.from_dict({"/made-up": data}), tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_texts_of_a_folder_end_no_script(tmp_path):
    runs = runs_of({"</script><script>alert(1)</script>": {"lr": [0.1]}})
    tree = xr.DataTree.from_dict({"/made-up": runs})
    tree.attrs["config"] = json.dumps({"name": "<img src=x>", "question": "</script>"})
    write_explorer(tree, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<img src=x>" not in page
    assert "</script><script>alert" not in page
    assert page.count("</script>") == 3
    assert (tmp_path / "page.html").stat().st_size < 6_000_000
