"""An optimizer with its numbers left open, to be read as formulas."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import jax
import numpy as np
from sympy import Expr, Rational, Symbol

from adamlab.calls import Call
from adamlab.errors import InputError, nearest, reason
from adamlab.interpret.arrays import Values, objects
from adamlab.interpret.entries import are_coupled
from adamlab.interpret.jaxpr import Reader, Rename, UnreadableError
from adamlab.interpret.oracle import late_update, read_exactly
from adamlab.interpret.plans import outline
from adamlab.interpret.programs import ANY, Programs, Subject, state_names
from adamlab.interpret.signs import Rate
from adamlab.interpret.sympy_algebra import Formulas
from adamlab.symbolic.letters import RATES, hyper_letters, state_letters
from adamlab.types import Decay, PyTree

TRIED = 1e-12 * np.array([[1.0, -2.0, 0.5], [3.0, 1.5, -1.0]])
"""The gradient with which it is tried whether a step mixes the entries of a matrix."""

Optimizer = Call | str | Callable[..., Any]
"""An optimizer as it is given: a spec, a factory, or a factory called with symbols."""

PAIR = (2,)
"""The shape of the array on which it is looked at whether entries depend on each other."""

SHAPES = ((), PAIR, (5,), (2, 3), (2, 3, 4), (130, 200))
"""The shapes of which code that is the same for all is taken to be the same for every shape."""


@dataclass(frozen=True)
class OpenOptimizer:
    """An optimizer whose numbers are symbols, or rationals where they are fixed.

    Attributes:
        subject: the optimizer as a call with its numbers apart.
        programs: its `init` and `update`, traced on an array of that `shape`.
        numbers: the symbol or the rational of each number, by name.
        hyper: the symbols among them, by name.
        fields, letters: the name and the letter of each leaf of the state.
    """

    subject: Subject
    programs: Programs
    shape: tuple[int, ...]
    numbers: Mapping[str, Any]
    hyper: Mapping[str, Symbol]
    fields: list[str]
    letters: list[str]

    @classmethod
    def of(
        cls,
        optimizer: Optimizer,
        hyper: Mapping[str, Any] | None = None,
        symbols: Collection[str] = (),
        shape: tuple[int, ...] = (),
        rates: Collection[str] = (),
        among: Collection[str] = (),
    ) -> "OpenOptimizer":
        """Open a factory or a spec.

        Args:
            optimizer: the factory or the spec.
            hyper: fixed numbers by name; they may be formulas.
            symbols: names of numbers that stay open whatever their default is.
            shape: of the parameter.
            rates: names of further numbers that are decay rates.
            among: names of other numbers of the same statement: no letter is given twice among all of them.

        Raises:
            SpecError: an argument that does not exist, or that cannot be a number.
            InputError: the optimizer does not run on an array of that shape.
        """
        formulas = {name: value for name, value in (hyper or {}).items() if isinstance(value, Expr)}
        subject = left_open(optimizer, hyper, symbols)
        every_rate = rates_in(subject) | set(rates)
        letters = hyper_letters({*subject.numbers, *among})
        numbers: dict[str, Any] = {}
        for name, value in subject.numbers.items():
            symbol = Rate(letters[name]) if name in every_rate else Symbol(letters[name], positive=True)
            numbers[name] = formulas.get(name, symbol) if value is None else rational(value)
        programs = _programs(subject, shape)
        for name in programs.constants:  # the code branches on these, so that they cannot be left open
            constant = subject.numbers[name]
            numbers[name] = rational(subject.defaults.get(name, ANY) if constant is None else constant)
        fields = state_names(programs.init.shapes)
        free = {name: value for name, value in numbers.items() if isinstance(value, Symbol)}
        return cls(subject, programs, shape, numbers, free, fields, state_letters(fields))

    def on_shape(self, shape: tuple[int, ...]) -> "OpenOptimizer":
        """The same optimizer on an array of another shape."""
        programs = _programs(self.subject, shape)
        fields = state_names(programs.init.shapes)
        return replace(self, shape=shape, programs=programs, fields=fields, letters=state_letters(fields))

    def reads_as_it_runs(self) -> bool:
        """Whether the code does the same where its numbers are floats, as in a run, as where they are traced."""
        known = {name: value for name, value in self.subject.numbers.items() if value is not None}
        numbers = {**dict.fromkeys(self.subject.numbers, 0.5), **self.subject.defaults, **known}
        try:
            traced, built = (
                read_exactly(subject, ("0.75", "-0.5", "0.25"), values=("1", "1", "1")).updates
                for subject in (replace(self.subject, numbers=numbers), self.subject.built(numbers))
            )
        except Exception:  # whatever a foreign optimizer raises at these numbers: it cannot be told
            return True
        return np.allclose(np.array(traced, float), np.array(built, float), rtol=1e-9, atol=0, equal_nan=True)

    def is_coupled(self) -> bool:
        """Whether an entry of an array's update may depend on other entries, at any step.

        Raises:
            InputError: the code does not run on arrays, or whether it is so cannot be read.
        """
        on_pair = self.on_shape(PAIR)
        return are_coupled(on_pair.programs.init, on_pair.programs.update, on_pair.numbers, PAIR)

    def shapes_apart(self) -> list[tuple[int, ...]]:
        """The shapes, among `SHAPES`, for which the code is another one than for a single number.

        Raises:
            InputError: the code does not run on one of them.
        """
        outlines = {s: [outline(p.jaxpr) for p in self.on_shape(s).programs[:2]] for s in SHAPES}
        return [shape for shape in SHAPES if outlines[shape] != outlines[()]]

    def mixes_entries(self, held: Collection[str] = ()) -> bool:
        """Whether a step on a matrix is another than on each of its entries alone, or cannot be read though theirs can.

        It is tried in exact numbers late in a run, with gradients so small that nothing is clipped and that states
        that are `held` stay what they are.
        """
        known = {name: value for name, value in self.subject.numbers.items() if value is not None}
        numbers = {**dict.fromkeys(self.subject.numbers, 0.5), **self.subject.defaults, **known}
        subject = replace(self.subject, numbers=numbers)

        def ends(g: Any) -> list[float] | None:
            """The first and the last entry of the update; NaN where it cannot be read, None where the code fails."""
            try:
                update = late_update(subject, g, held)
            except UnreadableError:
                return [np.nan, np.nan]
            except Exception:  # whatever a foreign optimizer raises on a matrix: it is made for single numbers
                return None
            return [float(update.flat[0]), float(update.flat[-1])]

        on_matrix, first, last = map(ends, (TRIED, TRIED[0, 0], TRIED[-1, -1]))
        if on_matrix is None or first is None or last is None:
            return False
        return not np.allclose(on_matrix, [first[0], last[0]], rtol=1e-9, atol=0, equal_nan=True)

    def start(self, algebra: Formulas, params: PyTree) -> list[Values]:
        """The leaves of the state before the first step."""
        return jax.tree.leaves(Reader(algebra).read(self.programs.init, self.numbers, params))

    def step(
        self, reader: Reader, g: Any, state: list[Values], w: Any, value: Any, rename: Callable[[int], Rename]
    ) -> tuple[Values, list[Values]]:
        """The update and the next state's leaves; `rename(k)` names what stands for the k-th leaf from then on."""
        before = jax.tree.unflatten(jax.tree.structure(self.programs.init.shapes), state)
        names = {k + 1: rename(k) for k in range(len(state))}  # leaf 0 of the result is the update
        result = reader.read(self.programs.update, self.numbers, g, before, w, value, rename=names)
        u, *after = jax.tree.leaves(result)
        return u, after


def left_open(
    optimizer: Call | str | Callable[..., Any], hyper: Mapping[str, Any] | None = None, symbols: Collection[str] = ()
) -> Subject:
    """The optimizer with its numbers left open, those given as formulas too."""
    given = dict(hyper or {})
    formulas = {name for name, value in given.items() if isinstance(value, Expr)}
    fixed = {name: value for name, value in given.items() if name not in formulas}
    return Subject.left_open(optimizer, fixed, {*symbols, *formulas})


def rates_in(subject: Subject) -> set[str]:
    """The names of the numbers that are decay rates."""
    known = {symbol.name: argument for symbol, argument in subject.call.symbols()}
    return {name for name, a in known.items() if a.kind == "decay" or a.name in RATES} | (RATES & set(known))


def rational(value: Any) -> Any:
    """A number as the rational that its decimal writes: 0.999 is 999/1000; a decay with the exact complement."""
    if isinstance(value, Decay):
        complement = rational(value.complement)
        return Decay.exact(objects(1 - complement), objects(complement))
    if isinstance(value, (Rational, Fraction, int)):
        return Rational(value)
    return Rational(value if isinstance(value, (str, Decimal)) else str(float(np.asarray(value)[()])))


def known_numbers(title: str, symbols: Mapping[str, Symbol], numbers: Mapping[str, Any]) -> dict[Symbol, Any]:
    """Numbers given by name as rationals, by their symbols.

    Raises:
        InputError: the optimizer has no such number, or a value is none.
    """
    known = {}
    for name, value in numbers.items():
        if name not in symbols:
            raise InputError(f"{title} has no open number {name!r}; {nearest(name, symbols)}")
        try:
            known[symbols[name]] = rational(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f"{title}: expected a finite number for {name}, as {name}=0.9; not {value!r}.") from error
    return known


def plain(values: Values) -> Any:
    """A single number as itself, an array as it is."""
    return values if values.ndim else values.item()


def _programs(subject: Subject, shape: tuple[int, ...]) -> Programs:
    try:
        return subject.programs(np.zeros(shape), with_value=True)
    except InputError:
        raise
    except Exception as error:  # whatever a foreign optimizer raises while it is traced
        raise InputError(
            f"{subject.title} cannot be read on an array of shape {shape}: {reason(error, 300)}"
        ) from error
