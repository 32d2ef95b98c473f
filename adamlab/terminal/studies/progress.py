"""Progress of a run: a bar on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from adamlab.errors import printable
from adamlab.interrupts import stop_if_interrupted
from adamlab.plots.updates.films import Advance
from adamlab.studies.progress import Listener
from adamlab.terminal.console import waiting


class Lines(Listener, AbstractContextManager):
    """Progress as plain lines, for output that is not a terminal."""

    def __init__(self, console: Console):
        self.console = console
        self.runs = self.steps = 0
        self.done, self.answered = 0.0, ""
        self.started = self.printed = perf_counter()

    def __exit__(self, *exception):
        return None

    def begin(self, runs: int, steps: int) -> None:
        """Print the amount of work."""
        self.runs, self.done, self.steps, self.started = runs, 0, steps, perf_counter()
        self.note(f"{runs:,} runs of {steps:,} steps")

    def working_on(self, what: str) -> None:
        """Print the next part of the work."""
        self.note(what)

    def advance(self, runs: int | float) -> None:
        """Print the runs done, the speed and the time left, at most once a second."""
        stop_if_interrupted()
        self.done += runs
        done = round(self.done)
        if not runs or (done < self.runs and perf_counter() - self.printed < 1):
            return
        self.printed = perf_counter()
        seconds = perf_counter() - self.started
        left = seconds / self.done * (self.runs - self.done)
        rate = self.done * self.steps / seconds
        self.note(f"  {done:,} of {self.runs:,} runs, {rate:,.0f} run-steps/s, {left:.0f} s left")

    def note(self, text: str) -> None:
        """Print a line."""
        self.console.print(text, soft_wrap=True)

    def answer(self, text: str) -> None:
        """Keep the answer, which stands below the tables."""
        self.answered = text


class Bar(Lines):
    """Progress as a bar."""

    def __init__(self, console: Console):
        super().__init__(console)
        columns = (MofNCompleteColumn(), TextColumn("runs, {task.fields[rate]}"), TimeRemainingColumn())
        self.progress = Progress(TextColumn("{task.description}", markup=False), BarColumn(), *columns, console=console)
        self.task = self.progress.add_task("tracing", total=None, rate="")

    def __enter__(self):
        self.progress.start()
        return self

    def __exit__(self, *exception):
        self.progress.stop()

    def begin(self, runs: int, steps: int) -> None:
        """Set the bar's length."""
        self.runs, self.done, self.steps, self.started = runs, 0, steps, perf_counter()
        self.progress.update(self.task, total=runs)

    def working_on(self, what: str) -> None:
        """Show the next part of the work."""
        self.progress.update(self.task, description=printable(what))

    def advance(self, runs: int | float) -> None:
        """Move the bar."""
        stop_if_interrupted()
        self.done += runs
        rate = self.done * self.steps / (perf_counter() - self.started)
        self.progress.update(self.task, completed=round(self.done, 2), rate=f"{rate:,.0f} run-steps/s")


@contextmanager
def drawing(what: str) -> Iterator[Advance]:
    """Say on the standard error what is being drawn: a bar of its frames on a terminal, a line elsewhere."""
    screen = Console(stderr=True, markup=False, highlight=False, emoji=False)
    if not screen.is_terminal:
        with waiting(what):
            yield lambda done, frames: stop_if_interrupted()
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TextColumn("frames"))
    with Progress(*columns, console=screen, transient=True) as progress:
        task = progress.add_task(printable(what), total=None)

        def advance(done: int, frames: int):
            stop_if_interrupted()
            progress.update(task, completed=done, total=frames)

        yield advance
