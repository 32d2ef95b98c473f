"""Folders made to harm whoever runs or reports in them: nothing in them is run, followed or believed."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import adamlab as al
from adamlab.errors import InputError
from adamlab.exporting.files import write_csv
from adamlab.files import read_text, replacing, write_text
from adamlab.report import write_report
from adamlab.report.mathml import is_mathml
from adamlab.studies.progress import Listener
from adamlab.studies.store.folder import STORE, StoreError
from adamlab.studies.store.locks import LOCK, locked

pytestmark = pytest.mark.optimized(False)

SCRIPT = "<script>alert(1)</script>"

CONFIG = {
    "name": "tiny",
    "question": SCRIPT,
    "steps": 5,
    "problem": [{"name": "beale"}],
    "optimizer": [{"name": "adamlab.sgd", "label": f"=1+1 {SCRIPT} $\\frac{{$", "learning_rate": 0.001}],
    "output": [{"kind": "curves"}],
}


def test_what_is_no_regular_file_is_neither_read_nor_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="it is no regular file"):
            read_text(path, 100)


def test_a_file_that_is_not_finished_leaves_the_old_one_and_nothing_else(tmp_path):
    path = tmp_path / "products.txt"
    write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), replacing(path):
        raise KeyboardInterrupt
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {path.name: "old"}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "results"
    al.run(CONFIG, folder)
    return folder


@pytest.fixture
def folder(kept, tmp_path):
    """A copy of a folder of results, to be changed at will."""
    return shutil.copytree(kept, tmp_path / "results")


@pytest.fixture
def victim(tmp_path):
    """A file elsewhere, which is not to be changed."""
    path = tmp_path / "victim.txt"
    path.write_text("mine")
    return path


def test_texts_of_a_config_are_texts_in_all_that_is_written(kept):
    page = (kept / "report.html").read_text()
    assert SCRIPT not in page
    assert "&lt;script&gt;" in page
    (figure,) = (kept / "figures").glob("*.svg")
    assert SCRIPT not in figure.read_text()
    assert pd.read_csv(kept / "summary.csv").optimizer[0].startswith("'=1+1")


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("product", ["summary.csv", "report.html", "figures/beale-curves.svg", f"{LOCK}.0.json"])
def test_a_link_in_the_place_of_a_product_is_replaced(folder, victim, product):
    (folder / product).unlink(missing_ok=True)
    (folder / product).symlink_to(victim)
    al.run(CONFIG, folder)
    assert victim.read_text() == "mine"
    assert not (folder / product).is_symlink()


def test_a_link_in_the_place_of_a_lock_is_not_followed(folder, victim):
    (folder / f"{LOCK}.0").symlink_to(victim)
    with pytest.raises(StoreError, match=r"cannot be locked: .* Remove what stands there"):
        al.run(CONFIG, folder)
    assert victim.read_text() == "mine"


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("place", [f"{STORE}/beale", f"{STORE}/zarr.json"])
def test_a_link_within_a_store_is_damage_and_not_followed(folder, tmp_path, place):
    before = al.load(folder)["beale"].to_dataset()
    elsewhere = (folder / place).rename(tmp_path / "elsewhere")
    (folder / place).symlink_to(elsewhere)
    files = {path: path.stat().st_mtime_ns for path in [elsewhere, *elsewhere.rglob("*")]}
    xr.testing.assert_identical(al.run(CONFIG, folder)["beale"].to_dataset(), before)
    assert files == {path: path.stat().st_mtime_ns for path in [elsewhere, *elsewhere.rglob("*")]}
    assert not (folder / place).is_symlink()


@pytest.mark.parametrize("place", ["figures", STORE])
def test_a_link_in_the_place_of_results_is_refused(folder, tmp_path, place):
    elsewhere = (folder / place).rename(tmp_path / "elsewhere")
    (folder / place).symlink_to(elsewhere)
    files = {path: path.stat().st_mtime_ns for path in [elsewhere, *elsewhere.rglob("*")]}
    with pytest.raises(StoreError, match=rf"{place} is a link, and nothing is written to any other place: remove it\."):
        al.run(CONFIG, folder, fresh=place == STORE)
    assert files == {path: path.stat().st_mtime_ns for path in [elsewhere, *elsewhere.rglob("*")]}


def test_what_was_left_unfinished_is_removed_and_no_link_followed(folder, tmp_path, victim):
    (tmp_path / "old").mkdir()
    (folder / ".adamlab-aside-1").symlink_to(tmp_path)
    (folder / ".adamlab-new-1.csv").symlink_to(victim)
    (folder / "figures" / ".adamlab-new-1.svg").write_text("")
    al.run(CONFIG, folder)
    assert (tmp_path / "old").exists()
    assert victim.exists()
    assert [*folder.rglob(".adamlab*")] == []


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize(
    ("place", "words"),
    [
        (f"{LOCK}.0", r"cannot be locked: .* Remove what stands there"),
        (f"{LOCK}.0.json", r"cannot be written: "),
        ("summary.csv", r"summary.csv cannot be written: Is a directory"),
        ("report.html", r"report.html cannot be written: Is a directory"),
    ],
)
def test_a_folder_in_the_place_of_a_file_is_told(folder, place, words):
    (folder / place).unlink(missing_ok=True)
    (folder / place / "within").mkdir(parents=True)
    with pytest.raises(InputError, match=words):
        al.run(CONFIG, folder)


def test_a_file_in_the_place_of_the_store_is_told(tmp_path):
    (tmp_path / STORE).write_text("no store")
    with pytest.raises(
        StoreError, match=r"results.zarr is no folder of results: remove it, or replace it with --fresh"
    ):
        al.run(CONFIG, tmp_path)
    al.run(CONFIG, tmp_path, fresh=True)
    assert al.load(tmp_path)["beale"].ds.done.values.all()


def test_a_path_that_no_file_can_have_is_told(tmp_path):
    with pytest.raises(StoreError, match="File name too long"):
        al.run(CONFIG, tmp_path / ("x" * 300))


def renamed(folder: Path) -> None:
    folder.rename(folder.with_name("renamed"))


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize(
    ("moment", "moved", "new"),
    [
        ("begin", shutil.rmtree, True),
        ("advance", renamed, True),
        ("working_on", renamed, False),
        ("advance", shutil.rmtree, False),
    ],
)
def test_a_folder_that_goes_while_it_is_written_is_told(folder, tmp_path, moved, moment, new):
    class Mover(Listener):
        pass

    out = tmp_path / "new" if new else folder
    setattr(Mover, moment, lambda self, *_: moved(out))
    with pytest.raises(StoreError, match=r"was removed, renamed or damaged|cannot be written"):
        al.run(CONFIG | {"seeds": 2}, out, listener=Mover())


@pytest.mark.parametrize(
    "text",
    ["", "5", "[]", '"x"', "null", '{"process": 1}', '{"process": 1, "host": 2, "since": 3}', "[" * 900, "\0\x1b"],
)
def test_whoever_holds_a_lock_may_say_anything(tmp_path, text):
    with locked(tmp_path, 0):
        (tmp_path / f"{LOCK}.0.json").write_text(text)
        with pytest.raises(StoreError, match="is being written by another run") as refused:
            al.run(CONFIG, tmp_path)
    assert "\x1b" not in str(refused.value)


def test_a_pipe_in_the_place_of_a_holder_is_not_waited_for(tmp_path):
    with locked(tmp_path, 0):
        (tmp_path / f"{LOCK}.0.json").unlink()
        os.mkfifo(tmp_path / f"{LOCK}.0.json")
        with pytest.raises(StoreError, match="another process"):
            al.run(CONFIG, tmp_path)


MATH = '<math xmlns="http://www.w3.org/1998/Math/MathML">{}</math>'

HARMFUL = [
    SCRIPT,
    MATH.format(SCRIPT),
    MATH.format('<script xmlns="http://www.w3.org/1999/xhtml">alert(1)</script>'),
    MATH.format('<mi href="javascript:alert(1)">x</mi>'),
    MATH.format('<mi onclick="alert(1)">x</mi>'),
    MATH.format('<mi style="position:fixed">x</mi>'),
    MATH.format("<annotation-xml encoding='text/html'><img src='x' onerror='alert(1)'/></annotation-xml>"),
    MATH.format("<mtext><img src='x' onerror='alert(1)'/></mtext>"),
    MATH.format("<semantics><mi>x</mi></semantics>"),
    MATH.format("<maction actiontype='statusline'><mi>x</mi></maction>"),
    MATH.format("<!-- --><mi>x</mi>"),
    MATH.format("<?php ?><mi>x</mi>"),
    MATH.format("<mi><![CDATA[<script>]]></mi>"),
    '<!DOCTYPE math [<!ENTITY x "y">]>' + MATH.format("<mi>&x;</mi>"),
    MATH.format("<mi>x</mi>") + SCRIPT,
    MATH.format("<mi>x"),
    '<math xmlns="http://www.w3.org/1999/xhtml"><mi>x</mi></math>',
    "<mi>x</mi>",
    "",
    "5",
]


def test_formulas_of_a_folder_are_mathml_or_texts(tmp_path):
    shape = ("reading", "step")
    texts = [f"text {i} {SCRIPT}" for i in range(len(HARMFUL))]
    columns = {"text": texts, "latex": texts, "mathml": HARMFUL}
    data = xr.Dataset(
        {name: (shape, np.array(values, object)[:, None]) for name, values in columns.items()}
        | {"weight": (("setting", "lag"), np.zeros((0, 1)))},
        {
            "step": ["1"],
            **{name: ("reading", np.array(texts, object)) for name in ("label", "spec", "state", "assumptions")},
            "solved": ("reading", np.zeros(len(texts), bool)),
            "power": ("setting", np.zeros(0, int)),
            "reading_of": ("setting", np.zeros(0, int)),
        },
        {"of": "readings", "source": SCRIPT, "settings": []},
    )
    tree = xr.DataTree.from_dict({"readings": data})
    tree.attrs.update(created=SCRIPT, platform=SCRIPT, versions=5)
    write_report(tree, {"name": SCRIPT, "question": SCRIPT}, {}, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    ours = files("adamlab").joinpath("templates", "report.js").read_text("utf-8")
    page = page.replace(f"<script>{ours}</script>", "").replace('href="#', "")
    assert not re.search("<script|<img|<annotation|onclick|<!ENTITY|href|<mi", page)
    assert page.count("&lt;script&gt;") > len(HARMFUL)


def test_every_formula_of_ours_is_mathml():
    results = [
        al.unroll("optax.adam(lr)", 2),
        al.closed_form("optax.amsgrad(lr)"),
        al.closed_form("optax.adadelta(lr)"),
    ]
    maths = [math for result in results for math in re.findall(r"<math.*?</math>", result.mathml())]
    assert len(maths) == len(results)
    assert [math for math in maths if not is_mathml(math)] == []
    assert [text for text in HARMFUL if is_mathml(text)] == []


def test_no_cell_of_a_summary_is_a_formula(tmp_path):
    cells = ["=1+1", "+1+1", "-lr·g", "@SUM(A1)", "\tx", "\rx", "-0.5", "1e3", "plain", ""]
    write_csv(pd.DataFrame({"text": cells, "number": np.linspace(-1.0, 1.0, len(cells))}), tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv", keep_default_na=False, dtype={"text": str})
    assert [cell for cell in table.text if cell[:1] in ("=", "+", "@", "\t", "\r")] == []
    assert table.text.tolist()[2:] == ["'-lr·g", "'@SUM(A1)", "'\tx", r"\u000dx", "-0.5", "1e3", "plain", ""]
    assert table.number[0] == -1.0


COMMANDS = {
    "unroll": ["unroll", "optax.sgd(lr)"],
    "list": ["list", "problems"],
}


@pytest.mark.parametrize("command", ["list", pytest.param("unroll", marks=pytest.mark.slow)])
def test_output_that_cannot_be_written_is_told_and_no_answer(command):
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "adamlab", *COMMANDS[command]],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (process.returncode, process.stderr) == (2, "adamlab: the output: No space left on device\n")


def test_output_that_nobody_reads_ends_the_command_quietly():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "adamlab", *COMMANDS["list"]]
    process = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (process.returncode, process.stderr) == (128 + signal.SIGPIPE, "")


def test_labels_of_a_folder_command_no_terminal(adamlab, folder):
    path = folder / STORE / "zarr.json"
    about = json.loads(path.read_text())
    (part,) = about["attributes"]["labels"]
    about["attributes"]["labels"][part] = "[red]\x1b[2J\u202e\0[/red]"
    path.write_text(json.dumps(about))
    config = Path(folder.parent / "tiny.toml")
    config.write_text('name = "tiny"\nsteps = 5\n[[problem]]\nname = "beale"\n')
    for arguments in (["plot", folder, "curves"], ["run", config, "--out", folder]):
        result = adamlab(*arguments)
        assert not re.search("[\x00\x1b\u202e]", result.stdout + result.stderr)
        assert "Traceback" not in result.stderr
