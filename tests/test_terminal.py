"""Progress, on a terminal and off it; comparisons and estimates, read back from their tables."""

import io
import json
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import adamlab as al
from adamlab.studies.sweep.estimate import Estimate
from adamlab.terminal import console as console_module
from adamlab.terminal.console import waiting
from adamlab.terminal.studies.progress import Bar, Lines

pytestmark = pytest.mark.optimized(False)

CONFIG = {
    "name": "x",
    "steps": 5,
    "seeds": 3,
    "problem": [{"name": "beale"}],
    "optimizer": [{"name": "adamlab.sgd", "label": "[b]lunt", "learning_rate": 0.001}],
}


def test_a_bar_counts_runs_and_names_what_is_under_way():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, markup=False)
    with Bar(console) as listener:
        al.run(CONFIG, listener=listener)
        listener.note("by the way")
    shown = screen.getvalue()
    for text in ("beale: [b]lunt", "3/3", "run-steps/s", "by the way"):
        assert text in shown


def test_lines_say_how_far_how_fast_and_how_long():
    screen = io.StringIO()
    with Lines(Console(file=screen, width=120, markup=False)) as listener:
        al.run(CONFIG, listener=listener)
    first, second, third = screen.getvalue().splitlines()
    assert (first, second) == ("3 runs of 5 steps", "beale: [b]lunt")
    assert third.startswith("  3 of 3 runs, ")
    assert third.endswith(" run-steps/s, 0 s left")


def test_a_bar_adds_up_by_the_clock(monkeypatch):
    clock = {"now": 100.0}
    monkeypatch.setattr("adamlab.terminal.studies.progress.perf_counter", lambda: clock["now"])
    bar = Bar(Console(file=io.StringIO(), width=120, markup=False))
    bar.begin(10, 50)
    for runs in (1, 3):
        clock["now"] += 2
        bar.advance(runs)
    (task,) = bar.progress.tasks
    assert (task.completed, task.total, task.fields["rate"]) == (4, 10, "50 run-steps/s")


def table_in(printed: str) -> dict[str, dict[str, str]]:
    """The cells of a table, by the first cell of their row and the head of their column."""
    lines = [line.strip("┃│").replace("┃", "│") for line in printed.splitlines() if line.startswith(("┃", "│"))]
    heads, *rows = ([cell.strip() for cell in line.split("│")] for line in lines)
    return {row[0]: dict(zip(heads, row, strict=True)) for row in rows}


COLUMNS = {
    "differing bits": "differing_bits",
    "first difference": "first_difference",
    "apart median": "apart_median",
    "apart max": "apart_max",
    "left median": "left_median",
    "left max": "left_max",
    "right median": "right_median",
    "right max": "right_max",
    "gap": "gap",
    "exact gap": "exact_gap",
}
PAIR = "adamlab.adam(0.1)", "optax.adam(0.1, b2=b)"


def test_a_comparison_is_told_in_a_table_and_words(adamlab, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    how = {"steps": 12, "dtype": "float64", "context": "scan", "layout": "leaf", "seed": 3}
    families = ["normal", "spiked"]
    options = [f"--{name}={value}" for name, value in how.items()] + [f"--family={name}" for name in families]
    done = adamlab("compare", *PAIR, "--set", "b=0.99", *options)
    c = al.compare(*PAIR, hyper={"b": 0.99}, families=families, **how)
    rows, table = table_in(done.stdout), c.table.set_index("family")
    assert [*rows] == families
    for family, row in rows.items():
        assert [*row] == ["family", *COLUMNS]
        for head, column in COLUMNS.items():
            assert float(row[head]) == pytest.approx(float(table.loc[family, column]), rel=0.006), (family, head)
    assert (table.left_median != table.right_median).all()
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    title = (
        "adamlab.adam(learning_rate=0.1) (left) and optax.adam(learning_rate=0.1, b2=b) (right): 12 steps in float64"
    )
    assert lines[0] == f"{title}, scan; errors in ulp"
    assert lines[-2:] == [c.verdict, f"{c.differing_bits:,} bits differ, from step {c.first_difference} on"]
    assert done.returncode == 1


def test_json_of_a_comparison_is_1_too_where_bits_differ(adamlab):
    few = ("--steps", "2", "--family", "normal")
    assert adamlab("compare", "optax.sgd(0.1)", "optax.sgd(0.2)", *few, "--format", "json").returncode == 1
    assert adamlab("compare", "optax.sgd(0.1)", "optax.sgd(0.1)", *few, "--format", "json").returncode == 0


STUDY = """
name = "costs"
steps = 1000
problem = [{ name = "beale" }, { name = "booth" }]
optimizer = [{ name = "adamlab.sgd", learning_rate = 0.1 }]
seeds = 2
"""

ESTIMATES = [
    Estimate("beale", "small", runs=12, blocks=2, bytes=999, seconds=1.25, compiling=0.5),
    Estimate("booth", "large", runs=1_234_567, blocks=89, bytes=2_500_000, seconds=600.0, compiling=1.5),
    Estimate("booth", "huge", runs=3, blocks=1, bytes=7_000_000_000, seconds=9000.0, compiling=1.0),
]
SHOWN = [
    {"problem": "beale", "optimizer": "small", "runs": "12", "blocks": "2", "bytes": "999 bytes", "time": "1.2 s"},
    {
        "problem": "booth",
        "optimizer": "large",
        "runs": "1,234,567",
        "blocks": "89",
        "bytes": "2.5 MB",
        "time": "10 min",
    },
    {"problem": "booth", "optimizer": "huge", "runs": "3", "blocks": "1", "bytes": "7 GB", "time": "2.5 h"},
]


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "costs.toml").write_text(STUDY, encoding="utf-8")
    return tmp_path


def test_a_dry_run_tells_the_costs_and_leaves_nothing(adamlab, study, monkeypatch):
    asked = []

    def estimate(*arguments: Any) -> list[Estimate]:
        asked.append(arguments)
        return ESTIMATES

    monkeypatch.setattr("adamlab.terminal.studies.runs.estimate", estimate)
    monkeypatch.setattr(
        "adamlab.terminal.studies.runs.compiling_time", lambda estimates: sum(e.compiling for e in estimates)
    )
    done = adamlab("run", "costs.toml", "--dry-run", "--set", "evaluation={seeds=5}", cwd=study)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.strip("┃│").replace("┃", "│") for line in done.stdout.splitlines() if line.startswith(("┃", "│"))]
    heads, *rows = ([cell.strip() for cell in line.split("│")] for line in lines)
    assert [dict(zip(heads, row, strict=True)) for row in rows] == SHOWN
    assert done.stdout.splitlines()[0].strip() == "costs: what is to be done"
    assert done.stdout.splitlines()[-2:] == [
        "1,234,582 runs of 1,000 steps: 3 programs, 7 GB of results, about 2.67 h, and 3 s to compile what is not kept "
        "from before.",
        "Then 10 runs of the best settings on fresh seeds, more where a problem has several starts.",
    ]
    ((_, where, location, options),) = asked
    assert (where, location.folder, options.fresh) == ("costs.toml", type(study)("results/costs"), False)
    assert [path.name for path in study.iterdir()] == ["costs.toml"]


def test_a_dry_run_of_what_is_done_says_so(adamlab, study):
    how = ("--set", "steps=2", "--set", 'problem=[{name="beale"}]')
    costs = adamlab("run", "costs.toml", "--dry-run", *how, cwd=study)
    assert costs.stdout.splitlines()[-1].startswith("2 runs of 2 steps: 1 programs, ")
    assert not (study / "results").exists()
    adamlab("run", "costs.toml", *how, cwd=study)
    assert adamlab("run", "costs.toml", "--dry-run", *how, cwd=study).stdout == "All runs of this config are done.\n"


def test_a_dry_run_of_another_kind_of_config_is_refused(adamlab, study):
    (study / "read.toml").write_text('name = "x"\nreading = [{ spec = "optax.adam" }]', encoding="utf-8")
    done = adamlab("run", "read.toml", "--dry-run", cwd=study)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--dry-run is for configs of problems and optimizers" in done.stderr


def test_time_left_is_that_of_the_runs_that_are_left(monkeypatch):
    """After 30 of 90 runs of 7 steps in 10 s: 21 run-steps a second, and 20 s left."""
    now = iter(np.array([0.0, 100.0, 110.0, 110.0, 110.0]))
    monkeypatch.setattr("adamlab.terminal.studies.progress.perf_counter", lambda: next(now))
    screen = io.StringIO()
    with Lines(Console(file=screen, width=120, markup=False)) as listener:
        listener.begin(90, 7)
        listener.advance(30)
    assert screen.getvalue().splitlines()[-1] == "  30 of 90 runs, 21 run-steps/s, 20 s left"


def test_numbers_that_json_lacks_are_texts(capsys):
    console_module.say_json({"a": [np.inf, -np.inf, 1.5], "b": {"c": (np.nan, 2, None, True)}})
    told = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert told == {"a": ["inf", "-inf", 1.5], "b": {"c": ["nan", 2, None, True]}}


def test_whatever_is_printed_commands_no_terminal(capsys):
    hostile = "[red]\x1b[2J\u202e\0[/red]"
    told = "[red]\\u001b[2J\\u202e\\u0000[/red]"
    console_module.say(hostile)
    assert capsys.readouterr().out == f"{told}\n"
    console_module.console().print(console_module.table_of(hostile, pd.DataFrame({hostile: [hostile]})))
    assert capsys.readouterr().out.count(told) == 3  # title, head and cell


def test_what_takes_long_says_what_is_done_and_what_is_quick_does_not(monkeypatch, capsys):
    monkeypatch.setattr(console_module, "PATIENCE", 0.05)
    with waiting("reading\x1b a spec"):
        time.sleep(0.5)
    assert capsys.readouterr().err == "reading\\u001b a spec …\n"
    monkeypatch.setattr(console_module, "PATIENCE", 60)
    with waiting("reading a spec"):
        pass
    output = capsys.readouterr()
    assert output.out == output.err == ""
