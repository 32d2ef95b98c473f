"""The command line: each command is one call into the library, which is loaded when a command needs it."""

import gc
import inspect
import io
import logging
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import Field, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from adamlab.derivations.names import NAMES as DERIVATIONS
from adamlab.errors import InputError
from adamlab.files import discard
from adamlab.interrupts import hearing_interrupts
from adamlab.studies.options import RunOptions

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Understand first-order optimizers: their formulas, proofs, comparisons and experiments.",
)

Spec = Annotated[
    str,
    typer.Argument(metavar="SPEC", help='An optimizer, such as optax.adam or "optax.adam(lr)".', show_default=False),
]
Numbers = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=NUMBER", help="Fix a number; repeatable.")]
Symbols = Annotated[
    list[str] | None, typer.Option("--symbol", metavar="NAME", help="Open a number that is 0 or none by default.")
]
Limit = Annotated[
    list[str] | None, typer.Option(metavar="NAME=PLACE", help="Let a number go to 0, 1 or oo, as b2=1; repeatable.")
]
Format = Annotated[str, typer.Option("--format", help="text, latex, mathml or json.")]
With = Annotated[
    list[str] | None,
    typer.Option("--with", metavar="SPEC", help="Another optimizer in a picture of rates or shares; repeatable."),
]
Out = Annotated[
    Path | None,
    typer.Option(help="The file of the picture; its ending says the format.", show_default="SPEC-KIND.png"),
]
Superscripts = Annotated[bool, typer.Option("--superscripts", help="Write the step above: v^t for v_t.")]
Config = Annotated[Path, typer.Argument(help="An experiment config, a TOML file.", show_default=False)]


def with_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of `RunOptions`, in place of its keyword `options`."""
    own = inspect.signature(command)
    *parameters, _ = own.parameters.values()
    options = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=Annotated[field.type, typer.Option(*_flag(field), **field.metadata)],
        )
        for field in fields(RunOptions)
    ]

    @wraps(command)
    def wrapped(**given: Any):
        options = {field.name: given.pop(field.name) for field in fields(RunOptions)}
        command(**given, options=RunOptions(**options))

    wrapped.__dict__["__signature__"] = own.replace(parameters=[*parameters, *options])  # Typer reads this
    return wrapped


def with_imports(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option --import, whose modules are imported before it begins."""
    own = inspect.signature(command)
    how = typer.Option(
        "--import",
        metavar="FILE|MODULE",
        help="Code of your own, such as mine.py, for names such as mine.cautious; repeatable.",
        show_default=False,
    )
    option = inspect.Parameter(
        "import_", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[list[str] | None, how]
    )

    @wraps(command)
    def wrapped(*, import_: list[str] | None, **given: Any):
        if import_:
            from adamlab.own import load_all

            load_all(import_)
        command(**given)

    wrapped.__dict__["__signature__"] = own.replace(parameters=[*own.parameters.values(), option])  # Typer reads this
    return wrapped


def _flag(field: Field[Any]) -> list[str]:
    """The name of an option that is off by default; for others Typer makes one."""
    return [f"--{field.name.replace('_', '-')}"] if field.default is False else []


@app.callback(invoke_without_command=True)
def about(
    version: Annotated[bool, typer.Option("--version", help="Print the version, and stop.")] = False,
):
    """Print what is asked for instead of a command."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"adamlab {version_of('adamlab')}")
        raise typer.Exit


@app.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Such as mine.py; beside it comes mine.toml.")],
):
    """Write an example of your own optimizer, schedule and problem, and the config that compares them."""
    from adamlab.terminal.beginning import write_example

    write_example(file)


@app.command()
@with_imports
@with_run_options
def run(
    config: Config,
    out: Annotated[Path | None, typer.Option(help="Folder for the results.", show_default="results/NAME")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Replace a key of the config; repeatable.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the runs, programs, bytes and time of the config, and stop.")
    ] = False,
    *,
    options: RunOptions,
):
    """Run a config: writes results.zarr, summary.csv, figures/ and report.html. What was cut off goes on."""
    from adamlab.terminal.studies.runs import run_and_show

    try:
        run_and_show(config, out, set_ or [], options, dry_run=dry_run)
    except KeyboardInterrupt:
        sys.stdout.flush()
        os._exit(130)  # at once: a normal exit would wait for what is being computed


@app.command()
@with_imports
def plot(
    place: Annotated[
        str, typer.Argument(metavar="DIR|PROBLEM", help="A folder that adamlab run wrote; or a problem's name.")
    ],
    kind: Annotated[
        str,
        typer.Argument(
            help="What to draw; adamlab list plots names them. Of a problem alone: landscape, surface, vector_field, "
            "race, cartoon, moments."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="The file; its ending says the format: .png, .svg, .pdf; of a race also .gif, .mp4.",
            show_default="PROBLEM-KIND.png, of a race .gif; in DIR/figures where there is a DIR",
        ),
    ] = None,
    problem: Annotated[str | None, typer.Option(help="Which problem.", show_default="each that can be drawn")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="An option of the plot, as what=test_accuracy; or of the PROBLEM."
        ),
    ] = None,
    optimizer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC", help="Of a PROBLEM alone: an optimizer to run on it; repeatable.", show_default="some"
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Of a PROBLEM alone: the steps to run.", show_default="300")
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="X,Y", help="Of a PROBLEM alone: where to start.", show_default="its own")
    ] = None,
):
    """Draw one kind of figure from results; or a problem and optimizers on it, as plot rosenbrock race."""
    from adamlab.terminal.studies.figures import plot_and_show
    from adamlab.terminal.studies.problem_figures import Wishes

    plot_and_show(place, kind, out, problem, set_ or [], Wishes(optimizer or [], steps, start))


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that adamlab run wrote.")],
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A name that ends with .nc, .zarr, .parquet or .csv.", show_default=False),
    ],
):
    """Write results to a file for other programs: netCDF, zarr, Parquet or CSV, curves included."""
    from adamlab.exporting.files import export as write
    from adamlab.terminal.console import say

    for path in write(folder, file):
        say(str(path))


@app.command()
def explore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that adamlab run wrote.")],
    out: Annotated[Path | None, typer.Option(help="The page.", show_default="DIR/explore.html")] = None,
):
    """Write a page on which sliders move trajectories, curves and moments; it works offline."""
    from adamlab.explorer import write_explorer
    from adamlab.studies.kinds import load
    from adamlab.studies.store.folder import require_own_files
    from adamlab.terminal.console import say, waiting

    if out is None:
        require_own_files(folder)
    page = out or folder / "explore.html"
    with waiting(f"reading {folder}"):
        write_explorer(load(folder), page)
    say(str(page))


@app.command()
def table(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that adamlab run wrote.")],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A heading of the report, such as standings or mean-ranks.")
    ] = "standings",
    problem: Annotated[str | None, typer.Option(help="Which problem.", show_default="all")] = None,
    format_: Annotated[str, typer.Option("--format", help="latex, markdown or csv.")] = "latex",
):
    """Print a table of results for a paper, the best in bold."""
    from adamlab.exporting.typesetting import table_text
    from adamlab.terminal.console import say

    say(table_text(folder, name, format_, problem=problem))


@app.command()
@with_imports
def compare(
    left: Annotated[
        str, typer.Argument(metavar="LEFT", help='A spec, such as "adamlab.adam(0.001)".', show_default=False)
    ],
    right: Annotated[
        str, typer.Argument(metavar="RIGHT", help='Another, such as "optax.adam(0.001)".', show_default=False)
    ],
    steps: Annotated[int, typer.Option(help="Steps of each family of gradients.")] = 1000,
    dtype: Annotated[str, typer.Option(help="float16, bfloat16, float32 or float64.")] = "float32",
    context: Annotated[str, typer.Option(help="jit, scan or eager.")] = "jit",
    layout: Annotated[str, typer.Option(help="tree, several arrays; or leaf, one vector.")] = "tree",
    family: Annotated[
        list[str] | None, typer.Option(help="A family of gradients; repeatable.", show_default="all")
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=NUMBER", help="A number for a name.")] = None,
    seed: Annotated[int, typer.Option(help="Of the gradients.")] = 0,
    format_: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
):
    """Compare two optimizers: in bits, and in ulps against exact arithmetic. Exit code 1 where a bit differs."""
    from adamlab.terminal.optimizers.comparing import compare_and_show

    how = {"steps": steps, "dtype": dtype, "context": context, "layout": layout, "families": family, "seed": seed}
    if not compare_and_show(left, right, set_ or [], format_, **how):
        raise typer.Exit(1)


@app.command()
@with_imports
def unroll(
    spec: Spec,
    steps: Annotated[int, typer.Option(help="How many steps.")] = 3,
    shape: Annotated[str, typer.Option(help="Of the parameter, such as 2,2.", show_default="a single number")] = "",
    set_: Numbers = None,
    symbol: Symbols = None,
    format_: Format = "text",
    superscripts: Superscripts = False,
):
    """Write an optimizer's first steps out as formulas, read off its code."""
    from adamlab.terminal.optimizers.formulas import unroll_and_show

    unroll_and_show(spec, steps, shape, set_ or [], symbol or [], format_, superscripts)


@app.command()
@with_imports
def closed_form(
    spec: Spec,
    set_: Numbers = None,
    symbol: Symbols = None,
    limit: Limit = None,
    format_: Format = "text",
    superscripts: Superscripts = False,
):
    """Give an optimizer's states and update for every step t, or their limit as numbers go somewhere."""
    from adamlab.terminal.optimizers.formulas import closed_form_and_show

    closed_form_and_show(spec, set_ or [], symbol or [], limit or [], format_, superscripts)


@app.command()
@with_imports
def stability(
    spec: Spec,
    set_: Numbers = None,
    symbol: Symbols = None,
    curvature: Annotated[
        float | None,
        typer.Option(help="Give numbers at this curvature; of an adaptive optimizer the preconditioned one."),
    ] = None,
    plot: Annotated[
        str | None, typer.Option(metavar="KIND", help="Draw instead: rates, region, eigenvalues or spectrum.")
    ] = None,
    with_: With = None,
    out: Out = None,
    format_: Format = "text",
):
    """Derive where an optimizer's steps on a quadratic converge: the largest stable learning rate, as a formula."""
    from adamlab.terminal.optimizers.stability import (
        NO_FORMULAS,
        NO_PICTURE,
        plot_and_show,
        refuse_with,
        stability_and_show,
    )

    if plot is None:
        refuse_with(NO_PICTURE, **{"with": with_, "out": out})
        stability_and_show(spec, set_ or [], symbol or [], curvature, format_)
    else:
        refuse_with(NO_FORMULAS, symbol=symbol, curvature=curvature is not None, format=format_ != "text")
        plot_and_show("stability", plot, [spec, *(with_ or [])], set_ or [], out)


@app.command()
@with_imports
def influence(
    spec: Spec,
    set_: Numbers = None,
    symbol: Symbols = None,
    plot: Annotated[str | None, typer.Option(metavar="KIND", help="Draw instead: shares.")] = None,
    with_: With = None,
    out: Out = None,
    format_: Format = "text",
):
    """Tell how much of an optimizer's update comes from the gradient k steps ago, and how fast that fades."""
    from adamlab.terminal.optimizers.stability import (
        NO_FORMULAS,
        NO_PICTURE,
        influence_and_show,
        plot_and_show,
        refuse_with,
    )

    if plot is None:
        refuse_with(NO_PICTURE, **{"with": with_, "out": out})
        influence_and_show(spec, set_ or [], symbol or [], format_)
    else:
        refuse_with(NO_FORMULAS, symbol=symbol, format=format_ != "text")
        plot_and_show("influence", plot, [spec, *(with_ or [])], set_ or [], out)


@app.command()
@with_imports
def prove(
    left: Annotated[
        str,
        typer.Argument(metavar="LEFT", help="A spec; or, alone, a relation of adamlab relations.", show_default=False),
    ],
    right: Annotated[str | None, typer.Argument(metavar="RIGHT", help="Another spec.", show_default=False)] = None,
    limit: Limit = None,
    given: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="A number on both sides, as b1=0; repeatable.")
    ] = None,
    format_: Format = "text",
):
    """Prove that two optimizers take the same steps, or refute it. Exit code 1 unless it is proved in full."""
    if right is None:
        from adamlab.terminal.optimizers.relations import decide_and_show

        proved = decide_and_show(left, [*(limit or []), *(given or [])], format_)
    else:
        from adamlab.terminal.optimizers.formulas import prove_and_show

        proved = prove_and_show(left, right, limit or [], given or [], format_)
    if not proved:
        raise typer.Exit(1)


@app.command()
@with_imports
def translate(
    call: Annotated[
        str,
        typer.Argument(
            metavar="CALL",
            help="A spec, such as \"torch.RMSprop(lr=0.01)\", or a call of PyTorch's, Keras's or Optax's in full.",
            show_default=False,
        ),
    ],
    to: Annotated[str, typer.Option(help="optax, adamlab, torch or keras.")] = "optax",
    format_: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
):
    """Translate an optimizer to another library, with the verdict behind it. Exit code 1 unless it is proved."""
    from adamlab.terminal.optimizers.translations import translate_and_show

    if not translate_and_show(call, to, format_):
        raise typer.Exit(1)


@app.command()
def derive(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help=f"{', '.join(DERIVATIONS[:-1])} or {DERIVATIONS[-1]}; all for one document.",
            show_default=False,
        ),
    ],
    format_: Format = "text",
    superscripts: Superscripts = False,
):
    """Show a derivation step by step, each step checked by machine. Exit code 1 where one does not hold."""
    from adamlab.terminal.optimizers.derivations import derive_and_show

    if not derive_and_show(name, format_, superscripts):
        raise typer.Exit(1)


@app.command()
def relations(
    format_: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    figure: Annotated[Path | None, typer.Option(help="A file for a picture; its ending says the format.")] = None,
    library: Annotated[str, typer.Option(help="On whose code: optax, adamlab, torch or keras.")] = "optax",
):
    """Decide every known relation between optimizers. Exit code 1 where a verdict is not the one expected."""
    from adamlab.terminal.optimizers.relations import relations_and_show

    if not relations_and_show(format_, figure, library):
        raise typer.Exit(1)


@app.command("list")
@with_imports
def list_(
    what: Annotated[
        str, typer.Argument(metavar="optimizers|problems|schedules|plots|experiments|derivations", show_default=False)
    ],
):
    """List names with their descriptions."""
    from adamlab.terminal.lists import show_list

    show_list(what)


def main():
    """Run the command line.

    Exit codes: 0 done, 1 the answer is no, 2 bad usage or bad input, 130 stopped, 141 nobody reads the output.
    """
    gc.set_threshold(50_000)  # JAX and SymPy make many objects and little garbage: to look for it takes a tenth more
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without η still gets the rest
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # those of libraries: what a user has to know is a message of ours
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # zarr's, of files that were damaged
    with hearing_interrupts() as heard:
        try:
            app()
        except InputError as error:
            _fail(error)
        except OSError as error:
            _fail(InputError(f"{error.filename or 'the output'}: {error.strerror or error}"))
        except MemoryError:
            _fail(InputError("there is not enough memory for this: ask for less at once."))
        except (SystemExit, ImportError):  # the latter of what is interrupted while it is loaded
            if heard.is_set():
                sys.exit(130)
            raise


def _fail(error: InputError) -> NoReturn:
    """Print the message, and end with exit code 2, even where nothing can be written."""
    for stream, text in ((sys.stdout, ""), (sys.stderr, f"adamlab: {error}\n")):
        try:
            stream.write(text)
            stream.flush()
        except OSError:
            discard(stream)
    sys.exit(2)
