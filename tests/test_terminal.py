"""Progress, on a terminal and off it."""

import io

from rich.console import Console

import adamlab as al
from adamlab.terminal.progress import Bar, Lines

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
