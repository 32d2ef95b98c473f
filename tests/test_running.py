"""The whole journey, from Python."""

import copy
import os
import re
import shutil

import jax
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import adamlab as al
from adamlab import products
from adamlab.analysis import answer
from adamlab.files import write_text
from adamlab.studies.config.errors import ConfigError
from adamlab.studies.progress import Listener
from adamlab.studies.store.folder import StoreError
from tests.computing import make_blocks_small

pytestmark = pytest.mark.optimized(False)


@pytest.fixture(scope="module")
def kept(small_config, tmp_path_factory):
    """A folder with everything that a run of the small study writes, and the tree that it returned."""
    folder = tmp_path_factory.mktemp("kept")
    return folder, al.run(small_config, folder)


@pytest.fixture
def results(kept):
    return kept[1]


@pytest.fixture
def folder(kept, tmp_path):
    """A copy of the folder, to be changed at will."""
    return shutil.copytree(kept[0], tmp_path / "kept")


class Notes(Listener):
    def __init__(self):
        self.texts, self.answers = [], []

    def note(self, text):
        self.texts.append(text)

    def answer(self, text):
        self.answers.append(text)


def of_rosenbrock(config):
    """The study of its first problem alone, which is the cheaper one."""
    return config | {"problem": config["problem"][:1], "record": {"every": 10, "what": ["loss", "params"]}}


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
    compile_one = jax.stages.Lowered.compile
    monkeypatch.setattr(jax.stages.Lowered, "compile", lambda self: compiled.append(1) or compile_one(self))
    make_blocks_small(monkeypatch)
    al.run(config | {"seeds": 12, "evaluation": {"seeds": 3}})
    assert len(compiled) == 2 * 3


def test_the_folder_has_everything(kept):
    folder, results = kept
    assert {path.name for path in folder.iterdir()} == {"results.zarr", "summary.csv", "figures", "report.html"}
    assert {path.name for path in (folder / "figures").iterdir()} == {
        f"{stem}.{end}"
        for stem in ("rosenbrock-trajectories", "rosenbrock-curves", "digits_softmax-curves")
        for end in ("png", "svg")
    }
    xr.testing.assert_identical(al.load(folder)["rosenbrock"].to_dataset(), results["rosenbrock"].to_dataset())
    table = pd.read_csv(folder / "summary.csv")
    assert len(table) == 36
    row = table.iloc[3]
    losses = results["rosenbrock"].ds.loss[3]
    assert (row.problem, row.optimizer, row.seed, row.b2) == ("rosenbrock", "adamlab.adam", 1, 0.99)
    assert (row.final_loss, row.best_loss) == (float(losses[-1]), float(losses.min()))
    assert not row.diverged
    assert table.optax_params_difference.notna().sum() == 16
    assert table.final_test_accuracy.notna().sum() == 18
    report = (folder / "report.html").read_text()
    assert report.count("data:image/svg+xml;base64,") == 4
    assert not re.search(r'(src|href)="(?!data:|#)', report)  # nothing to load from elsewhere


def test_results_of_the_same_config_are_kept_and_of_another_refused(config, folder, monkeypatch):
    monkeypatch.setattr(al.running, "write_products", lambda *arguments: None)
    stamp = al.load(folder).attrs["created"], (folder / "results.zarr").stat().st_mtime_ns
    notes = Notes()
    al.run(config, folder, listener=notes)
    assert stamp == (al.load(folder).attrs["created"], (folder / "results.zarr").stat().st_mtime_ns)
    assert "already has the results of this config" in notes.texts[0]
    other = copy.deepcopy(config) | {"steps": 30, "seeds": 3}
    with pytest.raises(StoreError, match=r"(?s)seeds: 2 → 3.*Choose another folder with --out") as caught:
        al.run(other, folder)
    assert "steps: 25 → 30" in str(caught.value)
    al.run(of_rosenbrock(config), folder, overrides=["steps=30"], fresh=True)
    assert al.load(folder)["rosenbrock"].step[-1] == 30


def test_new_outputs_are_drawn_from_old_results_and_old_figures_go(config, folder):
    al.run(config | {"output": [{"kind": "sensitivity", "setting": "b2", "problem": "rosenbrock"}]}, folder)
    assert sorted(path.name for path in (folder / "figures").iterdir()) == [
        "rosenbrock-sensitivity-setting=b2.png",
        "rosenbrock-sensitivity-setting=b2.svg",
    ]
    assert "sensitivity" in (folder / "report.html").read_text()


def test_products_are_written_anew_only_where_they_would_differ(config, kept, tmp_path, monkeypatch):
    drawings = []

    def draw(tree, outputs, folder):
        drawings.append(len(outputs))
        folder.mkdir(exist_ok=True)
        (folder / "b.svg").unlink(missing_ok=True)
        (folder / "a.png").write_bytes(b"a picture")
        return {}, ["no figure"]

    monkeypatch.setenv("ADAMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(products, "draw_outputs", draw)
    monkeypatch.setattr(products, "write_report", lambda tree, source, figures, path, **how: write_text(path, "report"))
    folder = tmp_path / "out"
    folder.mkdir()

    def record():
        return next((tmp_path / "cache/products").iterdir())

    def is_drawn(tree=kept[1], text="", **changes):
        notes = Notes()
        drawings.clear()
        products.write_products(al.running.study_of(config | changes), tree, folder, notes, text)
        assert notes.texts == ["no figure"]
        assert notes.answers == [answer(tree)]
        return len(drawings) == 1

    assert is_drawn()
    assert not is_drawn()
    for damage in (
        lambda: (folder / "figures/a.png").write_bytes(b"another"),
        (folder / "figures/b.svg").touch,
        (folder / "report.html").unlink,
        lambda: ((folder / "report.html").unlink(), os.mkfifo(folder / "report.html")),
        lambda: (folder / "summary.csv").write_text("run"),
        lambda: shutil.rmtree(tmp_path / "cache"),
        lambda: record().write_text("[]"),
        lambda: record().write_text(re.sub('"files.*', '"notes": 1}', record().read_text())),
        lambda: record().write_text(re.sub('"answer": ".*"', '"other": 1', record().read_text())),
    ):
        damage()
        assert is_drawn()
    assert not is_drawn()
    assert is_drawn(output=[{"kind": "sensitivity"}])
    assert is_drawn(text="another")
    other = kept[1].copy(deep=True)
    other["rosenbrock"]["loss"][3, 2] += 1e-9
    assert is_drawn(other)
    monkeypatch.setattr(products, "version", lambda name: "99")
    assert is_drawn(other)
    assert not is_drawn(other)


@pytest.mark.filterwarnings("ignore:.*seed.*:DeprecationWarning")
@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        ({"spec": 'optax.lion(0.1, mu_dtype="int8")'}, r"optimizer\[1\]\.spec: .*floating-point type"),
        ({"spec": "optax.contrib.dpsgd(0.1, 1, 0, 1)"}, r"optimizer\[1\]: .* other shapes than the parameters"),
        ({"spec": "optax.sgd(linear(0.1, 0.0, -5))"}, r"optimizer\[1\]\.spec: .* steps must be a whole number of st"),
    ],
)
def test_an_optimizer_that_cannot_run_is_a_mistake(config, optimizer, message, tmp_path):
    flags = {"name": "adamlab.adam", "learning_rate": 0.1, "nesterov": [True, False]}
    with pytest.raises(ConfigError, match=message):
        al.run(of_rosenbrock(config) | {"optimizer": [flags, optimizer]}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore:.*seed.*:DeprecationWarning")  # Optax's own, of its seed
def test_an_argument_that_is_called_seed_has_a_coordinate_of_its_own(config):
    config["optimizer"] = [{"name": "optax.noisy_sgd", "learning_rate": 0.001, "seed": 3}]
    runs = al.run(of_rosenbrock(config))["rosenbrock"].ds
    assert runs.seed.values.tolist() == [0, 1]
    assert runs["argument.seed"].values.tolist() == [3, 3]


def test_one_symbol_can_be_a_decay_and_another_number(config):
    config["optimizer"] = [{"spec": "adamlab.sgd(x, momentum=x)", "label": "both", "x": [0.001, 0.002]}]
    assert al.run(of_rosenbrock(config))["rosenbrock"].sizes["run"] == 4


def test_counts_stay_whole(config):
    """Of every k gradients the sum is taken, and in between nothing, by a count that has to be a whole number."""
    config["optimizer"] = [{"name": "optax.apply_every", "label": str(k), "k": k} for k in (2, 3)]
    config |= {"steps": 6, "record": {"every": 1, "what": ["updates"]}, "problem": [{"name": "rosenbrock"}]}
    runs = al.run(config)["rosenbrock"].ds
    assert runs.spec.values.tolist() == ["optax.apply_every(k=2)"] * 2 + ["optax.apply_every(k=3)"] * 2
    moved = runs.updates.values[:, 1:].any(axis=2)
    assert moved[[0, 2]].tolist() == [[False, True] * 3, [False, False, True] * 2]
