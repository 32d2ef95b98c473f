"""The run of a study: it goes on where it was cut off, computes what was added or damaged, and loses nothing."""

import copy
import errno
import json
import random
import shutil
from itertools import groupby
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import xarray as xr

import adamlab as al
from adamlab import running, specs
from adamlab.analysis import best_settings
from adamlab.calls import arguments
from adamlab.specs import LIBRARIES, optimizers
from adamlab.studies import distributed
from adamlab.studies.engine import block_sizes
from adamlab.studies.engine.block_sizes import group_size
from adamlab.studies.plan import evaluation_plans, plans_of
from adamlab.studies.progress import Listener
from adamlab.studies.store.folder import StoreError
from adamlab.studies.store.section import Section
from adamlab.studies.sweep import run, worker
from adamlab.studies.sweep.ledger import Ledger
from tests.computing import make_blocks_small

pytestmark = pytest.mark.optimized(False)

CONFIG = {
    "name": "blocks",
    "steps": 30,
    "seeds": 3,
    "record": {"every": 10, "what": ["loss", "params", "m", "steps_to_target"], "target": 1.0},
    "problem": [{"name": "rosenbrock"}],
    "optimizer": [
        {"name": "adamlab.adam", "learning_rate": {"log": [1e-3, 1.0, 8]}},
        {"name": "optax.sgd", "learning_rate": [1e-3, 1e30], "label": "sgd"},
    ],
}


class Notes(Listener):
    """A listener that keeps the notes, and the numbers of runs that were announced and computed."""

    def __init__(self):
        self.notes, self.announced, self.runs = [], 0, 0

    def begin(self, runs, steps):
        self.announced += runs

    def note(self, text):
        self.notes.append(text)

    def advance(self, runs):
        self.runs += runs


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of eight runs: three of adam, one of sgd; and no pictures, which these tests do not look at."""
    make_blocks_small(monkeypatch)
    monkeypatch.setattr(running, "write_products", lambda *arguments: None)


@pytest.fixture
def config():
    return copy.deepcopy(CONFIG)


@pytest.mark.parametrize(("given", "alone", "expected"), [({}, 1, 3), ({}, 10**9, 1), ({"devices": 2}, 10**9, 2)])
def test_cores_are_used_by_default_where_there_is_enough_to_do(config, monkeypatch, given, alone, expected):
    monkeypatch.setattr(distributed, "_cores", lambda: 3)
    local = jax.local_devices()
    monkeypatch.setattr(jax, "local_devices", lambda: local if not given else local * given["devices"])
    monkeypatch.setattr(block_sizes, "ALONE", alone)
    execute, at_once = worker.execute, set()

    def watched(program, compiled, *arguments):
        at_once.add(len(compiled))
        return execute(program, compiled, *arguments)

    monkeypatch.setattr(worker, "execute", watched)
    runs = al.run(copy.deepcopy(config), **given)
    assert at_once == {expected}
    for problem, expected_runs in al.run(config, devices=1).children.items():
        xr.testing.assert_identical(runs[problem].to_dataset(), expected_runs.to_dataset())


def test_processes_that_share_a_run_take_no_cores_unasked(monkeypatch):
    monkeypatch.setattr(distributed, "_cores", lambda: 3)
    local = jax.local_devices()
    assert distributed.devices(None) == 3 * local
    assert distributed.devices(2) == 2 * local
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    assert distributed.devices(None) == local
    assert distributed.devices(3) == 3 * local


class Killed(BaseException):
    """The end of the process, as far as the code can tell: nothing catches it."""


def kill(*arguments):
    raise Killed


def test_an_evaluation_goes_on_with_the_blocks_it_was_begun_with(config, tmp_path, monkeypatch):
    """The first stage on three cores, the second begun on one: its blocks are then larger."""
    config |= {"evaluation": {"seeds": 40}, "optimizer": config["optimizer"][:1]}
    expected = al.run(copy.deepcopy(config), devices=1)
    monkeypatch.setattr(block_sizes, "RECORDS", 2**20)
    monkeypatch.setattr(block_sizes, "ALONE", 1)

    def killed(cores, method, at):
        with monkeypatch.context() as patch:
            patch.setattr(distributed, "_cores", lambda: cores)
            patch.setattr(method, at, kill)
            with pytest.raises(Killed):
                al.run(copy.deepcopy(config), tmp_path)

    killed(3, run, "evaluation_plans")
    killed(1, Section, "write")
    (block,) = tmp_path.glob("results.zarr/rosenbrock/*/0/loss/c/0/0")
    block.write_bytes(b"")
    monkeypatch.setattr(distributed, "_cores", lambda: 3)
    xr.testing.assert_identical(
        al.run(config, tmp_path)["rosenbrock"].to_dataset(), expected["rosenbrock"].to_dataset()
    )


def test_blocks_of_another_size_are_not_written(config, tmp_path, monkeypatch):
    """As of a process that was told another number of devices than the one that made the section."""
    with monkeypatch.context() as patch:
        patch.setattr(Section, "write", kill)
        with pytest.raises(Killed):
            al.run(copy.deepcopy(config), tmp_path)
    make_blocks_small(monkeypatch, 16)
    monkeypatch.setattr(Ledger, "sizes", lambda self: {})
    with pytest.raises(StoreError, match=r"in blocks of 16 runs; it has blocks of 8\. Give all processes"):
        al.run(config, tmp_path)


@pytest.fixture(scope="module")
def whole():
    """The results, computed in memory."""
    with pytest.MonkeyPatch.context() as patch:
        make_blocks_small(patch)
        return al.run(CONFIG)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder with the results, and the tree that its run returned."""
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        make_blocks_small(patch)
        patch.setattr(running, "write_products", lambda *arguments: None)
        return folder, al.run(CONFIG, folder)


@pytest.fixture
def folder(kept, tmp_path):
    """A copy of the folder, to be changed at will."""
    return shutil.copytree(kept[0], tmp_path / "kept")


def killed_at(monkeypatch, moment):
    """Raise Killed at that write of an array, where values and `done` flags are counted alike."""
    write, count = Section.write, iter(range(moment))

    def interrupted(self, block, arrays):
        names = [*arrays, "done"]
        whole = {name: next(count, None) is not None for name in names}
        if all(whole.values()):
            write(self, block, arrays)
            return
        first = block * self.block
        for name, values in arrays.items():
            if whole[name]:
                self._array(name)[..., first : first + values.shape[-1]] = values
        raise Killed

    monkeypatch.setattr(Section, "write", interrupted)


def identical(tree, expected):
    for name in tree.children:
        xr.testing.assert_identical(tree[name].to_dataset(), expected[name].to_dataset())
    assert [*tree.children] == [*expected.children]


FEW = (6, 26)
"""Before the first mark, and within the last block, which is of the second optimizer."""

MANY = sorted({*FEW, *random.Random(7).sample(range(1, 4 * 7), 20)})  # four blocks of six arrays and a mark


@pytest.mark.parametrize("moments", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"])
def test_a_run_goes_on_wherever_it_was_cut_off(config, whole, tmp_path, moments):
    for moment in moments:
        folder = tmp_path / str(moment)
        with pytest.MonkeyPatch.context() as patch:
            killed_at(patch, moment)
            with pytest.raises(Killed):
                al.run(config, folder)
        runs = al.load(folder)["rosenbrock"].ds
        done = runs.done.values
        assert done.sum() == sum([8, 8, 8, 6][: moment // 7])
        xr.testing.assert_identical(
            runs.isel(run=done)[["loss", "params", "m"]],
            whole["rosenbrock"].ds.isel(run=done)[["loss", "params", "m"]],
        )
        assert np.isnan(runs.loss.values[~done]).all()
        listener = Notes()
        identical(al.run(config, folder, listener=listener), whole)
        assert listener.runs == 30 - done.sum()
        identical(al.load(folder), whole)


def test_runs_in_memory_and_on_disk_are_the_same(kept, whole):
    folder, returned = kept
    identical(returned, whole)
    identical(al.load(folder), whole)


@pytest.mark.parametrize(
    "problems", [[], pytest.param([{"name": "beale"}], marks=pytest.mark.slow)], ids=["same", "more"]
)
def test_runs_that_join_are_computed_and_no_others(config, folder, problems):
    config["seeds"] = 4
    config["optimizer"][0]["learning_rate"] = {"log": [1e-3, 1.0, 15]}  # every second one is there already
    config["optimizer"].append({"name": "optax.adagrad", "learning_rate": 0.1})
    config["problem"][:0] = problems
    listener = Notes()
    extended = al.run(config, folder, listener=listener)
    per_problem = (15 + 2 + 1) * 4
    assert listener.runs == len(config["problem"]) * per_problem - 30
    identical(extended, al.run(config))
    identical(al.load(folder), extended)
    labels = [optimizer.get("label", optimizer["name"]) for optimizer in config["optimizer"]]
    for data in extended.children.values():
        assert [label for label, _ in groupby(data.optimizer.values)] == labels
    assert json.loads(al.load(folder).attrs["config"])["seeds"] == 4


def test_padding_is_neither_counted_nor_among_the_results(tmp_path):
    problem, seeds = {"name": "digits_softmax", "batch_size": 4}, 2
    dimension = al.problems.get(**problem).dimension
    count = next(n for n in range(1, 99) if (size := group_size(np.repeat(range(seeds), n), dimension)) and n % size)
    optimizer = {"name": "adamlab.sgd", "learning_rate": [i / 1e4 for i in range(1, count + 1)]}
    padded = {"name": "padded", "steps": 2, "seeds": seeds, "problem": [problem], "optimizer": [optimizer]}
    for left in (count * seeds, 0):
        listener = Notes()
        runs = al.run(padded, tmp_path, listener=listener)["digits_softmax"]
        assert listener.announced == listener.runs == left
        assert runs.sizes["run"] == len({*runs.run_id.values}) == count * seeds
        assert runs.done.values.all()


def test_what_was_taken_out_is_left_out_of_the_results_and_kept(config, whole, folder):
    more = {**config["optimizer"][0], "learning_rate": {"log": [1e-3, 1.0, 15]}}  # every second one is there already
    small = config | {"seeds": [2, 0], "optimizer": [more], "problem": [*config["problem"], {"name": "quadratic"}]}
    listener = Notes()
    result = al.run(small, folder, listener=listener)
    assert listener.runs == 2 * (15 + 15) - 2 * 8
    assert [note for note in listener.notes if "14 runs, those of sgd among them, that this config" in note]
    identical(result, al.run(small))
    identical(al.load(folder), result)
    listener = Notes()
    identical(al.run(config, folder, listener=listener), whole)
    assert listener.runs == 0
    assert [note for note in listener.notes if "44 runs, those of quadratic among them, that" in note]
    identical(al.load(folder), whole)


def test_starts_have_the_numbers_of_the_config_that_was_run_last(folder):
    def config(*starts):
        return CONFIG | {
            "seeds": 2,
            "problem": [{"name": "rosenbrock", "starts": [*starts]}],
            "optimizer": [CONFIG["optimizer"][1]],
        }

    whole = config([0, 1], [1, 2], [2, 2])
    al.run(whole, folder, fresh=True)
    listener = Notes()
    few = config([2, 2], [0, 1])
    identical(al.run(few, folder, listener=listener), al.run(few))
    assert listener.runs == 0
    identical(al.load(folder), al.run(few))
    assert {*al.run(config([1, 2]), folder)["rosenbrock"].start.values} == {0}  # a start alone has its number too
    identical(al.run(whole, folder), al.run(whole))


@pytest.mark.slow
def test_a_problem_that_comes_back_with_other_options_has_its_own_landscape(folder):
    """Under another optimizer, so that no run of it is stored."""

    def config(kept, *problems):
        return CONFIG | {"optimizer": [CONFIG["optimizer"][1], *kept], "problem": [*CONFIG["problem"], *problems]}

    other = {"name": "adamlab.sgd", "learning_rate": 0.1}
    al.run(config([], {"name": "quadratic"}), folder)
    al.run(config([other]), folder)
    steep = CONFIG | {"optimizer": [other], "problem": [CONFIG["problem"][0], {"name": "quadratic", "condition": 50}]}
    identical(al.run(steep, folder), al.run(steep))
    identical(al.load(folder), al.run(steep))


CHANGES = {
    "steps": ({"steps": 40}, "steps: 30 → 40"),
    "seeds": ({"seeds": [7, 8]}, "seeds: 3 → [7, 8]"),
    "dtype": ({"dtype": "float64"}, 'dtype: nothing → "float64"'),
    "record": ({"record": {"every": 5}}, "record.every: 10 → 5"),
    "problem": ({"problem": [{"name": "rosenbrock", "spread": 0.0}]}, "problem[0].spread: nothing → 0.0"),
    "optimizer": ({"optimizer": [{"name": "optax.lion", "learning_rate": 0.1}]}, "optimizer[1]: {"),
}


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("key", CHANGES)
def test_another_config_is_refused_with_what_differs(config, whole, folder, key):
    change, line = CHANGES[key]
    with pytest.raises(StoreError) as caught:
        al.run(config | change, folder)
    assert line in str(caught.value)
    assert "--fresh" in str(caught.value)
    identical(al.load(folder), whole)


OTHERS = [pytest.param(key, marks=pytest.mark.slow) for key in CHANGES if key != "seeds"]


@pytest.mark.parametrize("key", ["seeds", *OTHERS])
def test_a_fresh_run_replaces_the_results_of_another_config(config, folder, key):
    change, _ = CHANGES[key]
    identical(al.run(config | change, folder, fresh=True), al.run(config | change))


def test_ids_say_what_a_run_is(config, whole):
    runs = whole["rosenbrock"].ds
    assert len({*runs.run_id.values}) == runs.sizes["run"]
    config["optimizer"].reverse()
    config["seeds"] = [2, 0]
    other = al.run(config)["rosenbrock"].ds
    known = dict(zip(runs.run_id.values, zip(runs.spec.values, runs.seed.values, strict=True), strict=True))
    for run_id, spec, seed in zip(other.run_id.values, other.spec.values, other.seed.values, strict=True):
        assert known[run_id] == (spec, seed)
    assert not {*al.run(config | {"steps": 20})["rosenbrock"].ds.run_id.values} & {*known}


def test_ids_depend_on_what_is_recorded_and_not_on_its_order(config):
    def ids(dtype: Any = "float32", **record: Any) -> set[int]:
        study: Any = running.study_of(config | {"dtype": dtype, "record": config["record"] | record})
        return {run for plan in plans_of(study).values() for run in plan.ids.tolist()}

    what = ["loss", "params", "gradient_norm", "steps_to_target"]
    changes: list[dict[str, Any]] = [{"every": 5}, {"target": 0.5}, {"what": [*what, "param_norm"]}]
    every = [ids(what=what), ids("float64", what=what), *(ids(**{"what": what} | change) for change in changes)]
    assert ids(what=what[::-1]) == every[0]
    assert len(set.union(*every)) == sum(map(len, every))


def chunks_of(folder, name):
    return sorted(path for path in Path(folder).glob(f"results.zarr/rosenbrock/*/0/{name}/c/**/*") if path.is_file())


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("loss", "flip"),
        ("diverged_at", "delete"),
        pytest.param("diverged_at", "cut", marks=pytest.mark.slow),
        *(pytest.param(*damaged, marks=pytest.mark.slow) for damaged in (("loss", "cut"), ("loss", "delete"))),
        pytest.param("diverged_at", "flip", marks=pytest.mark.slow),
    ],
)
def test_a_damaged_block_is_told_and_computed_anew(config, whole, folder, damage, name):
    chunk = max(chunks_of(folder, name), key=lambda path: path.stat().st_size)
    data = bytearray(chunk.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 4
    if damage == "delete":
        chunk.unlink()
    else:
        chunk.write_bytes(data if damage == "flip" else data[:-9])
    with pytest.raises(StoreError, match=rf"results\.zarr is damaged: (\S+/)?{name}, block 0: .* Run its config again"):
        al.load(folder)
    listener = Notes()
    identical(al.run(config, folder, listener=listener), whole)
    assert listener.runs in (6, 8)  # that block and no other
    assert any("is damaged; it is computed anew" in note for note in listener.notes)
    identical(al.load(folder), whole)


def test_a_full_disk_is_told_and_what_was_whole_is_kept(config, whole, tmp_path):
    write, blocks = Section.write, iter(range(2))

    def full(self, block, arrays):
        if next(blocks, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, block, arrays)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Section, "write", full)
        with pytest.raises(StoreError, match=r"No space left on device\. What was done is kept; the same command goes"):
            al.run(config, tmp_path)
    assert al.load(tmp_path)["rosenbrock"].ds.done.values.sum() == 16
    identical(al.run(config, tmp_path), whole)


def test_the_best_settings_are_run_on_fresh_seeds(config, whole, tmp_path):
    tuned = whole["rosenbrock"].ds
    config["evaluation"] = {"seeds": 5}
    runs = al.run(config, tmp_path)["rosenbrock"].ds
    tuning = runs.isel(run=runs.stage.values == "tuning")
    xr.testing.assert_equal(tuning.loss.drop_vars("stage"), tuned.loss)
    fresh = runs.isel(run=runs.stage.values == "evaluation")
    for label in ("adamlab.adam", "sgd"):
        own = fresh.isel(run=fresh.optimizer.values == label)
        assert own.seed.values.tolist() == [3, 4, 5, 6, 7]
        medians = {
            spec: np.median(tuned.loss.values[(tuned.spec.values == spec) & (tuned.optimizer.values == label), -1])
            for spec in dict.fromkeys(tuned.spec.values[tuned.optimizer.values == label])
        }
        assert {*own.spec.values} == {min(medians, key=lambda spec: np.nan_to_num(medians[spec], nan=np.inf))}
    medians = al.analysis.standings(runs).set_index("optimizer")["median"].to_dict()
    losses = fresh.loss.values[fresh.optimizer.values == "adamlab.adam", -1]
    assert medians["adamlab.adam"] == pytest.approx(float(np.median(losses)))
    config["evaluation"]["seeds"] = 7
    listener = Notes()
    al.run(config, tmp_path, listener=listener)
    assert listener.runs == 2 * 2


def test_an_evaluation_takes_the_settings_that_are_best_by_its_own_criterion(config, whole, rng):
    data = {name: whole[name].to_dataset() for name in whole.children}
    data = {name: runs.assign(loss=(runs.loss.dims, rng.random(runs.loss.shape))) for name, runs in data.items()}
    chosen = {}
    for by in ("final_loss", "best_loss"):
        study: Any = running.study_of(config | {"evaluation": {"seeds": 2, "by": by}})
        plans = evaluation_plans(study, data.__getitem__).values()
        chosen[by] = {(p.problem.name, p.optimizer.label): p.optimizer.specs()[p.setting[0]] for p in plans}
        for (problem, label), spec in chosen[by].items():
            best = best_settings(data[problem], by)
            assert spec == best.spec.values[best.optimizer.values == label][0]
    assert chosen["final_loss"] != chosen["best_loss"]


def test_every_start_has_every_setting_and_seed(config):
    points = [[0.0, 0.0], [-1.0, 2.0]]
    config["problem"] = [{"name": "rosenbrock", "starts": points}]
    runs = al.run(config)["rosenbrock"].ds
    assert runs.sizes["run"] == 2 * 30
    np.testing.assert_array_equal(runs.params.values[:, 0], np.array(points, np.float32)[runs.start.values])
    instances = zip(runs.spec.values, runs.start.values, runs.seed.values, strict=True)
    assert len({*instances}) == 60


def test_folders_of_other_things_are_refused(config, tmp_path):
    (tmp_path / "results.zarr").mkdir()
    (tmp_path / "results.zarr" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    with pytest.raises(StoreError, match="a store that adamlab did not write"):
        al.run(config, tmp_path)


def test_an_evaluation_that_was_cut_off_does_not_stand_in_the_way_of_another(config, tmp_path):
    config["optimizer"] = config["optimizer"][:1]
    config["evaluation"] = {"seeds": 9}
    with pytest.MonkeyPatch.context() as patch:
        killed_at(patch, 7 * 4)  # three blocks of the tuning, and one of two of the evaluation
        with pytest.raises(Killed):
            al.run(config, tmp_path)
    config["seeds"] = 4
    identical(al.run(config, tmp_path), al.run(config))


@pytest.mark.slow
def test_a_seed_of_an_evaluation_can_become_one_of_the_tuning(config, tmp_path):
    config["optimizer"] = [{"name": "optax.sgd", "learning_rate": 1e-3}]
    for seeds in (1, 2):
        config |= {"seeds": seeds, "evaluation": {"seeds": 1}}
        runs = al.run(config, tmp_path)["rosenbrock"].ds
        assert runs.seed.values.tolist() == [*range(seeds + 1)]
        assert runs.done.values.all()
    del config["evaluation"]
    plain = al.run(config, tmp_path)["rosenbrock"].ds
    assert "stage" not in plain.coords
    assert plain.seed.values.tolist() == [0, 1]


def test_results_of_another_kind_are_refused(config, tmp_path):
    readings = {"name": "kind", "reading": [{"spec": "optax.sgd(0.1, momentum=0.9)"}]}
    al.run(readings, tmp_path)
    with pytest.raises(StoreError, match="holds the results of a config that differs"):
        al.run(config, tmp_path)
    assert [*al.load(tmp_path).children] == ["readings"]
    al.run(config, tmp_path, fresh=True)
    with pytest.raises(StoreError, match="holds the results of a config that differs"):
        al.run(readings, tmp_path)


@pytest.mark.optimized(True)
@pytest.mark.slow
def test_runs_are_the_same_among_three_and_among_hundreds(monkeypatch):
    monkeypatch.undo()  # blocks as they come
    for name, options in (("rosenbrock", {"dim": 30}), ("quadratic", {"dim": 50}), ("branin", {})):
        few, many = (
            al.run(
                {
                    "name": "many",
                    "steps": 20,
                    "seeds": seeds,
                    "record": {"every": 20, "what": ["loss", "gradient_norm", "distance"]},
                    "problem": [{"name": name, **options}],
                    "optimizer": [{"name": "adamlab.adam", "learning_rate": 0.01}],
                }
            )[name].ds
            for seeds in (3, 3000 if name == "branin" else 300)
        )
        for quantity in ("loss", "gradient_norm", "distance", "final_params"):
            np.testing.assert_array_equal(many[quantity].values[:3], few[quantity].values, err_msg=f"{name} {quantity}")


def without_numbers():
    """The full names of all optimizers and transformations that need no argument and run on vectors."""
    return [
        f"{library}.{name}"
        for library in LIBRARIES
        for name, factory in optimizers(library).items()
        if name != "scale_by_muon" and not any(argument.required for argument in arguments(factory).values())
    ]


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["optax.contrib.prodigy"], marks=pytest.mark.slow),
        ["optax.contrib.momo", "adamlab.adadelta"],
        pytest.param(without_numbers(), marks=pytest.mark.slow),
    ],
    ids=["alone", "beside others", "all"],
)
def test_optimizers_without_a_number_are_stored_as_others_are(config, tmp_path, names):
    plain = [{"name": name} for name in names]
    config |= {"steps": 2, "record": {"every": 1}, "problem": [{"name": "beale"}]}
    config["optimizer"] = plain + config["optimizer"][1:] * (len(names) > 1)
    tree = al.run(config, tmp_path)
    runs = al.load(tmp_path)["beale"].ds
    xr.testing.assert_identical(runs, tree["beale"].ds)
    assert [*dict.fromkeys(runs.optimizer.values.tolist())][: len(names)] == names
    assert [*dict.fromkeys(runs.spec.values.tolist())][: len(names)] == [f"{name}()" for name in names]
    assert runs.attrs["settings"] == ["learning_rate"] * (len(names) > 1)
    listener = Notes()
    identical(al.run(config, tmp_path, listener=listener), tree)
    assert listener.runs == 0


def test_results_of_an_optimizer_that_the_reader_does_not_know_have_no_twins(config, tmp_path, monkeypatch):
    config["optimizer"] = [{"name": name, "learning_rate": 1e-3} for name in ("adamlab.sgd", "optax.sgd")]
    runs = al.run(config, tmp_path)["rosenbrock"].ds
    assert (runs.optax_run.values[:3] >= 0).all()
    known = specs.find
    for gone in ("optax.sgd", "adamlab.sgd"):

        def find(name, gone=gone):
            return known("optax.gone" if name == gone else name)

        with monkeypatch.context() as patch:
            patch.setattr(specs, "find", find)
            read = al.load(tmp_path)["rosenbrock"].ds
        assert (read.optax_run.values == -1).all()
        assert np.isnan(read.params_difference.values).all()
        twins = ["optax_run", "params_difference", "loss_difference"]
        xr.testing.assert_identical(read.drop_vars(twins), runs.drop_vars(twins))
