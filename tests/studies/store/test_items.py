"""Comparisons and readings in their store: whatever kills or damages it, what is loaded is told or right to the bit."""

import json
import pydoc
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

import adamlab as al
from adamlab.errors import InputError
from adamlab.running import study_of
from adamlab.studies.config.errors import ConfigError
from adamlab.studies.config.study import Config
from adamlab.studies.kinds import KINDS, load
from adamlab.studies.options import RunOptions
from adamlab.studies.progress import Listener
from adamlab.studies.store.files import write_file
from adamlab.studies.store.folder import ASIDE, StoreError, make_folder, recover, replace_store
from adamlab.studies.store.items import Assemble, Document, compute_items
from adamlab.studies.store.location import Location
from adamlab.studies.store.provenance import FORMAT, OLDEST

CONFIGS = {
    "comparisons": {
        "name": "three",
        "steps": 2,
        "compare": [
            {
                "left": "adamlab.sgd(rate)",
                "right": "optax.sgd(rate)",
                "rate": [0.1, 0.2],
                "families": ["small", "normal"],
            },
            {"left": "adamlab.sgd(0.1)", "right": "optax.sgd(0.2)", "families": ["zeros"], "exact": False},
        ],
    },
    "readings": {
        "name": "three",
        "steps": 2,
        "reading": [
            {"spec": "optax.sgd(0.1, momentum=m)", "m": [0.5, 0.75], "lags": 3},
            {"spec": "optax.rmsprop(0.1, decay=d)", "d": [0.5], "lags": 2},
            {"spec": "optax.sgd(0.1, momentum=0.25)", "label": "slow", "lags": 2},
        ],
    },
}


class FixedTime(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime(2026, 1, 1, tzinfo=tz)


class Notes(Listener):
    """The notes of a run."""

    def __init__(self):
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Items:
    """The items of a config with their documents, which are handed over rather than computed again.

    Attributes:
        computed: the positions that were asked for, in all runs so far.
    """

    config: Config
    of: str
    ids: list[str]
    assemble: Assemble
    documents: list[Document]
    computed: list[int] = field(default_factory=list)

    def run(self, folder: Path | None, listener: Listener | None = None, *, fresh: bool = False) -> xr.Dataset:
        """The results, as a run returns them."""
        location = Location(folder, fresh)
        how = (self.assemble, location, listener or Listener(), self._handed_over)
        tree = compute_items(self.config, self.of, self.ids, *how)
        return tree[self.of].to_dataset()

    def _handed_over(self, missing: Sequence[int]) -> Iterator[Document]:
        for i in missing:
            self.computed.append(i)
            yield self.documents[i]

    def some(self, *positions: int, **keys: Any) -> "Items":
        """The config with these items alone; `keys` are other keys of its data."""
        config = replace(self.config, source={**self.config.source, "name": f"only {positions}", **keys})
        ids, documents = ([of_all[i] for i in positions] for of_all in (self.ids, self.documents))
        return replace(self, config=config, ids=ids, documents=documents, computed=[])


def planned(of: str, data: Mapping[str, Any]) -> tuple[Items, Callable[[Sequence[int]], Iterator[Document]]]:
    """The items of a config, still without documents, and the function that computes these."""
    caught: list[Any] = []

    def catch(config: Config, of: str, ids: list[str], assemble: Assemble, *how: Any):
        caught.extend([Items(config, of, ids, assemble, []), how[-1]])
        return xr.DataTree()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"adamlab.studies.{of}.compute_items", catch)
        KINDS[of].run(study_of(data), "three", Location(), RunOptions(), Listener())
    items, compute = caught
    return items, compute


def computed(of: str) -> Items:
    """The items of a kind's config, computed for once."""
    items, compute = planned(of, CONFIGS[of])
    return replace(items, documents=[*compute(range(len(items.ids)))])


@pytest.fixture(scope="module")
def all_items() -> dict[str, Items]:
    return {of: computed(of) for of in CONFIGS}


@pytest.fixture(params=CONFIGS)
def items(all_items, request) -> Items:
    return replace(all_items[request.param], computed=[])


@pytest.fixture
def whole(items) -> xr.Dataset:
    """The results in memory."""
    return items.some(0, 1, 2).run(None)


def loaded(items: Items, folder: Path) -> xr.Dataset:
    return load(folder)[items.of].to_dataset()


def told_or_right(items: Items, folder: Path, right: xr.Dataset) -> str:
    """The message, where the results are not loaded; those that are loaded have to be right."""
    try:
        xr.testing.assert_identical(loaded(items, folder), right)
    except StoreError as error:
        return str(error)
    return ""


def assert_clean(folder: Path):
    """Nothing is left but the store, and in it nothing half written."""
    assert [path.name for path in folder.iterdir()] == ["results.zarr"]
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {"zarr.json", "zarr.json.copy"}


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_is_returned_in_memory_written_and_loaded(items, whole, tmp_path):
    xr.testing.assert_identical(items.run(tmp_path / "new" / "folder"), whole)
    xr.testing.assert_identical(loaded(items, tmp_path / "new" / "folder"), whole)
    assert_clean(tmp_path / "new" / "folder")
    assert [*load(tmp_path / "new" / "folder").children] == [items.of]
    xr.testing.assert_identical(items.assemble(items.documents), whole)


def test_every_number_comes_back_as_it_was(all_items, tmp_path):
    items = all_items["comparisons"].some(0, 1)
    odd = {"gap": np.inf, "exact_gap": -np.inf, "apart_max": np.nan, "apart_median": 0.1 + 0.2, "left_max": -0.0}
    odd |= {"left_median": 5e-324, "first_difference": None, "differing_bits": 2**62 + 1}
    rows = [[{**row, **odd} for row in document["families"]] for document in items.documents]
    items.documents = [{**d, "families": row} for d, row in zip(items.documents, rows, strict=True)]
    items.run(tmp_path)
    data = loaded(items, tmp_path)
    for name, value in {**odd, "first_difference": -1}.items():
        assert {repr(x) for x in data[name].values.ravel().tolist()} == {repr(value)}
    items.run(tmp_path)
    xr.testing.assert_identical(loaded(items, tmp_path), data)


class Killed(BaseException):
    """The end of a process, as far as a test can have it within its own."""


def kill_at(patch: pytest.MonkeyPatch, moment: int):
    """Ends the run at one of its steps: before a file or folder is made or moved, or halfway through its text."""
    left = [moment]

    def wrapped(name: str) -> Callable[..., Any]:
        original = getattr(Path, name)

        def call(self: Path, *arguments: Any, **keywords: Any) -> Any:
            if ".lock" in self.name or (name == "open" and keywords.get("mode") != "wb"):
                return original(self, *arguments, **keywords)
            left[0] -= 1
            if left[0] == 0:
                if name == "open":
                    with original(self, *arguments, **keywords) as file:
                        file.write(b'{"attributes": ')
                raise Killed
            return original(self, *arguments, **keywords)

        return call

    for name in ("open", "mkdir", "replace", "rename"):
        patch.setattr(Path, name, wrapped(name))
    patch.setattr("tempfile.TemporaryDirectory.__exit__", lambda self, *exception: None)
    patch.setattr("tempfile.TemporaryDirectory._cleanup", lambda *arguments, **keywords: None)


def killed_run(items: Items, folder: Path, moment: int, *, fresh: bool = False) -> bool:
    """Whether the run came to that moment, at which it was killed."""
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, moment)
        try:
            items.run(folder, fresh=fresh)
        except Killed:
            return True
    return False


def test_a_run_that_is_killed_anywhere_goes_on_to_the_same_results(items, whole, tmp_path):
    moment = 1
    while killed_run(items, tmp_path / str(moment), moment):
        folder = tmp_path / str(moment)
        told = told_or_right(items, folder, whole)
        assert "Run its config again" in told or "there are no results here" in told
        items.computed.clear()
        done = len([*folder.glob("results.zarr/*/zarr.json")])
        xr.testing.assert_identical(items.run(folder), whole)
        assert items.computed == [0, 1, 2][done:]
        xr.testing.assert_identical(loaded(items, folder), whole)
        assert_clean(folder)
        moment += 1
    assert moment > 12


@pytest.mark.one_case_in(2)
def test_a_fresh_run_that_is_killed_anywhere_leaves_old_or_new_results(items, whole, tmp_path):
    old = items.some(2, 0)
    before, moment = old.some(0, 1).run(tmp_path / "old"), 1
    while True:
        folder = tmp_path / str(moment)
        shutil.copytree(tmp_path / "old", folder)
        if not killed_run(items, folder, moment, fresh=True):
            break
        recover(folder)
        told = told_or_right(items, folder, before)
        assert not told or "of its 3" in told
        xr.testing.assert_identical(items.run(folder, fresh=True), whole)
        assert_clean(folder)
        moment += 1
    assert moment > 12


WORK = {"comparisons": "adamlab.studies.comparisons.compare", "readings": "adamlab.studies.readings.document_of"}
"""What a run spends its time in, once for each item."""


def interrupted_at(patch: pytest.MonkeyPatch, of: str, moment: int, error: type[BaseException]) -> list[int]:
    """Raise an error in place of that item; returns a list, which the items that were computed are added to."""
    work, calls = pydoc.locate(WORK[of]), []
    assert callable(work)

    def call(*arguments: Any, **keywords: Any) -> Any:
        if len(calls) + 1 == moment:
            raise error("stopped")
        calls.append(len(calls))
        return work(*arguments, **keywords)

    patch.setattr(WORK[of], call)
    return calls


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("of", CONFIGS)
def test_a_run_that_is_interrupted_ends_with_the_same_files(of, tmp_path, monkeypatch):
    monkeypatch.setattr("adamlab.products.draw_outputs", lambda *arguments: ({}, []))
    monkeypatch.setattr("adamlab.studies.store.provenance.datetime", FixedTime)
    al.run(CONFIGS[of], tmp_path / "whole")
    for moment, error in ((1, SystemExit), (2, KeyboardInterrupt), (2, SystemExit)):
        with monkeypatch.context() as patch:
            interrupted_at(patch, of, moment, error)
            with pytest.raises(error):
                al.run(CONFIGS[of], tmp_path / "out")
        assert (tmp_path / "out").exists() is (moment > 1)
    with monkeypatch.context() as patch:
        calls = interrupted_at(patch, of, 0, KeyboardInterrupt)
        al.run(CONFIGS[of], tmp_path / "out")
    assert len(calls) == 1
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
    al.run(CONFIGS[of], tmp_path / "out")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


@pytest.mark.parametrize("of", CONFIGS)
def test_items_beside_one_that_fails_are_kept(all_items, of, tmp_path, monkeypatch):
    monkeypatch.setattr("adamlab.products.draw_outputs", lambda *arguments: ({}, []))
    ids, folder, work, failing = all_items[of].ids, tmp_path / "out", pydoc.locate(WORK[of]), [False, True, False]
    assert callable(work)

    def call(*arguments: Any, **keywords: Any) -> Any:
        assert len(failing) == 3 or (folder / "results.zarr" / ids[0] / "zarr.json").exists()
        if failing.pop(0):
            raise InputError("stopped")
        return work(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(WORK[of], call)
        with pytest.raises(ConfigError, match=r"(compare\[0\]|reading\[1\]): stopped$"):
            al.run(CONFIGS[of], folder)
    assert {path.parent.name for path in folder.glob("results.zarr/*/zarr.json")} == {ids[0], ids[2]}
    calls = interrupted_at(monkeypatch, of, 0, InputError)
    al.run(CONFIGS[of], folder)
    assert len(calls) == 1


def toml_of(data: Mapping[str, Any]) -> str:
    """The data as TOML; values are such that JSON writes them as TOML does."""
    tables = [
        "\n".join([f"[[{name}]]", *(f"{key} = {json.dumps(x)}" for key, x in table.items())])
        for name, value in data.items()
        if name not in ("name", "steps")
        for table in value
    ]
    return "\n".join([f'name = "{data["name"]}"', f"steps = {data['steps']}", *tables])


def kill_after(items: int, config: Path, folder: Path):
    """Run the command, and kill it once the folder has so many items."""
    process = subprocess.Popen([sys.executable, "-m", "adamlab", "run", config, "--out", folder])
    while process.poll() is None and len([*folder.glob("results.zarr/*/zarr.json")]) < items:
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("of", CONFIGS)
def test_a_killed_command_goes_on_to_the_same_results(of, tmp_path):
    config, folder = tmp_path / "config.toml", tmp_path / "out"
    config.write_text(toml_of(CONFIGS[of]), encoding="utf-8")
    for items in (1, 2):
        kill_after(items, config, folder)
        before = {path: path.stat().st_mtime_ns for path in folder.glob("results.zarr/*/zarr.json")}
        assert len(before) >= items
    subprocess.run([sys.executable, "-m", "adamlab", "run", config, "--out", folder], check=True)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    whole = al.run(CONFIGS[of], tmp_path / "whole")
    xr.testing.assert_identical(load(folder)[of].to_dataset(), whole[of].to_dataset())
    assert (folder / "summary.csv").read_bytes() == (tmp_path / "whole" / "summary.csv").read_bytes()
    assert not [*folder.glob(".adamlab-*"), *folder.rglob("*.partial")]


def flipped(data: bytes, rng: random.Random) -> bytes:
    byte, bit = rng.randrange(len(data)), rng.randrange(8)
    return data[:byte] + bytes([data[byte] ^ 1 << bit]) + data[byte + 1 :]


def edited(data: bytes, rng: random.Random) -> bytes:
    """Another digit in place of one, as an editor would put it there."""
    digits = [i for i, byte in enumerate(data) if 48 <= byte < 58]
    byte = rng.choice(digits)
    return data[:byte] + bytes([(data[byte] - 47) % 10 + 48]) + data[byte + 1 :]


DAMAGE: Mapping[str, Callable[[bytes, random.Random], bytes | None]] = {
    "deleted": lambda data, rng: None,
    "emptied": lambda data, rng: b"",
    "brace": lambda data, rng: b"{",
    "cut": lambda data, rng: data[: rng.randrange(len(data))],
    "no text": lambda data, rng: rng.randbytes(len(data)),
    "other JSON": lambda data, rng: rng.choice([b"[]", b"3", b"null", b"{}", b'{"attributes": []}']),
    "deep": lambda data, rng: b"[" * 100_000,
    "group": lambda data, rng: b'{"zarr_format": 3, "node_type": "group", "attributes": {}}',
    "flipped": flipped,
    "edited": edited,
}


def assert_damage_is_told_and_repaired(items: Items, folder: Path, right: xr.Dataset, how: str, rng: random.Random):
    """Of one file of the store; a run then computes no other item than that."""
    path = rng.choice(sorted(folder.rglob("zarr.json")))
    before = path.read_bytes()
    after = DAMAGE[how](before, rng)
    if after is None:
        path.unlink()
    else:
        path.write_bytes(after)
    told = told_or_right(items, folder, right)
    assert told or how not in ("deleted", "emptied", "brace", "no text", "other JSON", "deep", "group", "edited")
    listener = Notes()
    items.computed.clear()
    xr.testing.assert_identical(items.run(folder, listener), right)
    assert items.computed == ([items.ids.index(path.parent.name)] if told and path.parent.name in items.ids else [])
    assert len(listener.notes) == 1 + bool(told and not items.computed)
    assert ("already has" in listener.notes[-1]) is not bool(items.computed)
    xr.testing.assert_identical(loaded(items, folder), right)
    assert_clean(folder)


@pytest.mark.one_case_in(6)
@pytest.mark.parametrize("how", DAMAGE)
def test_damage_is_told_and_repaired(items, whole, tmp_path, how):
    items.run(tmp_path)
    rng = random.Random(how)
    for _ in range(8 if how in ("flipped", "edited", "cut") else 3):
        assert_damage_is_told_and_repaired(items, tmp_path, whole, how, rng)


@pytest.mark.slow
def test_each_of_many_damages_is_told_and_repaired(items, whole, tmp_path):
    items.run(tmp_path)
    rng = random.Random(0)
    for _ in range(200):
        assert_damage_is_told_and_repaired(items, tmp_path, whole, rng.choice([*DAMAGE, "flipped", "edited"]), rng)


def test_an_item_in_the_place_of_another_is_damage(items, whole, tmp_path):
    items.run(tmp_path)
    first, second, _ = (tmp_path / "results.zarr" / item / "zarr.json" for item in items.ids)
    shutil.copy(first, second)
    assert items.ids[1] in told_or_right(items, tmp_path, whole)
    items.computed.clear()
    xr.testing.assert_identical(items.run(tmp_path), whole)
    assert items.computed == [1]


@pytest.mark.parametrize(("text", "other"), [('"zarr_format": 3', '"zarr_format": 4'), ('"group"', '"array"')])
def test_a_root_of_another_format_is_told(items, whole, tmp_path, text, other):
    items.run(tmp_path)
    root = tmp_path / "results.zarr" / "zarr.json"
    root.write_text(root.read_text().replace(text, other))
    assert told_or_right(items, tmp_path, whole)


def test_many_lost_items_are_one_short_message(items, tmp_path):
    items.run(tmp_path)
    for item in items.ids:
        shutil.rmtree(tmp_path / "results.zarr" / item)
    told = told_or_right(items, tmp_path, xr.Dataset())
    assert "\n" not in told
    assert f"3 of its 3 {items.of} are not finished, or damaged" in told
    many = items.some(*[0] * 50)
    many.ids = [f"{i:032x}" for i in range(50)]
    many.run(tmp_path / "many")
    shutil.rmtree(tmp_path / "many" / "results.zarr" / many.ids[0])
    for item in many.ids[1:]:
        (tmp_path / "many" / "results.zarr" / item / "zarr.json").write_text("{")
    told = told_or_right(many, tmp_path / "many", xr.Dataset())
    assert "50 of its 50" in told
    assert "and 47 more" in told
    assert len(told) < 1500


CHANGES: Mapping[str, Mapping[str, Any]] = {
    "comparisons": {
        "left": "optax.sgd(rate, momentum=0.0)",
        "right": "optax.sgd(rate, nesterov=true)",
        "label": "other",
    }
    | {"rate": [0.3, 0.4], "dtype": "float64", "context": "scan", "layout": "leaf", "families": ["small"]}
    | {"exact": False, "seed": 1},
    "readings": {"spec": "optax.sgd(0.2, momentum=m)", "label": "other", "m": [0.5], "lags": 4},
}
"""For each key of the first table another value."""


@pytest.mark.parametrize("of", CONFIGS)
def test_an_item_is_another_where_anything_that_it_depends_on_is(of):
    table, *others = CONFIGS[of][KINDS[of].table]
    first = len(planned(of, {**CONFIGS[of], KINDS[of].table: [table]})[0].ids)
    before = planned(of, CONFIGS[of])[0].ids

    def ids(**data: Any) -> list[str]:
        return planned(of, {**CONFIGS[of], **data})[0].ids

    for key, value in CHANGES[of].items():
        after = ids(**{KINDS[of].table: [{**table, key: value}, *others]})
        assert not {*after[: -len(others)]} & {*before[:first]}, key
        assert after[-1] == before[-1], key
    assert not {*ids(steps=3)} & {*before}
    if of == "readings":
        assert not {*ids(superscripts=True)} & {*before}
    assert ids(name="other", question="why?", output=[]) == before
    assert ids(**{KINDS[of].table: [*others, table]}) == [*before[first:], *before[:first]]


def test_a_config_that_adds_items_computes_only_those(items, whole, tmp_path):
    items.some(2, 0).run(tmp_path)
    before = files_of(tmp_path)
    created = load(tmp_path).attrs["created"]
    listener = Notes()
    xr.testing.assert_identical(items.run(tmp_path, listener), whole)
    assert (items.computed, listener.notes) == ([1], [])
    after = files_of(tmp_path)
    roots = {"results.zarr/zarr.json", "results.zarr/zarr.json.copy"}
    assert {name for name in before if before[name] != after[name]} == roots
    assert load(tmp_path).attrs["created"] == created
    assert json.loads(load(tmp_path).attrs["config"]) == items.config.source


def test_an_item_that_is_asked_for_twice_is_computed_once(items, tmp_path):
    twice = items.some(1, 0, 1)
    data = twice.run(tmp_path)
    assert twice.computed == [0, 1]
    label = data.label.values.tolist()
    assert label[0] == label[-1] == items.documents[1]["label"]
    xr.testing.assert_identical(loaded(items, tmp_path), data)


def test_an_item_that_was_taken_out_is_left_out_of_the_results_and_kept(items, whole, tmp_path):
    items.run(tmp_path)
    few, listener = items.some(0, 1), Notes()
    xr.testing.assert_identical(few.run(tmp_path, listener), few.run(None))
    assert [note for note in listener.notes if f"has 1 {items.of} that this config does not ask for" in note]
    assert len([*(tmp_path / "results.zarr").glob("*/zarr.json")]) == 3
    few.computed.clear()
    for name in ("zarr.json", "zarr.json.copy"):
        (tmp_path / "results.zarr" / name).write_text("{")
    few.run(tmp_path)
    again = items.some(0, 1, 2)
    xr.testing.assert_identical(again.run(tmp_path), whole)
    assert (few.computed, again.computed) == ([], [])
    items.some(0, 1).run(tmp_path, fresh=True)
    assert len([*(tmp_path / "results.zarr").iterdir()]) == 4


def test_an_item_that_comes_back_is_there_though_the_last_config_had_others(items, tmp_path):
    configs = [items.some(*asked) for asked in ((0, 1), (0,), (1,), (0, 1))]
    for some in configs:
        some.run(tmp_path)
    assert [some.computed for some in configs] == [[0, 1], [], [], []]


@pytest.mark.parametrize("moment", [1, 2])
def test_an_error_of_ours_is_no_fault_of_the_folder(tmp_path, monkeypatch, moment):
    interrupted_at(monkeypatch, "comparisons", moment, RuntimeError)
    with pytest.raises(RuntimeError, match="stopped"):
        al.run(CONFIGS["comparisons"], tmp_path / "out")


def test_a_config_that_shares_no_item_is_refused(items, tmp_path):
    items.some(2).run(tmp_path)
    before = files_of(tmp_path)
    with pytest.raises(StoreError, match=r"(?s)differs by more than .*name: .*--fresh"):
        items.some(0, 1).run(tmp_path)
    assert files_of(tmp_path) == before


def test_kinds_do_not_mix(all_items, tmp_path):
    comparisons, readings = all_items["comparisons"], all_items["readings"]
    comparisons.run(tmp_path)
    with pytest.raises(StoreError, match="differs by more than what was added or taken out"):
        readings.run(tmp_path)
    xr.testing.assert_identical(loaded(comparisons, tmp_path), comparisons.run(None))


def test_a_mistake_ahead_of_the_first_item_leaves_the_folder_as_it_was(items, tmp_path):
    def mistaken(missing: Sequence[int]) -> Iterator[Document]:
        raise InputError("a mistake")
        yield

    asked = items.config, items.of, items.ids, items.assemble

    def attempt(folder: Path, *, fresh: bool = False):
        with pytest.raises(InputError, match="a mistake"):
            compute_items(*asked, Location(folder, fresh), Listener(), mistaken)

    attempt(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    items.some(0).run(tmp_path / "old")
    before = files_of(tmp_path / "old")
    attempt(tmp_path / "old")
    attempt(tmp_path / "old", fresh=True)
    assert files_of(tmp_path / "old") == before


def test_other_versions_are_told_where_items_are_added(items, tmp_path, monkeypatch):
    items.some(0).run(tmp_path)
    monkeypatch.setattr("adamlab.studies.store.provenance.version", lambda package: "0")
    listener = Notes()
    items.run(tmp_path, listener)
    assert len(listener.notes) == 1
    assert listener.notes[0].startswith("Begun with other versions: adamlab ")
    items.run(tmp_path, listener)
    assert "already has the results" in listener.notes[-1]
    assert len(listener.notes) == 2


def test_a_full_disk_keeps_what_was_done(items, whole, tmp_path, monkeypatch):
    def full(root: Path, name: str, data: bytes):
        if items.ids[1] in name:
            raise OSError(28, "No space left on device")
        write_file(root, name, data)

    with monkeypatch.context() as patch:
        patch.setattr("adamlab.studies.store.items.write_file", full)
        with pytest.raises(StoreError, match=r"No space left on device\. What was done is kept"):
            items.run(tmp_path)
    items.computed.clear()
    xr.testing.assert_identical(items.run(tmp_path), whole)
    assert items.computed == [1, 2]


def test_a_folder_that_is_deleted_meanwhile_is_told_and_stays_away(items, tmp_path):
    def deleting(missing: Sequence[int]) -> Iterator[Document]:
        yield items.documents[0]
        shutil.rmtree(tmp_path / "out" / "results.zarr")
        yield items.documents[1]

    with pytest.raises(StoreError, match="the results cannot be written: No such file"):
        compute_items(
            items.config, items.of, items.ids, items.assemble, Location(tmp_path / "out"), Listener(), deleting
        )
    assert not (tmp_path / "out" / "results.zarr").exists()


def test_what_is_no_store_is_told(tmp_path):
    with pytest.raises(StoreError, match="there are no results here"):
        load(tmp_path)
    (tmp_path / "results.zarr").mkdir()
    (tmp_path / "results.zarr" / "zarr.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        load(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        make_folder(tmp_path / "file")


@pytest.mark.parametrize(("version", "remedy"), [(99, "Update adamlab"), (1, "Run its config anew, with --fresh")])
def test_another_format_is_refused(items, tmp_path, version, remedy):
    zarr.create_group(tmp_path / "results.zarr", attributes={"adamlab_format": version})
    told = rf"is of format {version}; this adamlab reads formats {OLDEST} to {FORMAT}\. {remedy}"
    with pytest.raises(StoreError, match=told):
        load(tmp_path)
    with pytest.raises(StoreError, match=told):
        items.run(tmp_path)


def test_a_store_of_others_is_refused(items, tmp_path):
    zarr.create_group(tmp_path / "results.zarr", attributes={"made_by": "somebody"})
    with pytest.raises(StoreError, match="a store that adamlab did not write"):
        load(tmp_path)
    before = files_of(tmp_path)
    with pytest.raises(StoreError, match="a store that adamlab did not write"):
        items.run(tmp_path)
    assert files_of(tmp_path) == before


def test_an_error_between_the_renames_puts_the_old_store_back(items, whole, tmp_path, monkeypatch):
    items.run(tmp_path)
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace_store(tmp_path / "results.zarr", lambda path: path.mkdir())
    xr.testing.assert_identical(loaded(items, tmp_path), whole)
    assert_clean(tmp_path)


def test_a_kill_between_the_renames_is_recovered_from(items, whole, tmp_path):
    items.run(tmp_path)
    aside = tmp_path / f"{ASIDE}killed"
    aside.mkdir()
    (tmp_path / "results.zarr").rename(aside / "old")
    (aside / "new").mkdir()
    recover(tmp_path)
    xr.testing.assert_identical(loaded(items, tmp_path), whole)
    assert_clean(tmp_path)


def test_files_that_a_kill_left_half_written_are_removed(items, tmp_path):
    items.run(tmp_path)
    for name in ("results.zarr", f"results.zarr/{items.ids[0]}"):
        (tmp_path / name / "zarr.0123456789abcdef.partial").write_text("{")
    items.run(tmp_path)
    assert_clean(tmp_path)
