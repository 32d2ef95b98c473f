"""README and the two pages behind it keep their word: what they show runs, and what they list is what there is."""

import ast
import importlib.util
import inspect
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer

import adamlab as al
from adamlab.cli import app
from adamlab.derivations import DERIVATIONS
from adamlab.parity.families import FAMILIES
from adamlab.plots import PLOTS, PLOTS_OF
from adamlab.problems.registry import BUILT_IN, PROBLEMS
from adamlab.rules import PARTS, RULES
from adamlab.running import study_of
from adamlab.schedules import SCHEDULES
from adamlab.studies.config.comparisons import Comparisons, ComparisonsHead, PairSchema
from adamlab.studies.config.readings import Readings, ReadingsHead, ReadSchema
from adamlab.studies.config.schema import EvaluationSchema, Head, Record, RunsHead
from adamlab.studies.config.study import Study
from adamlab.studies.config.tables.optimizers import KEYS
from adamlab.studies.config.values.designs import DRAWN
from adamlab.studies.engine.recording import QUANTITIES
from adamlab.studies.kinds import KINDS
from tests.pages import (
    ALL,
    EXPERIMENTS,
    INSIDE,
    PAGES,
    README,
    ROOT,
    anchors,
    blocks,
    prose,
    section,
    sessions,
    shell_commands,
    tables,
)
from tests.test_imports import LAYERS, PACKAGE

COMMANDS = typer.main.get_group(app).commands


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder as the pages see it: experiments, a short quickstart among them, and configs that they show."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "experiments").mkdir()
    (folder / "experiments/quickstart.toml").write_text(short_quickstart(), "utf-8")
    (folder / "experiments/momentum_rates.toml").write_text(short_momentum_rates(), "utf-8")
    (folder / "valley.toml").write_text(blocks(README, "toml")[0], "utf-8")
    return folder


def short_quickstart() -> str:
    """The quickstart with 20 steps, a problem, Adam and its twin, and a picture; the gate runs it in full."""
    whole = (ROOT / "experiments/quickstart.toml").read_text("utf-8")
    head, *listed = whole.split("\n[[")
    of = {kind: [table for table in listed if table.startswith(kind)] for kind in ("problem", "optimizer", "output")}
    kept = [*of["problem"][:1], *of["optimizer"][:2], *of["output"][:1]]
    for key, value in {"steps": "20", "what": '["loss", "params"]'}.items():
        head = re.sub(rf"^{key} = .*$", f"{key} = {value}", head, flags=re.MULTILINE)
    return "\n[[".join([head, *kept])


def short_momentum_rates() -> str:
    """Polyak's heavy ball alone, at the condition number that the page shows."""
    whole = (ROOT / "experiments/momentum_rates.toml").read_text("utf-8")
    head, problem, _, polyak, *_ = whole.split("\n[[")
    at_100 = problem.replace("[10, 100, 1000]", '100\nlabel = "quadratic-condition=100"')
    return "\n[[".join([head, at_100, polyak])


@pytest.fixture
def own_problems():
    """Problems that a page registers are forgotten."""
    before = dict(PROBLEMS)
    yield
    PROBLEMS.clear()
    PROBLEMS.update(before)


def test_formula_block_and_picture_come_before_line_40():
    head = "\n".join(README.splitlines()[:39])
    assert "$$" in head
    assert "```python" in head
    (picture,) = re.findall(r"!\[.*?\]\((.*?)\)", head)
    assert (ROOT / picture).exists()


def test_the_readme_is_short():
    lines = README.splitlines()
    assert len(lines) <= 180
    bare = [line for line in prose(README).splitlines() if not line.startswith(("$$", "|"))]
    assert max(map(len, bare)) <= 120


def test_two_commands_make_the_environment():
    first, second = re.findall(r"^python3 -m venv.*$", README, re.MULTILINE)
    assert first.endswith("adamlab run experiments/quickstart.toml")
    assert second.endswith("pytest")


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        pytest.param("experiments/README.md", marks=pytest.mark.optimized(False)),  # which speaks of no bits
        pytest.param("adamlab/README.md", marks=pytest.mark.slow),
    ],
)
def test_python_runs_and_prints_what_its_comments_say(page, folder, own_problems, monkeypatch, capsys):
    """The blocks of a page in their order; a comment beside a print begins with what is printed."""
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    for block in blocks(PAGES[page], "python"):
        lines = block.splitlines()
        for statement in ast.parse(block).body:
            exec(compile(ast.Module([statement], []), page, "exec"), names)
            printed = capsys.readouterr().out.strip()
            _, _, comment = lines[(statement.end_lineno or 0) - 1].partition("  # ")
            if printed and comment:
                assert re.fullmatch(rf"{re.escape(printed)}(: .*)?", comment), (printed, comment)
        assert all((folder / picture).exists() for picture in re.findall(r'\.savefig\("(.*?)"\)', block))


@pytest.mark.parametrize(("command", "output"), sessions(), ids=[command for command, _ in sessions()])
def test_a_command_says_what_a_page_shows(command, output, adamlab, folder):
    """In full, but where a line " …" leaves something out, which can then be more at the end."""
    program, *words = shlex.split(command)
    assert program == "adamlab"
    result = adamlab(*words, cwd=folder)
    shown = "\n".join(line.rstrip() for line in result.stdout.splitlines()).strip()
    parts = [re.escape(part) for part in re.split(r"^ …\n", output, flags=re.MULTILINE)]
    rest = r"(?:\n.*)*" if len(parts) > 1 else ""
    assert re.fullmatch(r"(?:.*\n)*?".join(parts) + rest, shown), shown
    assert bool(result.returncode) is ("\nrefuted: " in f"\n{output}")


def test_commands_in_shell_blocks_are_ones_that_the_command_line_takes():
    checked = 0
    for words in shell_commands():
        programs = [Path(word).name for word in words]
        if "adamlab" in programs:
            name, *arguments = words[programs.index("adamlab") + 1 :]
            COMMANDS[name].make_context(name, arguments)  # raises where an option or its value does not exist
            checked += 1
    assert checked >= 8


def test_the_synopsis_has_every_command_and_option():
    text = re.sub(r"\n +", " ", next(block for block in blocks(EXPERIMENTS, "text") if block.startswith("adamlab ")))
    lines = [shlex.split(line) for line in text.splitlines()]
    assert {words[1] for words in lines} == COMMANDS.keys()
    for name, command in COMMANDS.items():
        shown = " ".join(word for words in lines if words[1] == name for word in words[2:])
        options = {flag for param in command.params for flag in (*param.opts, *param.secondary_opts) if flag[0] == "-"}
        assert set(re.findall(r"--[a-z-]+", shown)) <= options, name
        for param in command.params:
            flags = [flag for flag in (*param.opts, *param.secondary_opts) if flag.startswith("--")]
            metavar = param.metavar or str(param.name).upper()
            assert any(flag in shown for flag in flags) if flags else metavar in shown, (name, param.name)


def test_modules_that_pages_run_exist():
    modules = set(re.findall(r"python -m ([\w.]+)", ALL))
    assert {"tests.benchmarks", "tests.fuzzing", "tests.golden"} <= modules
    assert all(importlib.util.find_spec(module) for module in modules)


def config_under(heading: str) -> dict:
    """The config that the blocks under a heading make together."""
    return tomllib.loads("\n".join(blocks(section(EXPERIMENTS, heading), "toml")))


def test_every_toml_block_is_part_of_a_config_that_is_tested():
    headings = ("Configs of runs", "Configs of comparisons", "Configs of readings", "Pictures")
    under = [block for heading in headings for block in blocks(section(EXPERIMENTS, heading), "toml")]
    assert blocks(EXPERIMENTS, "toml") == under
    assert len(blocks(README, "toml")) == 1
    assert not blocks(INSIDE, "toml")
    assert all(len(line) <= 100 for block in blocks(ALL, "toml") for line in block.splitlines())


def test_the_config_of_the_readme_is_valid():
    study = study_of(tomllib.loads(blocks(README, "toml")[0]))
    assert isinstance(study, Study)
    assert [(o.label, o.count) for o in study.optimizers] == [("adamlab.adam", 7), ("momentum", 7)]
    assert "$ adamlab run valley.toml" in README


def test_the_config_of_runs_is_valid():
    study = study_of(config_under("Configs of runs"))
    assert isinstance(study, Study)
    adams = ["Adam, untuned", "Adam, tuned", "Adam, tuned, schedule"]
    assert [o.label for o in study.optimizers] == ["adamlab.adam", "rmsprop", *adams]
    assert [o.count for o in study.optimizers] == [21, 2, 1, 7, 7]
    assert study.evaluation is not None
    assert config_under("Configs of runs").keys() == RunsHead.model_fields.keys() - {"output"}
    assert config_under("Configs of runs")["record"].keys() == Record.model_fields.keys()


def test_the_pictures_are_those_of_the_config_of_runs():
    study = study_of(config_under("Configs of runs") | config_under("Pictures"))
    assert [output["kind"] for output in study.outputs] == ["curves", "curves"]


def test_the_config_of_comparisons_is_valid():
    study = study_of(config_under("Configs of comparisons"))
    assert isinstance(study, Comparisons)
    assert len(study.pairs) == 6


def test_the_config_of_readings_is_valid():
    study = study_of(config_under("Configs of readings"))
    assert isinstance(study, Readings)
    assert [(read.states, read.fixed, len(read.settings())) for read in study.reads] == [(("mu", "nu"), {"b1": 0.9}, 3)]


SCHEMAS = [
    (RunsHead, Head, "Configs of runs"),
    (Record, None, "Record"),
    (EvaluationSchema, None, "Evaluation"),
    (ComparisonsHead, Head, "Configs of comparisons"),
    (PairSchema, None, "Configs of comparisons"),
    (ReadingsHead, Head, "Configs of readings"),
    (ReadSchema, None, "Configs of readings"),
]


@pytest.mark.parametrize(("schema", "base", "heading"), SCHEMAS, ids=[schema.__name__ for schema, *_ in SCHEMAS])
def test_every_key_of_a_config_is_told(schema, base, heading):
    """One table has just the schema's keys; heads have those of every kind in a table of their own."""
    text = section(EXPERIMENTS, heading)
    shared = tables(section(EXPERIMENTS, "Configs of runs"))[0].keys()
    assert shared == Head.model_fields.keys()
    keys = schema.model_fields.keys() - (base.model_fields.keys() if base else set())
    if schema is ComparisonsHead:
        assert keys == {"compare"}  # a sentence tells it
        assert "`compare`" in prose(text)
    elif schema is ReadingsHead:
        assert {*keys, "steps"} == tables(text)[0].keys()
    else:
        assert keys in [{*table} for table in tables(text)]


def test_every_key_of_problems_optimizers_and_pictures_is_told():
    assert tables(section(EXPERIMENTS, "Problem"))[0].keys() == {"name", "label", "starts"}
    assert tables(section(EXPERIMENTS, "Optimizer"))[0].keys() == {*KEYS}
    output, kinds, told = tables(section(EXPERIMENTS, "Pictures"))
    assert output.keys() == {"kind", "problem"}
    assert kinds.keys() == PLOTS.keys()
    for name, row in kinds.items():
        of, options, _ = (cell.strip() for cell in row.split("|", 2))
        assert {kind for kind in PLOTS_OF if kind in of} == {kind for kind, plots in PLOTS_OF.items() if name in plots}
        taken = [option for option in [*inspect.signature(PLOTS[name]).parameters][1:] if option != "ax"]
        assert re.findall(r"`(.*?)`", options) == taken
        assert {*taken} <= {*told, "target"}


def test_pictures_that_are_drawn_unasked_are_told():
    text = " ".join(prose(section(EXPERIMENTS, "Pictures")).split())
    for of, kind in KINDS.items():
        drawn = " and ".join(f"`{name}`" for name in kind.outputs)
        assert re.search(rf"{of} (get )?{drawn}", text), of


def test_everything_that_can_be_recorded_drawn_from_or_compared_is_told():
    assert tables(section(EXPERIMENTS, "Record"))[1].keys() == QUANTITIES.keys()
    assert tables(section(EXPERIMENTS, "Configs of comparisons"))[1].keys() == FAMILIES.keys()
    _, schedules, designs = tables(section(EXPERIMENTS, "Values and designs"))
    assert schedules.keys() == {_call(name, schedule) for name, schedule in SCHEDULES.items()}
    assert {re.findall(r"[a-z]+", design)[0] for design in designs} == {"grid", "zip", *DRAWN}


def _call(name: str, function) -> str:
    parameters = inspect.signature(function).parameters.values()
    given = (p.name if p.default is p.empty else f"{p.name}={p.default}" for p in parameters)
    return f"{name}({', '.join(given)})"


def test_every_variable_and_coordinate_of_results_is_told(folder, monkeypatch):
    monkeypatch.chdir(folder)
    runs = al.run("experiments/quickstart.toml", out="results/quickstart")["rosenbrock"].ds
    variables, coordinates = tables(section(EXPERIMENTS, "Results"))
    assert {*map(str, runs.data_vars)} <= variables.keys()
    of_runs = {str(name) for name, values in runs.coords.items() if values.dims == ("run",)}
    assert of_runs - {*runs.attrs["settings"]} <= coordinates.keys()
    assert {*QUANTITIES} <= variables.keys()
    products = {path.name for path in (folder / "results/quickstart").iterdir() if not path.name.startswith(".")}
    assert all(f"`{name}" in section(EXPERIMENTS, "Results") for name in products)


def test_every_public_name_is_told_and_every_told_name_exists():
    for name in dir(al):
        assert re.search(rf"\bal\.{name}\b", ALL), name
    for name in set(re.findall(r"\bal((?:\.[A-Za-z_]\w*)+)", ALL)):
        value = al
        for part in name.removeprefix(".").split("."):
            value = getattr(value, part)


def test_every_optimizer_problem_and_derivation_is_told():
    optimizers, problems = section(INSIDE, "The optimizers"), section(INSIDE, "Problems")
    assert all(f"`al.{name}`" in optimizers for name in [*RULES, *PARTS])
    names = [name for name in BUILT_IN if not name.startswith(("mnist_", "fashion_mnist_", "cifar_10_"))]
    assert all(f"`{name}`" in problems for name in names)
    assert all(f"`{name}`" in section(INSIDE, "Derivations") for name in DERIVATIONS)


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.toml")), ids=lambda path: path.name)
def test_every_experiment_is_valid_and_listed(path):
    study_of(tomllib.loads(path.read_text("utf-8")))
    assert path.name in tables(section(EXPERIMENTS, "Which file answers which question"))[0]


def test_the_map_has_every_module_in_the_order_of_imports():
    """From the top down, so that imports point down the page too."""
    modules, studies, symbolic, others = tables(section(INSIDE, "The map"))
    rows = [name.removesuffix("/") for name in modules]
    layers = [name for layer in LAYERS for name in layer if name != "__main__"]
    assert sorted(rows) == sorted(layers)
    rank = {name: i for i, layer in enumerate(LAYERS) for name in layer}
    assert [rank[name] for name in rows] == sorted((rank[name] for name in rows), reverse=True)
    for rooms in (studies, symbolic, others):
        packages = {str(Path(name).parent) for name in rooms}
        inner = {path.parent for package in packages for path in (PACKAGE / package).glob("*/__init__.py")}
        assert rooms.keys() == {f"{path.relative_to(PACKAGE).as_posix()}/" for path in inner}
    assert all((PACKAGE / name).is_dir() for name in modules if name.endswith("/"))


def test_the_words_are_explained_once():
    words = re.findall(r"^- (\w+): ", al.__doc__ or "", re.MULTILINE)
    assert len(words) == len({*words}) >= 15
    listed = re.search(r"one thing: ([\w, \n]+)\.", section(INSIDE, "The words"))
    assert listed is not None
    assert listed[1].replace("\n", " ").split(", ") == words


@pytest.mark.parametrize("page", PAGES)
def test_links_point_to_files_and_headings(page):
    links = re.findall(r"\[[^\]]*\]\(([^)#]*)(?:#([^)]*))?\)", prose(PAGES[page]))
    assert links
    for path, anchor in links:
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target.read_text("utf-8")), f"{path}#{anchor}"


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page):
    named = set(re.findall(r"`((?:adamlab|experiments|tests|\.ci)/[\w./]*|[\w]+\.toml)`", PAGES[page]))
    missing = {path for path in named if not (ROOT / path).exists() and not (ROOT / "experiments" / path).exists()}
    assert {path for path in missing if "NAME" not in path} <= {"valley.toml", "mine.toml"}  # which pages show


def test_adding_touches_few_files():
    rows = [line.strip("| ").split(" | ") for line in section(INSIDE, "What to touch to add something").splitlines()]
    files = {row[0]: len(re.findall(r"`adamlab/[\w./]+`", row[1])) for row in rows if len(row) > 1}
    assert files["a kind of study"] <= 3
    assert files["a config key"] + 1 <= 2  # with its user
    assert files["a run option"] + 1 <= 2
    assert files["a rule"] <= 2


def test_the_version_to_cite_is_the_one_that_is_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert f"version = {{{project['version']}}}" in README
