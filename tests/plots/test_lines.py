"""Lines and words of pictures: few points that lose no extreme, numbers and labels that stay distinct."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from adamlab.plots import fonts
from adamlab.plots.lines import MOST_POINTS, Scale, log_axis, thinned
from adamlab.plots.style import describe, styles
from adamlab.plots.words import letter, listing, number, shortened, width
from tests.plots.made_runs import runs


def test_thin_lines_keep_their_ends_extremes_and_gaps():
    values = np.sin(np.arange(50_000) / 7.0)
    values[12_345], values[33_333], values[44_444] = 100.0, -100.0, np.nan
    kept = thinned(values)
    assert len(kept) <= 3 * MOST_POINTS + 2
    assert {0, 12_345, 33_333, 44_444, 49_999} <= {*kept.tolist()}
    for part in np.array_split(np.arange(50_000), MOST_POINTS)[::97]:
        mine = kept[(kept >= part[0]) & (kept <= part[-1])]
        assert (np.nanmin(values[mine]), np.nanmax(values[mine])) == (np.nanmin(values[part]), np.nanmax(values[part]))
    assert thinned(np.zeros(2000)).tolist() == [*range(2000)]


@pytest.mark.parametrize(
    ("values", "floor"),
    [
        ([0.0, 1e-3, 5.0], 1e-3),
        ([1.0, 5.0], None),
        ([-1.0, 1e-3, 5.0], None),
        ([0.0, 0.0], None),
        ([1e-3, np.inf, 5], 1e-3),
    ],
)
def test_scales_are_logarithmic_where_values_span_much(values, floor):
    assert Scale.of(values).floor == floor


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.003162278, "0.00316"),
        (0.9, "0.9"),
        (0.9999, "0.9999"),
        (1 - 1e-9, "0.999999999"),
        (1, "1"),
        (0.95123, "0.9512"),
    ],
)
def test_numbers_have_three_digits_and_decays_do_not_become_1(value, text):
    assert number(value) == text


def test_names_have_the_letters_of_the_papers():
    names = ["learning_rate", "lr", "b1", "1-b2", "learning_rate.init", "decay"]
    assert [*map(letter, names)] == ["η", "η", "β₁", "1 − β₂", "η.init", "decay"]
    assert listing(["a", "b", "c", "d", "e"]) == "a, b, c and 2 others"


def test_long_texts_are_shortened_in_the_middle():
    text = "optax.chain(" + "x" * 200 + ", lr=0.1)"
    short = shortened(text, 2.0, 8.0)
    assert width(short, 8.0) <= 2.0 < width(text, 8.0)
    assert (short[:6], short[-6:]) == ("optax.", "r=0.1)")
    assert shortened("short", 2.0, 8.0) == "short"


@pytest.mark.parametrize(("low", "high"), [(1e-17, 5e-15), (2e-9, 3e-8), (1e3, 4e4), (1e-12, 1e12)])
def test_ticks_of_logarithmic_axes_say_their_values(low, high):
    axes = Figure().add_subplot()
    axes.plot([0, 1], [low, high])
    log_axis(axes, "y", low, high)
    axes.set_ylim(low, high)
    axis = axes.yaxis
    pairs = [
        (float(value), formatter(value))
        for places, formatter in (
            (axis.get_ticklocs(), axis.get_major_formatter()),
            (axis.get_minorticklocs(), axis.get_minor_formatter()),
        )
        for value in places
    ]
    raised = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    for value, text in pairs:
        if text:
            is_power = text.startswith("10") and not text[2:].isascii()
            said = float("1e" + text[2:].translate(raised)) if is_power else float(text)
            assert said == pytest.approx(value, rel=1e-5)


def test_forty_optimizers_have_looks_of_their_own():
    data = runs([f"o{i}" for i in range(40)], [[1.0, 2.0]] * 40)
    looks = {(look["color"], str(look["ls"])) for look in styles(data).values()}
    assert len(looks) == 40


def test_labels_without_a_font_are_told_and_take_one_that_is_installed(monkeypatch):
    figure = Figure()
    figure.text(0, 0, "学习 η̂")
    monkeypatch.setattr(fonts, "FAMILIES", ())
    describe(figure, "A picture.")
    assert figure.get_label() == "A picture. Signs that no font here has are drawn as boxes: 习, 学."
    monkeypatch.setattr(fonts, "FAMILIES", ("STIXGeneral", "no such family"))
    describe(figure, "A picture.")
    assert figure.texts[0].get_fontfamily()[-1] == "STIXGeneral"
    plain = Figure()
    plain.text(0, 0, "β₂ → 1")
    describe(plain, "A picture.")
    assert plain.get_label() == "A picture."
    assert "STIXGeneral" not in plain.texts[0].get_fontfamily()
