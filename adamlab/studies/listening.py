"""Who is told how a run gets on."""


class Listener:
    """Hears what is done; this one keeps it to itself."""

    def begin(self, runs: int, steps: int) -> None:
        """So many runs of so many steps are to be done."""

    def working_on(self, what: str) -> None:
        """What comes next."""

    def advance(self, runs: int) -> None:
        """So many more runs are done."""

    def note(self, text: str) -> None:
        """Something that the reader should know."""
