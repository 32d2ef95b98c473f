"""Tables for papers: the best in bold, numbers in three digits, every text escaped, compiled where there is a TeX."""

import io
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from adamlab import analysis
from adamlab.analysis import with_agreement
from adamlab.errors import InputError
from adamlab.exporting.typesetting import as_latex, as_markdown, latex_text, table_text
from tests.analysis.test_ranking import with_losses

LABELS = ["a_b & 50% $x$ #1 {y} \\z ~^<>", "β₂ → 1, η²", "Δ ≤ ∞"]


@pytest.fixture
def tree():
    losses = {LABELS[0]: [3e-7, 4e-7], LABELS[1]: [3.0001e-7, 4e-7], LABELS[2]: [None, None]}
    problems = {f"/p_{i}": with_agreement(with_losses(losses, f"p_{i}")) for i in (1, 2)}
    return xr.DataTree.from_dict(problems)


def test_the_best_are_bold_and_numbers_have_three_digits(tree):
    text = table_text(tree, "standings", problem="p_1")
    lines = text.splitlines()
    assert lines[:3] == [r"% \usepackage{booktabs}", r"\begin{tabular}{lrrrrrrr}", r"\toprule"]
    assert lines[3] == r"optimizer & median & least & greatest & n & settings & runs & diverged \\"
    best, tie, lost = lines[5:8]
    numbers = r" & $\mathbf{3.5\times10^{-7}}$ & $3\times10^{-7}$ & $4\times10^{-7}$ & 2 & 1 & 2 & 0 \\"
    assert best == r"a\_b \& 50\% \$x\$ \#1 \{y\} \textbackslash{}z \textasciitilde{}\textasciicircum{}$<$$>$" + numbers
    assert tie == r"$\beta$$_2$ $\to$ 1, $\eta$$^2$" + numbers
    assert lost == r"$\Delta$ $\leq$ $\infty$ & $\infty$ & $\infty$ & $\infty$ & 2 & 1 & 2 & 2 \\"


def test_several_problems_are_parts_of_one_table(tree):
    latex = table_text(tree, "standings")
    assert latex.count(r"\midrule") == 2
    assert latex.count(r"\mathbf") == 4
    assert latex.count("\np\\_2 & ") == 3
    markdown = table_text(tree, "standings", "markdown").splitlines()
    assert markdown[1] == "| :--- | :--- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    assert markdown[2].startswith(r"| p\_1 | a\_b & 50% \$x\$ #1 \{y\} \\z \~^\<\> | **3.5e-07** | 3e-07 |")
    assert len(markdown) == 2 + 6
    assert {line.count(" | ") for line in markdown} == {8}


def test_csv_has_all_columns_and_digits(tree):
    table = pd.read_csv(io.StringIO(table_text(tree, "standings", "csv")))
    assert table.problem.tolist() == ["p_1"] * 3 + ["p_2"] * 3
    standings = analysis.standings(tree["p_1"].to_dataset())
    assert [*table] == ["problem", *standings]
    np.testing.assert_array_equal(table["median"][:3], standings["median"])


def test_accuracies_are_in_percent(tree):
    runs = tree["p_1"].to_dataset().isel(run=slice(4))
    runs = runs.assign(test_accuracy=(("run", "step"), np.full((4, 3), 0.97153)))
    rows = analysis.standings(runs, "final_test_accuracy")
    assert r"\textbf{97.2\,\%}" in as_latex(rows.filter(["optimizer", "median"]).assign(optimizer="a"), best=["median"])
    assert as_markdown(rows.filter(["median"]), best=["median"]).splitlines()[-1] == "| **97.2 %** |"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("standing",), r'no table "standing" of runs; did you mean "standings"\?'),
        (("standings", "html"), r"no format 'html'"),
        (("against-optax",), r"against-optax has no rows"),
    ],
)
def test_what_does_not_exist_is_told(tree, arguments, message):
    with pytest.raises(InputError, match=message):
        table_text(tree, *arguments)
    with pytest.raises(InputError, match=r'no results of "q"'):
        table_text(tree, "standings", problem="q")


def test_negative_numbers_and_minus_signs():
    assert latex_text("-0.035") == "$-0.035$"
    assert latex_text("-4.5 %") == r"$-4.5$\,\%"
    assert latex_text("1-b2") == "1-b2"
    assert latex_text("Α, Λ and λ") == r"$A$, $\Lambda$ and $\lambda$"


@pytest.mark.slow
def test_a_tex_compiles_it(tree, tmp_path):
    if (tex := shutil.which("pdflatex")) is None:
        pytest.skip("needs pdflatex, which is not installed")
    greek = "".join(map(chr, (*range(0x391, 0x3A2), *range(0x3A3, 0x3AA), *range(0x3B1, 0x3CA))))
    rows = pd.DataFrame({"label": [greek, *LABELS], "value": [1.0, -2e-9, np.inf, np.nan]})
    body = "\n\n".join([table_text(tree, "standings"), as_latex(rows)])
    document = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n" + body + "\n\\end{document}\n"
    (tmp_path / "paper.tex").write_text(document, "utf-8")
    command = [tex, "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:]


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("a|b", r"a\textbar{}b"),
        ("η̂ m̂₁ ά", r"$\hat{\eta}$ $\hat{m}$$_1$ $\acute{\alpha}$"),
        ("é ê ç Å", "é ê ç Å"),
        ("_̂ й 한 学", r"\_̂ й 한 学"),
        ("a\nb", "a\nb"),
    ],
)
def test_signs_and_accents(text, latex):
    assert latex_text(text) == latex


def test_letters_that_latex_lacks_are_told():
    asked = "% letters beyond Latin and Greek: take lualatex"
    for label in ("学习", "Адам", "m̂̂"):
        assert as_latex(pd.DataFrame({"optimizer": [label]})).startswith(asked)
    for label in ("η̂ → β₂", "é – “x”", "a|b"):
        assert asked not in as_latex(pd.DataFrame({"optimizer": [label]}))
