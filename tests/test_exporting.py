"""Results as files for other programs, read back without adamlab."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import adamlab as al
from adamlab.errors import InputError
from adamlab.exporting.files import tables
from adamlab.studies.engine.recording import LOW_DIMENSION

pytestmark = pytest.mark.optimized(False)

RUNS = {
    "name": "exported",
    "steps": 6,
    "seeds": 2,
    "record": {"every": 3, "what": ["loss", "params", "layer_norms"]},
    "problem": [{"name": "beale"}, {"name": "quadratic", "dim": 20}],
    "optimizer": [
        {"name": "adamlab.sgd", "learning_rate": [1e-3, 1e30], "label": "=1+1"},
        {"spec": "optax.sgd(lr, momentum=0.5)", "lr": 0.01},
    ],
}
READINGS = {
    "name": "readings",
    "steps": 2,
    "reading": [{"spec": "optax.trace(decay=d)", "d": [0.5, 0.9], "state": "trace", "lags": 4}],
}


@pytest.fixture(scope="module")
def runs():
    return al.run(RUNS)


def opened(path):
    with xr.open_datatree(path, engine="h5netcdf" if path.suffix == ".nc" else "zarr") as tree:
        return tree.load()


@pytest.mark.parametrize("ending", [".nc", ".zarr"])
def test_trees_are_read_back_with_their_labels(runs, tmp_path, ending):
    (path,) = al.export(runs, tmp_path / f"results{ending}")
    tree = opened(path)
    assert [*tree.attrs["problems"]] == [*runs.children]  # zarr keeps no order of groups
    assert {*tree.children} == {*runs.children}
    for name, child in runs.children.items():
        xr.testing.assert_equal(tree[name].to_dataset(), child.to_dataset())
    assert tree.attrs["versions"] == runs.attrs["versions"]
    assert {"jax", "optax"} <= json.loads(tree.attrs["versions"]).keys()
    assert al.export(runs, path) == [path]  # in place of the first
    xr.testing.assert_equal(opened(path)["beale"].to_dataset(), runs["beale"].to_dataset())
    assert [*tmp_path.iterdir()] == [path]


def test_results_are_written_as_they_come_by_xarray_too(runs, tmp_path):
    runs.to_netcdf(tmp_path / "results.nc", engine="h5netcdf")
    xr.testing.assert_equal(opened(tmp_path / "results.nc")["beale"].to_dataset(), runs["beale"].to_dataset())


@pytest.mark.parametrize(("ending", "read"), [(".csv", pd.read_csv), (".parquet", pd.read_parquet)])
def test_tables_have_the_curves(runs, tmp_path, ending, read):
    (path,) = al.export(runs, tmp_path / f"results{ending}")
    table = read(path)
    of_beale, beale = table[table.problem == "beale"], runs["beale"].to_dataset()
    assert len(of_beale) == beale.sizes["run"] * beale.sizes["step"]
    for (run, step), row in of_beale.set_index(["run", "step"]).iterrows():
        values = beale.isel(run=run).sel(step=step)
        np.testing.assert_equal(np.float32(row.loss), values.loss.values)  # CSV has as many digits as a float32 needs
        np.testing.assert_equal(np.array([row.params_0, row.params_1], np.float32), values.params.values)
        np.testing.assert_equal(np.float32(row.layer_norms_params), values.layer_norms.sel(layer="params").values)
        assert (row.optimizer.lstrip("'"), row.seed) == (values.optimizer.item(), values.seed.item())
    assert set(table.problem) == {"beale", "quadratic"}
    assert not any(name.startswith("minima") for name in table)


@pytest.mark.parametrize("large", [False, True])
def test_a_table_has_the_number_of_each_run_and_step_whatever_its_dims(rng, large):
    size = LOW_DIMENSION + large
    given = {
        "loss": (("run", "step"), rng.normal(size=(3, 2))),
        "turned": (("step", "run"), rng.normal(size=(2, 3))),
        "rate": (("run",), rng.normal(size=3)),
        "time": (("step",), rng.normal(size=2)),
        "params": (("dim", "step", "run"), rng.normal(size=(size, 2, 3))),
        "last": (("run", "dim"), rng.normal(size=(3, size))),
        "minima": (("minimum", "dim"), rng.normal(size=(1, size))),
    }
    data = xr.Dataset(given, {"step": [5, 10], "label": ("run", ["a", "b", "c"])})
    (table,) = tables(xr.DataTree.from_dict({"problem": data})).values()
    vectors = [] if large else [f"{name}_{i}" for name in ("params", "last") for i in range(size)]
    expected = [name for name in given if given[name][0] in (("run", "step"), ("step", "run"), ("run",))]
    assert {*table.columns} == {"run", "step", "label", *expected, *vectors}
    for _, row in table.iterrows():
        at = data.isel(run=row["run"]).sel(step=row["step"])
        assert row.label == at.label.item()
        assert [row[name] for name in expected] == [at[name].item() for name in expected]
        for name in vectors:
            vector, _, i = name.rpartition("_")
            assert row[name] == at[vector].values[int(i)]
    assert len(table) == 6


def test_readings_have_a_table_of_formulas_and_a_table_of_weights(tmp_path):
    paths = al.export(al.run(READINGS), tmp_path / "formulas.csv")
    assert [path.name for path in paths] == ["formulas.csv", "formulas-lag.csv"]
    formulas, weights = map(pd.read_csv, paths)
    assert formulas.step.tolist() == ["1", "2", "t"]
    assert weights[weights.d == 0.5].weight.tolist() == [1.0, 0.5, 0.25, 0.125]
    assert [*tables(al.run(READINGS))] == ["step", "lag"]


def test_what_cannot_be_written_is_told(runs, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r'ends with .nc, .zarr, .parquet, .csv; got "results.xlsx"'):
        al.export(runs, tmp_path / "results.xlsx")
    with pytest.raises(InputError, match="cannot be written"):
        al.export(runs, tmp_path / "nowhere" / "results.csv")
    (tmp_path / "photos.zarr").mkdir()
    with pytest.raises(InputError, match="no store that was exported: choose another name"):
        al.export(runs, tmp_path / "photos.zarr")
    al.run(READINGS, tmp_path / "kept")
    with pytest.raises(InputError, match="no store that was exported: choose another name"):
        al.export(runs, tmp_path / "kept" / "results.zarr")
    monkeypatch.setattr("adamlab.exporting.files.find_spec", lambda library: None)
    with pytest.raises(InputError, match=r"pip install 'adamlab\[export\]'"):
        al.export(runs, tmp_path / "results.nc")


def test_a_folder_is_exported_by_a_command(adamlab, tmp_path, monkeypatch):
    monkeypatch.setattr("adamlab.exporting.files.load", lambda folder: {"results": al.run(READINGS)}[folder.name])
    done = adamlab("export", "results", "formulas.parquet", cwd=tmp_path)
    assert (done.returncode, done.stdout.split()) == (0, ["formulas.parquet", "formulas-lag.parquet"])
    assert pd.read_parquet(tmp_path / "formulas.parquet").text[0] == "z₁ = g₁"
