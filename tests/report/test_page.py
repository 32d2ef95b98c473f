"""The page of a report: its parts in order, every text escaped, and nothing that runs but its own script."""

import base64
import hashlib
import html
import re
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

import adamlab as al
from adamlab import analysis
from adamlab.analysis import with_agreement
from adamlab.plots.files import Drawing
from adamlab.report import write_report
from adamlab.running import study_of
from adamlab.studies.config.toml import text_of
from tests.analysis.examples import SGD, dataset

SCRIPT = '"><script>alert(1)</script>'
ATTRIBUTES = {
    "versions": '{"jax": "0.8"}',
    "created": "2026-01-01",
    "platform": "Linux",
    "git": '{"commit": "abc", "changed": true}',
}


def problem(name, accuracy=0.9):
    """Two optimizers at two settings on two seeds, the losses in order, with an accuracy."""
    rows = [
        (label, SGD.format(rate), seed, [9, 9, loss + seed], -1)
        for label, losses in (("a", (4, 2)), (f"b {SCRIPT}", (8, 6)))
        for rate, loss in zip((0.1, 0.2), losses, strict=True)
        for seed in (0, 1)
    ]
    runs = with_agreement(dataset(rows, problem=name))
    runs = runs.assign(test_accuracy=(("run", "step"), np.full((8, 3), accuracy)))
    return runs.assign_attrs(source=SCRIPT, metrics=["test_accuracy"])


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Writes a report of problems and returns its text."""
    tmp_path = tmp_path_factory.mktemp("page")

    def write(*problems, figures=None, config=None, **attributes):
        tree = xr.DataTree.from_dict({f"/{runs.attrs['problem']}": runs for runs in problems})
        tree.attrs |= ATTRIBUTES
        told = {"name": "made", "question": f"Who? {SCRIPT}"} | (config or {})
        write_report(tree, told, figures or {}, tmp_path / "report.html", **attributes)
        return (tmp_path / "report.html").read_text("utf-8")

    return write


@pytest.fixture(scope="module")
def plain(page):
    """A report of one problem."""
    return page(problem("first"))


@pytest.fixture(scope="module")
def double(page):
    """A report of two problems."""
    return page(problem("first"), problem("second"))


def headings(text):
    return [(int(level), html.unescape(words)) for level, words in re.findall(r"<h(\d)[^>]*>(.*?)</h\1>", text, re.S)]


def test_the_parts_are_in_order(page, tmp_path):
    (tmp_path / "curves.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    drawing = Drawing(tmp_path / "curves.svg", "curves", f"Both fall. {SCRIPT}")
    text = page(problem("first"), figures={"first": [drawing]}, text="# what I wrote\nname = 'made'\n")
    marks = [
        *("<h1>made", "Who?", "By the final loss a is best", "<h3>Standings", "<figure", "data:image/svg+xml;base64,"),
        *("Both fall.", '<h2 id="formulas"', "<math", '<h2 id="caveats"', "2 seeds are too few", "test examples"),
        *("# what I wrote", "abc, with changes that were not committed", "jax 0.8"),
    ]
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)
    assert SCRIPT not in text
    assert (
        text.count(f'alt="{html.escape("Both fall. " + SCRIPT)}"'.replace("&quot;", "&#34;").replace("&#x27;", "&#39;"))
        == 1
    )


def test_the_answer_and_the_caveats_are_those_of_the_analysis(plain, double):
    runs = problem("first"), problem("second")
    text = html.unescape(double)
    parts = analysis.answers({each.attrs["problem"]: each for each in runs})
    assert len(parts) == 3
    assert all(answer in text for answer in parts.values())
    assert all(caveat in text for caveat in analysis.caveats({each.attrs["problem"]: each for each in runs}))
    assert '<nav aria-label="Contents">' in text
    assert "<nav" not in plain


def test_headings_follow_one_another_and_links_have_targets(double):
    text = double
    levels = [level for level, _ in headings(text)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    names = re.findall(r'\bid="(.*?)"', text)
    assert len(names) == len({*names})
    assert {*re.findall(r'href="#(.*?)"', text)} | {*re.findall(r'aria-labelledby="(.*?)"', text)} <= {*names}


def test_nothing_runs_but_the_script_whose_digest_is_told(plain):
    text = plain
    policy = html.unescape(re.findall(r'<meta http-equiv="Content-Security-Policy" content="(.*?)">', text)[0])
    (script,), (style,) = (re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S) for tag in ("script", "style"))
    for name, inline in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert re.findall(r"[\w-]+ 'unsafe[^']*'", policy) == [
        "style-src-attr 'unsafe-inline'"
    ]  # formulas align their rows
    assert not re.search(r"<\w[^>]* (on\w+|style)=", text)


def test_cells_are_sorted_by_what_they_stand_for(page, plain):
    text = plain
    table = re.findall(r"<table>.*?</table>", text, re.S)[0]
    heads = re.findall(r'<th scope="col" aria-sort="none"[^>]*><button type="button">(.*?)</button>', table)
    assert heads[:4] == ["optimizer", "median", "least", "greatest"]
    assert re.findall(r'data-key="(.*?)">(.*?)<', table)[:3] == [("2.5", "2.5"), ("2.0", "2"), ("3.0", "3")]
    lost = problem("first").assign(diverged_at=("run", [5] * 8))
    assert 'data-key="Infinity">∞<' in page(lost)


def test_accuracies_are_in_percent(page):
    text = page(problem("first", 0.97153).assign_attrs(by="final_test_accuracy"))
    assert 'data-key="0.97153">97.2 %<' in text


def test_the_config_is_shown_as_it_was_written(page, plain, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(f"# {SCRIPT}\nname = 'mine'\n")
    text = text_of(path, ["steps=3"])
    assert text == f"# --set steps=3\n# {SCRIPT}\nname = 'mine'\n"
    shown = page(problem("first"), text=text)
    assert html.escape(text, quote=False) in html.unescape(shown).replace(SCRIPT, html.escape(SCRIPT, quote=False))
    assert "as it was written, in TOML" in shown
    assert text_of({"name": "mine"}) == ""
    assert "The data of the config, as JSON" in plain
    assert '"name": "made"' in html.unescape(plain)


def test_problems_are_described_and_have_their_formula(page):
    config = {"name": "x", "problem": [{"name": "beale"}], "optimizer": [{"name": "optax.sgd", "learning_rate": 0.1}]}
    text = html.unescape(page(problem("beale"), study=study_of(config | {"steps": 2})))
    assert "Flat, with sharp corners: Σ_i (c_i − x·(1 − y^i))²" in text
    assert "<math" in text.partition("Standings")[0]


def test_an_attribute_that_is_no_json_is_no_damage(page, tmp_path):
    tree = xr.DataTree.from_dict({"/first": problem("first")})
    tree.attrs |= {"versions": "[", "git": 5, "own_code": '"x"', "created": SCRIPT}
    write_report(tree, {"name": "x"}, {}, tmp_path / "report.html")
    assert SCRIPT not in (tmp_path / "report.html").read_text("utf-8")


def test_a_run_from_a_file_keeps_its_text_and_prints_its_answer(adamlab, tmp_path, monkeypatch):
    monkeypatch.setattr("adamlab.products.draw_outputs", lambda *arguments: ({}, []))
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"  # my own words\nsteps = 3\n[[problem]]\nname = "beale"\n'
        '[[optimizer]]\nname = "optax.sgd"\nlearning_rate = 0.001\n'
    )
    result = adamlab("run", path, "--out", tmp_path / "out", "--set", "steps=2")
    (answer,) = analysis.answers(al.load(tmp_path / "out")).values()
    assert f"\n{answer}\n" in result.stdout
    text = html.unescape((tmp_path / "out" / "report.html").read_text("utf-8"))
    assert answer in text
    assert '# --set steps=2\nname = "mine"  # my own words\n' in text
