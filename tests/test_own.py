"""Code of the user's own: modules asked for by name, what is registered, and results that depend on their text."""

import sys
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import adamlab as al
from adamlab import own, running, schedules
from adamlab.calls import SpecError
from adamlab.errors import InputError
from adamlab.optimizers import REGISTERED
from adamlab.problems.registry import PROBLEMS
from adamlab.specs import find, parse
from adamlab.studies.progress import Listener

pytestmark = pytest.mark.optimized(False)

MINE = """
import jax, jax.numpy as jnp, optax
import adamlab as al

def half(learning_rate, factor: float = 0.5):
    return optax.sgd(lambda t: factor * (learning_rate(t) if callable(learning_rate) else learning_rate))

def hold(init, steps: int = 5) -> optax.Schedule:
    return lambda count: jnp.where(count < steps, init, 0.0)

def nothing():
    return 7

def well(depth: float = 1.0) -> al.problems.Problem:
    return al.problems.register("deep-well", lambda w: depth * jnp.sum(w**2), start=[1.0, 2.0])

al.problems.register("hole", lambda w: jnp.sum((w - 1) ** 2), start=[3.0, 4.0])
al.optimizers.register("tenth", lambda lr=0.1: optax.sgd(lr / 10))
al.schedules.register("flat", lambda init: lambda count: init)
"""

CONFIG = {
    "name": "own",
    "steps": 3,
    "problem": [{"name": "hole"}],
    "optimizer": [{"spec": "mine.half(lr)", "lr": [0.1, 0.2]}, {"spec": "optax.sgd(0.1)"}],
}


class Notes(Listener):
    def __init__(self):
        self.lines: list[str] = []
        self.runs = 0

    def note(self, text):
        self.lines.append(text)

    def begin(self, runs, steps):
        self.runs = runs


@pytest.fixture(autouse=True)
def _forget():
    """Forget what a test imports and registers."""
    registries: list[Any] = [own.MODULES, own._registered, REGISTERED, schedules.SCHEDULES, PROBLEMS]
    before, places = [dict(registry) for registry in registries], [*sys.path]
    yield
    sys.path[:] = places
    for name in own.MODULES:
        sys.modules.pop(name, None)
    for registry, entries in zip(registries, before, strict=True):
        registry.clear()
        registry.update(entries)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    monkeypatch.setattr(running, "write_products", lambda *arguments: None)


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


def run(path, folder, config=None):
    notes = Notes()
    return al.run(CONFIG | (config or {}), folder, imports=[str(path)], listener=notes), notes


def test_functions_are_optimizers_and_schedules_by_the_files_name(mine):
    own.load(str(mine))
    w = jnp.ones(2)
    for spec, rate in {
        "mine.half(0.2)": 0.1,
        "mine.half(0.2, factor=0.25)": 0.05,
        "mine.tenth(lr=1)": 0.1,
        "optax.sgd(mine.hold(0.3))": 0.3,
        "optax.sgd(mine.flat(0.4))": 0.4,
        "mine.half(mine.hold(0.3))": 0.15,
        "optax.chain(optax.scale(2.0), mine.half(0.2))": 0.2,
    }.items():
        tx = parse(spec).build()
        np.testing.assert_allclose(tx.update(w, tx.init(w), w)[0], [-rate] * 2, rtol=1e-6, err_msg=spec)
    assert str(parse("mine.half(lr)")) == "mine.half(learning_rate=lr)"
    assert al.closed_form("mine.half").text().startswith("u_t = -η·factor·g_t")
    assert al.compare("mine.half(0.2)", "optax.sgd(0.1)", steps=20).identical
    verdict = al.prove("mine.half(lr)", "optax.sgd(lr)")
    assert verdict.status == "refuted"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mine.halve(0.1)", 'mine.py has no function "halve"; did you mean "half"?'),
        ("mine.half(0.1, factr=1.0)", 'did you mean "factor"?'),
        ("mine._hidden(0.1)", 'mine.py has no function "_hidden"'),
        ("yours.half(0.1)", 'no library "yours" is known; if yours is code of your own, import it: --import yours.py'),
        ("optax.sgd(yours.hold(0.1))", "--import yours.py"),
        ("torch.RMSporp(0.1)", 'no optimizer "torch.RMSporp" that is read; did you mean "RMSprop"'),
    ],
)
def test_what_is_no_function_of_the_users_is_refused(mine, text, message):
    own.load(str(mine))
    with pytest.raises(SpecError) as refusal:
        parse(text)
    assert message in str(refusal.value)


def test_what_makes_no_transformation_is_told(mine):
    own.load(str(mine))
    with pytest.raises(SpecError, match=r"nothing has to make a transformation with init and update.*7"):
        parse("mine.nothing()").build()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\nraise KeyError('why')", "line 2, KeyError: 'why'"),
        ("def f(:", "invalid syntax"),
        ("import sys\nsys.exit(3)", "line 2, SystemExit: 3"),
        ("import a_module_that_is_not_here", "line 1, ModuleNotFoundError"),
    ],
)
def test_a_module_that_raises_is_told_in_one_message(tmp_path, text, message):
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        own.load(str(path))
    assert message in str(refusal.value)
    assert str(refusal.value).startswith(f"{path} cannot be imported: ")


@pytest.mark.parametrize("name", ["optax.py", "json.py", "cgi.py", "flax.py", "2x.py", "a-b.py", "class.py"])
def test_names_of_other_modules_are_refused(tmp_path, name):
    (tmp_path / name).write_text("")
    with pytest.raises(InputError, match="cannot be imported"):
        own.load(str(tmp_path / name))


def test_a_file_or_module_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        own.load(str(tmp_path / "mine.py"))
    with pytest.raises(InputError, match="nowhere_to_be_seen cannot be imported: ModuleNotFoundError"):
        own.load("nowhere_to_be_seen")


def test_an_installed_module_is_imported_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "lab_of_mine").mkdir()
    (tmp_path / "lab_of_mine" / "__init__.py").write_text("")
    (tmp_path / "lab_of_mine" / "steps.py").write_text("import optax\ndef slow(lr=0.1): return optax.sgd(lr)\n")
    monkeypatch.syspath_prepend(tmp_path)
    own.load("lab_of_mine.steps")
    tx = parse("lab_of_mine.steps.slow(lr=0.5)").build()
    assert tx.update(jnp.ones(()), tx.init(0.0))[0] == -0.5


def test_a_study_computes_what_code_has_changed_and_nothing_else(mine, tmp_path):
    folder = tmp_path / "results"
    before, notes = run(mine, folder)
    assert notes.runs == 3
    again, notes = run(mine, folder)
    assert notes.runs == 0
    np.testing.assert_array_equal(again["hole"].ds["loss"], before["hole"].ds["loss"])

    mine.write_text(MINE.replace("factor: float = 0.5", "factor: float = 0.6"))
    changed, notes = run(mine, folder)
    assert notes.runs == 3  # all are of a problem of the same file
    assert any("optimizer mine.half, problem hole" in line or "problem hole" in line for line in notes.lines)
    assert (changed["hole"].ds["loss"].values[:2, -1] != before["hole"].ds["loss"].values[:2, -1]).all()
    np.testing.assert_array_equal(changed["hole"].ds["loss"].values[2], before["hole"].ds["loss"].values[2])


@pytest.mark.slow
def test_what_an_own_optimizer_has_computed_on_built_in_problems_is_computed_anew(mine, tmp_path):
    built_in = {"problem": [{"name": "quadratic"}]}
    run(mine, tmp_path / "other", built_in)
    mine.write_text(MINE.replace("factor: float = 0.5", "factor: float = 0.7"))
    _, notes = run(mine, tmp_path / "other", built_in)
    assert notes.runs == 2  # Optax's are kept
    assert any("mine.half" in line and "changed" in line for line in notes.lines)
    more = built_in | {"optimizer": [*CONFIG["optimizer"], {"spec": "optax.sgd(0.3)"}]}
    _, notes = run(mine, tmp_path / "other", more)
    assert notes.runs == 1  # nothing of what is outdated stands in the way of further runs


@pytest.mark.slow
def test_what_is_left_out_while_its_code_changes_is_computed_anew_when_it_comes_back(mine, tmp_path):
    run(mine, tmp_path)
    few = {"optimizer": CONFIG["optimizer"][:1]}
    mine.write_text(MINE.replace("(w - 1) ** 2", "(w - 2) ** 2"))
    _, notes = run(mine, tmp_path, few)
    assert notes.runs == 2
    again, notes = run(mine, tmp_path)
    assert notes.runs == 1
    assert float(again["hole"].ds["loss"][2, 0]) == (3 - 2) ** 2 + (4 - 2) ** 2


def rate(spec: str) -> float:
    tx = parse(spec).build()
    return -float(tx.update(jnp.ones(()), tx.init(jnp.ones(())))[0])


@pytest.mark.one_case_in(3)
@pytest.mark.parametrize(
    ("how", "use"),
    [
        ("import helping_hand", "helping_hand.RATE"),
        ("from helping_hand import RATE", "RATE"),
        ("import helping_hand as h", "h.make()"),
        ("def late():\n    import helping_hand\n    return helping_hand.RATE", "late()"),
        ("import between", "between.RATE"),
        ("import importlib", "importlib.import_module('helping_hand').RATE"),
    ],
)
def test_the_text_beside_a_module_counts_and_is_executed_anew(tmp_path, how, use):
    (tmp_path / "using.py").write_text(f"import optax\n{how}\ndef slow(): return optax.sgd({use})\n")
    (tmp_path / "between.py").write_text("from helping_hand import RATE\n")
    text = "RATE = 0.1\ndef make(): return RATE\n"
    (tmp_path / "helping_hand.py").write_text(text)
    before = own.load(str(tmp_path / "using.py")).digest
    (tmp_path / "unrelated.py").write_text("")
    assert own.load(str(tmp_path / "using.py")).digest == before
    assert rate("using.slow()") == pytest.approx(0.1)
    (tmp_path / "helping_hand.py").write_text(text.replace("0.1", "0.2"))
    assert own.load(str(tmp_path / "using.py")).digest != before
    assert rate("using.slow()") == pytest.approx(0.2)


@pytest.mark.parametrize("how", ["from lab_around.core import RATE", "from ..core import RATE", "from .. import core"])
def test_the_text_of_a_package_counts(tmp_path, monkeypatch, how):
    inner = tmp_path / "lab_around" / "opts"
    inner.mkdir(parents=True)
    for folder in (inner, inner.parent):
        (folder / "__init__.py").write_text("")
    use = "core.RATE" if how.endswith("core") else "RATE"
    (inner / "my.py").write_text(f"import optax\n{how}\ndef slow(): return optax.sgd({use})\n")
    (inner.parent / "core.py").write_text("RATE = 0.1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = own.load("lab_around.opts.my").digest
    assert rate("lab_around.opts.my.slow()") == pytest.approx(0.1)
    (inner.parent / "core.py").write_text("RATE = 0.2\n")
    assert own.load("lab_around.opts.my").digest != before
    assert rate("lab_around.opts.my.slow()") == pytest.approx(0.2)
    for name in [name for name in sys.modules if name.startswith("lab_around")]:
        del sys.modules[name]


def test_modules_that_are_asked_for_together_have_names_of_their_own(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(MINE)
    with pytest.raises(InputError, match=r"mine is .*a/mine.py already"):
        own.load_all([str(tmp_path / "a" / "mine.py"), str(tmp_path / "b" / "mine.py")])
    own.load_all([str(tmp_path / "b" / "mine.py")])
    (tmp_path / "other.py").write_text(MINE)
    with pytest.raises(InputError, match='mine and other both register a problem "hole"'):
        own.load_all([str(tmp_path / "b" / "mine.py"), str(tmp_path / "other.py")])
    own.load_all([str(tmp_path / "other.py")])


def test_a_folder_is_no_module(tmp_path, monkeypatch):
    (tmp_path / "empty_folder").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"empty_folder is a folder; import a file in it"):
        own.load("empty_folder")


def test_a_problem_of_ones_own_that_is_wrong_is_told(tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text(
        "import adamlab as al, jax.numpy as jnp\n"
        "def ball() -> al.problems.Problem:\n"
        "    return al.problems.get('beale').__class__('ball', lambda w, b: w, lambda k: w, lambda w: w, 2)\n"
        "def raising() -> al.problems.Problem:\n    raise KeyError('why')\n"
    )
    for name, told in (("ball", "wrong.ball is no problem that can be run"), ("raising", "KeyError|why")):
        with pytest.raises(InputError, match=told):
            run(path, None, {"problem": [{"name": f"wrong.{name}"}], "optimizer": [{"spec": "optax.sgd(0.1)"}]})


def test_numbers_that_code_branches_on_cannot_be_swept(tmp_path):
    path = tmp_path / "branching.py"
    path.write_text("import optax\ndef step(lr): return optax.sgd(lr if lr > 0.1 else 0.0)\n")
    config = {"problem": [{"name": "quadratic"}]}
    with pytest.raises(InputError, match="its code asks in Python how large a number is"):
        run(path, None, config | {"optimizer": [{"spec": "branching.step(lr)", "lr": [0.1, 0.2]}]})
    compiled = {"spec": "branching.step(lr)", "lr": {"compiled": [0.05, 0.2]}}
    runs = run(path, None, config | {"optimizer": [compiled]})[0]["quadratic"].ds
    assert runs.optimizer.values.tolist() == [f"branching.step(lr) (lr={lr})" for lr in (0.05, 0.2)]
    assert (runs.loss.values[:, -1] != runs.loss.values[:, 0]).tolist() == [False, True]
    with pytest.raises(InputError, match=r"expected \{ compiled = \[0.1, 0.2\] \}, a list of numbers; got 0.1"):
        run(path, None, config | {"optimizer": [compiled | {"lr": {"compiled": 0.1}}]})


def test_comparisons_and_readings_depend_on_the_text(mine, tmp_path):
    comparisons = {
        "name": "c",
        "steps": 5,
        "compare": [{"left": "mine.half(0.2)", "right": "optax.sgd(0.1)", "exact": False, "families": ["normal"]}],
    }
    readings = {"name": "r", "steps": 2, "reading": [{"spec": "optax.chain(optax.trace(0.9), mine.half(lr))"}]}
    for name, config in {"comparisons": comparisons, "readings": readings}.items():
        mine.write_text(MINE)
        al.run(config, tmp_path / name, imports=[str(mine)])
        notes = Notes()
        al.run(config, tmp_path / name, imports=[str(mine)], listener=notes)
        assert not any("changed" in line for line in notes.lines)
        mine.write_text(MINE.replace("0.5", "0.25"))
        notes = Notes()
        tree = al.run(config, tmp_path / name, imports=[str(mine)], listener=notes)
        assert any("mine.half" in line and "changed" in line for line in notes.lines)
        if name == "comparisons":
            assert tree["comparisons"].ds["verdict"].values[0] != "bit-identical"


def test_results_are_read_where_the_module_is_not(mine, tmp_path):
    results, _ = run(mine, tmp_path / "results")
    own.MODULES.clear()
    del sys.modules["mine"]
    own._registered.clear()
    loaded = al.load(tmp_path / "results")
    np.testing.assert_array_equal(loaded["hole"].ds["loss"], results["hole"].ds["loss"])
    with pytest.raises(InputError, match=r"--import mine\.py"):
        al.run(CONFIG, tmp_path / "results")


def test_own_problems_have_options(mine):
    results, _ = run(mine, None, {"problem": [{"name": "mine.well", "depth": [1.0, 2.0]}, {"name": "mine.hole"}]})
    assert set(results.children) == {"well-depth=1", "well-depth=2", "hole"}
    first = [results[f"well-depth={d}"].ds["loss"].values[2, 0] for d in (1, 2)]
    np.testing.assert_allclose(first, [5, 10])


def test_what_is_registered_in_python_is_computed_anew(tmp_path):
    config = CONFIG | {"problem": [{"name": "quadratic"}], "optimizer": [{"spec": "here.slow(lr)", "lr": 0.1}]}
    al.optimizers.register("here.slow", lambda lr: optax.sgd(1 * lr))
    al.run(config, tmp_path)
    notes = Notes()
    al.run(config, tmp_path, listener=notes)
    assert notes.runs == 0
    al.optimizers.register("here.slow", lambda lr: optax.sgd(2 * lr))
    faster = al.run(config, tmp_path, listener=notes)
    assert notes.runs == 1
    assert any("here.slow" in line for line in notes.lines)
    expected = al.run(config | {"optimizer": [{"spec": "optax.sgd(0.2)"}]})
    np.testing.assert_array_equal(faster["quadratic"].ds["loss"], expected["quadratic"].ds["loss"])


def test_what_a_broken_module_has_registered_is_computed_anew(mine):
    digest = own.load(str(mine)).digest
    assert own.digest_of("optimizer", "mine.tenth") == own.digest_of("problem", "hole") == digest
    mine.write_text(MINE.replace("lr / 10", "lr / 20") + "raise ValueError\n")
    with pytest.raises(InputError, match="ValueError"):
        own.load(str(mine))
    assert own.digest_of("optimizer", "mine.tenth") not in ("", "mine", digest)
    assert own.digest_of("problem", "hole") not in ("", "mine", digest)
    mine.write_text(MINE)
    assert own.load(str(mine)).digest == own.digest_of("optimizer", "mine.tenth") == digest


@pytest.mark.parametrize("name", ["optax.mine", "adamlab.x", "two words", "", "1st"])
def test_names_that_cannot_be_registered(name):
    registers: list[Any] = [al.optimizers.register, al.schedules.register]
    for register in registers:
        with pytest.raises(InputError, match="the name of an optimizer or a schedule"):
            register(name, optax.sgd)


def test_only_functions_are_registered_and_built_in_schedules_stay():
    nothing: Any = 3
    with pytest.raises(InputError, match="expected a function that makes the optimizer"):
        al.optimizers.register("mine.tx", nothing)
    with pytest.raises(InputError, match='"cosine" of adamlab'):
        al.schedules.register("cosine", lambda init: init)
    assert schedules.SCHEDULES["cosine"] is schedules.cosine
    assert find("optax.adam") is optax.adam
    assert "hole" not in PROBLEMS


@pytest.mark.slow
def test_the_example_of_init_runs(adamlab, tmp_path):
    said = adamlab("init", "first.py", cwd=tmp_path).stdout
    assert said.splitlines()[-1] == "Now run:  adamlab run first.toml --import first.py"
    refused = adamlab("init", "first.py", cwd=tmp_path)
    assert refused.returncode == 2
    assert "first.py exists" in refused.stderr
    small = ["--set", "steps=3", "--set", "seeds=1", "--set", "output=[]"]
    done = adamlab("run", "first.toml", "--import", "first.py", *small, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "cautious, warmed up" in done.stdout
    assert "first.cautious_adam" in adamlab("list", "optimizers", "--import", "first.py", cwd=tmp_path).stdout
    for name in ("first.txt", "1st.py", "optax.py", "json.py", "flax.py"):
        assert "such as mine.py" in adamlab("init", name, cwd=tmp_path).stderr
