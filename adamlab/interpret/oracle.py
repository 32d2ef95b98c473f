"""The exact oracle: an optimizer's own code run in as many digits as are asked for, to judge rounding by."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jax
import mpmath
import numpy as np
from mpmath import mpf

from adamlab.calls import Call
from adamlab.errors import InputError
from adamlab.interpret.arrays import Values, each, objects
from adamlab.interpret.jaxpr import Algebra, Program, Reader, UnreadableError
from adamlab.interpret.lanes import ExactRows, Lanes
from adamlab.interpret.mpmath_algebra import GUARD, Exact
from adamlab.interpret.programs import Subject, is_numeric, state_names
from adamlab.types import Decay, PyTree

if TYPE_CHECKING:
    import pandas as pd


Trial = tuple[Mapping[str, Any], Sequence[Any]]
"""The numbers of a run, by name, and its gradients."""

LATE = 10**5
"""A step so late that powers such as β^t are 0."""

SHOWN_DIGITS, MOST_ROWS = 12, 20
"""The digits and rows of a trajectory that are printed."""


@dataclass(frozen=True, repr=False)
class ExactTrajectory:
    """An optimizer's steps with nothing rounded; single numbers are `mpmath.mpf`, arrays hold them as objects.

    Attributes:
        updates: the update of each step, in the gradient's shape.
        params: the parameters before the first step and after each.
        states: the states after each step, by field; where a name repeats, by the shortest path of its own, "0.count".
        hyper: every number of the optimizer, by name.
        digits: the decimal digits computed with.
    """

    updates: list[Any]
    params: list[Any]
    states: list[dict[str, Any]]
    hyper: dict[str, Any]
    digits: int

    @property
    def table(self) -> "pd.DataFrame":
        """One row per step: `t`, the parameters `w` after it, its update `u`, and each field of the state."""
        import pandas as pd

        rows = zip(self.params[1:], self.updates, self.states, strict=True)
        return pd.DataFrame([{"t": t, "w": w, "u": u, **state} for t, (w, u, state) in enumerate(rows, start=1)])

    def __str__(self):
        return f"{self._heading()}\n{self._shown().to_string(index=False, max_rows=MOST_ROWS)}"

    def __repr__(self):
        return str(self)

    def _repr_html_(self) -> str:
        return f"<p>{self._heading()}</p>\n{self._shown().to_html(index=False, max_rows=MOST_ROWS, border=0)}"

    def _heading(self) -> str:
        shown = min(self.digits, SHOWN_DIGITS)
        return f"{len(self.updates)} steps in exact arithmetic, {shown} of {self.digits} digits:"

    def _shown(self) -> "pd.DataFrame":
        return self.table.map(lambda values: str(jax.tree.map(_short, values)).replace("'", ""))


def exact(
    optimizer: Call | str | Callable[..., Any],
    gradients: Any,
    hyper: Mapping[str, Any] | None = None,
    *,
    params: PyTree = None,
    values: Sequence[Any] | None = None,
    digits: int = 50,
) -> ExactTrajectory:
    """Run an optimizer in exact arithmetic: its own code, traced once, on mpmath's numbers.

    Args:
        optimizer: a factory, such as `optax.adam`, whose named arguments are the hyper-parameters; or a spec.
        gradients: an entry for each step: an array whose first axis is time, or a sequence of numbers, arrays or trees.
            Floats are taken as exactly what they are; texts are decimals.
        hyper: hyper-parameters by argument, and a spec's symbols. Numbers are read as decimals, so that 0.999 is
            999/1000; texts such as "0.001", `decimal.Decimal` and `fractions.Fraction` are exact. A constant in the
            optimizer's own code is read as the decimal that was meant too.
        params: the parameters' start, in the gradient's shape; 0 by default.
        values: the loss at each step, for optimizers that need it, such as `optax.polyak_sgd`.
        digits: decimal digits to compute with.

    Returns:
        An `ExactTrajectory`. Casts between float types round nothing, whatever types the states are kept in.

    Raises:
        SpecError: an argument that the optimizer does not have, or one without a value.
        UnreadableError: the code uses a primitive without a meaning in exact numbers, such as a random draw.
    """
    return read_exactly(Subject.of(optimizer, hyper), gradients, params, values, digits)


def read_exactly(
    subject: Subject, gradients: Any, params: PyTree = None, values: Sequence[Any] | None = None, digits: int = 50
) -> ExactTrajectory:
    """Run an optimizer that has its numbers in exact arithmetic, as `exact`."""
    if digits < 1:
        raise InputError(f"digits must be at least 1, not {digits}.")
    with mpmath.workdps(digits + GUARD):
        rows = [_leaves(row) for row in _rows(gradients)]
        if not rows:
            raise InputError("there are no gradients; give one entry for each step.")
        losses = None if values is None else [_gradient(value) for value in values]
        if losses is not None and len(losses) != len(rows):
            raise InputError(f"values must have an entry for each of the {len(rows)} steps, not {len(losses)}.")
        shapes = [_shapes(tree) for tree in (*rows, *([] if params is None else [_leaves(params)]))]
        if different := [shape for shape in shapes if shape != shapes[0]]:
            raise InputError(
                f"gradients and params must all have the shape of the first, {shapes[0]}, not {different[0]}."
            )
        start = jax.tree.map(lambda g: each(lambda _: mpf(0), g), rows[0]) if params is None else _leaves(params)
        numbers = _numbers(subject)
        steps = list(_steps(subject, numbers, rows, start, values=losses))
    with mpmath.workdps(digits):
        updates, params, states = zip(*steps, strict=True)
        return ExactTrajectory(
            updates=[_plain(u) for u in updates],
            params=[_plain(w) for w in (start, *params)],
            states=[_plain(state) for state in states],
            hyper={name: _rounded(number) for name, number in numbers.items()},
            digits=digits,
        )


def exact_updates(subject: Subject, gradients: PyTree, params: PyTree, digits: int = 50) -> PyTree:
    """The updates of all steps in exact numbers, with the parameters held fixed; time is the arrays' first axis."""
    steps = len(jax.tree.leaves(gradients)[0])
    with mpmath.workdps(digits + GUARD):
        rows = [_leaves(jax.tree.map(lambda g, t=t: np.asarray(g[t]), gradients)) for t in range(steps)]
        updates = [u for u, _, _ in _steps(subject, _numbers(subject), rows, _leaves(params), moving=False)]
    with mpmath.workdps(digits):
        return jax.tree.map(lambda *us: each(_rounded, np.stack(us)), *updates)


def run_together(
    subject: Subject, trials: Sequence[Trial], params: PyTree, values: Sequence[Any], digits: int
) -> list[list[Any]]:
    """The updates of all trials at once, for each trial in a row: steps one after the other, and their entries.

    Args:
        subject: the optimizer.
        trials: for each the numbers that the optimizer leaves open, by name, and its gradients, of one shape in all.
        params: the parameters' start, in the gradients' shape.
        values: the losses, in turn.
        digits: decimal digits to compute with.

    Raises:
        UnreadableError: as `exact`, an integer is not the same in all trials, or the code branches on an open number.
    """
    if any(subject.numbers[name] is None for name in subject.programs(params, with_value=True).constants):
        raise UnreadableError("", why="the code branches on a number that is not the same in all trials")
    longest_first = sorted(range(len(trials)), key=lambda k: len(trials[k][1]), reverse=True)
    ordered, updates = [trials[k] for k in longest_first], [[] for _ in trials]
    with mpmath.workdps(digits + GUARD):
        numbers = {
            name: Lanes([_number(hyper[name]) for hyper, _ in ordered]) if value is None else _number(value)
            for name, value in subject.numbers.items()
        }
        rows = [_in_lanes([gs[t] for _, gs in ordered if t < len(gs)]) for t in range(len(ordered[0][1]))]
        losses = [_gradient(values[t % len(values)]) for t in range(len(rows))]
        steps = list(_steps(subject, numbers, rows, _leaves(params), values=losses, algebra=ExactRows))
    with mpmath.workdps(digits):
        for t, (u, _, _) in enumerate(steps):
            for lane, k in enumerate(longest_first):
                if t < len(trials[k][1]):
                    updates[k] += [_rounded(x.row[lane] if isinstance(x, Lanes) else x) for x in u.flat]
    return updates


def _in_lanes(gradients: Sequence[Any]) -> Values:
    """The gradients of a step in all trials, as an array with a row of numbers for each entry."""
    by_trial = np.array(gradients, object)
    values = np.empty(by_trial.shape[1:], object)
    for entry in np.ndindex(values.shape):
        values[entry] = Lanes([_gradient(x) for x in by_trial[(slice(None), *entry)]])
    return values


def late_update(subject: Subject, gradient: np.ndarray, held: Collection[str], digits: int = 30) -> Values:
    """The update of a step late in a run, from the parameter 0: states that are `held` are 1/4, others at their start.

    Args:
        subject: the optimizer with its numbers.
        gradient: of the step.
        held: the names of these states.
        digits: decimal digits to compute with.
    """
    with mpmath.workdps(digits):
        g = _leaves(gradient)
        init, update, _ = subject.programs(g, with_value=True)
        numbers, reader, w = _numbers(subject), Reader(Exact()), each(lambda _: mpf(0), g)
        leaves, structure = jax.tree.flatten(reader.read(init, numbers, w))
        state = [
            each(lambda _: mpf(1) / 4, x) if name in held else x + LATE if np.issubdtype(shape.dtype, np.integer) else x
            for name, x, shape in zip(state_names(init.shapes), leaves, jax.tree.leaves(init.shapes), strict=True)
        ]
        u, _ = reader.read(update, numbers, g, structure.unflatten(state), w, objects(mpf(1)))
        return u


def _steps(
    subject: Subject,
    numbers: dict[str, Any],
    rows: list[PyTree],
    w: PyTree,
    moving: bool = True,
    values: Sequence[Any] | None = None,
    algebra: Callable[[], Algebra] = Exact,
):
    """The update, the parameters and the state by name after each step; without `moving` the parameters stay."""
    init, update, _ = subject.programs(rows[0], with_value=values is not None)
    names, reader = state_names(init.shapes), _reader(update, mpmath.mp.prec, algebra)
    state = reader.read(init, numbers, w)
    for t, g in enumerate(rows):
        u, state = reader.read(update, numbers, g, state, w, *([] if values is None else [values[t]]))
        if moving:
            w = jax.tree.map(lambda a, b: each(reader.algebra.elementwise["add"], a, b), w, u)
        yield u, w, dict(zip(names, jax.tree.leaves(state), strict=True))


@lru_cache(maxsize=64)
def _reader(program: Program, precision: int, algebra: Callable[[], Algebra]) -> Reader:
    """The reader of a program: the search for counterexamples runs one a hundred times; its constants are rounded."""
    return Reader(algebra())


def _numbers(subject: Subject) -> dict[str, Any]:
    return {name: _number(value) for name, value in subject.given_numbers().items()}


def _rows(gradients: Any) -> Sequence[Any]:
    is_scalar = isinstance(gradients, (np.ndarray, jax.Array)) and gradients.ndim == 0
    if is_scalar or isinstance(gradients, (str, Mapping)) or not hasattr(gradients, "__len__"):
        raise InputError(f"expected gradients with one entry for each step, and got {type(gradients).__name__}.")
    return list(gradients)


def _leaves(tree: PyTree) -> PyTree:
    """The tree with arrays of exact numbers for leaves; a list of numbers is an array."""
    return jax.tree.map(lambda leaf: each(_gradient, _array(leaf)), tree, is_leaf=lambda node: isinstance(node, list))


def _shapes(tree: PyTree) -> str:
    leaves, structure = jax.tree.flatten(tree)
    shapes = [leaf.shape for leaf in leaves]
    return str(shapes[0]) if structure == jax.tree.structure(0) else f"{shapes} in {structure}"


def _array(leaf: Any) -> Values:
    if isinstance(leaf, (np.ndarray, jax.Array, np.generic)):
        array = np.asarray(leaf)
        return objects(array) if array.ndim else objects(array[()])
    return np.array(leaf, object) if isinstance(leaf, list) else objects(leaf)


def _gradient(value: Any) -> Any:
    """A gradient as the exact value of its float; a text as a decimal."""
    if type(value) is float:
        return mpf(value)
    if isinstance(value, (mpf, mpmath.mpc)):
        return value
    if isinstance(value, (str, Decimal, Fraction)):
        return _number(value)
    return mpmath.mpc(complex(value)) if np.iscomplexobj(value) else mpf(float(value))


def _number(value: Any) -> Any:
    """A hyper-parameter as the decimal that was meant."""
    match value:
        case Decay(complement=complement, rate=rate):
            small = _number(complement) if complement <= 0.5 else 1 - _number(rate)
            return Decay.exact(objects(1 - small), objects(small))
        case mpf():
            return value
        case Fraction(numerator=n, denominator=d):
            return mpf(n) / d
        case str():
            if not is_numeric(value):
                raise InputError(f"{value!r} is not a number.")
            return _number(Fraction(value))
    return mpf(str(value)) if isinstance(value, (int, float, Decimal)) else mpf(str(np.asarray(value)[()]))


def _short(values: Any) -> Any:
    """A number, or the numbers of an array as a list, in few digits."""
    if isinstance(values, np.ndarray):
        return [_short(value) for value in values]
    return mpmath.nstr(values, SHOWN_DIGITS) if isinstance(values, mpf) else str(values)


def _plain(tree: PyTree) -> PyTree:
    """The tree with its numbers rounded to the digits that are asked for, single ones bare."""
    return jax.tree.map(lambda leaf: _bare(each(_rounded, objects(leaf))), tree)


def _rounded(value: Any) -> Any:
    return +value if isinstance(value, (mpf, mpmath.mpc)) else value


def _bare(values: Values) -> Any:
    return values if values.ndim else values.item()
