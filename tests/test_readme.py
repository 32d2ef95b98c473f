"""The README keeps its word: early formula, block and picture; blocks that run; what it lists is what there is."""

import re
import tomllib
from pathlib import Path

import optax
import pytest

import adamlab as al
from adamlab.plots import PLOTS_OF
from adamlab.rules import PARTS, RULES
from adamlab.running import study_of
from adamlab.studies.comparisons import Comparisons
from adamlab.studies.study import Study

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


def test_the_third_block_runs(monkeypatch, tmp_path, capsys):
    (tmp_path / "experiments").mkdir()
    quick = (ROOT / "experiments/quickstart.toml").read_text(encoding="utf-8")
    small = re.sub(r"^steps = .*$", "steps = 20", quick, flags=re.MULTILINE)
    (tmp_path / "experiments/quickstart.toml").write_text(small, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks("python")[2], "README.md", "exec"), {"al": al})
    assert (tmp_path / "trajectories.svg").exists()
    assert "adamlab.adam" in capsys.readouterr().out


def test_the_config_of_the_readme_is_valid():
    example, _ = blocks("toml")
    study = study_of(tomllib.loads(example))
    assert isinstance(study, Study)
    assert [o.label for o in study.optimizers] == ["adamlab.adam", "rmsprop"]
    assert len(study.optimizers[0].settings()) == 21
    assert all(kind in example for kind in PLOTS_OF["runs"])


def test_the_comparisons_of_the_readme_are_valid():
    _, example = blocks("toml")
    study = study_of(tomllib.loads(example))
    assert isinstance(study, Comparisons)
    assert len(study.pairs) == 6
    assert all(kind in example for kind in PLOTS_OF["comparisons"])


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.toml")), ids=lambda path: path.name)
def test_every_experiment_is_valid_and_listed(path):
    study_of(tomllib.loads(path.read_text(encoding="utf-8")))
    assert f"`{path.name}`" in (ROOT / "experiments/README.md").read_text(encoding="utf-8")


def test_every_optimizer_is_named():
    assert all(f"`al.{name}`" in README for name in [*RULES, *PARTS])
