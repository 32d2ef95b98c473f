"""The page of a report, put together from results, figures, formulas and the config."""

import base64
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import xarray as xr
from markupsafe import Markup

from adamlab import analysis, plots
from adamlab.files import write_text
from adamlab.pages import digest, mapping_in, templates
from adamlab.plots.files import Drawing, svg
from adamlab.problems import find
from adamlab.problems.metrics import metric_in_words
from adamlab.report.formulas import OptimizerFormula, optimizer_formulas, problem_formula, shares
from adamlab.report.mathml import is_mathml
from adamlab.report.tables import shown
from adamlab.studies.config.study import Config, Study
from adamlab.studies.engine.recording import QUANTITIES
from adamlab.studies.kinds import RUNS, Table, kind_of


def write_report(
    tree: xr.DataTree,
    config: Mapping[str, Any],
    figures: Mapping[str, Sequence[Drawing]],
    path: Path,
    *,
    text: str = "",
    study: Config | None = None,
) -> None:
    """Write the report.

    Args:
        tree: the results.
        config: the plain data of the config.
        figures: the drawings of each problem, in the order in which to show them.
        path: the page's path.
        text: the config's file as it was written; without, its data are shown.
        study: the config as it was read, whose problems are described.
    """
    environment = templates()
    environment.filters["mathml"] = mathml
    datasets = {name: child.to_dataset() for name, child in tree.children.items()}
    kind = kind_of(next(iter(datasets.values())))
    formulas = optimizer_formulas(datasets) if kind is RUNS else []
    folder = files("adamlab").joinpath("templates")
    script, style = (folder.joinpath(f"report.{ending}").read_text("utf-8") for ending in ("js", "css"))
    page = environment.get_template("report.html").render(
        config=config,
        text=text or json.dumps(config, indent=2, ensure_ascii=False),
        is_text=bool(text),
        answers=analysis.answers(datasets),
        sections=[_section(name, data, figures.get(name, ()), study) for name, data in datasets.items()],
        across=[table for each in kind.across if (table := shown(each, datasets))],
        formulas=formulas,
        shares=_shares(formulas),
        recorded=_recorded(datasets, study) if kind is RUNS else {},
        caveats=analysis.caveats(datasets),
        environment=_environment(tree.attrs),
        script=Markup(script),
        style=Markup(style),
        script_hash=digest(script),
        style_hash=digest(style),
    )
    write_text(path, page)


def mathml(formula: str, text: str = "") -> str:
    """A formula's MathML; its text where the folder that it was read from has anything else in its place."""
    return Markup(formula) if is_mathml(formula) else text


def _section(name: str, data: xr.Dataset, figures: Sequence[Drawing], study: Config | None) -> dict[str, Any]:
    """The part of the page on a problem, or on all comparisons or readings: standings and tests, figures, the rest."""
    kind = kind_of(data)
    plain = [table for table in kind.tables if not table.is_formulas]
    return {
        "name": name,
        "source": data.attrs["source"],
        **_described(name, study),
        "formulas": [row for table in kind.tables if table.is_formulas for row in _rows(table, data)],
        "first": [table for each in (*plain[:1], *kind.tests) if (table := shown(each, data))],
        "figures": [_inline(name, figure) for figure in figures],
        "others": [table for each in plain[1:] if (table := shown(each, data))],
    }


def _described(name: str, study: Config | None) -> dict[str, str]:
    """A problem's own description and, where it can be read off the code, its formula."""
    if not isinstance(study, Study):
        return {}
    (problem,) = (problem for problem in study.problems if problem.name == name)
    text = study.texts[name]
    description = (find(text.partition("(")[0]).__doc__ or "").strip().partition("\n")[0]
    options = text.partition("(")[2].rstrip(")")
    return {"text": text, "options": options, "description": description, "formula": problem_formula(problem)}


def _recorded(datasets: Mapping[str, xr.Dataset], study: Config | None) -> dict[str, str]:
    """What each recorded quantity and metric is, in words; without those that nothing is known of."""
    metrics: dict[str, Any] = {}
    for problem in study.problems if isinstance(study, Study) else ():
        metrics |= problem.metrics
    words: dict[str, str] = {}
    for data in datasets.values():
        for name in map(str, data.data_vars):
            is_metric = name in data.attrs["metrics"]
            words[name] = metric_in_words(name, metrics.get(name)) if is_metric else QUANTITIES.get(name, "")
    return {name: meaning for name, meaning in words.items() if meaning}


def _rows(table: Table, data: xr.Dataset) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.rows(data).to_dict("records")]


def _inline(problem: str, figure: Drawing) -> dict[str, str]:
    data = base64.b64encode(figure.path.read_bytes()).decode()
    caption = figure.caption or f"{figure.kind} of {problem}"
    kind = "gif" if figure.path.suffix == ".gif" else "svg+xml"
    return {"caption": caption, "name": figure.path.stem, "src": f"data:image/{kind};base64,{data}"}


def _shares(formulas: Sequence[OptimizerFormula]) -> dict[str, str]:
    """The picture of what drives the optimizers' updates; empty where the latest gradient alone does."""
    data = shares(formulas)
    if data is None:
        return {}
    figure = plots.shares(data)
    src = base64.b64encode(svg(figure)).decode()
    return {"caption": str(figure.get_label()), "name": "shares", "src": f"data:image/svg+xml;base64,{src}"}


def _environment(attributes: Mapping[Any, Any]) -> dict[str, str]:
    """What the results were computed with, by name."""
    versions, git = mapping_in(attributes.get("versions")), mapping_in(attributes.get("git"))
    changed = ", with changes that were not committed" if git.get("changed") else ""
    told = {
        "computed": attributes.get("created"),
        "platform": attributes.get("platform"),
        "devices": attributes.get("device"),
        "processes": attributes.get("processes"),
        "commit": git.get("commit") and f"{git['commit']}{changed}",
        "own code": ", ".join(map(str, mapping_in(attributes.get("own_code")))),
        "versions": ", ".join(f"{package} {version}" for package, version in versions.items()),
    }
    return {name: str(value) for name, value in told.items() if value}
