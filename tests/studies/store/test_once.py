"""The store of results that are computed in one go: written, read back, and never lost."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from adamlab.studies.store.dataset import load
from adamlab.studies.store.folder import ASIDE, StoreError, make_folder, recover, replace_store
from adamlab.studies.store.once import save
from adamlab.studies.store.provenance import config_of, provenance


@pytest.fixture
def tree():
    names = {"optimizer": ("run", np.array(["a", "ü"], object))}
    runs = {name: ("run", np.zeros(2)) for name in ("diverged_at", "final_params", "optax_run")}
    datasets = {
        f"/{name}": xr.Dataset({"loss": (("run", "step"), np.ones((2, 3))), **runs}, names) for name in ("z", "a")
    }
    results = xr.DataTree.from_dict(datasets)
    variables = {name: sorted(map(str, child.variables)) for name, child in results.children.items()}
    results.attrs.update(provenance({"steps": 3}), problems=[*results.children], variables=variables)
    return results


def test_results_are_read_back_in_their_order(tree, tmp_path):
    save(tree, tmp_path / "new" / "folder")
    read = load(tmp_path / "new" / "folder")
    assert list(read.children) == ["z", "a"]
    xr.testing.assert_equal(read["z"].to_dataset(), tree["z"].to_dataset())
    assert config_of(read.attrs) == {"steps": 3}
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["results.zarr"]


def test_a_failed_write_leaves_the_old_results(tree, tmp_path, monkeypatch):
    save(tree, tmp_path)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.DataTree, "to_zarr", full)
    with pytest.raises(StoreError, match="No space left on device"):
        save(tree, tmp_path)
    assert list(load(tmp_path).children) == ["z", "a"]
    assert [path.name for path in tmp_path.iterdir()] == ["results.zarr"]


def test_what_is_no_store_is_told(tree, tmp_path):
    with pytest.raises(StoreError, match="there are no results here"):
        load(tmp_path)
    (tmp_path / "results.zarr").mkdir()
    (tmp_path / "results.zarr" / "zarr.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        load(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        make_folder(tmp_path / "file")


def test_another_format_is_refused(tree, tmp_path):
    save(tree, tmp_path)
    zarr.open_group(tmp_path / "results.zarr").attrs["adamlab_format"] = 99
    with pytest.raises(StoreError, match=r"is of format 99; this adamlab reads format 3\. Update adamlab"):
        load(tmp_path)
    zarr.open_group(tmp_path / "results.zarr").attrs["adamlab_format"] = 1
    with pytest.raises(StoreError, match=r"is of format 1; .* Run its config anew, with --fresh"):
        load(tmp_path)


def test_a_store_of_others_is_refused(tmp_path):
    zarr.create_group(tmp_path / "results.zarr", attributes={"made_by": "somebody"})
    with pytest.raises(StoreError, match="a store that adamlab did not write"):
        load(tmp_path)


def test_a_store_without_a_problem_or_a_variable_is_damaged(tree, tmp_path):
    for lost in ("z", "a/loss", "a/optimizer"):
        save(tree, tmp_path)
        shutil.rmtree(tmp_path / "results.zarr" / lost)
        with pytest.raises(StoreError, match=f"damaged: it lacks results of {lost[0]}"):
            load(tmp_path)


def test_an_error_between_the_renames_puts_the_old_store_back(tree, tmp_path, monkeypatch):
    save(tree, tmp_path)
    rename = Path.rename

    def interrupted(self, target):
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace_store(tmp_path / "results.zarr", lambda path: path.mkdir())
    assert list(load(tmp_path).children) == ["z", "a"]
    assert [path.name for path in tmp_path.iterdir()] == ["results.zarr"]


def test_a_kill_between_the_renames_is_recovered_from(tree, tmp_path):
    save(tree, tmp_path)
    aside = tmp_path / f"{ASIDE}killed"
    aside.mkdir()
    (tmp_path / "results.zarr").rename(aside / "old")
    (aside / "new").mkdir()
    recover(tmp_path)
    assert list(load(tmp_path).children) == ["z", "a"]
    assert [path.name for path in tmp_path.iterdir()] == ["results.zarr"]
