"""The command line as a user sees it: files, exit codes, messages."""

import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image, ImageSequence

from adamlab.cli import main
from adamlab.problems import PROBLEMS

pytestmark = pytest.mark.optimized(False)

ROOT = Path(__file__).parents[1]

GOOD = """
name = "valley"
question = "Down?"
steps = 20
seeds = 2

[record]
every = 5

[[problem]]
name = "beale"

[[optimizer]]
name = "adamlab.adam"
learning_rate = [0.01, 0.1]

[[optimizer]]
name = "optax.adam"
learning_rate = [0.01, 0.1]
"""

BROKEN = {
    "typo in a key": (GOOD.replace("steps", "stepz"), 'stepz: there is no such key; did you mean "steps"?'),
    "steps as text": (GOOD.replace("steps = 20", 'steps = "20"'), "steps: "),
    "negative seeds": (GOOD.replace("seeds = 2", "seeds = -2"), "seeds: expected how many seeds"),
    "unknown problem": (GOOD.replace('"beale"', '"beal"'), 'did you mean "beale"?'),
    "unknown optimizer": (GOOD.replace("adamlab.adam", "adamlab.adm"), 'did you mean "adamlab.adam"?'),
    "unknown hyper-parameter": (GOOD.replace("learning_rate", "learning_rte"), 'did you mean "learning_rate"?'),
    "text for a number": (GOOD.replace("[0.01, 0.1]", '"fast"'), "optimizer[0].learning_rate: expected a number"),
    "broken range": (GOOD.replace("[0.01, 0.1]", "{ log = [1, 0.1, 3] }"), "low < high"),
    "no toml": (GOOD.replace("[[problem]]", "[[problem"), "is not valid TOML"),
    "code": (GOOD.replace('name = "adamlab.adam"', 'spec = "adamlab.adam(open(1))"'), 'there is no schedule "open"'),
    "no optimizer": (GOOD.partition("[[optimizer]]")[0], "optimizer: is missing"),
    "empty": ("", "the config has"),
}


@pytest.fixture(autouse=True)
def _wide_screen(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def in_a_shell(*arguments, cwd) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "adamlab", *map(str, arguments)]
    environment = os.environ | {"COLUMNS": "200"}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder in which a study was run from the command line, and what it printed."""
    folder = tmp_path_factory.mktemp("ran")
    (folder / "valley.toml").write_text(GOOD)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        patch.setenv("COLUMNS", "200")
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["adamlab", "run", "valley.toml"])
        with pytest.raises(SystemExit) as stopped:
            main()
    assert (stopped.value.code, err.getvalue()) == (0, "")
    return folder, out.getvalue()


def test_run_writes_everything_and_says_where(ran):
    folder, output = ran
    assert {path.name for path in (folder / "results/valley").iterdir()} == {
        "results.zarr",
        "summary.csv",
        "figures",
        "report.html",
    }
    assert "8 of 8 runs" in output
    assert "run-steps/s" in output
    assert "beale: largest difference from Optax" in output
    assert "are in results/valley" in output
    assert "\x1b" not in output  # plain lines, for this is no terminal


def test_plot_draws_from_results(adamlab, ran):
    folder, _ = ran
    result = adamlab("plot", "results/valley", "sensitivity", cwd=folder)
    assert (result.returncode, result.stdout) == (0, "results/valley/figures/beale-sensitivity.png\n")
    result = adamlab("plot", "results/valley", "curves", "--out", "a.svg", "--set", "what=loss", cwd=folder)
    assert result.returncode == 0
    assert (folder / "a.svg").read_text().startswith("<?xml")
    result = adamlab("plot", "results/valley", "curves", "--set", 'what=["loss", "params[1]"]', cwd=folder)
    assert (result.returncode, result.stdout) == (0, "results/valley/figures/beale-curves-what=loss-params_1_.png\n")
    result = adamlab("plot", "results/valley", "landscape", cwd=folder)
    assert (result.returncode, result.stdout) == (0, "results/valley/figures/beale-landscape.png\n")


def test_plot_draws_a_problem_without_results(adamlab, tmp_path):
    result = adamlab("plot", "himmelblau", "landscape", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "himmelblau-landscape.png\n")
    assert (tmp_path / "himmelblau-landscape.png").read_bytes().startswith(b"\x89PNG")
    result = adamlab("plot", "quadratic", "landscape", "--set", "condition=10", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "quadratic-landscape-condition=10.png\n")
    for condition in (10, 20):
        options = ("--set", f"condition={condition}", "--out", f"figures/{condition}.png")
        result = adamlab("plot", "quadratic", "landscape", *options, cwd=tmp_path)
        assert (result.returncode, result.stdout) == (0, f"figures/{condition}.png\n")
    files = [tmp_path / name for name in ("quadratic-landscape-condition=10.png", "figures/10.png", "figures/20.png")]
    first, second, third = (file.read_bytes() for file in files)
    assert first == second != third


def test_plot_runs_and_draws_optimizers_without_a_config(adamlab, tmp_path):
    options = ("--optimizer", "optax.sgd(0.001)", "--steps", 2, "--start", "0.5,1")
    result = adamlab("plot", "beale", "race", *options, cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "beale-race.gif\n", "")
    with Image.open(tmp_path / "beale-race.gif") as film:
        assert len([*ImageSequence.Iterator(film)]) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "setting"),
    [("cartoon", "step=2"), ("moments", "coordinate=1"), ("surface", "spread=0.2"), ("race", "spread=0")],
)
def test_plot_draws_what_an_optimizer_does_on_a_problem(adamlab, tmp_path, kind, setting):
    chosen = ("--optimizer", "adamlab.adam(0.1)", "--set", setting)
    result = adamlab("plot", "beale", kind, *chosen, "--steps", 3, "--out", "drawn.png", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "drawn.png\n")
    assert (tmp_path / "drawn.png").read_bytes().startswith(b"\x89PNG")
    result = adamlab("plot", "beale", "vector_field", "--set", "settled=true", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "beale-vector_field-settled=True.png\n")


def test_results_go_before_a_problem_of_their_folders_name(adamlab, ran, tmp_path):
    folder, _ = ran
    (tmp_path / "himmelblau").symlink_to(folder / "results/valley", target_is_directory=True)
    result = adamlab("plot", "himmelblau", "landscape", "--out", "a.png", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "a.png\n")
    result = adamlab("plot", "himmelblau", "landscape", "--problem", "himmelblau", cwd=tmp_path)
    assert '"himmelblau" is not run' in result.stderr


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plot", "results/valley", "curve"), 'did you mean "curves"?'),
        (("plot", "results/valley", "curves", "--set", "wat=loss"), 'did you mean "what"?'),
        (("plot", "results/valley", "curves", "--set", "what=accuracy"), 'no "accuracy" is recorded over steps'),
        (("plot", "results/valley", "curves", "--problem", "beal"), '"beal" is not run'),
        (("plot", "results/valley", "curves", "--out", "a.xyz"), "Format 'xyz' is not supported"),
        (("plot", "results/valley", "curves", "--out", "noending"), "whose ending says the format"),
        (("plot", "results/valley", "curves", "--out", "valley.toml/a.png"), "cannot be written"),
        (("plot", "results/valley", "curves", "--set", "kind=x"), "KIND and --problem say what to draw"),
        (("plot", "nowhere", "curves"), "there are no results here"),
        (("plot", "results", "landscape"), "results: there are no results here"),
        (("plot", "beal", "landscape"), '"beal" is neither a folder of results nor a problem; did you mean "beale"?'),
        (("plot", "beale", "curves"), '"beale" is a problem, not a folder of results; of a problem alone there is'),
        (("plot", "beale", "landscape", "--problem", "beale"), "--problem is for a folder of results"),
        (("plot", "beale", "landscape", "--out", "a.xyz"), "Format 'xyz' is not supported"),
        (("plot", "quadratic", "landscape", "--set", "conditon=10"), 'did you mean "condition"?'),
        (
            ("plot", "beale", "cartoon", "--set", "stp=1"),
            'neither cartoon nor beale has such an option; did you mean "step"?',
        ),
        (("plot", "beale", "race", "--start", "a"), "--start must be numbers with commas between"),
        (("plot", "beale", "race", "--start", "1"), "expected a list of 2 finite numbers"),
        (("plot", "beale", "race", "--optimizer", "adamlab.adm(0.1)"), 'did you mean "adamlab.adam"?'),
        (("plot", "beale", "landscape", "--steps", "3"), "--steps: landscape shows no runs"),
        (("plot", "beale", "surface", "--start", "0,0"), "--start: surface shows no runs; name an --optimizer, too"),
        (("plot", "beale", "landscape", "--out", "a.gif"), "a.gif cannot be written: this picture does not move"),
        (("plot", "reddi", "race"), "race takes a problem of two parameters with a domain"),
        (("plot", "reddi", "vector_field"), "a vector field takes a problem of two parameters"),
        (("plot", "beale", "vector_field", *2 * ("--optimizer", "optax.adam(0.1)")), "is of one --optimizer, not of 2"),
        (("plot", "beale", "vector_field", "--optimizer", "optax.adam"), "learning_rate needs a number"),
        (("plot", "results/valley", "race", "--steps", "3"), "--steps: only a problem alone is drawn with these"),
        (("plot", "results/valley", "vector_field"), "draw it with: adamlab plot PROBLEM vector_field"),
        (("plot", "quadratic", "landscape", "--set", "condition=high"), "condition must be a number"),
        (("plot", "quadratic", "landscape", "--set", "condition=0"), "condition must be from 1 to"),
        (("plot", "quadratic", "landscape", "--set", "condition"), "expected KEY=VALUE"),
        (("plot", "quadratic", "landscape", "--set", "dim=5"), "this problem has 5 parameters"),
        (("run", "nowhere.toml"), "nowhere.toml: there is no such file"),
        (("run", "valley.toml", "--set", "steps"), "expected KEY=VALUE"),
        (
            ("run", "valley.toml", "--set", "steps=21"),
            "holds the results of a config that differs by more than what was added or taken out",
        ),
        (("run", "valley.toml", "--out", "valley.toml"), "results cannot be written here"),
        (("list", "optimizer"), 'did you mean "optimizers"?'),
        (("list", "experiments"), "there is no experiments folder"),
        (("run",), "Missing argument"),
        (("runn",), "No such command 'runn'"),
    ],
)
def test_bad_usage_is_told_in_one_message(adamlab, ran, arguments, message):
    folder, _ = ran
    result = adamlab(*arguments, cwd=folder)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_config_is_told_and_nothing_is_written(adamlab, tmp_path, case):
    text, message = BROKEN[case]
    (tmp_path / "broken.toml").write_text(text)
    result = adamlab("run", "broken.toml", cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr.replace("broken.toml", "the config") or message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["broken.toml"]


def test_labels_are_no_markup(adamlab, tmp_path):
    text = GOOD.replace('name = "adamlab.adam"', 'name = "adamlab.adam"\nlabel = "[red]a[/foo] $x"')
    (tmp_path / "odd.toml").write_text(text)
    result = adamlab("run", "odd.toml", "--out", "r[s", cwd=tmp_path)
    assert result.returncode == 0
    assert "[red]a[/foo] $x" in result.stdout
    assert "are in r[s" in result.stdout


def test_a_shell_sees_no_traceback(tmp_path):
    result = in_a_shell("run", "none.toml", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "adamlab: none.toml: there is no such file\n"


def test_lists_name_what_there_is(adamlab):
    optimizers = adamlab("list", "optimizers", cwd=ROOT).stdout
    for name in ("adamlab.adam ", "adamlab.rmsprop ", "optax.adam ", "optax.contrib.prodigy "):
        assert f"\n{name}" in f"\n{optimizers}"
    assert "optax.scale_by_adam" not in optimizers
    assert "trajectories" in adamlab("list", "plots", cwd=ROOT).stdout
    assert "experiments/quickstart.toml" in adamlab("list", "experiments", cwd=ROOT).stdout


def test_problems_are_listed_with_their_options_and_none_is_made(adamlab, monkeypatch):
    def far_away(name: str, size: int = 3):
        """Data of another planet.

        More of it.
        """
        raise AssertionError("a list makes no problem")

    monkeypatch.setitem(PROBLEMS, "far_away", far_away)
    monkeypatch.setitem(PROBLEMS, "bare", lambda: None)
    lines = adamlab("list", "problems", cwd=ROOT).stdout.splitlines()
    where = max(map(len, PROBLEMS)) + 2
    names = [line[:where].strip() for line in lines]
    assert [name for name in names if name] == list(PROBLEMS)
    quadratic = names.index("quadratic")
    assert lines[quadratic][where:].startswith("½·Σ λ_i·w_i²")
    assert lines[quadratic + 1] == " " * where + "(condition=100.0, dim=2, spread=0.1)"
    assert [line[where:] for line in lines[-3:]] == ["Data of another planet.", "(name, size=3)", ""]


def test_help_is_there_without_arguments(adamlab, tmp_path):
    result = adamlab(cwd=tmp_path)
    for command in ("run", "plot", "list"):
        assert command in result.stdout + result.stderr


@pytest.mark.optimized(True)
def test_compare_says_yes_with_0_and_no_with_1(adamlab, tmp_path):
    few = ["--steps", "20", "--family", "normal", "--family", "zeros"]
    same = adamlab(
        "compare", 'adamlab.adam(0.001, arithmetic="optax")', "optax.adam(lr)", "--set", "lr=0.001", *few, cwd=tmp_path
    )
    assert (same.returncode, same.stderr) == (0, "")
    assert same.stdout.splitlines()[-1] == "bit-identical"
    other = adamlab("compare", "adamlab.adam(0.001)", "optax.adam(0.001)", *few, cwd=tmp_path)
    assert other.returncode == 1
    assert "the same formula, rounded differently" in other.stdout
    assert "bits differ, from step 1 on" in other.stdout
    as_json = adamlab("compare", "optax.sgd(0.1)", "optax.sgd(0.2)", "--format", "json", *few, cwd=tmp_path)
    assert as_json.returncode == 1
    assert json.loads(as_json.stdout)["kind"] == "different formulas"
    wrong = adamlab("compare", "optax.sgd(0.1)", "optax.sdg(0.2)", cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith('adamlab: there is no optimizer "optax.sdg"; did you mean "optax.sgd"')


@pytest.mark.parametrize(
    "arguments",
    [
        ["optax.sgd(lr)", "optax.sgd(0.1)", "--set", "lr=abc"],
        ["optax.sgd(lr)", "optax.sgd(0.1)", "--set", "lr=[1, 2]"],
        ["optax.sgd(lr)", "optax.sgd(0.1)", "--set", "lr=true"],
        ["adamlab.sgd(0.1)", "optax.sgd(0.1)", "--set", "arithmetic=opt"],
        ["optax.sgd(0.1)", "optax.sgd(0.1)", "--seed", "-1"],
        ["optax.polyak_sgd()", "optax.sgd(0.1)"],
        ["optax.sgd(cosine(0.1, 0))", "optax.sgd(0.1)"],
        ["optax.sgd(0.1)", "optax.sgd(0.1)", "--format", "yaml"],
    ],
)
def test_compare_refuses_bad_input_with_2(adamlab, tmp_path, arguments):
    refused = adamlab("compare", *arguments, "--steps", "5", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("adamlab: ")
    assert "Traceback" not in refused.stderr
