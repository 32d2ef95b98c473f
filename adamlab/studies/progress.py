"""Progress callbacks."""


class Listener:
    """The receiver of a run's progress; this one ignores it."""

    def begin(self, runs: int, steps: int) -> None:
        """Work on that many runs of that many steps begins."""

    def working_on(self, what: str) -> None:
        """The next part of the work begins."""

    def advance(self, runs: int | float) -> None:
        """That many more runs are done; of a run that is half done, half."""

    def note(self, text: str) -> None:
        """A message for the reader."""

    def answer(self, text: str) -> None:
        """The answer to the study's question, when all is done."""
