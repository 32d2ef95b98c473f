"""The output of `adamlab stability` and `adamlab influence`, with their pictures."""

from collections.abc import Sequence
from pathlib import Path

from adamlab.dynamics.stability import Stability, stability
from adamlab.errors import InputError, nearest
from adamlab.symbolic.notation.printing import text
from adamlab.symbolic.solving.influence import influence
from adamlab.terminal.console import say, say_json, waiting
from adamlab.terminal.optimizers.formulas import require_formula_format, say_result
from adamlab.terminal.optimizers.numbers import read_numbers

NO_PICTURE = "for a picture; say which with --plot KIND."
NO_FORMULAS = "for formulas, and a picture has none; give numbers with --set."


def stability_and_show(
    spec: str, numbers: Sequence[str], symbols: Sequence[str], curvature: float | None, form: str
) -> None:
    """Print where an optimizer's steps on a quadratic converge; at a curvature, the largest rate as a number."""
    require_formula_format(form, superscripts=False)
    with waiting(f"reading {spec}"):
        result = stability(spec, read_numbers(numbers), symbols=symbols)
        largest = _largest(result, curvature)
    if form == "json":
        say_json({**result.to_dict(), "largest_rate_at": largest})
        return
    say_result(result, form)
    if form == "text" and result.learning_rate and largest is not None:
        rate = text(result.hyper[result.learning_rate])
        say(f"at {text(result.h)} = {curvature:g}: {rate} < {largest:.12g}")


def _largest(result: Stability, curvature: float | None) -> float | None:
    return None if curvature is None else result.largest_rate_at(**{result.h.name: curvature})


def influence_and_show(spec: str, numbers: Sequence[str], symbols: Sequence[str], form: str) -> None:
    """Print how much of an optimizer's update comes from the gradient some steps ago."""
    require_formula_format(form, superscripts=False)
    with waiting(f"reading {spec}"):
        result = influence(spec, read_numbers(numbers), symbols=symbols)
    say_result(result, form)


def refuse_with(what: str, **given: object) -> None:
    """Raise InputError where an option is given that the formulas, or a picture, know nothing of."""
    if names := [f"--{name}" for name, value in given.items() if value]:
        raise InputError(f"{', '.join(names)}: {what}")


def plot_and_show(of: str, kind: str, specs: Sequence[str], numbers: Sequence[str], out: Path | None) -> None:
    """Draw a picture of the stability or the influence of optimizers, and print the name of the file."""
    from adamlab import dynamics
    from adamlab.plots import PLOTS_OF
    from adamlab.plots.files import figure_name, write_figure

    if kind not in PLOTS_OF[of]:
        raise InputError(f"there is no picture {kind!r} of {of}; {nearest(kind, PLOTS_OF[of])}")
    path = out or Path(f"{figure_name(specs[0], kind, {})}.png")
    known = read_numbers(numbers)
    with waiting(f"computing {', '.join(specs)}"):
        if kind in ("rates", "shares"):
            data = getattr(dynamics, kind)(specs, known)
        elif len(specs) > 1:
            raise InputError(f"{kind} is a picture of one optimizer, not of {len(specs)}; draw each alone.")
        else:
            data = getattr(dynamics, kind)(specs[0], known)
        write_figure(PLOTS_OF[of][kind](data), [path])
    say(str(path))
