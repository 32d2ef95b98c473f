"""The command line: each command is one call into the library, which is loaded only when a command needs it."""

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from adamlab.errors import InputError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Understand first-order optimizers: run experiment configs, draw what they did.",
)

Config = Annotated[Path, typer.Argument(help="An experiment config, a TOML file.", show_default=False)]


@app.command()
def run(
    config: Config,
    out: Annotated[Path | None, typer.Option(help="Folder for the results.", show_default="results/NAME")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Replace a key of the config; repeatable.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew where the folder already has results.")] = False,
):
    """Run a config: writes results.zarr, summary.csv, figures/ and report.html."""
    from adamlab.terminal import run_and_show

    run_and_show(config, out, set_ or [], fresh)


@app.command()
def plot(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that adamlab run wrote.")],
    kind: Annotated[str, typer.Argument(help="What to draw; adamlab list plots names them.")],
    out: Annotated[
        Path | None,
        typer.Option(help="The file; its ending says the format.", show_default="DIR/figures/PROBLEM-KIND.png"),
    ] = None,
    problem: Annotated[str | None, typer.Option(help="Which problem.", show_default="each that can be drawn")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="An option of the plot, as what=test_accuracy."),
    ] = None,
):
    """Draw one kind of figure from results."""
    from adamlab.terminal import plot_and_show

    plot_and_show(folder, kind, out, problem, set_ or [])


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(metavar="optimizers|problems|plots|experiments", show_default=False)],
):
    """List what there is."""
    from adamlab.terminal import show_list

    show_list(what)


def main():
    """Runs the command line. Exit codes: 0 done, 1 the answer is no, 2 bad usage or bad input."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without η still gets the rest
    try:
        app()
    except InputError as error:
        typer.echo(f"adamlab: {error}", err=True)
        sys.exit(2)
