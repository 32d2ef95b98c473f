"""The explorer's page, which loads nothing from elsewhere and runs no code but Plotly's and its own."""

import base64
import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import xarray as xr
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from adamlab.errors import InputError
from adamlab.explorer.data import MOST_BYTES, explorer_data
from adamlab.files import write_text


def write_explorer(tree: xr.DataTree, path: Path) -> None:
    """Write the page of a study's runs.

    Args:
        tree: the results, a child a problem.
        path: the page's path.

    Raises:
        InputError: they are no runs, none is done, or Plotly is not installed.
    """
    datasets = [child.to_dataset() for child in tree.children.values()]
    runs = [data for data in datasets if data.attrs.get("of", "runs") == "runs" and data.done.any()]
    if not runs:
        raise InputError("there is nothing to explore: the explorer shows runs of optimizers, and none is done here.")
    problems = [explorer_data(data, MOST_BYTES // len(runs)) for data in runs]
    config = _config(tree)
    # "</script>" within a text would end the element.
    data = json.dumps({"problems": problems}, allow_nan=False, ensure_ascii=False).replace("<", "\\u003c")
    plotly, glue = plotly_script(), files("adamlab").joinpath("templates", "explorer.js").read_text(encoding="utf-8")
    page = (
        _environment()
        .get_template("explorer.html")
        .render(
            name=str(config.get("name", "runs")),
            question=str(config.get("question", "")),
            data=Markup(data),
            plotly=Markup(plotly),
            glue=Markup(glue),
            hashes=" ".join(f"'sha256-{_digest(script)}'" for script in (plotly, glue)),
        )
    )
    write_text(path, page)


def _config(tree: xr.DataTree) -> dict[str, Any]:
    """The study's config; empty where the folder that it was read from has anything else."""
    try:
        config = json.loads(str(tree.attrs.get("config", "{}")))
    except ValueError:
        return {}
    return config if isinstance(config, dict) else {}


def plotly_script() -> str:
    """Plotly's own JavaScript, as its package ships it.

    Raises:
        InputError: Plotly is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ModuleNotFoundError as error:
        raise InputError("the explorer draws with Plotly: pip install 'adamlab[explore]'") from error
    return get_plotlyjs()


def _environment() -> Environment:
    return Environment(loader=PackageLoader("adamlab"), autoescape=select_autoescape())


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
