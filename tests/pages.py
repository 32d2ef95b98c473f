"""README and the two pages behind it, taken apart: sections, tables, links and blocks of code."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = {page: (ROOT / page).read_text("utf-8") for page in ("README.md", "experiments/README.md", "adamlab/README.md")}
README, EXPERIMENTS, INSIDE = PAGES.values()
ALL = "\n".join(PAGES.values())


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def prose(page: str) -> str:
    """The page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)


def section(page: str, heading: str) -> str:
    """The text under a heading, up to the next one that is not below it."""
    marks = re.findall(rf"^(#+) {re.escape(heading)}$", page, re.MULTILINE)
    assert len(marks) == 1, heading
    _, _, text = page.partition(f"\n{marks[0]} {heading}\n")
    return re.split(rf"^#{{1,{len(marks[0])}}} ", text, flags=re.MULTILINE)[0]


def tables(text: str) -> list[dict[str, str]]:
    """Each table of a text: by the names in code at the head of a row, the rest of the row."""
    rows: list[dict[str, str]] = []
    for lines in re.findall(r"(?:^\|.*\n)+", f"{text}\n", re.MULTILINE):
        _, _, *body = lines.splitlines()
        cells = [line.strip("| ").split(" | ", 1) for line in body]
        rows.append({name: rest for first, rest in cells for name in re.findall(r"`(.*?)`", first)})
    return rows


def sessions() -> list[tuple[str, str]]:
    """Every command with the output that a page shows."""
    parts = (part for block in blocks(ALL, "console") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:])
    splits = (part.partition("\n") for part in parts)
    return [(command, output.strip("\n")) for command, _, output in splits]


def shell_commands() -> list[list[str]]:
    """Every command in a shell block, in words."""
    lines = (line for block in blocks(ALL, "sh") for line in block.replace("\\\n", "").splitlines())
    commands = (shlex.split(command, comments=True) for line in lines for command in line.split(" && "))
    return [words for words in commands if words]


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
