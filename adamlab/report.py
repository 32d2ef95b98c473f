"""One HTML page of a study: its question, figures, tables and config, with nothing to load from elsewhere."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from jinja2 import Environment, PackageLoader, select_autoescape


def write_report(
    tree: xr.DataTree, config: Mapping[str, Any], figures: Mapping[str, Sequence[Path]], path: Path
) -> None:
    """Writes the page.

    Args:
        tree: the results.
        config: the plain data of the config.
        figures: SVG files of each problem, in the order in which to show them.
        path: where the page goes.
    """
    from adamlab.studies.kinds import kind_of  # which loads SymPy: other users of this module need none

    environment = Environment(loader=PackageLoader("adamlab"), autoescape=select_autoescape())
    environment.filters["number"] = number
    sections = []
    for name, child in tree.children.items():
        data = child.to_dataset()
        section = {
            "name": name,
            "source": data.attrs["source"],
            "by": data.attrs.get("by", "final_loss").replace("_", " "),
            "figures": [_inline(figure) for figure in figures.get(name, ())],
        }
        sections.append(section | {told: rows(table) for told, table in kind_of(data).tables(data).items()})
    page = environment.get_template("report.html").render(
        config=config, pretty=json.dumps(config, indent=2, ensure_ascii=False), sections=sections, made=tree.attrs
    )
    path.write_text(page, encoding="utf-8")


def number(value: object) -> str:
    """A number short enough for a table; text as it is."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def rows(table: pd.DataFrame) -> list[dict]:
    """A table's rows, a dict each."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _inline(figure: Path) -> dict[str, str]:
    data = base64.b64encode(figure.read_bytes()).decode()
    return {"name": figure.stem, "src": f"data:image/svg+xml;base64,{data}"}
