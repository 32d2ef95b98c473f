"""The gallery: every experiment's question, answer and first picture, in experiments/README.md.

`python -m tests.gallery` runs the experiments that have no results under results/ yet (all of them take some two hours
of a processor), and writes their part of the page and their pictures anew; with names, such as
`python -m tests.gallery quickstart tuning`, it does so for these alone.
"""

import re
import sys
from pathlib import Path

import xarray as xr

import adamlab as al
from adamlab.analysis.answers import answers
from adamlab.plots import NothingToDrawError
from adamlab.plots.files import picture, write_figure
from adamlab.running import study_of
from adamlab.studies.config.toml import read_config
from adamlab.studies.kinds import kind_in

ROOT = Path(__file__).parents[1]
EXPERIMENTS, RESULTS = ROOT / "experiments", ROOT / "results"
PAGE, PICTURES = EXPERIMENTS / "README.md", EXPERIMENTS / "gallery"
ENTRY = re.compile(r"(?<=\n)### (\w+)\n.*?(?=\n### |\n## |\Z)", re.DOTALL)
"""An experiment's part of the page, below its name."""


def refreshed(name: str) -> str:
    """Run an experiment, draw its picture, and return its part of the page."""
    config = read_config(EXPERIMENTS / f"{name}.toml", ())
    results = al.run(EXPERIMENTS / f"{name}.toml", out=RESULTS / name)
    caption = first_picture(results, config, PICTURES / f"{name}.png")
    told = answers({child: results[child].to_dataset() for child in results.children})[""]
    return f"### {name}\n\n*{config['question']}*\n\n{told}\n\n![{caption}](gallery/{name}.png)\n"


def first_picture(results: xr.DataTree, config: dict, path: Path) -> str:
    """Draw the first picture that the experiment asks for, of the first problem that has it, and return its caption."""
    default = [{"kind": kind, "problem": None, "options": {}} for kind in kind_in(config).outputs]
    for output in study_of(config).outputs or default:
        for problem in [output["problem"]] if output["problem"] else results.children:
            try:
                figure = picture(results, problem, output["kind"], **output["options"])
            except NothingToDrawError:
                continue
            write_figure(figure, [path])
            return str(figure.get_label())
    raise AssertionError(f"{path.stem}: there is nothing to draw")


def main(names: list[str]) -> None:
    """Refresh these experiments' parts of the page, or all."""
    for name in names or sorted(path.stem for path in EXPERIMENTS.glob("*.toml")):
        part = refreshed(name)
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(ENTRY.sub(lambda old, new=part: new if old[1] == new.split()[1] else old[0], page), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
