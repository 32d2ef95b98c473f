"""The explorer's page in a browser: sliders, seeds and clicks show the run that they say, without a network."""

import json
from pathlib import Path

import pytest

import adamlab as al
from adamlab.explorer import write_explorer
from tests.browser import browser

pytestmark = pytest.mark.slow

CONFIG = {
    "name": "explored",
    "question": "Who? </script>",
    "steps": 40,
    "seeds": 2,
    "record": {"what": ["loss", "params", "v_hat"]},
    "problem": [{"name": "rosenbrock"}, {"name": "quadratic", "dim": 5}],
    "optimizer": [
        {"name": "adamlab.adam", "learning_rate": [0.01, 0.1], "b2": [0.9, 0.99, 0.999]},
        {"spec": "optax.sgd(lr)", "label": "<a href='https://example.org'>sgd</a>", "lr": [1e-4, 1e-3, 100.0]},
        {
            "name": "adamlab.rmsprop",
            "learning_rate": {"loguniform": [1e-3, 1.0]},
            "decay": {"uniform": [0.8, 0.99]},
            "design": {"random": 5},
        },
    ],
}

TRACES = "JSON.stringify(document.getElementById('{}').data.map(trace => [trace.name, trace.x, trace.y]))"


@pytest.fixture(scope="module")
def chromium():
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def results():
    return al.run(CONFIG)


@pytest.fixture(scope="module")
def page(results, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("explorer") / "explore.html"
    write_explorer(results, path)
    return path


def slide(chromium, selector: str, value: int | str) -> None:
    """Move a slider, or choose of a list, as a hand does."""
    chromium.ask(
        f"(input => {{ input.value = {json.dumps(str(value))}; input.dispatchEvent(new Event('input'));"
        f" input.dispatchEvent(new Event('change')); }})(document.querySelector({json.dumps(selector)}))"
    )


def traces(chromium, panel: str) -> list:
    return json.loads(chromium.ask(TRACES.format(panel)))


def curve_of(chromium, label: str) -> list[float]:
    return next(y for name, _, y in traces(chromium, "curve") if name == label)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_is_whole_and_fits(chromium, page, width, dark):
    chromium.open(page, width=width, dark=dark)
    assert chromium.complaints == []
    assert [url for url in chromium.requests if not url.startswith(("data:", "blob:"))] == [page.as_uri()]
    assert chromium.overflow() <= 0
    assert chromium.ask("document.querySelector('.question').textContent") == "Who? </script>"
    assert page.stat().st_size < 10_000_000
    # Plotly takes texts for HTML; those of a folder stay texts.
    assert chromium.ask("document.querySelectorAll('a[href], svg a').length") == 0
    assert "<a href='https://example.org'>sgd</a>" in chromium.ask(
        "document.querySelector('#curve .legend').textContent"
    )


def test_sliders_and_seeds_show_the_run_that_they_say(chromium, page, results):
    chromium.open(page)
    runs = results["rosenbrock"].to_dataset()
    card = "#optimizers fieldset:nth-child(1)"
    for rate, b2, seed in ((0, 0, 0), (1, 2, 1), (0, 1, 1)):
        slide(chromium, f"{card} input[name=learning_rate]", rate)
        slide(chromium, f"{card} input[name=b2]", b2)
        slide(chromium, "#seed", seed)
        is_meant = (
            (runs.optimizer == "adamlab.adam")
            & (runs.learning_rate == [0.01, 0.1][rate])
            & (runs.b2 == [0.9, 0.99, 0.999][b2])
            & (runs.seed == seed)
        )
        (row,) = is_meant.values.nonzero()[0]
        assert curve_of(chromium, "adamlab.adam") == pytest.approx(runs.loss.values[row].tolist(), rel=1e-6)
        assert str(runs.spec.values[row]) in chromium.ask(f"document.querySelector('{card} .score').textContent")


def test_the_step_moves_every_panel(chromium, page):
    chromium.open(page)
    before = {panel: traces(chromium, panel) for panel in ("path", "curve", "moment")}
    slide(chromium, "#step", 3)
    after = {panel: traces(chromium, panel) for panel in before}
    assert [panel for panel in before if before[panel] == after[panel]] == []
    assert chromium.ask("document.getElementById('step-value').textContent") == "3"
    assert "at step 3" in chromium.ask("document.getElementById('status').textContent")


def test_a_click_on_the_map_picks_the_setting(chromium, page):
    chromium.open(page)
    chromium.ask("document.getElementById('map').emit('plotly_click', {points: [{customdata: 0}]})")
    shown = chromium.ask("document.querySelector('#optimizers fieldset:nth-child(1) .score').textContent")
    assert shown.startswith("adamlab.adam(learning_rate=0.01, b2=0.9)")
    slide(chromium, "#mapped", "adamlab.rmsprop")
    chromium.ask("document.getElementById('map').emit('plotly_click', {points: [{customdata: 4}]})")
    slider = "document.querySelector('#optimizers fieldset:nth-child(3) input[type=range]').value"
    assert chromium.ask(slider) == "4"


def test_a_problem_that_is_not_in_the_plane_has_no_path(chromium, page):
    chromium.open(page)
    slide(chromium, "#problem", 1)
    assert chromium.ask("document.getElementById('path-panel').hidden")
    assert len(traces(chromium, "curve")) > 0
    assert chromium.complaints == []
