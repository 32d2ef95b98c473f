"""The one kind of error that is the reader's to mend; it loads nothing, so that the command line can know it."""


class InputError(ValueError):
    """Input that cannot be used: the message says what was expected, what came, and what to do."""
