"""The explorer's page, which loads nothing from elsewhere and runs no code but Plotly's and its own."""

import json
from importlib.resources import files
from pathlib import Path

import xarray as xr
from markupsafe import Markup

from adamlab.errors import InputError
from adamlab.explorer.data import MOST_BYTES, explorer_data
from adamlab.files import write_text
from adamlab.pages import digest, mapping_in, templates


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
    config = mapping_in(tree.attrs.get("config"))
    # "</script>" within a text would end the element.
    data = json.dumps({"problems": problems}, allow_nan=False, ensure_ascii=False).replace("<", "\\u003c")
    plotly, glue = plotly_script(), files("adamlab").joinpath("templates", "explorer.js").read_text(encoding="utf-8")
    template = templates().get_template("explorer.html")
    page = template.render(
        name=str(config.get("name", "runs")),
        question=str(config.get("question", "")),
        data=Markup(data),
        plotly=Markup(plotly),
        glue=Markup(glue),
        hashes=" ".join(f"'{digest(script)}'" for script in (plotly, glue)),
    )
    write_text(path, page)


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
