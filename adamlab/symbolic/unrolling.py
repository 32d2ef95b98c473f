"""The first steps of an optimizer as formulas, read off its own code."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sympy import Abs, Basic, Expr, Max, Min, Mul, Ne, Piecewise, Poly, Symbol, count_ops, expand, factor, oo
from sympy.core.relational import Relational
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.logic.boolalg import BooleanFunction

from adamlab.errors import InputError
from adamlab.interpret.arrays import Values, each
from adamlab.interpret.equality import same
from adamlab.interpret.evaluation import evaluate
from adamlab.interpret.jaxpr import Reader
from adamlab.interpret.ranges import range_of
from adamlab.interpret.signs import REAL, has_open_factor, sign_of
from adamlab.interpret.sympy_algebra import Formulas
from adamlab.interpret.trials import Draws, broken
from adamlab.symbolic.letters import at_step
from adamlab.symbolic.open_optimizer import OpenOptimizer, Optimizer, plain
from adamlab.symbolic.results import Equation, Result, in_words
from adamlab.symbolic.solving.recurrences import upright
from adamlab.types import Formula

MOST_TIDIED = 12
"""The most steps whose written-out formulas are tidied, which takes as long as reading them."""


MOST_EXPANDED = 60
"""The most operations of an update that is expanded, to see whether that is shorter."""


@dataclass(frozen=True, repr=False)
class Unrolled(Result):
    """The first steps of an optimizer.

    Attributes:
        title: the optimizer as it was given.
        hyper: the symbol of every number that is open, by name.
        gradients: g_1 … g_T: symbols, or arrays of them.
        values: f_1 … f_T, the losses that `update` was handed, whether it looks at them or not.
        definitions: every state, update and parameter in terms of those before it: linear in the number of steps. The
            many 1 − β^t have names of their own, defined before their first use.
        assumptions: the conditions under which the formulas hold, in words.
    """

    title: str
    hyper: Mapping[str, Symbol]
    gradients: list[Any]
    values: list[Symbol]
    definitions: list[tuple[Symbol, Formula]]
    assumptions: tuple[str, ...]
    _named: list[dict[str, Any]]
    _start: Any

    @cached_property
    def updates(self) -> list[Any]:
        """u_1 … u_T in terms of gradients, hyper-parameters and the start alone."""
        return [self._written_out(step["u"]) for step in self._named]

    @cached_property
    def params(self) -> list[Any]:
        """w_0 … w_T in the same terms."""
        return [plain(self._start), *(self._written_out(step["w"]) for step in self._named)]

    @cached_property
    def states(self) -> list[dict[str, Any]]:
        """The states after each step in the same terms, by field, as `al.exact` names them."""
        return [{name: self._written_out(values) for name, values in step["states"].items()} for step in self._named]

    @cached_property
    def plain_updates(self) -> list[Any]:
        """The updates in the same terms as they come, which takes less time than putting them in order."""
        full = self._written(tidy=False)
        return [
            plain(each(lambda e: _InFull(full)(e) if isinstance(e, Basic) else e, step["u"])) for step in self._named
        ]

    @cached_property
    def _full(self) -> dict[Any, Any]:
        return self._written(tidy=True)

    def _written(self, tidy: bool) -> dict[Any, Any]:
        """Each definition in full."""
        full: dict[Any, Any] = {}
        write = _InFull(full)
        polynomials = {g for gradient in self.gradients for g in np.asarray(gradient, object).flat}
        others: set[Symbol] = set()
        for symbol, e in self.definitions:
            full[symbol] = write(e)
            if not (within := e.free_symbols & (polynomials | others)):
                continue
            if within <= polynomials and e.is_polynomial(*within) and not write.has_cases(full[symbol]):
                full[symbol] = self._tidied(full[symbol]) if tidy else full[symbol]
                polynomials.add(symbol)
            else:
                others.add(symbol)
        return full

    def _tidied(self, e: Formula) -> Formula:
        """A polynomial in the gradients with each coefficient factored, and the factors common to all in front."""
        symbols = [g for gradient in self.gradients for g in np.asarray(gradient, object).flat if e.has(g)]
        if not symbols or len(self.gradients) > MOST_TIDIED or e.has(oo, -oo):  # ∞/∞, of a common factor, is NaN
            return e
        terms = Poly(e, *symbols).terms()
        coefficients = [upright(factor(coefficient)) for _, coefficient in terms]
        first, *others = [set(Mul.make_args(c)) for c in coefficients]
        common = Mul(*(f for f in first if all(f in other for other in others)))
        monomials = [Mul(*(g**n for g, n in zip(symbols, powers, strict=True))) for powers, _ in terms]
        return common * sum(c / common * m for c, m in zip(coefficients, monomials, strict=True))

    def _brief(self, u: Symbol, in_brief: "_InFull") -> Formula:
        """An update in terms of states; written out where that is much shorter, as where the first step is plain."""
        in_states, full = in_brief(dict(self.definitions)[u]), self._full[u]
        if full.has(Piecewise, Max, Min) or count_ops(full) > MOST_EXPANDED:
            return in_states
        expanded = expand(full)
        return expanded if 3 * count_ops(expanded) < count_ops(in_states) else in_states

    def _written_out(self, values: Values) -> Any:
        return plain(each(lambda e: _InFull(self._full)(e) if isinstance(e, Basic) else e, values))

    def trial(self, draw: Draws) -> Iterator[dict[Any, Any]]:
        """The numbers of a trial after all steps."""
        known: dict[Any, Any] = {symbol: draw.number(symbol) for symbol in self.hyper.values()}
        known |= {g: draw.gradient() for g in np.concatenate([np.ravel(x) for x in (self._start, *self.gradients)])}
        known |= {f: draw.loss() for f in self.values}
        for symbol, e in self.definitions:
            known[symbol] = evaluate(e, known)
        yield known

    def are_equal(self, left: Any, right: Any) -> bool:
        """Whether two formulas of definitions are shown to be equal once they are written out."""
        return same(left.xreplace(self._full), right.xreplace(self._full))

    def _equations(self) -> list[Equation]:
        """The states written out and the updates in terms of them; of many steps, or of arrays, the definitions."""
        if len(self.gradients) > MOST_TIDIED or np.ndim(self.gradients[0]):
            return list(self.definitions)
        definitions, lines = dict(self.definitions), []
        in_brief = _InFull({s: e for s, e in self.definitions if s.name.partition("_")[0].endswith("bar")})
        names = {entry for step in self._named for values in step["states"].values() for entry in values.flat}
        for t, step in enumerate(self._named, start=1):
            states = {entry for values in step["states"].values() for entry in values.flat}
            lines += [(s, self._full[s]) for s in definitions if s in states and s not in dict(lines)]
            u = step["u"].item()  # which is a number or a state where it has no name of its own
            lines.append((at_step("u", t), self._brief(u, in_brief) if u in definitions and u not in names else u))
        return lines


def unroll(
    optimizer: Optimizer,
    steps: int = 3,
    hyper: Mapping[str, Any] | None = None,
    *,
    symbols: Collection[str] = (),
    shape: tuple[int, ...] = (),
) -> Unrolled:
    """Read the first steps of an optimizer as formulas.

    Args:
        optimizer: a factory such as `optax.adam`, whose named arguments are the hyper-parameters; or a spec, in which
            bare names are symbols.
        steps: T, the number of steps.
        hyper: numbers that are fixed, by name; they are read as decimals. Others are symbols: η, β₁, β₂, ε …, positive,
            and decay rates less than 1. A number that is 0 or None by default stays that.
        symbols: names of numbers that are symbols whatever their default is.
        shape: of the parameter; by default a single number.

    Returns:
        An `Unrolled`.

    Raises:
        SpecError: a name that the optimizer does not have.
        InputError: steps is less than 1, or the optimizer does not run on such a parameter.
        UnreadableError: its code uses a primitive without a meaning in formulas, such as a random draw.

    >>> unroll("optax.sgd(lr)", steps=2).updates
    [-lr*g_1, -lr*g_2]
    """
    if not isinstance(steps, int) or steps < 1:
        raise InputError(f"steps must be a whole number of at least 1, not {steps!r}.")
    return unroll_open(OpenOptimizer.of(optimizer, hyper, symbols, shape), steps)


def unroll_open(optimizer: OpenOptimizer, steps: int) -> Unrolled:
    """Read the first steps of an optimizer that is open already, as `unroll`."""
    refused, equal = frozenset(), frozenset()
    while True:
        unrolled, algebra = _read(optimizer, steps, Formulas(refused=refused, equal=equal))
        numbers = {*unrolled.hyper.values(), *algebra.complements}
        doubtful = [c for c in algebra.assumptions if not c.free_symbols <= numbers]
        failing = {c for c, failed in broken(doubtful, unrolled.trial).items() if failed}
        if not failing:
            return unrolled
        always = {c for c in failing if isinstance(c, Ne) and unrolled.are_equal(*c.args)}
        refused, equal = refused | (failing - always), equal | always


def _read(optimizer: OpenOptimizer, steps: int, algebra: Formulas) -> tuple[Unrolled, Formulas]:
    names, shape = _Names(optimizer, algebra), optimizer.shape
    w = start = _symbols("w", 0, shape)
    state, reader = optimizer.start(algebra, w), Reader(algebra)
    gradients, losses, named = [], [], []
    for t in range(1, steps + 1):
        g, f = _symbols("g", t, shape), at_step("f", t)
        value = np.array(f, object)
        u, state = optimizer.step(reader, g, state, w, value, lambda k, t=t: lambda x: names.state(k, t, x))
        u = names.give("u", t, u)
        w = names.give("w", t, each(lambda a, b: a + b, w, u))
        gradients.append(plain(g))
        losses.append(f)
        named.append({"u": u, "w": w, "states": dict(zip(optimizer.fields, state, strict=True))})
    title, hyper, definitions = optimizer.subject.title, optimizer.hyper, names.definitions()
    words = in_words(optimizer, algebra)
    return Unrolled(title, hyper, gradients, losses, definitions, words, named, start), algebra


class _Names:
    """The names of a step's states, updates and parameters, each with the formula that it stands for."""

    def __init__(self, optimizer: OpenOptimizer, algebra: Formulas):
        self.optimizer, self.algebra = optimizer, algebra
        self.given: dict[Symbol, Formula] = {}
        self.unnamed: set[Any] = set()

    def state(self, k: int, t: int, values: Values) -> Values:
        """Names for the entries of the k-th leaf of the state after a step."""
        return self.give(self.optimizer.letters[k], t, values)

    def give(self, letter: str, t: int, values: Values) -> Values:
        """Names for the entries; those that are numbers or names already stay as they are."""
        entries = np.empty(values.shape, object)
        for entry, e in np.ndenumerate(values):
            if isinstance(e, Expr) and not e.is_Atom:
                entries[entry] = self._name(letter, t, entry, e)
            else:
                entries[entry] = e
                self.unnamed |= e.free_symbols if isinstance(e, Basic) else set()
        return entries

    def _name(self, letter: str, t: int, entry: tuple[int, ...], e: Formula) -> Symbol:
        is_open = has_open_factor(e)  # which takes less time to see than the formula in full
        known = REAL if is_open else sign_of(e) or sign_of(self.algebra.in_full(e))
        symbol = at_step(letter, t, entry, known=known)
        self.given[symbol] = e
        if bounds := range_of(e, self.algebra.ranges):
            self.algebra.ranges[symbol] = bounds
        if letter != "w" and self.algebra.lies_on_steps(e):
            self.algebra.stepped.add(symbol)
        return symbol

    def definitions(self) -> list[tuple[Symbol, Formula]]:
        """Each name with its formula, names of complements before the formulas that use them."""
        complements = self.algebra.complements
        definitions = {c: complements[c] for c in sorted(self.unnamed & complements.keys(), key=str)}
        given = {symbol: self.algebra.on_domains(e) for symbol, e in self.given.items()}
        for symbol, e in given.items():
            for c in sorted(e.free_symbols & complements.keys(), key=str):
                definitions[c] = complements[c]
            definitions[symbol] = e
        return list(definitions.items())


class _InFull:
    """Formulas in full: names are replaced by their formulas; cases, maxima and conditions stay unevaluated.

    SymPy's own replacement simplifies them again, at each level of each formula, and takes minutes.
    """

    def __init__(self, names: Mapping[Any, Any]):
        self.names, self._with_cases, self._with_extremes = names, set(), set()

    def __call__(self, e: Any) -> Any:
        known = dict(self.names)

        def written(e: Any) -> Any:
            if e not in known:
                known[e] = self._rebuilt(e, [written(part) for part in e.args])
            return known[e]

        return written(e)

    def has_cases(self, e: Any) -> bool:
        """Whether a formula that was written contains cases; it can be too large to be searched."""
        return e in self._with_cases

    def _rebuilt(self, e: Any, parts: list[Any]) -> Any:
        is_case, is_extreme = isinstance(e, (Piecewise, ExprCondPair)), isinstance(e, (Max, Min))
        with_cases = is_case or not self._with_cases.isdisjoint(parts)
        with_extremes = is_extreme or not self._with_extremes.isdisjoint(parts)
        searched = isinstance(e, (Relational, BooleanFunction)) or (isinstance(e, Abs) and with_extremes)
        if is_case:
            rebuilt = Basic.__new__(e.func, *parts)  # past SymPy's simplification, which has no switch here
        elif with_cases or is_extreme or searched:
            rebuilt = e.func(*parts, evaluate=False)
        else:
            rebuilt = e.func(*parts) if parts else e
        if with_cases:
            self._with_cases.add(rebuilt)
        if with_extremes:
            self._with_extremes.add(rebuilt)
        return rebuilt


def _symbols(letter: str, t: int, shape: tuple[int, ...]) -> Values:
    values = np.empty(shape, object)
    for entry in np.ndindex(*shape):
        values[entry] = at_step(letter, t, entry)
    return values
