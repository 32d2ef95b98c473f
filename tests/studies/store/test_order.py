"""The order in which the files of a block are written: its flag is the last, whatever kills the process in between."""

import re
from typing import Any

import numpy as np
import pytest
import xarray as xr
from zarr.storage import LocalStore

import adamlab as al
from adamlab import running
from adamlab.studies.engine import block_sizes

pytestmark = pytest.mark.optimized(False)

CONFIG: dict[str, Any] = {
    "name": "order",
    "steps": 4,
    "seeds": 9,
    "record": {"every": 2, "what": ["loss", "params"]},
    "problem": [{"name": "beale"}],
    "optimizer": [{"name": "adamlab.sgd", "learning_rate": [0.001, 0.002]}],
}
CHUNK = re.compile(r"(?P<name>\w+)/c/(?:0/)*(?P<block>\d+)")
FLAG_BYTES = 8


class KilledError(BaseException):
    """The end of a process at a write."""


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(block_sizes, "RECORDS", 1)
    monkeypatch.setattr(running, "write_products", lambda *arguments: None)


@pytest.fixture
def writes(monkeypatch):
    """The chunks in the order in which zarr writes them: the name, the block, and whether it is a flag that is set.

    Once there are as many as `most[0]`, none is written any more.
    """
    written, most, store = [], [10**6], LocalStore.set

    async def noted(self, key, value, *more, **how):
        place = CHUNK.search(str(key))
        if place is not None:
            is_set = place["name"] == "done" and any(value.to_bytes()[:FLAG_BYTES])
            if place["name"] != "done" or is_set:
                if len(written) >= most[0]:
                    raise KilledError
                written.append((place["name"], int(place["block"])))
        await store(self, key, value, *more, **how)

    monkeypatch.setattr(LocalStore, "set", noted)
    return written, most


def test_the_flag_is_written_after_all_else(writes, tmp_path):
    written, _ = writes
    runs = al.run(CONFIG, tmp_path)["beale"].to_dataset()
    recorded = {"loss", "params", "final_params", "diverged_at"}
    assert recorded <= {*runs.variables}
    for block in range(-(-runs.sizes["run"] // 8)):
        mine = [name for name, number in written if number == block]
        assert {*mine[:-1]} == recorded
        assert mine[-1] == "done"


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 7])
def test_what_a_kill_leaves_is_whole_or_not_done(writes, tmp_path, count):
    """Killed at any write: the results that are there are those of an undisturbed run, and a rerun gives all."""
    whole = al.run(CONFIG)["beale"].to_dataset()
    written, most = writes
    most[0] = count
    with pytest.raises(KilledError):
        al.run(CONFIG, tmp_path)
    most[0] = 10**6
    cut = al.load(tmp_path)["beale"].to_dataset()
    assert int(cut.done.sum()) == 8 * [name for name, _ in written].count("done")
    rows = np.flatnonzero(cut.done.values)
    for name in ("loss", "params", "final_params", "diverged_at"):
        np.testing.assert_array_equal(cut[name].values[rows], whole[name].values[rows])
        left = cut[name].values[~cut.done.values]
        assert (np.isnan(left) if left.dtype.kind == "f" else left == -1).all()
    xr.testing.assert_identical(al.run(CONFIG, tmp_path)["beale"].to_dataset(), whole)
