"""Tables for papers: LaTeX, Markdown or CSV, the best in bold."""

import io
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import pandas as pd
import xarray as xr

from adamlab.errors import InputError, nearest
from adamlab.exporting.cells import heads, texts, without_empty_columns
from adamlab.exporting.files import without_formulas
from adamlab.studies.kinds import Table, kind_of, load

SPECIAL = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": "$<$",
    ">": "$>$",
    "∞": r"$\infty$",
    "−": "$-$",
    "–": "--",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≠": r"$\neq$",
    "→": r"$\to$",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "√": r"$\surd$",
    "ς": r"$\varsigma$",
}
"""Signs that LaTeX takes for something else, or that its fonts lack."""

ACCENTS = {
    "\u0300": "grave",
    "\u0301": "acute",
    "\u0302": "hat",
    "\u0303": "tilde",
    "\u0304": "bar",
    "\u0305": "bar",
    "\u0306": "breve",
    "\u0307": "dot",
    "\u0308": "ddot",
    "\u030c": "check",
    "\u20d7": "vec",
}
"""LaTeX's names of the accents that Unicode puts behind their letters."""

ACCENTED = re.compile(f"(.)([{''.join(ACCENTS)}])?", re.DOTALL)

LAST_LATIN = "\u017f"
"""The last of the letters that every LaTeX has in its usual fonts."""

PUNCTUATION = "–—‘’“”„…•"
"""Signs beyond those letters that every LaTeX knows."""

OTHER_LETTERS = r"% letters beyond Latin and Greek: take lualatex, and \usepackage{fontspec} with a font that has them"

NAME_OF_LETTER = re.compile(r"GREEK (SMALL|CAPITAL) LETTER ([A-Z]+)$")

LATIN = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True))
"""Greek letters that LaTeX has no name for, since they look like Latin ones."""


def table_text(results: str | Path | xr.DataTree, name: str, form: str = "latex", *, problem: str | None = None) -> str:
    """A table of results for a paper.

    Args:
        results: a results folder, or what `al.run` and `al.load` return.
        name: the table's heading in the report, such as "standings", "against-optax" or "mean-ranks".
        form: "latex", a tabular for the package booktabs; "markdown"; or "csv", with all columns and all digits.
        problem: which problem; by default all, with a column for their names where there are several.

    Returns:
        The text. In LaTeX and Markdown numbers have three digits, and the best are bold.

    Raises:
        InputError: there is no such table, format or problem, or the table has no rows.
        StoreError: the folder has no results, or they are damaged.
    """
    if form not in FORMATS:
        raise InputError(f"there is no format {form!r}; {nearest(form, FORMATS)}")
    tree = results if isinstance(results, xr.DataTree) else load(results)
    datasets = {label: child.to_dataset() for label, child in tree.children.items()}
    if problem is not None and problem not in datasets:
        raise InputError(f'there are no results of "{problem}"; {nearest(problem, datasets)}')
    kind = kind_of(next(iter(datasets.values())))
    known = {slug(table): table for table in (*kind.tables, *kind.tests, *kind.across) if not table.is_formulas}
    if name not in known:
        raise InputError(f'there is no table "{name}" of {kind.of}; {nearest(name, known)}')
    table = known[name]
    if table in kind.across:
        rows = {"": table.rows(datasets)}
    else:
        rows = {label: table.rows(data) for label, data in datasets.items() if problem in (None, label)}
    rows = {label: each for label, each in rows.items() if len(each)}
    if not rows:
        raise InputError(f"{name} has no rows in these results")
    return FORMATS[form](table, rows if len(rows) > 1 else {"": next(iter(rows.values()))})


def slug(table: Table) -> str:
    """The name of a table on the command line: "against-optax"."""
    return table.heading.lower().replace(" ", "-")


def as_latex(rows: pd.DataFrame, best: Collection[str] = ()) -> str:
    """A table, such as that of `al.analysis.standings`, as a tabular for the package booktabs.

    Args:
        rows: the table; see `adamlab.exporting.cells.texts`.
        best: the columns whose first value, and those shown like it, are bold.
    """
    return _latex([(_plain_heads(rows), _columns(rows), _shown(rows, best, _bold_in_latex, latex_text))])


def as_markdown(rows: pd.DataFrame, best: Collection[str] = ()) -> str:
    """The same as `as_latex` in Markdown."""
    return _markdown(_plain_heads(rows), _columns(rows), _shown(rows, best, _bold_in_markdown, markdown_text))


def latex_text(text: str) -> str:
    """A text in LaTeX: numbers as formulas, special signs escaped, Greek letters by their names."""
    if number := re.fullmatch(r"(-?)([\d.]+)(?:e([+-]\d+))?( %)?", text):
        minus, digits, exponent, percent = number.groups()
        power = rf"\times10^{{{int(exponent)}}}" if exponent else ""
        formula = f"${minus}{digits}{power}$" if minus or power else digits
        return formula + (r"\,\%" if percent else "")
    pairs = (match.groups("") for match in ACCENTED.finditer(unicodedata.normalize("NFD", text)))
    return unicodedata.normalize("NFC", "".join(_accented(sign, accent) for sign, accent in pairs))


def markdown_text(text: str) -> str:
    """A text in a cell of Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>|~$])", r"\\\1", text)


def _accented(sign: str, accent: str) -> str:
    """A sign with its accent, if it has any; what no language writes so, and Greek, is a formula."""
    inner, together = _latex_sign(sign), unicodedata.normalize("NFC", sign + accent)
    is_text = len(together) == 1 and together <= LAST_LATIN
    if not accent or is_text or not sign.isalpha() or not inner.isascii():
        return inner + accent
    return rf"$\{ACCENTS[accent]}{{{inner.strip('$')}}}$"


def _latex_sign(sign: str) -> str:
    if sign in SPECIAL:
        return SPECIAL[sign]
    if sign in "₀₁₂₃₄₅₆₇₈₉":
        return f"$_{unicodedata.digit(sign)}$"
    if sign in "⁰¹²³⁴⁵⁶⁷⁸⁹":
        return f"$^{unicodedata.digit(sign)}$"
    if sign in LATIN:
        return f"${LATIN[sign]}$"
    if letter := NAME_OF_LETTER.match(unicodedata.name(sign, "")):
        size, name = letter[1], letter[2].replace("LAMDA", "LAMBDA")
        return f"$\\{name.lower() if size == 'SMALL' else name.capitalize()}$"
    return sign


def _bold_in_latex(text: str) -> str:
    return rf"$\mathbf{{{text[1:-1]}}}$" if text.startswith("$") and text.endswith("$") else rf"\textbf{{{text}}}"


def _bold_in_markdown(text: str) -> str:
    return f"**{text}**"


def _columns(rows: pd.DataFrame) -> str:
    """The alignment of the columns: texts left, numbers right."""
    return "".join("r" if pd.api.types.is_numeric_dtype(dtype) else "l" for dtype in rows.dtypes)


def _plain_heads(rows: pd.DataFrame) -> list[str]:
    return [str(name).replace("_", " ") for name in rows]


def _shown(
    rows: pd.DataFrame, best: Collection[str], bold: Callable[[str], str], escaped: Callable[[str], str]
) -> list[list[str]]:
    """The cells of a table, those that are shown like the first of a column of `best` in bold."""
    cells = texts(rows)
    return [
        [
            bold(escaped(text)) if name in best and text == cells[0][name] else escaped(text)
            for name, text in row.items()
        ]
        for row in cells
    ]


def _latex(parts: list[tuple[list[str], str, list[list[str]]]]) -> str:
    names, alignment, _ = parts[0]
    lines = [r"% \usepackage{booktabs}", rf"\begin{{tabular}}{{{alignment}}}", r"\toprule"]
    lines.append(_row(map(latex_text, names)))
    for _, _, cells in parts:
        lines += [r"\midrule", *map(_row, cells)]
    text = "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])
    has_others = any(sign > LAST_LATIN and sign not in PUNCTUATION for sign in text)
    return f"{OTHER_LETTERS}\n{text}" if has_others else text


def _row(cells: Collection[str] | Iterator[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _markdown(names: list[str], alignment: str, cells: list[list[str]]) -> str:
    marks = ["---:" if side == "r" else ":---" for side in alignment]
    lines = [[markdown_text(name) for name in names], marks, *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _narrow(table: Table, rows: Mapping[str, pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The rows without what only a report has room for, with a column for the problem where there are several."""
    for label, each in rows.items():
        some = each.drop(columns=[*table.only_in_report])
        some = without_empty_columns(some) if len(rows) == 1 else some
        if label:
            some.insert(0, "problem", label)
        yield some


def _table_in_latex(table: Table, rows: Mapping[str, pd.DataFrame]) -> str:
    return _latex(
        [
            (
                heads(table, [*map(str, part)]),
                _columns(part),
                _shown(part, table.best, _bold_in_latex, latex_text),
            )
            for part in _narrow(table, rows)
        ]
    )


def _table_in_markdown(table: Table, rows: Mapping[str, pd.DataFrame]) -> str:
    parts = [*_narrow(table, rows)]
    cells = [line for part in parts for line in _shown(part, table.best, _bold_in_markdown, markdown_text)]
    return _markdown(heads(table, [*map(str, parts[0])]), _columns(parts[0]), cells)


def _table_in_csv(table: Table, rows: Mapping[str, pd.DataFrame]) -> str:
    whole = pd.concat([each.assign(**({"problem": label} if label else {})) for label, each in rows.items()])
    if "problem" in whole:
        whole.insert(0, "problem", whole.pop("problem"))
    text = io.StringIO()
    without_formulas(whole).to_csv(text, index=False)
    return text.getvalue().rstrip("\n")


FORMATS: dict[str, Callable[[Table, Mapping[str, pd.DataFrame]], str]] = {
    "latex": _table_in_latex,
    "markdown": _table_in_markdown,
    "csv": _table_in_csv,
}
"""What writes a table in each format, of its rows by problem."""
