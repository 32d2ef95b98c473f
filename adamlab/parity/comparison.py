"""`al.compare`: where two optimizers part, by how much, and why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import chex
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax

from adamlab.calls import FLOATS, Call
from adamlab.errors import InputError, nearest, reason
from adamlab.interpret.jaxpr import UnreadableError
from adamlab.interpret.programs import Subject, as_call, names_in
from adamlab.parity.diagnosis import difference_in_words, ordinary
from adamlab.parity.families import FAMILIES, gradients
from adamlab.parity.readings import Readings
from adamlab.parity.trajectories import CONTEXTS, LAYOUTS, by_family, laid_out, run
from adamlab.parity.ulps import differing_bits, errors_in_ulps

if TYPE_CHECKING:
    import pandas as pd

Built = optax.GradientTransformation
Optimizer = Call | str | Callable[..., Any] | Built


@dataclass(frozen=True, repr=False)
class Comparison:
    """The result of a comparison.

    Attributes:
        left, right: what was compared, as specs or names.
        steps, dtype, context, layout: how.
        families: one record for each family of gradients, see `table`.
        verdict: in words.
        kind: "bit-identical", "same formula", "different formulas", or "different bits" where nothing could be read
            exactly, or where a side leaves the range of its types.
    """

    left: str
    right: str
    steps: int
    dtype: str
    context: str
    layout: str
    families: list[dict[str, Any]]
    verdict: str
    kind: str

    @property
    def differing_bits(self) -> int:
        """The number of bits in which the updates differ, over all families, steps and coordinates; NaNs are alike."""
        return sum(record["differing_bits"] for record in self.families)

    @property
    def identical(self) -> bool:
        """Whether no bit differs."""
        return self.differing_bits == 0

    @property
    def first_difference(self) -> int | None:
        """The first step, from 1, at which a bit differs; None where none does."""
        return min((r["first_difference"] for r in self.families if r["first_difference"] is not None), default=None)

    @property
    def table(self) -> "pd.DataFrame":
        """One row per gradient family.

        `family` and the bug it `sees`; `differing_bits` and `first_difference` (a step from 1) of the two sides;
        `apart_median` and `apart_max`, how many ulp they are apart; `left_median`, `left_max`, `right_median` and
        `right_max`, the ulp between each side and its own exact reading (NaN where it cannot be read);
        `gap`, the largest relative distance of the left's updates from the right's exact ones, and `exact_gap`, the
        same where the left is exact too. An ulp is the spacing of the type at the exact value.
        """
        import pandas as pd

        return pd.DataFrame(self.families)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain data; for JSON."""
        return {
            "left": self.left,
            "right": self.right,
            "steps": self.steps,
            "dtype": self.dtype,
            "context": self.context,
            "layout": self.layout,
            "identical": self.identical,
            "differing_bits": self.differing_bits,
            "first_difference": self.first_difference,
            "kind": self.kind,
            "verdict": self.verdict,
            "families": self.families,
        }

    def __str__(self):
        return f"{self.left} and {self.right}, {self.steps} steps in {self.dtype} under {self.context}: {self.verdict}"

    def __repr__(self):
        return str(self)

    def _repr_html_(self) -> str:
        table = self.table.to_html(index=False, float_format="{:.3g}".format, na_rep="", border=0)
        return f"<p>{escape(str(self))}</p>\n{table}"


def compare(
    left: Optimizer,
    right: Optimizer,
    *,
    steps: int = 1000,
    dtype: str = "float32",
    context: str = "jit",
    layout: str = "tree",
    families: Sequence[str] | None = None,
    hyper: Mapping[str, Any] | None = None,
    seed: int = 0,
    exact: bool = True,
    digits: int = 50,
) -> Comparison:
    """Run two optimizers on the same gradients, and each in exact arithmetic too.

    Args:
        left: a spec or a factory; or a transformation already built, if `right` is one too: these can be compared in
            bits only, since their numbers are hidden.
        right: the same.
        steps: how many steps of each family.
        dtype: "float16", "bfloat16", "float32" or "float64", of the parameters and the gradients.
        context: "jit", each step a jitted call; "scan", all of them in one jitted scan; or "eager". Bits can be claimed
            only in the same context: not even Optax has the same bits under jit and under scan.
        layout: "tree", an array for each family, of several shapes; or "leaf", all coordinates as one vector.
        families: which families of gradients, by default all of `adamlab.parity.families.FAMILIES`.
        hyper: hyper-parameters by name; equal names on both sides are the same number.
        seed: of the gradients.
        exact: whether to read both in exact numbers too, which takes most of the time; without, only bits count.
        digits: of the exact reading.

    Returns:
        A `Comparison`. Rules that look at the parameters see them held in place.

    Raises:
        InputError: a name that does not exist, a number without a value, or only one side already built.
    """
    names, dtype = _names(families), dtype if isinstance(dtype, str) else jnp.dtype(dtype).name
    _check(steps, dtype, context, layout, seed, digits)
    hyper = dict(hyper or {})
    sides = [_Side.of(left, hyper), _Side.of(right, hyper)]
    known_to_one = {name for side in (left, right) if not isinstance(side, Built) for name in names_in(as_call(side))}
    _require("hyper-parameter", list(hyper), known_to_one)
    if (sides[0].subject is None) != (sides[1].subject is None):
        raise InputError("a transformation already built hides its numbers; give both sides built, or neither.")
    gs = gradients(names, steps, dtype, seed)
    laid = laid_out(gs, layout)
    with jax.enable_x64(dtype == "float64"):
        updates = [by_family(side.run(laid, context), gs) for side in sides]
    readings = _readings(sides, gs, layout, digits) if exact else "exact=False"
    exactly = readings.updates if isinstance(readings, Readings) else []
    with mpmath.workdps(digits), np.errstate(all="ignore"):
        records = [_record(name, [u[name] for u in updates], [e[name] for e in exactly], dtype) for name in names]
    kind, verdict = _verdict(records, readings)
    return Comparison(sides[0].name, sides[1].name, steps, dtype, context, layout, records, verdict, kind)


def _names(families: Sequence[str] | None) -> list[str]:
    names = list(FAMILIES) if families is None else [families] if isinstance(families, str) else list(families)
    _require("family", names, FAMILIES)
    if not names:
        raise InputError(f"there are no families to compare on; there are {', '.join(FAMILIES)}.")
    return list(dict.fromkeys(names))


def _check(steps: int, dtype: str, context: str, layout: str, seed: int, digits: int):
    for what, given, known in (("type", dtype, FLOATS), ("context", context, CONTEXTS), ("layout", layout, LAYOUTS)):
        _require(what, [given], known)
    for what, number, least in (("steps", steps, 1), ("seed", seed, 0), ("digits", digits, 1)):
        if not isinstance(number, int) or number < least:
            raise InputError(f"{what} must be a whole number of at least {least}, not {number!r}.")


@dataclass(frozen=True)
class _Side:
    name: str
    subject: Subject | None
    built: Any = None

    @classmethod
    def of(cls, optimizer: Optimizer, hyper: Mapping[str, Any]) -> "_Side":
        if isinstance(optimizer, Built):
            return cls("a built transformation", None, optimizer)
        call = as_call(optimizer)
        subject = Subject.of(call, {name: value for name, value in hyper.items() if name in names_in(call)})
        subject.given_numbers()  # raises where a number has no value
        return cls(subject.title, subject)

    def run(self, gradients: Any, context: str) -> Any:
        """The updates; whatever a foreign optimizer raises becomes an InputError that names it."""
        try:
            updates = run(self.subject.build() if self.subject else self.built, gradients, context)
            chex.assert_trees_all_equal_shapes(updates, gradients, custom_message="tree 0: updates; tree 1: gradients")
            return updates
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{self.name} cannot be compared: {reason(error, 300)}") from error


def _readings(sides: list[_Side], gradients: Mapping[str, np.ndarray], layout: str, digits: int) -> Readings | str:
    """The exact readings of both sides; or why there are none."""
    left, right = (side.subject for side in sides)
    if left is None or right is None:
        return "the numbers of a built transformation are hidden"
    try:
        return Readings.of((left, right), gradients, layout, digits)
    except UnreadableError as error:
        return str(error)


def _record(name: str, updates: list[np.ndarray], exact: list[np.ndarray], dtype: str) -> dict[str, Any]:
    left, right = updates
    bits = differing_bits(left, right)
    apart = errors_in_ulps(left, np.frompyfunc(_as_exact, 1, 1)(right), dtype)
    steps = np.flatnonzero(bits.any(axis=1))
    record: dict[str, Any] = {
        "family": name,
        "sees": FAMILIES[name].sees,
        "differing_bits": int(bits.sum()),
        "first_difference": int(steps[0]) + 1 if len(steps) else None,
        "apart_median": float(np.median(apart)),
        "apart_max": float(apart.max()),
    }
    for side, own, values in zip(("left", "right"), exact, updates, strict=False):
        errors = errors_in_ulps(values, own, dtype)
        record |= {f"{side}_median": float(np.median(errors)), f"{side}_max": float(errors.max())}
    if exact:
        record["gap"] = _gap(np.frompyfunc(_as_exact, 1, 1)(left), exact[1])
        record["exact_gap"] = _gap(exact[0], exact[1])
    return record


def _as_exact(value: Any) -> Any:
    return mpmath.mpf(float(value))


def _gap(values: np.ndarray, exact: np.ndarray) -> float:
    """The largest relative distance; where either is not finite or the exact one 0, none if they are equal, else ∞."""

    def distance(value, target):
        if value == target or (mpmath.isnan(value) and mpmath.isnan(target)):
            return mpmath.mpf(0)
        if target == 0 or not (mpmath.isfinite(value) and mpmath.isfinite(target)):
            return mpmath.inf
        return abs(value / target - 1)

    return max(float(d) for d in np.frompyfunc(distance, 2, 1)(values, exact).flat)


def _verdict(records: list[dict[str, Any]], readings: Readings | str) -> tuple[str, str]:
    apart = max(record["apart_max"] for record in records)
    bits = any(record["differing_bits"] for record in records)
    if isinstance(readings, str):
        told = f"different bits, ≤ {apart:.3g} ulp apart; nothing was read exactly: {readings}"
        return ("different bits", told) if bits else ("bit-identical", "bit-identical")
    if told := _difference(readings):
        told = f"different formulas: {told}"
        return ("different formulas", told) if bits else ("bit-identical", f"bit-identical here, but {told}")
    if not bits:
        return "bit-identical", "bit-identical"
    if np.isinf(apart):
        return "different bits", f"different bits: the same in exact numbers, but {_out_of_range(records)}"
    median = max(record["apart_median"] for record in records)
    rounding = f"a family's median is up to {median:.3g} ulp, the greatest difference {apart:.3g} ulp"
    return (
        "same formula",
        f"the same formula, rounded differently: {rounding if apart else 'in the sign of zeros alone'}",
    )


def _out_of_range(records: list[dict[str, Any]]) -> str:
    """The first family in which the sides are infinitely far apart, and the side that is not where it should be."""
    record = next(record for record in records if np.isinf(record["apart_max"]))
    sides = [side for side in ("left", "right") if np.isinf(record[f"{side}_max"])] or ["left", "right"]
    verb = "leaves the range of its types" if len(sides) == 1 else "leave the range of their types"
    return f"in {record['family']} the {' and the '.join(sides)} {verb}"


def _difference(readings: Readings) -> str:
    """The difference of the formulas in words; "" where there is none."""
    left, right = readings.subjects
    probe, check = ordinary(readings.digits), readings.check()
    if not probe.agree(left, right):
        return difference_in_words(left, right, probe, check)
    if readings.parting is None:
        return ""
    family, step = readings.parting
    words = difference_in_words(left, right, readings.probe(family, step), check)
    return f"they agree on ordinary gradients, and part in {family} at step {step}: {words}"


def _require(what: str, given: Sequence[str], known: Any):
    for name in given:
        if name not in known:
            raise InputError(f"there is no {what} {name!r}; {nearest(name, known)}")
