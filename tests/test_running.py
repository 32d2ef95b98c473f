"""The whole journey, from Python."""

import copy

import jax
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import adamlab as al
from adamlab.studies import engine
from adamlab.studies.mistakes import ConfigError
from adamlab.studies.store import StoreError


@pytest.fixture(scope="module")
def results(small_config):
    return al.run(small_config)


def test_results_are_as_designed(results):
    assert isinstance(results, xr.DataTree)
    assert list(results.children) == ["rosenbrock", "digits_softmax"]
    rosenbrock = results["rosenbrock"].ds
    assert dict(rosenbrock.params.sizes) == {"run": 18, "step": 4, "dim": 2}
    assert rosenbrock.step.values.tolist() == [0, 10, 20, 25]
    assert rosenbrock.loss.dtype == np.float64
    assert rosenbrock.learning_rate.values[:4].tolist() == [0.01] * 4
    assert np.isnan(rosenbrock.learning_rate.values[-1])
    assert rosenbrock["learning_rate.init"].values[-1] == 0.001
    assert "params" not in results["digits_softmax"].ds
    assert results["digits_softmax"].ds.test_accuracy.sizes == {"run": 18, "step": 4}
    assert rosenbrock.landscape.dims == ("y", "x")
    middle = rosenbrock.landscape.sel(x=-1.2, y=1.0, method="nearest")
    assert float(middle) == pytest.approx(100 * (middle.y - middle.x**2) ** 2 + (1 - middle.x) ** 2)


def test_adamlab_goes_where_optax_goes(results):
    for dataset in (child.to_dataset() for child in results.children.values()):
        paired = dataset.optax_run.values >= 0
        assert paired.sum() == 8
        assert dataset.params_difference.values[paired].max() < 1e-13
        assert dataset.loss_difference.values[paired].max() < 1e-13


def test_same_seed_same_start(results):
    loss = results["rosenbrock"].ds.loss.isel(step=0)
    assert len(np.unique(loss[loss.seed == 0])) == len(np.unique(loss[loss.seed == 1])) == 1
    assert loss[0] != loss[1]


def test_one_compilation_for_each_problem_and_optimizer(config, monkeypatch):
    compiled = []
    lower = jax.stages.Traced.lower
    monkeypatch.setattr(jax.stages.Traced, "lower", lambda self: compiled.append(1) or lower(self))
    monkeypatch.setattr(engine, "BLOCK", 3)
    al.run(config)
    assert len(compiled) == 2 * 3


def test_the_folder_has_everything(config, tmp_path):
    results = al.run(config, tmp_path / "out")
    names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").iterdir()}
    assert names == {"/".join(["results.zarr"]), "summary.csv", "figures", "report.html"}
    assert {path.name for path in (tmp_path / "out/figures").iterdir()} == {
        f"{stem}.{end}"
        for stem in ("rosenbrock-trajectories", "rosenbrock-curves", "digits_softmax-curves")
        for end in ("png", "svg")
    }
    xr.testing.assert_identical(
        al.load(tmp_path / "out")["rosenbrock"].to_dataset(), results["rosenbrock"].to_dataset()
    )
    table = pd.read_csv(tmp_path / "out/summary.csv")
    assert len(table) == 36
    row = table.iloc[3]
    losses = results["rosenbrock"].ds.loss[3]
    assert (row.problem, row.optimizer, row.seed, row.b2) == ("rosenbrock", "adamlab.adam", 1, 0.99)
    assert (row.final_loss, row.best_loss) == (float(losses[-1]), float(losses.min()))
    assert not row.diverged
    assert table.optax_params_difference.notna().sum() == 16
    assert table.final_test_accuracy.notna().sum() == 18
    report = (tmp_path / "out/report.html").read_text()
    assert report.count("data:image/svg+xml;base64,") == 3
    assert "http" not in report.replace("http://www.w3.org", "")


def test_results_of_the_same_config_are_kept_and_of_another_refused(config, tmp_path):
    al.run(config, tmp_path)
    stamp = al.load(tmp_path).attrs["created"], (tmp_path / "results.zarr").stat().st_mtime_ns
    notes = []

    class Notes(al.running.Listener):
        def note(self, text):
            notes.append(text)

    al.run(config, tmp_path, listener=Notes())
    assert stamp == (al.load(tmp_path).attrs["created"], (tmp_path / "results.zarr").stat().st_mtime_ns)
    assert "already has the results of this config" in notes[0]
    other = copy.deepcopy(config) | {"steps": 30, "seeds": 3}
    with pytest.raises(StoreError, match=r"differs in seeds, steps\. Choose another folder with --out"):
        al.run(other, tmp_path)
    al.run(config, tmp_path, overrides=["steps=30"], fresh=True)
    assert al.load(tmp_path)["rosenbrock"].step[-1] == 30


def test_new_outputs_are_drawn_from_old_results(config, tmp_path):
    al.run(config, tmp_path)
    al.run(config | {"output": [{"kind": "sensitivity", "setting": "b2", "problem": "rosenbrock"}]}, tmp_path)
    assert (tmp_path / "figures/rosenbrock-sensitivity-b2.svg").exists()


@pytest.mark.parametrize("spec", ['optax.lion(0.1, b1=0.9, mu_dtype="int8")', "optax.scale_by_schedule(3)"])
def test_a_spec_that_cannot_be_is_a_mistake(config, spec, tmp_path):
    with pytest.raises(ConfigError, match=r"optimizer\[0\]\.spec"):
        al.run(config | {"optimizer": [{"spec": spec}]}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_optimizer_that_cannot_run_is_a_mistake(config, tmp_path):
    optimizers = [{"name": "optax.adam", "learning_rate": 0.1}, {"spec": "optax.contrib.muon(0.1, ns_steps=-1.5)"}]
    with pytest.raises(ConfigError, match=r"optimizer 1 \(optax.contrib.muon.*cannot run on"):
        al.run(config | {"optimizer": optimizers}, tmp_path / "out")
    assert not (tmp_path / "out").exists()
