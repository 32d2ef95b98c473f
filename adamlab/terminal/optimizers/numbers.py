"""Numbers given on the command line."""

from collections.abc import Sequence
from typing import Any

from adamlab.studies.config.errors import ConfigError, Mistake
from adamlab.studies.config.toml import parsed


def read_numbers(texts: Sequence[str], option: str = "--set") -> dict[str, Any]:
    """The values of an option's NAME=NUMBER texts, by name.

    Raises:
        ConfigError: a text has no such form.
    """
    parts = [text.partition("=") for text in texts]
    wrong = [Mistake("".join(part), "expected NAME=NUMBER, such as b2=0.99") for part in parts if not all(part)]
    if wrong:
        raise ConfigError(option, wrong)
    return {name.strip(): parsed(value) for name, _, value in parts}
