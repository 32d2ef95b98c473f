"""The README keeps its word: early formula, block and picture; blocks that run; what it lists is what there is."""

import re
import shlex
import sys
import tomllib
from pathlib import Path

import jax.numpy as jnp
import optax
import pytest

import adamlab as al
from adamlab.cli import app, main
from adamlab.plots import PLOTS_OF
from adamlab.problems.registry import BUILT_IN
from adamlab.rules import PARTS, RULES
from adamlab.running import study_of
from adamlab.studies.config.comparisons import Comparisons
from adamlab.studies.config.readings import Readings
from adamlab.studies.config.study import Study

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_formula_block_and_picture_come_before_line_40():
    head = "\n".join(README.splitlines()[:39])
    assert "$$" in head
    assert "```python" in head
    (picture,) = re.findall(r"!\[.*?\]\((.*?)\)", head)
    assert (ROOT / picture).exists()


def test_the_first_block_prints_what_it_says(capsys):
    exec(compile(blocks("python")[0], "README.md", "exec"), {})
    assert capsys.readouterr().out.strip() == re.findall(r"# (\[.*?\])", README)[0]


def test_the_second_block_compares_and_reads_exactly(capsys):
    exec(compile(blocks("python")[1], "README.md", "exec"), {"al": al, "optax": optax})
    assert "the same formula, rounded differently" in capsys.readouterr().out


def test_the_third_block_reads_formulas_and_proves(capsys):
    block = blocks("python")[2]
    exec(compile(block, "README.md", "exec"), {"al": al, "optax": optax})
    shown = capsys.readouterr().out.splitlines()
    assert f'print(u.states[2]["nu"])  # {shown[0]}, as SymPy has it' in block
    assert shown[2] in blocks("text")[0].splitlines()
    assert f"print(v.status, v.horizon, v.explanation)  # {shown[-2]}" in block
    assert shown[-1].startswith("with learning_rate = 1")


SESSION = [part.split("\n", 1) for part in blocks("text")[0].strip().split("\n\n")]


@pytest.mark.parametrize(("command", "output"), SESSION, ids=[command for command, _ in SESSION])
def test_the_command_line_says_what_the_readme_shows(command, output, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", shlex.split(command.removeprefix("$ ")))
    with pytest.raises(SystemExit) as stopped:
        main()
    assert capsys.readouterr().out.strip() == output
    assert bool(stopped.value.code) is ("\nrefuted: " in f"\n{output}")


def test_a_derivation_says_what_the_readme_shows(monkeypatch, capsys):
    command, *lines = blocks("text")[1].splitlines()
    monkeypatch.setattr(sys, "argv", shlex.split(command.removeprefix("$ ")))
    with pytest.raises(SystemExit):
        main()
    shown = capsys.readouterr().out
    parts = "\n".join(lines).split("\n …\n")
    assert all(part.removeprefix(" …\n").strip("\n") in shown for part in parts)
    assert len(parts) == 2


def test_the_fourth_block_is_about_layers(capsys):
    block = blocks("python")[3]
    exec(compile(block, "README.md", "exec"), {"al": al, "jnp": jnp})
    shape, gradient = capsys.readouterr().out.splitlines()
    assert f"# {shape}" in block
    assert f"# {gradient}: ŷ − y" in block


def test_the_fifth_block_registers_a_problem(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks("python")[4], "README.md", "exec"), {"al": al, "jnp": jnp})
    del al.problems.PROBLEMS["bowl"]
    assert {path.name for path in tmp_path.iterdir()} == {"bowl.png", "beale.png"}


def test_the_last_block_runs(monkeypatch, tmp_path, capsys):
    (tmp_path / "experiments").mkdir()
    quick = (ROOT / "experiments/quickstart.toml").read_text(encoding="utf-8")
    small = re.sub(r"^steps = .*$", "steps = 20", quick, flags=re.MULTILINE)
    (tmp_path / "experiments/quickstart.toml").write_text(small, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks("python")[5], "README.md", "exec"), {"al": al})
    assert (tmp_path / "trajectories.svg").exists()
    assert "adamlab.adam" in capsys.readouterr().out


def test_the_config_of_the_readme_is_valid():
    example, *_ = blocks("toml")
    study = study_of(tomllib.loads(example))
    assert isinstance(study, Study)
    assert [o.label for o in study.optimizers] == ["adamlab.adam", "rmsprop"]
    assert study.optimizers[0].count == 21
    assert all(kind in example for kind in PLOTS_OF["runs"])


def test_the_comparisons_of_the_readme_are_valid():
    _, example, _ = blocks("toml")
    study = study_of(tomllib.loads(example))
    assert isinstance(study, Comparisons)
    assert len(study.pairs) == 6
    assert all(kind in example for kind in PLOTS_OF["comparisons"])


def test_the_readings_of_the_readme_are_valid():
    *_, example = blocks("toml")
    study = study_of(tomllib.loads(example))
    assert isinstance(study, Readings)
    assert [(read.states, read.fixed, len(read.settings())) for read in study.reads] == [(("mu", "nu"), {"b1": 0.9}, 3)]
    assert all(kind in example for kind in PLOTS_OF["readings"])


def test_every_command_and_public_name_is_told():
    commands = {
        command.name or (command.callback or main).__name__.replace("_", "-") for command in app.registered_commands
    }
    assert all(re.search(rf"^adamlab {command} ", README, re.MULTILINE) for command in commands)
    assert all(f"al.{name}" in README for name in dir(al) if name not in ("schedules", "problems"))


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.toml")), ids=lambda path: path.name)
def test_every_experiment_is_valid_and_listed(path):
    study_of(tomllib.loads(path.read_text(encoding="utf-8")))
    assert f"`{path.name}`" in (ROOT / "experiments/README.md").read_text(encoding="utf-8")


def test_every_problem_is_named():
    names = [name for name in BUILT_IN if not name.startswith(("mnist_", "fashion_mnist_", "cifar_10_"))]
    assert all(f"`{name}`" in README for name in names)


def test_every_optimizer_is_named():
    assert all(f"`al.{name}`" in README for name in [*RULES, *PARTS])
