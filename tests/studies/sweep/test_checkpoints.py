"""Long runs: cut in time they have the same bits, and a run that is killed goes on from its checkpoint."""

import copy
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import adamlab as al
from adamlab import running
from adamlab.studies.engine import execution, program
from adamlab.studies.progress import Listener
from adamlab.studies.store.checkpoints import CHECKPOINTS, Checkpoints
from adamlab.studies.sweep import programs, worker

pytestmark = [
    pytest.mark.filterwarnings("ignore:Specifying a key"),  # of noisy_sgd, whose state has one
    pytest.mark.optimized(False),  # the bits are those of one program, cut or not
]

CONFIG = {
    "name": "long",
    "steps": 50,
    "seeds": [3, 4],
    "record": {"every": 12, "what": ["loss", "m_hat", "gradient_norm", "steps_to_target"], "target": 2.0},
    "problem": [{"name": "beale"}, {"name": "digits_softmax", "batch_size": 4}],
    "optimizer": [
        {"name": "adamlab.adam", "learning_rate": [0.1, 1e30], "b2": [0.9, 0.99]},
        {"name": "optax.noisy_sgd", "learning_rate": 0.001},
    ],
}


BRIEF = CONFIG | {"problem": CONFIG["problem"][:1], "optimizer": CONFIG["optimizer"][:1]}
"""The same of one program."""


class Progress(Listener):
    """A listener that adds up the runs that were announced, and what is done of them."""

    def __init__(self):
        self.announced, self.done = 0, [0.0]

    def begin(self, runs, steps):
        self.announced = runs

    def advance(self, runs):
        self.done.append(self.done[-1] + runs)

    def assert_complete(self, least):
        """Assert that so many advances at least came to the whole."""
        assert len(self.done) > least
        assert (np.diff(self.done) >= 0).all()
        assert self.done[-1] == pytest.approx(self.announced)


class Killed(BaseException):
    """The end of the process, as far as the code can tell: nothing catches it."""


@pytest.fixture(autouse=True)
def short_calls(monkeypatch):
    """Calls of a step or a few, with a checkpoint after each; no pictures."""
    monkeypatch.setattr(programs, "_prepared", program.prepare)  # programs that are kept have calls of other lengths
    monkeypatch.setattr(program, "CALL", 50)
    monkeypatch.setattr(program, "NETWORK_CALL", 50)
    monkeypatch.setattr(execution, "SECONDS", 0.0)
    monkeypatch.setattr(worker, "PAUSE", -1.0)
    monkeypatch.setattr(running, "write_products", lambda *arguments: None)


@pytest.fixture(scope="module")
def whole():
    """The results, each run in one call."""
    return al.run(copy.deepcopy(CONFIG))


@pytest.fixture(scope="module")
def brief():
    """The results of the brief study, each run in one call."""
    return al.run(copy.deepcopy(BRIEF))


def run(folder=None, config=CONFIG, **options):
    return al.run(copy.deepcopy(config), folder, **options)


def identical(tree, expected):
    assert [*tree.children] == [*expected.children]
    for name in tree.children:
        xr.testing.assert_identical(tree[name].to_dataset(), expected[name].to_dataset())


def watch_begins(monkeypatch):
    """The steps that blocks are computed from, from here on."""
    begins, carry = [], execution._carry

    def watched(of, snapshot):
        begins.append(0 if snapshot is None else snapshot.step)
        return carry(of, snapshot)

    monkeypatch.setattr(execution, "_carry", watched)
    return begins


def kill(monkeypatch, folder, saves, config=CONFIG):
    """Run until so many checkpoints are saved; the path of the last, and the steps that it is after."""
    save, remaining = Checkpoints.save, iter(range(saves - 1))

    def saved(self, block, snapshot):
        save(self, block, snapshot)
        if next(remaining, None) is None:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", saved)
        with pytest.raises(Killed):
            run(folder, config)
    (checkpoint,) = folder.glob(f"{CHECKPOINTS}/*.npz")
    with checkpoint.open("rb") as stream, np.load(stream) as file:
        return checkpoint, int(file["step"])


def assert_goes_on(expected, folder, monkeypatch, saves, config):
    _, done = kill(monkeypatch, folder, saves, config)
    begins, progress = watch_begins(monkeypatch), Progress()
    identical(run(folder, config, listener=progress), expected)
    progress.assert_complete(least=2)
    assert begins[0] == done > 0
    assert set(begins[1:]) <= {0}


def test_runs_that_are_cut_in_time_have_the_same_bits(whole, tmp_path):
    progress = Progress()
    identical(run(tmp_path, listener=progress), whole)
    progress.assert_complete(least=CONFIG["steps"])
    assert not (tmp_path / CHECKPOINTS).exists()  # what is done needs none


def test_a_killed_run_goes_on_from_its_checkpoint(brief, tmp_path, monkeypatch):
    assert_goes_on(brief, tmp_path, monkeypatch, 9, BRIEF)


@pytest.mark.slow
@pytest.mark.parametrize("saves", [1, 15, 20, 33, 60, 80, 81, 100, 125])
def test_a_killed_run_of_any_program_goes_on_from_its_checkpoint(whole, tmp_path, monkeypatch, saves):
    assert_goes_on(whole, tmp_path, monkeypatch, saves, CONFIG)


def test_a_checkpoint_that_cannot_be_trusted_is_not_used(brief, tmp_path, monkeypatch):
    checkpoint, _ = kill(monkeypatch, tmp_path / "killed", 9, BRIEF)
    begins = watch_begins(monkeypatch)
    for name in ("CALL", "NETWORK_CALL"):
        monkeypatch.setattr(program, name, 10**8)

    with monkeypatch.context() as patch:
        patch.setattr("adamlab.studies.store.checkpoints.versions", lambda: {"jax": "another"})
        identical(run(shutil.copytree(tmp_path / "killed", tmp_path / "other versions"), BRIEF), brief)
    run(shutil.copytree(tmp_path / "killed", tmp_path / "fresh"), BRIEF, fresh=True)
    content = checkpoint.read_bytes()
    halved = shutil.copytree(tmp_path / "killed", tmp_path / "halved")
    (halved / CHECKPOINTS / checkpoint.name).write_bytes(content[: len(content) // 2])
    identical(run(halved, BRIEF), brief)
    assert set(begins) == {0}


@pytest.mark.slow
def test_no_flipped_bit_of_a_checkpoint_is_taken_for_a_value(tmp_path, monkeypatch):
    """Whatever is read of a damaged file is what was saved, or nothing."""
    of_block = {}
    load = Checkpoints.load
    checkpoint, _ = kill(monkeypatch, tmp_path, 9)
    monkeypatch.setattr(Checkpoints, "load", lambda self, blocks: of_block.setdefault(self, load(self, blocks)))
    with monkeypatch.context() as patch:
        patch.setattr(worker, "execute", None)
        with pytest.raises(TypeError):
            run(tmp_path)
    ((checkpoints, saved),) = of_block.items()
    content, generator = checkpoint.read_bytes(), np.random.default_rng(0)
    for at in generator.integers(0, len(content), 300):
        flipped = content[at] ^ (1 << generator.integers(8))
        checkpoint.write_bytes(content[:at] + bytes([flipped]) + content[at + 1 :])
        for block, snapshot in load(checkpoints, saved).items():
            assert snapshot.step == saved[block].step
            jax.tree.map(np.testing.assert_array_equal, snapshot[1:], saved[block][1:])
    assert saved


def test_keys_and_short_floats_come_back_from_a_checkpoint():
    """The leaves of a carry that NumPy's files do not know: keys of random numbers, and bfloat16."""
    key, short = jax.random.split(jax.random.key(3), 2), jnp.arange(2, dtype=jnp.bfloat16) / 3
    for leaf in (key, short):
        shape = jax.eval_shape(lambda leaf=leaf: leaf)
        raw = np.asarray(execution._raw(leaf))
        again = execution._typed_leaf(raw.view(f"V{raw.itemsize}") if leaf is short else raw, shape)
        np.testing.assert_array_equal(np.asarray(execution._raw(jnp.asarray(again))), raw)
        assert again.dtype == leaf.dtype
