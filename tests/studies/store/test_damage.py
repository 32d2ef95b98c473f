"""Damage to a store of runs: told when it is loaded, and mended from the config by a rerun, whatever file it is in."""

import json
import random
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import adamlab as al
from adamlab import running
from adamlab.studies.progress import Listener
from adamlab.studies.store import blocks, section
from adamlab.studies.store import root as store_root
from adamlab.studies.store.files import write_file
from adamlab.studies.store.folder import STORE, StoreError
from tests.computing import make_blocks_small

pytestmark = pytest.mark.optimized(False)

CONFIG: dict[str, Any] = {
    "name": "damage",
    "steps": 3,
    "seeds": 3,
    "record": {"every": 1, "what": ["loss", "params"]},
    "problem": [{"name": "beale"}, {"name": "quadratic"}],
    "optimizer": [
        {"name": "adamlab.adam", "learning_rate": [0.1, 0.2, 0.3]},
        {"name": "optax.sgd", "learning_rate": 0.1, "label": "sgd"},
    ],
}

VARIANTS = {"evaluated": [CONFIG | {"evaluation": {"seeds": 2}}], "extended": [CONFIG, CONFIG | {"seeds": 4}]}
"""For each variant of a store, the configs that were run into it one after the other."""

ROOTS = ("zarr.json", "zarr.json.copy")


class Notes(Listener):
    """A listener that keeps the notes and counts the computed runs."""

    def __init__(self):
        self.notes, self.runs = [], 0

    def note(self, text):
        self.notes.append(text)

    def advance(self, runs):
        self.runs += runs


@pytest.fixture(autouse=True, scope="module")
def small():
    """Blocks of eight runs, and no pictures."""
    with pytest.MonkeyPatch.context() as patch:
        make_blocks_small(patch)
        patch.setattr(running, "write_products", lambda *arguments: None)
        yield


@pytest.fixture(scope="module", params=VARIANTS)
def pristine(request, tmp_path_factory, small):
    """A folder, its last config, and its results."""
    folder = tmp_path_factory.mktemp(request.param)
    for config in VARIANTS[request.param]:
        al.run(config, folder)
    return folder, VARIANTS[request.param][-1], al.load(folder)


@pytest.fixture
def stored(pristine, tmp_path):
    """The same with a copy of the folder, to be changed at will."""
    folder, config, tree = pristine
    return shutil.copytree(folder, tmp_path / "stored"), config, tree


def identical(tree, expected):
    assert [*tree.children] == [*expected.children]
    for name in tree.children:
        xr.testing.assert_identical(tree[name].to_dataset(), expected[name].to_dataset())
    assert {**tree.attrs, "git": None} == {**expected.attrs, "git": None}


def told(folder: Path, expected) -> str:
    """The error on loading the folder, which says what to do; nothing where the results are what is expected."""
    try:
        tree = al.load(folder)
    except StoreError as error:
        return str(error)
    identical(tree, expected)
    return ""


def repaired(folder: Path, config: Mapping[str, Any], expected) -> Notes:
    """The listener of a rerun, after which the folder holds what is expected, and another rerun has nothing to do."""
    listener, again = Notes(), Notes()
    identical(al.run(config, folder, listener=listener), expected)
    identical(al.load(folder), expected)
    al.run(config, folder, listener=again)
    assert (again.runs, [note for note in again.notes if "already has" not in note]) == (0, [])
    return listener


def files_of(folder: Path) -> list[str]:
    store = folder / STORE
    return sorted(path.relative_to(store).as_posix() for path in store.rglob("*") if path.is_file())


def flipped(data: bytes, choice: random.Random) -> bytes:
    at = choice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << choice.randrange(8)]) + data[at + 1 :]


def to_folder(path: Path, data: bytes):
    path.unlink()
    path.mkdir()
    (path / "inside").write_bytes(data)


def to_link(path: Path, data: bytes):
    path.unlink()
    path.symlink_to("/dev/zero")


HARMS: dict[str, Callable[[Path, bytes, random.Random], Any]] = {
    "deleted": lambda path, data, choice: path.unlink(),
    "flipped": lambda path, data, choice: path.write_bytes(flipped(data, choice)),
    "cut": lambda path, data, choice: path.write_bytes(data[: choice.randrange(1, len(data))]),
    "emptied": lambda path, data, choice: path.write_bytes(b""),
    "lengthened": lambda path, data, choice: path.write_bytes(data + bytes(9)),
    "replaced by a folder": lambda path, data, choice: to_folder(path, data),
    "replaced by a link": lambda path, data, choice: to_link(path, data),
}


def restore(path: Path, data: bytes):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def is_of_block(name: str) -> bool:
    """Whether a file is written with a block, rather than ahead of it."""
    return re.search(r"/(loss|params|final_params|diverged_at|done)/c/", name) is not None


def is_looked_at(name: str) -> bool:
    """Whether a file has a part in the results: groups in between, and the copy of the root, have none."""
    return name != ROOTS[1] and re.fullmatch(r"[^/]+/[0-9a-f]{16}/zarr\.json", name) is None


def some(names: Sequence[str], choice: random.Random) -> list[str]:
    """A few of each kind of file: the same names but for sections and blocks."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        kinds.setdefault(re.sub(r"[0-9a-f]{16}/\d|beale|quadratic|\d$|\d+-.*", "", name), []).append(name)
    return [choice.choice(kind) for kind in kinds.values()]


@pytest.mark.one_case_in(4)
@pytest.mark.parametrize("thorough", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["some", "all"])
def test_a_file_that_was_deleted_or_changed_is_told(stored, thorough):
    folder, _, tree = stored
    choice = random.Random(3)
    names = files_of(folder)
    for name in names if thorough else some(names, choice)[::2]:
        path = folder / STORE / name
        data = path.read_bytes()
        for harm in HARMS if thorough else choice.sample([*HARMS], 1):
            for _ in range(5 if harm == "flipped" and thorough else 1):
                HARMS[harm](path, data, choice)
                message = told(folder, tree)
                assert bool(message) == is_looked_at(name) or name == ROOTS[0], (harm, name, message)
                restore(path, data)
    identical(al.load(folder), tree)


@pytest.mark.slow
def test_damage_to_any_single_file_is_mended_by_a_rerun(stored):
    folder, config, tree = stored
    choice = random.Random(4)
    names = files_of(folder)
    for name in names:
        path = folder / STORE / name
        HARMS[choice.choice([*HARMS])](path, path.read_bytes(), choice)
        message = told(folder, tree)
        listener = repaired(folder, config, tree)
        assert bool(listener.runs) == is_of_block(name), name
        assert not message or any("already has" not in note for note in listener.notes), name
        assert files_of(folder) == names


@pytest.mark.one_case_in(2)
def test_damage_to_many_files_is_mended_by_a_rerun(stored):
    """In each round half of the files are damaged, each in any way, and the root or its copy."""
    folder, config, tree = stored
    choice = random.Random(5)
    count = len(files_of(folder))
    for root in ROOTS:
        names = [name for name in files_of(folder) if name not in ROOTS]
        for name in [root, *choice.sample(names, len(names) // 2)]:
            path = folder / STORE / name
            HARMS[choice.choice([*HARMS])](path, path.read_bytes(), choice)
        assert "Run its config again" in told(folder, tree)
        listener = repaired(folder, config, tree)
        assert any("anew" in note for note in listener.notes)
    assert len(files_of(folder)) <= count  # sections whose runs are lost are joined, and nothing is left over


@pytest.mark.parametrize("pristine", ["evaluated"], indirect=True)
def test_blocks_are_kept_where_other_files_of_their_section_are_damaged(stored):
    folder, config, tree = stored
    for name in files_of(folder):
        if re.search(r"/\d/", name) and not is_of_block(name) and "/run_id/" not in name:
            (folder / STORE / name).write_bytes(b"{")
    assert repaired(folder, config, tree).runs == 0


@pytest.mark.parametrize("pristine", ["evaluated"], indirect=True)
@pytest.mark.parametrize("stage", [0, 1], ids=["tuning", "evaluation"])
def test_blocks_are_kept_where_their_runs_cannot_be_told_any_more(stored, stage):
    folder, config, tree = stored
    damaged = [name for name in files_of(folder) if re.search(rf"/{stage}/run_id/c/", name)]
    for name in damaged:
        (folder / STORE / name).write_bytes(b"")
    assert len(damaged) == 4
    assert repaired(folder, config, tree).runs == 0


EDITS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "endian": ("*/*/0/loss/zarr.json", lambda x: x["codecs"][0]["configuration"].update(endian="big")),
    "dtype": ("*/*/0/seed/zarr.json", lambda x: x.update(data_type="float32")),
    "codecs": ("*/*/0/loss/zarr.json", lambda x: x["codecs"].pop()),
    "fill_value": ("*/*/0/params/zarr.json", lambda x: x.update(fill_value=0.0)),
    "scale_factor": ("*/landscape/zarr.json", lambda x: x["attributes"].update(scale_factor=2.0)),
    "add_offset": ("*/step/zarr.json", lambda x: x["attributes"].update(add_offset=1)),
    "scale of a setting": ("*/*/0/settings/*/zarr.json", lambda x: x["attributes"].update(scale_factor=2.0)),
    "dims": ("*/*/0/loss/zarr.json", lambda x: x.update(dimension_names=["run", "step"])),
    "blocks": ("*/*/0/done/zarr.json", lambda x: x.update(shape=[10**9])),
    "runs": ("*/*/0/run_id/zarr.json", lambda x: x.update(shape=[10**12])),
    "chunks": ("*/*/0/loss/zarr.json", lambda x: x["chunk_grid"]["configuration"].update(chunk_shape=[4, 1])),
    "source": ("*/zarr.json", lambda x: x["attributes"].update(source="somebody")),
    "stage of a section": ("*/*/0/zarr.json", lambda x: x["attributes"].update(stage="evaluation")),
    "labels": ("zarr.json", lambda x: exchange(x["attributes"]["labels"])),
    "sections": ("zarr.json", lambda x: exchange(x["attributes"]["sections"])),
    "stage": ("zarr.json", lambda x: next(iter(x["attributes"]["sections"].values())).update(stage="evaluation")),
    "number of runs": ("zarr.json", lambda x: next(iter(x["attributes"]["sections"].values())).update(runs=10**12)),
    "no section": ("zarr.json", lambda x: x["attributes"].update(sections={})),
    "config": ("zarr.json", lambda x: x["attributes"].update(config="[")),
    "digest": ("zarr.json", lambda x: x["attributes"].update(digest=7)),
    "format": ("zarr.json", lambda x: x["attributes"].update(adamlab_format="3")),
    "attributes": ("zarr.json", lambda x: x.update(attributes=[1])),
}
"""Edits by hand of the metadata in some files."""


def exchange(table: dict[str, Any]):
    first, second = [*table][:2]
    table[first], table[second] = table[second], table[first]


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("mended", [{"blocks", "labels"}, {"stage", "number of runs"}], ids=["some", "others"])
@pytest.mark.parametrize("pristine", ["evaluated"], indirect=True)
def test_metadata_that_was_edited_is_told(stored, mended):
    folder, config, tree = stored
    for what, (pattern, edit) in EDITS.items():
        path = next(path for path in sorted((folder / STORE).glob(pattern)))
        data = path.read_bytes()
        changed = json.loads(data)
        edit(changed)
        path.write_text(json.dumps(changed))
        assert "Run its config again" in told(folder, tree), what
        if what in mended:
            assert repaired(folder, config, tree).runs == 0
        else:
            path.write_bytes(data)
    identical(al.load(folder), tree)


def swap(first: Path, second: Path):
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


@pytest.mark.parametrize("pristine", ["extended"], indirect=True)
def test_files_of_blocks_that_change_places_are_told(stored):
    folder, config, tree = stored
    section = next(path.parent.parent.parent for path in sorted((folder / STORE).glob("*/*/0/done/c/1")))
    other = next(path.parent for path in sorted((folder / STORE).glob("*/*/0/zarr.json")) if path.parent != section)
    swap(section / "diverged_at/c/0", section / "diverged_at/c/1")
    assert told(folder, tree) == ""  # the runs of both have the same values, and so have their files
    for first, second in [
        (section / "loss/c/0/0", section / "loss/c/0/1"),
        (section / "done/c/0", section / "done/c/1"),
        (section / "loss/c/0/0", other / "loss/c/0/0"),
    ]:
        swap(first, second)
        assert "Run its config again" in told(folder, tree)
        swap(first, second)
    for name in ("loss/c/0", "params/c/0/0", "final_params/c/0", "diverged_at/c", "done/c"):
        swap(section / name / "0", section / name / "1")
    assert "were not written together" in told(folder, tree)
    assert repaired(folder, config, tree).runs > 0


@pytest.mark.parametrize("pristine", ["evaluated"], indirect=True)
def test_what_else_is_in_the_store_is_not_looked_at(stored):
    folder, config, tree = stored
    store = folder / STORE
    section = next(path.parent for path in store.glob("*/*/0/zarr.json"))
    for place in (store, store / "beale", section.parent, section, section / "settings", section / "loss"):
        (place / "notes.txt").write_text("mine")
        shutil.copytree(store / "beale" / "step", place / "extra")
        (place / "broken").mkdir()
        (place / "broken" / "zarr.json").write_text("{")
    shutil.copytree(section, section.parent / "7")
    identical(al.load(folder), tree)
    assert repaired(folder, config, tree).runs == 0
    assert (section / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("pristine", ["extended"], indirect=True)
def test_a_store_without_root_or_copy_is_refused_and_left_alone(stored):
    folder, config, tree = stored
    kept = {name: (folder / STORE / name).read_bytes() for name in ROOTS}
    for harm in ("deleted", "cut", "emptied"):
        for name, data in kept.items():
            HARMS[harm](folder / STORE / name, data, random.Random(1))
        for act in (al.load, lambda folder: al.run(config, folder)):
            with pytest.raises(StoreError, match="cannot be read as a store of results"):
                act(folder)
        for name, data in kept.items():
            (folder / STORE / name).write_bytes(data)
    identical(al.load(folder), tree)


@pytest.mark.parametrize("pristine", ["extended"], indirect=True)
def test_another_config_is_refused_whatever_is_damaged(stored):
    folder, config, tree = stored
    for name in ("zarr.json", *(name for name in files_of(folder) if "run_id/c/0" in name)):
        path = folder / STORE / name
        data = path.read_bytes()
        path.write_bytes(flipped(data, random.Random(1)))
        with pytest.raises(StoreError, match="differs by more than what was added or taken out"):
            al.run(config | {"steps": 4}, folder)
        path.write_bytes(data)
    identical(al.load(folder), tree)


class Killed(BaseException):
    """The end of the process, as far as the code can tell: nothing catches it."""


def killed_at(patch: pytest.MonkeyPatch, moment: int):
    """Raise Killed in place of that write of a file that never changes, or of the root."""
    count = iter(range(moment))

    def interrupted(root, name, data):
        if next(count, None) is None:
            raise Killed
        write_file(root, name, data)

    for module in (section, blocks, store_root):
        patch.setattr(module, "write_file", interrupted)


@pytest.mark.slow
def test_until_the_root_is_written_the_earlier_results_count(tmp_path):
    """Runs are added at the front, so that all positions change; cut off at any time, the earlier ones are read."""
    al.run(CONFIG, tmp_path / "before")
    before = al.load(tmp_path / "before")
    config = CONFIG | {"optimizer": [{"spec": "optax.sgd(0.2)", "label": "new"}, *CONFIG["optimizer"]], "seeds": 4}
    after = al.run(config)
    moment = 0
    for moment in range(1000):
        folder = shutil.copytree(tmp_path / "before", tmp_path / "killed")
        with pytest.MonkeyPatch.context() as patch:
            killed_at(patch, moment)
            try:
                al.run(config, folder)
                break
            except Killed:
                pass
        written = al.load(folder)
        if len(json.loads(written.attrs["config"])["optimizer"]) == 2:
            identical(written, before)
        else:
            assert moment > 50  # the root was written, and its copy, or the runs, were not
        again = al.run(config, folder)
        for name in again.children:
            xr.testing.assert_identical(again[name].to_dataset(), after[name].to_dataset())
        shutil.rmtree(folder)
    assert moment > 50


@pytest.mark.one_case_in(8)
@pytest.mark.parametrize("file", ["done/zarr.json", "run_id/c/0"])
@pytest.mark.parametrize("damaged", ["sgd", "adamlab.adam"])
def test_damage_in_what_is_left_out_shows_when_it_comes_back(stored, damaged, file):
    """The file of an optimizer that is taken out, or of one that stays and loses a run at the same time."""
    folder, config, tree = stored
    adam, sgd = config["optimizer"]
    fewer = [adam] if damaged == "sgd" else [adam | {"learning_rate": [0.1, 0.2]}, sgd]
    part = next(part for part, label in tree_labels(tree).items() if label == damaged)
    (folder / STORE / "beale" / part / "0" / file).unlink()
    al.run(config | {"optimizer": fewer}, folder)
    identical(al.run(config, folder), tree)
    identical(al.load(folder), tree)


def tree_labels(tree: xr.DataTree) -> dict[str, str]:
    return json.loads(tree.attrs["labels"])
