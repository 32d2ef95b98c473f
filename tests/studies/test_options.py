"""Run options: the fields of `RunOptions`, and nothing else, are options of `adamlab run` and keywords of `al.run`."""

import inspect
from dataclasses import field, fields, make_dataclass

import pytest
import typer
from typer.testing import CliRunner

import adamlab as al
from adamlab import cli
from adamlab.studies.config.errors import ConfigError
from adamlab.studies.options import RunOptions

OWN = {"config", "out", "set_", "dry_run", "import_"}
"""The other arguments of `adamlab run`."""


def test_every_field_is_an_option_of_the_command_and_nothing_else_is():
    parameters = inspect.signature(cli.run).parameters
    assert parameters.keys() - OWN == {option.name for option in fields(RunOptions)}
    assert {name: parameters[name].default for name in parameters.keys() - OWN} == vars(RunOptions())


def test_the_help_tells_every_field(adamlab, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = "".join(adamlab("run", "--help").stdout.split())
    for option in fields(RunOptions):
        assert f"--{option.name.replace('_', '-')}" in shown
        assert "".join(option.metadata["help"].split()) in shown


@pytest.mark.parametrize("name", [option.name for option in fields(RunOptions)])
def test_every_field_is_a_keyword_of_run(name):
    with pytest.raises(ConfigError):  # the config is empty; the keyword was taken
        al.run({}, **{name: getattr(RunOptions(), name)})


def test_an_option_that_does_not_exist_is_no_keyword():
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        al.run({}, colour=3)


def test_a_field_that_is_added_reaches_the_command_line(monkeypatch):
    more = make_dataclass(
        "MoreOptions",
        [("colour", str, field(default="red", metadata={"help": "Of the runs."}))],
        bases=(RunOptions,),
        frozen=True,
        kw_only=True,
    )
    monkeypatch.setattr(cli, "RunOptions", more)
    given = []

    @cli.with_run_options
    def command(config: str, *, options: RunOptions):
        given.append((config, options))

    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, ["a.toml", "--colour", "blue", "--fresh", "--devices", "2"])
    assert result.exit_code == 0, result.output
    assert given == [("a.toml", more(colour="blue", fresh=True, devices=2))]
    assert "Of the runs." in CliRunner().invoke(app, ["--help"]).output
