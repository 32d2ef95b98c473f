"""The output of `adamlab init`: a file of one's own to begin with, and the config that goes with it."""

from importlib.resources import files
from pathlib import Path

from adamlab.errors import InputError
from adamlab.files import write_text
from adamlab.own import is_another
from adamlab.terminal.console import say


def write_example(file: Path) -> None:
    """Write the example and its config, and print what to do next.

    Raises:
        InputError: the file's name is no module's, or one of the two files exists.
    """
    if file.suffix != ".py" or not file.stem.isidentifier() or is_another(file.stem, file.resolve()):
        raise InputError(f"{file}: expected a file that Python can import by a name of its own, such as mine.py.")
    config = file.with_suffix(".toml")
    for path in (file, config):
        if path.exists():
            raise InputError(f"{path} exists, and nothing was written; choose another name.")
    for path in (file, config):
        template = files("adamlab").joinpath("templates", f"own{path.suffix}.txt").read_text(encoding="utf-8")
        write_text(path, template.replace("MODULE", file.stem))
        say(str(path))
    say(f"Now run:  adamlab run {config} --import {file}")
