"""Files of a store that somebody wrote and sealed, and that do not go together: they are told, and most are mended."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

import adamlab as al
from adamlab.studies.store.files import digest
from adamlab.studies.store.folder import STORE, StoreError
from adamlab.studies.store.root import COPY, group
from adamlab.studies.store.section import CHECKED

pytestmark = pytest.mark.usefixtures("no_pictures")

CONFIG = {
    "name": "sealed",
    "steps": 2,
    "seeds": 2,
    "problem": [{"name": "quadratic"}],
    "optimizer": [{"name": "optax.sgd", "learning_rate": [0.1, 0.2]}, {"name": "adamlab.sgd", "learning_rate": 0.1}],
}

TEXTS = np.dtypes.StringDType()

Harm = Callable[[Path, Path, dict[str, Any]], Any]
"""Changes a store: its first section's folder, its problem's folder, and what its root says of the section."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory, no_pictures) -> Path:
    folder = tmp_path_factory.mktemp("sealed")
    al.run(CONFIG, folder)
    return folder


def array(name: str, values: np.ndarray) -> Harm:
    """Another array in place of a section's."""

    def harm(section: Path, problem: Path, entry: dict[str, Any]):
        shutil.rmtree(section / name)
        zarr.create_array(
            str(section / name),
            data=values,
            chunks=values.shape,
            compressors=CHECKED,
            dimension_names=["run"],
            config={"write_empty_chunks": True},
        )

    return harm


def described(name: str, change: Callable[[dict[str, Any]], Any]) -> Harm:
    """Another description of an array."""

    def harm(section: Path, problem: Path, entry: dict[str, Any]):
        for path in (section / name, problem / name):
            if (path / "zarr.json").exists():
                content = json.loads((path / "zarr.json").read_text())
                change(content)
                (path / "zarr.json").write_text(json.dumps(content))

    return harm


def reshape(content: dict[str, Any], change: Callable[[list[int]], list[int]]):
    grid = content["chunk_grid"]["configuration"]
    content["shape"], grid["chunk_shape"] = change(content["shape"]), change(grid["chunk_shape"])


def drop(section: Path, problem: Path, entry: dict[str, Any]):
    entry["recorded"].remove("params")
    for name in [name for name in entry["files"] if name.startswith("params/")]:
        del entry["files"][name]


TEXT = {"data_type": "string", "fill_value": "", "codecs": [{"name": "vlen-utf8"}]}

HARMS: dict[str, Harm] = {
    "settings of floats": array("setting", np.zeros(4)),
    "settings out of range": array("setting", np.full(4, 5, np.int32)),
    "negative settings": array("setting", np.full(4, -1, np.int32)),
    "seeds of texts": array("seed", np.array(["x"] * 4, TEXTS)),
    "seeds with a sign": array("seed", np.zeros(4, np.int64)),
    "starts that are too few": array("start", np.full(3, -1, np.int32)),
    "specs of numbers": array("settings/spec", np.arange(2)),
    "specs of others": array("settings/spec", np.array(["adamlab.adam(0.1)", "optax.sgd(0.2)"], TEXTS)),
    "seeds of others": array("seed", np.full(4, 7, np.uint32)),
    "starts of others": array("start", np.zeros(4, np.int32)),
    "a rate of no spec": array("settings/learning_rate", np.zeros(9)),
    "rates of texts": array("settings/learning_rate", np.array(["a", "b"], TEXTS)),
    "a step more": described("loss", lambda content: reshape(content, lambda shape: [shape[0] + 1, *shape[1:]])),
    "a dim more": described("loss", lambda content: reshape(content, lambda shape: [1, *shape])),
    "a dim fewer": described("params", lambda content: reshape(content, lambda shape: shape[1:])),
    "a parameter more": described("final_params", lambda content: reshape(content, lambda shape: [9, *shape[1:]])),
    "losses of texts": described("loss", lambda content: content.update(TEXT)),
    "larger chunks": described(
        "loss", lambda content: content["chunk_grid"]["configuration"].update(chunk_shape=[3, 99])
    ),
    "flags of bytes": described("done", lambda content: content.update(data_type="uint8")),
    "flags in pairs": described("done", lambda content: content["chunk_grid"]["configuration"].update(chunk_shape=[2])),
    "a quantity fewer": drop,
    "metrics of numbers": described(".", lambda content: content["attributes"].update(metrics=[5])),
    "steps of floats": described("step", lambda content: content.update(data_type="float32", fill_value=0.0)),
}
SEEN_BY_A_RUN = {name for name in HARMS if name.endswith("of others")}
SEEN_BY_A_RUN |= {"a parameter more", "metrics of numbers", "steps of floats"}
"""Those that a reader cannot see, who has no config."""

REFUSED = {"a quantity fewer"}
"""Those that a run does not mend."""


@pytest.mark.optimized(False)
@pytest.mark.one_case_in(5)
@pytest.mark.parametrize("harm", HARMS)
def test_files_that_do_not_go_together_are_told_and_written_anew(whole, tmp_path, harm):
    folder = shutil.copytree(whole, tmp_path / "out")
    store = folder / STORE
    root = json.loads((store / "zarr.json").read_text())["attributes"]
    del root["digest"]
    (name, entry), _ = root["sections"].items()
    HARMS[harm](store / name, store / "quadratic", entry)
    for path, listed in ((name, entry["files"]), ("quadratic", root["metadata"]["quadratic"])):
        listed.update({file: digest((store / path / file).read_bytes()) for file in listed})
    root["digest"] = digest(json.dumps(root, sort_keys=True).encode())
    for file in ("zarr.json", COPY):
        (store / file).write_bytes(group(root))
    if harm not in SEEN_BY_A_RUN:
        with pytest.raises(StoreError, match="is damaged"):
            al.load(folder)
    if harm in REFUSED:
        with pytest.raises(StoreError, match="other quantities than the config asks for"):
            al.run(CONFIG, folder)
        return
    al.run(CONFIG, folder)
    xr.testing.assert_identical(al.load(folder)["quadratic"].ds, al.load(whole)["quadratic"].ds)
