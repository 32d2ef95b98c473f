"""Reports in a browser: whole without a network, at any width, in the dark, on paper, and by keyboard."""

import pytest

import adamlab as al
from tests.browser import browser

pytestmark = pytest.mark.slow

SCRIPT = "<script>document.title = 'changed'</script><img src=x onerror=\"document.title = 'changed'\">"

RUNS = {
    "name": "pages",
    "question": f"Who? {SCRIPT}",
    "steps": 20,
    "seeds": 2,
    "problem": [{"name": "rosenbrock"}, {"name": "beale"}],
    "optimizer": [
        {"name": "adamlab.adam", "learning_rate": [0.01, 0.1]},
        {"name": "optax.adam", "label": f"a label that is long, and long again {SCRIPT}", "learning_rate": [0.01, 0.1]},
        {"name": "optax.sgd", "learning_rate": 10.0},
    ],
}
COMPARISONS = {
    "name": "pages",
    "steps": 3,
    "compare": [
        {"left": "adamlab.adam(0.1)", "right": "optax.adam(0.1)", "families": ["normal", "zeros"], "label": "a " * 60}
    ],
}
READINGS = {"name": "pages", "steps": 3, "reading": [{"spec": "optax.adam", "b2": [0.9, 0.99]}]}

CONFIGS = {"runs": RUNS, "comparisons": COMPARISONS, "readings": READINGS}


@pytest.fixture(scope="module")
def chromium():
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module", params=CONFIGS)
def report(request, chromium, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    al.run(CONFIGS[request.param], folder)
    return request.param, folder / "report.html"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280, 2500])
def test_a_page_is_whole_and_fits(chromium, report, width, dark):
    kind, path = report
    chromium.open(path, width=width, dark=dark)
    assert chromium.complaints == []
    assert [url for url in chromium.requests if not url.startswith("data:")] == [path.as_uri()]
    assert chromium.overflow() <= 0
    assert chromium.ask("document.title") == "pages"
    assert chromium.ask("document.images.length") > 0
    assert chromium.ask("[...document.images].every(image => image.complete && image.naturalWidth > 0 && image.alt)")
    light = chromium.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert light is not dark
    heights = chromium.ask("[...document.querySelectorAll('math')].map(math => math.getBoundingClientRect().height)")
    assert (min(heights, default=0) > 10) is (kind != "comparisons")


def test_a_table_is_sorted_by_keyboard(chromium, report):
    _, path = report
    chromium.open(path)
    chromium.ask("document.querySelectorAll('table')[0].querySelectorAll('button')[1].focus()")
    column = "[...document.querySelectorAll('table')[0].tBodies[0].rows].map(row => row.cells[1].textContent)"
    before = chromium.ask(column)
    head = "document.querySelectorAll('table')[0].tHead.rows[0].cells[1].ariaSort"
    orders = []
    for expected in ("ascending", "descending"):
        chromium.press("Enter")
        assert chromium.ask(head) == expected
        orders.append(chromium.ask(column))
    assert sorted(orders[0]) == sorted(before)
    keys = "[...document.querySelectorAll('table')[0].tBodies[0].rows].map(row => row.cells[1].dataset.key)"
    numbers = [float(key.replace("Infinity", "inf")) for key in chromium.ask(keys) if key]
    assert numbers == sorted(numbers, reverse=True)
    assert chromium.ask("[...document.querySelectorAll('table')[0].tHead.rows[0].cells].map(c => c.ariaSort)").count(
        "none"
    ) == chromium.ask("document.querySelectorAll('table')[0].tHead.rows[0].cells.length - 1")


def test_the_first_tab_leads_to_the_answer(chromium, report):
    _, path = report
    chromium.open(path)
    chromium.press("Tab")
    assert chromium.ask("document.activeElement.textContent") == "Skip to the answer"
    assert chromium.ask("document.activeElement.getBoundingClientRect().left") >= 0
    chromium.press("Enter")
    assert chromium.ask("location.hash") == "#answer"


def test_nothing_runs_that_is_put_into_a_page(chromium, report):
    """The policy of the page holds even for what is put in later, as by an extension that was taken in."""
    _, path = report
    chromium.open(path)
    chromium.ask(
        "(() => { const script = document.createElement('script'); script.textContent = 'document.title = 1';"
        " document.body.append(script); const image = new Image(); image.src = 'https://example.org/x.png';"
        " document.body.append(image); })()"
    )
    assert chromium.ask("document.title") == "pages"
    assert any("Content Security Policy" in complaint for complaint in chromium.complaints)


def test_on_paper_heads_repeat_and_controls_are_gone(chromium, report, tmp_path):
    _, path = report
    chromium.open(path, paper=True)
    assert chromium.ask("getComputedStyle(document.querySelector('thead')).display") == "table-header-group"
    assert chromium.ask("getComputedStyle(document.querySelector('.skip')).display") == "none"
    chromium.print_to(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
