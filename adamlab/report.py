"""The report: one HTML page with a study's question, figures, tables and config, which loads nothing from elsewhere."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import xarray as xr
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from pandas.api.types import is_numeric_dtype

from adamlab.files import write_text
from adamlab.plots.files import Drawing
from adamlab.studies.kinds import Table, kind_of
from adamlab.symbolic.notation.mathml import SIDES

NAMESPACE = "http://www.w3.org/1998/Math/MathML"

ELEMENTS = {
    f"{{{NAMESPACE}}}{name}"
    for name in (
        *("math", "mrow", "mi", "mn", "mo", "mtext", "mfrac", "msqrt", "mtable", "mtr", "mtd"),
        *("msub", "msup", "msubsup", "mover", "munder", "munderover"),
    )
}
"""The elements that `adamlab.symbolic.notation.mathml` writes."""

ATTRIBUTES = {
    ("accent", "true"),
    ("display", "block"),
    ("displaystyle", "true"),
    *(("style", style) for style in SIDES),
}
"""The attributes that it writes, with their values."""


def write_report(
    tree: xr.DataTree, config: Mapping[str, Any], figures: Mapping[str, Sequence[Drawing]], path: Path
) -> None:
    """Write the report.

    Args:
        tree: the results.
        config: the plain data of the config.
        figures: the drawings of each problem, in the order in which to show them.
        path: the page's path.
    """
    environment = Environment(loader=PackageLoader("adamlab"), autoescape=select_autoescape())
    environment.filters["number"] = number
    environment.filters["formula"] = formula
    sections = []
    for name, child in tree.children.items():
        data = child.to_dataset()
        section = {
            "name": name,
            "source": data.attrs["source"],
            "tables": [_table(table, data) for table in (*kind_of(data).tables, *kind_of(data).tests)],
            "figures": [_inline(figure) for figure in figures.get(name, ())],
        }
        sections.append(section)
    datasets = {name: child.to_dataset() for name, child in tree.children.items()}
    across = [_table(table, datasets) for table in kind_of(next(iter(datasets.values()))).across]
    if any(table["rows"] for table in across):
        sections.append({"name": "All problems", "source": "", "tables": across, "figures": []})
    page = environment.get_template("report.html").render(
        config=config,
        pretty=json.dumps(config, indent=2, ensure_ascii=False),
        sections=sections,
        attributes=tree.attrs,
        versions=_versions(tree.attrs["versions"]),
    )
    write_text(path, page)


def number(value: object) -> str:
    """A number cut to three digits for a table; text as it is."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _versions(text: Any) -> dict[str, Any]:
    """The versions of packages by name; none where the folder that they were read from has anything else."""
    try:
        versions = json.loads(str(text))
    except ValueError:
        return {}
    return versions if isinstance(versions, dict) else {}


def formula(row: Mapping[str, Any]) -> str:
    """A formula's MathML; its text where the folder that it was read from has anything else in its place."""
    mathml = str(row["mathml"])
    return Markup(mathml) if is_mathml(mathml) else str(row["text"])


def is_mathml(text: str) -> bool:
    """Whether this is well-formed MathML of the elements that formulas are made of, and of nothing else."""
    if "<!" in text or "<?" in text:  # no entities, comments or instructions
        return False
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return False
    return root.tag == f"{{{NAMESPACE}}}math" and all(
        element.tag in ELEMENTS and element.attrib.items() <= ATTRIBUTES for element in root.iter()
    )


def rows(table: pd.DataFrame) -> list[dict]:
    """The rows of a table, a dict each."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _table(table: Table, data: xr.Dataset | dict[str, xr.Dataset]) -> dict[str, Any]:
    columns = table.rows(data)
    columns = columns.drop(columns=[name for name in columns if {*columns[name]} == {""}])
    words = {"by": "", **columns.attrs}
    words["by"] = words["by"].replace("_", " ")
    names = [table.heads.get(name, name.replace("_", " ")) for name in map(str, columns)]
    is_text = [not is_numeric_dtype(dtype) for dtype in columns.dtypes]
    heads = [{"name": name, "is_text": text} for name, text in zip(names, is_text, strict=True)]
    return {
        "heading": table.heading,
        "caption": table.caption.format(**words) if len(columns) else "",
        "heads": heads,
        "rows": rows(columns),
        "is_formulas": table.is_formulas,
    }


def _inline(figure: Drawing) -> dict[str, str]:
    data = base64.b64encode(figure.path.read_bytes()).decode()
    kind = "gif" if figure.path.suffix == ".gif" else "svg+xml"
    return {"name": figure.caption or figure.path.stem, "src": f"data:image/{kind};base64,{data}"}
