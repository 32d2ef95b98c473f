"""One step of an optimizer on a quadratic as a linear map of the parameter and the state, read off its code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sympy import Add, Dummy, Integer, Matrix, Mul, Piecewise, Pow, S, Symbol, cancel, diff, sign, sympify

from adamlab.errors import InputError
from adamlab.interpret.equality import same
from adamlab.interpret.signs import is_nonnegative, is_positive
from adamlab.symbolic.general_step import UPDATE, Step, general_step
from adamlab.symbolic.letters import F, G, T, W
from adamlab.symbolic.notation.printing import text
from adamlab.symbolic.open_optimizer import OpenOptimizer
from adamlab.symbolic.solving.fading import faded
from adamlab.symbolic.solving.small import where_small
from adamlab.types import Formula

CURVATURES = ("h", "c", "curvature")
"""The letters of the curvature: the first that no number of the optimizer has."""

PRECONDITIONERS = ("P", "Q", "R", "preconditioner")
"""The letters of preconditioners: the first that no number of the optimizer has."""


class NoLinearStepError(InputError):
    """An optimizer without a linear map at the minimum; the message says why."""


@dataclass(frozen=True)
class LinearStep:
    """The map of (w, states) that a step on f(w) = h·w²/2 is, with g = h·w.

    Attributes:
        step: the general step that was read.
        variables: w and the letters of the states that the map is of.
        matrix: of the map, in terms of the numbers, the curvature and the preconditioners.
        curvature: the symbol h.
        preconditioners: the formula of each preconditioner by its symbol, in terms of the states that are held.
        near: the conditions on the gradient that hold near the minimum, as that it is not clipped.
        is_late: whether powers such as β^t were taken at their limit, 0.
    """

    step: Step
    variables: tuple[str, ...]
    matrix: Matrix
    curvature: Symbol
    preconditioners: Mapping[Symbol, Formula]
    near: tuple[Formula, ...]
    is_late: bool


def linear_step(optimizer: OpenOptimizer) -> LinearStep:
    """Linearize an optimizer's step about the minimum of a quadratic.

    States that are no linear function of the gradient, as second moments, are held, with all that is computed from
    them alone; a factor that they occur in is a preconditioner.

    Raises:
        NoLinearStepError: the step is not linear at the minimum, or goes on changing with t.
        InputError: the optimizer has no general step.
    """
    return _Linearization(general_step(optimizer)).linear_step()


def corrected_preconditioners(step: Step) -> tuple[list[Formula], dict[str, Any]]:
    """The preconditioners after step t, bias corrections included, and the symbol of each state in them, by field.

    A state before the step and after it have one symbol, since it is held. A preconditioner of states before the step
    alone is that of step t + 1.

    Raises:
        NoLinearStepError: as `linear_step`.
    """
    return _Linearization(step, is_corrected=True).corrected_preconditioners()


@dataclass
class _Linearization:
    """The search for the states to hold, and the map that is left.

    Attributes:
        step: the general step.
        is_corrected: whether powers such as β^t are kept, and not taken at their limit.
        before, after: a symbol for each state before and after the step, by field.
        formulas: the recurrences by field and the update under `UPDATE`, in these symbols, w, g and t.
        held: the fields of the states that are held.
        preconditioners: the symbol for the inverse of each factor in held states.
        near: the conditions that hold near the minimum.
    """

    step: Step
    is_corrected: bool = False
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    formulas: dict[str, Formula] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    preconditioners: dict[Formula, Symbol] = field(default_factory=dict)
    near: dict[Formula, None] = field(default_factory=dict)
    is_late: bool = False

    def __post_init__(self):
        self.step = self.step.under_names()
        self.title = self.step.optimizer.subject.title
        self.w, self.g = Dummy("w", real=True), Dummy("g", real=True)
        names: dict[Any, Any] = {W[T - 1]: self.w, G[T]: self.g}
        for name, state in self.step.states.items():
            known = {"nonnegative": True} if is_nonnegative(state) else {"real": True}
            letter = str(state.base)
            self.before[name], self.after[name] = Dummy(letter, **known), Dummy(letter, **known)
            names |= {state.base[T - 1]: self.before[name], state: self.after[name]}
        everything = {**self.step.recurrences, UPDATE: self.step.update}
        self.formulas = {name: self._late(sympify(e).xreplace(names)) for name, e in everything.items()}

    def linear_step(self) -> LinearStep:
        self._find_preconditioners()
        self._require_that_held_states_settle()
        if self.step.optimizer.mixes_entries(self.held):
            raise self._refuse("on a matrix its step mixes entries, so that no single curvature tells of it")
        return self._map()

    def corrected_preconditioners(self) -> tuple[list[Formula], dict[str, Any]]:
        self._find_preconditioners()
        after = {self.before[name]: x for name, x in self.after.items()}
        formulas = [cancel(1 / factor) for factor in self.preconditioners]
        # What a step divides by before it has a gradient, as AcProp, is known after the step before.
        shifted = [e if e.has(*self.after.values()) else e.xreplace({T: T + 1}) for e in formulas]
        formulas = [e.xreplace(after) for e in shifted]
        return formulas, {name: x for name, x in self.after.items() if any(e.has(x) for e in formulas)}

    def _find_preconditioners(self):
        self._keep_what_matters()
        if any(e.has(F) for e in self.formulas.values()):
            raise self._refuse("its step depends on the loss")
        self._settle_autonomous_states()
        self._go_near_the_minimum({self.w, self.g})
        self._hold_nonlinear_states()

    def _go_near_the_minimum(self, small: set[Any]):
        """Put in place of cases those that hold where these symbols are small, as a gradient that is not clipped."""
        at_zero = dict.fromkeys(small, Integer(0))
        for name, e in self.formulas.items():
            self.formulas[name], conditions = where_small(e, lambda x: x.xreplace(at_zero))
            self.near |= dict.fromkeys(conditions)

    def _refuse(self, why: str) -> NoLinearStepError:
        return NoLinearStepError(f"{self.title} has no linear map at the minimum: {why}.")

    def _late(self, e: Formula) -> Formula:
        """The formula as t → ∞, where the powers β^t are 0."""
        if self.is_corrected:
            return e
        late = faded(e)
        self.is_late |= late != e
        return late

    def _states_in(self, e: Formula) -> set[str]:
        """The fields of the states in a formula, before or after the step."""
        return {name for name in self.before if e.has(self.before[name], self.after[name])}

    def _keep_what_matters(self):
        """Drop the states that the update does not depend on."""
        waiting, kept = [UPDATE], {UPDATE}
        while waiting:
            new = self._states_in(self.formulas[waiting.pop()]) - kept
            kept |= new
            waiting += sorted(new)
        self.formulas = {name: e for name, e in self.formulas.items() if name in kept}

    def _settle_autonomous_states(self):
        """Put in the limits of the states that depend on no gradient, as a product of decays."""
        alone = set(self.formulas) - {UPDATE}
        while driven := {
            name
            for name in alone
            if self.formulas[name].has(self.g, self.w) or self._states_in(self.formulas[name]) - alone
        }:
            alone -= driven
        while alone:
            ready = [name for name in alone if self._states_in(self.formulas[name]) <= {name}]
            if not ready:
                raise self._refuse(f"states {', '.join(sorted(alone))} go on changing, whatever the gradients are")
            name = ready[0]
            limit = self._limit(name)
            alone.remove(name)
            del self.formulas[name]
            values = {self.before[name]: limit, self.after[name]: limit}
            self.formulas = {other: self._late(e.xreplace(values)) for other, e in self.formulas.items()}
            self.is_late = True

    def _limit(self, name: str) -> Formula:
        """The limit of a state x_t = a·x_(t−1) + b."""
        e, x = self.formulas[name], self.before[name]
        start = sympify(self.step.start[name])
        if e == x:
            return start
        rate = cancel(diff(e, x))
        rest = e.xreplace({x: Integer(0)})
        if rate.has(x, T) or rest.has(T) or not is_nonnegative(rate) or not is_positive(1 - rate):
            raise self._refuse(f"{name} goes on changing, whatever the gradients are")
        return cancel(rest / (1 - rate))

    def _hold_nonlinear_states(self):
        """Hold the states without which the rest is linear, and put preconditioners in place of their factors."""
        while True:
            self.held |= self._follow_held()
            self.formulas = {
                name: e if name in self.held else self._preconditioned(e) for name, e in self.formulas.items()
            }
            moving = self._moving()
            self._go_near_the_minimum(moving)
            failing = {name for name in self._free() if not _is_linear(self.formulas[name], moving)}
            if not failing - {UPDATE}:
                if failing:
                    raise self._refuse(self._why_not_linear())
                return
            by_themselves = {
                name
                for name in failing - {UPDATE}
                if not _is_linear(self.formulas[name], {self.w, self.g, self.before[name]})
            }
            if not by_themselves:
                raise self._refuse(f"{', '.join(sorted(failing - {UPDATE}))} is no linear function of the other states")
            self.held |= by_themselves

    def _free(self) -> set[str]:
        """The fields of what is not held, the update among them."""
        return set(self.formulas) - self.held

    def _moving(self) -> set[Any]:
        """The symbols that the rest has to be linear in."""
        return {self.w, self.g} | {x[name] for name in self._free() - {UPDATE} for x in (self.before, self.after)}

    def _follow_held(self) -> set[str]:
        """The states that depend on held ones and themselves alone, as a running maximum."""
        following = self._free() - {UPDATE} if self.held else set()
        while driven := {
            name
            for name in following
            if self.formulas[name].has(self.g, self.w) or self._states_in(self.formulas[name]) - following - self.held
        }:
            following -= driven
        return following

    def _preconditioned(self, e: Formula) -> Formula:
        """The formula with the inverse of a preconditioner in place of each factor in held states."""
        held = [x[name] for name in self.held for x in (self.before, self.after)]
        if not held or not e.has(*held):
            return e
        if isinstance(e, Add):
            return Add(*map(self._preconditioned, e.args))
        factors: Any = Mul.make_args(e)
        sums = [f for f in factors if f.has(*held) and isinstance(f, Add) and f.has(*self._moving())]
        plain = [f for f in factors if not f.has(*held)]
        has_held = len(plain) + len(sums) < len(factors)
        corrections = [self._correction_in(f) if has_held else Integer(1) for f in plain]
        factor = Mul(*(f for f in factors if f not in plain and f not in sums), *corrections)
        plain = [f / correction for f, correction in zip(plain, corrections, strict=True)]
        rest = Mul(*plain, *map(self._preconditioned, sums))
        if factor == 1:
            return rest
        cases: Any = [case for piecewise in factor.atoms(Piecewise) for case in piecewise.args]
        if open_cases := [c for _, c in cases if c != S.true and not c.has(*held, self.g, self.w)]:
            raise self._refuse(
                f"its step has cases that open numbers decide, {text(open_cases[0])}; give their numbers"
            )
        if factor.has(self.w, self.g) or not is_nonnegative(factor):
            raise self._refuse(
                f"its step has the factor {text(self._named(factor))}, in states that are no linear function of the "
                "gradient, and this is no preconditioner: it changes with the gradient, or may be below 0"
            )
        known = next((symbol for other, symbol in self.preconditioners.items() if same(other, factor)), None)
        if known is None:
            known = self._unused(PRECONDITIONERS)
            self.preconditioners[factor] = known
        return rest / known

    def _correction_in(self, e: Formula) -> Formula:
        """The part of a factor that corrects the bias of held states, as Keras's √(1 − β₂^t), not that of a momentum.

        Where both have the same decay, one factor 1/(1 − β^t) is the momentum's, and the rest theirs.
        """
        if not self.is_corrected or not e.has(T) or e.has(*self._moving()):
            return Integer(1)
        powers = {power.base for power in e.atoms(Pow) if power.exp.has(T)}
        if powers.isdisjoint(self._decays(self._free() - {UPDATE})):
            return e
        base, exponent = e.as_base_exp()
        is_shared = not powers.isdisjoint(self._decays(self.held)) and exponent != -1
        return e * base if is_shared else Integer(1)

    def _decays(self, names: set[str]) -> set[Formula]:
        """The factors by which states fade."""
        return {diff(self.formulas[name], self.before[name]) for name in names}

    def _require_that_held_states_settle(self):
        """Reject a state that only grows, since there the steps shrink without end."""
        for name in sorted(self.held):
            x = self.before[name]
            gain = self.formulas[name] - x
            if not gain.has(x) and gain != 0 and is_nonnegative(gain):
                raise self._refuse(
                    f"{name} only grows, by {text(self._named(gain))} a step, so that the steps shrink without end and "
                    "no rate stays the largest"
                )

    def _why_not_linear(self) -> str:
        e = self.formulas[UPDATE]
        signs = sorted((s for s in e.atoms(sign) if s.has(*self._moving())), key=str)
        if signs:
            return f"its step has {text(self._named(signs[0]))}, which jumps there"
        return f"its step {text(self._named(e))} is not linear in the gradient, the parameter and the states"

    def _named(self, e: Formula) -> Formula:
        """The formula with plain letters in place of the symbols of this search."""
        states = {x[name]: Symbol(x[name].name) for name in self.before for x in (self.before, self.after)}
        return e.xreplace({**states, self.w: Symbol("w"), self.g: Symbol("g")})

    def _unused(self, letters: Sequence[str]) -> Symbol:
        """A positive symbol with the first letter that neither a number nor a preconditioner has."""
        hyper = self.step.optimizer.hyper
        taken = {*hyper, *(symbol.name for symbol in (*hyper.values(), *self.preconditioners.values()))}
        if free := [letter for letter in letters if letter not in taken]:
            return Symbol(free[0], positive=True)
        raise self._refuse(f"no letter of {', '.join(letters)} is left; give its numbers other names")

    def _map(self) -> LinearStep:
        h = self._unused(CURVATURES)
        names = sorted(self._free() - {UPDATE}, key=list(self.before).index)
        after = {self.after[name]: self.formulas[name] for name in names}
        parts = [*(self.formulas[name] for name in sorted(self._free())), *self.preconditioners]
        if changing := [e for e in parts if e.has(T)]:
            raise self._refuse(f"it goes on changing with t, as {text(self._named(changing[0]))}")
        if any(e.has(S.NaN, S.ComplexInfinity) for e in parts):
            raise self._refuse("its step divides by 0")
        rows = [self.w + self.formulas[UPDATE], *(self.formulas[name] for name in names)]
        for _ in names:  # often enough for each state after the step to be put in
            rows = [e.xreplace(after) for e in rows]
        if any(not same(e.xreplace(dict.fromkeys(self._moving(), Integer(0))), Integer(0)) for e in rows):
            raise self._refuse("its step is not 0 where the gradient, the parameter and the states are")
        rows = [e.xreplace({self.g: h * self.w}) for e in rows]
        columns = [self.w, *(self.before[name] for name in names)]
        whole = Matrix(len(rows), len(rows), lambda i, j: cancel(diff(rows[i], columns[j])))
        if not whole.has(h):
            first = self.step.first[UPDATE]
            late = f" from step {first} on" if first > 1 else ""
            raise self._refuse(f"no gradient moves the parameter{late}")
        kept = _reached(whole)
        matrix = whole.extract(kept, kept)
        used = {symbol: cancel(1 / factor) for factor, symbol in self.preconditioners.items() if matrix.has(symbol)}
        return LinearStep(
            self.step,
            tuple(columns[k].name for k in kept),
            matrix,
            h,
            {symbol: self._named(e) for symbol, e in used.items()},
            tuple(self._named(condition) for condition in self.near),
            self.is_late,
        )


def _is_linear(e: Formula, moving: set[Any]) -> bool:
    """Whether a formula is affine in symbols, with coefficients free of them."""
    for x in moving:
        if e.has(x):
            slope = diff(e, x)
            if slope.has(*moving) and cancel(slope).has(*moving):
                return False
    return True


def _reached(matrix: Matrix) -> list[int]:
    """The variables that the first depends on, itself included, in order."""
    kept, waiting = {0}, [0]
    while waiting:
        row = waiting.pop()
        new = {k for k in range(matrix.cols) if matrix[row, k] != 0} - kept
        kept |= new
        waiting += new
    return sorted(kept)
