"""Progress, on a terminal and off it."""

import io

from rich.console import Console

import adamlab as al
from adamlab.studies.progress import Listener
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


def test_runs_are_counted_without_their_padding():
    class Counter(Listener):
        def __init__(self):
            self.begun = self.done = 0

        def begin(self, runs, steps):
            self.begun = runs

        def advance(self, runs):
            self.done += runs

    counter = Counter()
    rates = [i / 1e4 for i in range(1, 14)]  # enough runs of a seed to be grouped, and no multiple of a group
    problem = {"name": "digits_softmax", "batch_size": 4}
    optimizer = {"name": "adamlab.sgd", "learning_rate": rates}
    config = CONFIG | {"steps": 2, "seeds": 2, "problem": [problem], "optimizer": [optimizer]}
    tree = al.run(config, listener=counter)
    assert tree["digits_softmax"].sizes["run"] == counter.begun == counter.done == 26
