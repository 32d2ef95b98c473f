"""The formulas in the README, in docstrings and in the golden file are those that the code says today."""

import inspect

import pytest

from adamlab.rules import RULES
from tests.golden import (
    GOLDEN,
    HEADING,
    INSIDE,
    ROOT,
    docstring_lines,
    golden,
    readme_formula,
    with_formula,
    with_tables,
)


def test_the_readme_shows_what_is_read():
    assert readme_formula() in (ROOT / "README.md").read_text("utf-8").splitlines()


def test_docstrings_show_what_is_read():
    written = {name: inspect.getdoc(rule) or "" for name, rule in RULES.items()}
    read = {name: "\n".join(f"    {line}" for line in docstring_lines(name)) for name in RULES}
    assert [name for name in RULES if HEADING not in written[name] or read[name] not in written[name]] == []


def test_the_golden_file_is_what_is_read():
    assert GOLDEN.read_text("utf-8") == golden()


def test_the_package_page_has_the_tables_of_translations_and_of_performance():
    for framework in ("torch", "keras"):  # whose defaults the table names
        pytest.importorskip(framework)
    page = INSIDE.read_text("utf-8")
    assert with_tables(page) == page
    assert "| `torch.RMSprop(lr=lr, alpha=a, eps=e)` |  | `optax.rmsprop(" in page


def test_a_formula_is_written_once_however_often():
    source = '\n\ndef sgd(lr):\n    """Descends.\n\n    More.\n    """\n'
    once = with_formula(source, "sgd")
    assert once.count(HEADING) == 1
    assert with_formula(once, "sgd") == once
    assert "        u_t = -η·g_t\n" in once
