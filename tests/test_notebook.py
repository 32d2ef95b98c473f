"""The tour is a notebook whose cells run, whose stored outputs are today's, and which can be exported."""

import ast
import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from adamlab.derivations import Derivation
from adamlab.optimizers import REGISTERED
from adamlab.plots.picture import Picture
from adamlab.symbolic.results import Result

TOUR = Path(__file__).parents[1] / "experiments" / "tour.ipynb"


@pytest.fixture(scope="module")
def cells() -> list[dict[str, Any]]:
    return [cell for cell in json.loads(TOUR.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def value_of(source: str, names: dict[str, Any]) -> Any:
    """Run a cell as a notebook does, and return the value of its last line."""
    *statements, last = ast.parse(source).body
    exec(compile(ast.Module(statements, []), "cell", "exec"), names)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    exec(compile(ast.Module([last], []), "cell", "exec"), names)
    return None


@pytest.mark.slow
def test_every_cell_shows_today_what_the_notebook_shows(cells):
    names: dict[str, Any] = {}
    formulas = pictures = tables = 0
    with patch.dict(REGISTERED):
        for cell in cells:
            value = value_of("".join(cell["source"]), names)
            stored = [output["data"] for output in cell["outputs"]]
            match value:
                case None:
                    assert stored == []
                case Result() | Derivation():
                    html = value._repr_html_()
                    assert "".join(stored[0]["text/html"]) == html
                    formulas += "<math" in html
                case Picture():
                    assert stored[0]["image/png"]
                    image, metadata = value._repr_png_()
                    assert image.startswith(b"\x89PNG")
                    assert metadata == {"alt": value.get_label()}
                    pictures += 1
                case _ if "text/html" in stored[0]:
                    assert "<table" in "".join(stored[0]["text/html"])
                    tables += 1
    assert (formulas, pictures, tables) == (5, 4, 3)
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_results_say_in_html_and_text_what_they_are(cells):
    told = {"".join(cell["source"]): cell["outputs"][0]["data"] for cell in cells if cell["outputs"]}
    (proved, refuted) = [data for source, data in told.items() if source.startswith("al.prove")]
    assert "<p>proved: " in "".join(proved["text/html"])
    assert "where" in "".join(proved["text/html"])
    assert "<p>refuted: with lr = 1" in "".join(refuted["text/html"])
    pages = ["".join(data["text/html"]) for data in told.values() if "text/html" in data]
    formulas = [page for page in pages if "<math" in page]
    assert len(formulas) == 5
    assert all('display="block"' in page for page in formulas)


@pytest.mark.slow
def test_the_notebook_runs_in_a_kernel_and_is_exported(tmp_path):
    nbformat = pytest.importorskip("nbformat", reason="pip install 'adamlab[notebook]'")
    nbclient = pytest.importorskip("nbclient", reason="pip install 'adamlab[notebook]'")
    nbconvert = pytest.importorskip("nbconvert", reason="pip install 'adamlab[notebook]'")
    notebook = nbformat.read(TOUR, as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    page, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)
    assert page.count("<math") > 10
    assert page.count("<img") == 4
    assert "Figure size" not in page
