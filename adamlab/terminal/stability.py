"""The output of `adamlab stability`."""

from collections.abc import Sequence

from adamlab.dynamics.stability import Stability, stability
from adamlab.symbolic.notation.printing import text
from adamlab.terminal.console import say, say_json, waiting
from adamlab.terminal.formulas import require_formula_format, say_result
from adamlab.terminal.numbers import read_numbers


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
