"""The loop over steps, in which the numbers that all runs share are computed apart from the runs.

Such numbers are Adam's count of steps and its bias corrections. XLA for a CPU makes a kernel of each, which takes as
long as one over a hundred runs, and where a loop has more than eight kernels it hands them to threads, which takes half
as long again as the kernels. A loop inside of the loop, for the numbers of one step, becomes a single kernel.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from adamlab.studies.engine.equations import Read, evaluate, run, value_of
from adamlab.types import PyTree


class State(NamedTuple):
    """Runs between two steps.

    Attributes:
        t: the number of steps done.
        shared: the same number, and the leaves of the carry that shared numbers follow from.
        numbers: the shared numbers that the last step of the runs took.
        leaves: all other leaves of the carry.
    """

    t: Any
    shared: list[Any]
    numbers: list[Any]
    leaves: list[Any]


class Steps:
    """Steps of runs, one after the other.

    Args:
        step: the function `(t, carry) -> carry` that takes the step after t steps.
        carry: a carry, of which only shapes and types matter.
        may_be_shared: for each leaf of a carry, whether it may be the same for all runs.
    """

    def __init__(self, step: Callable[[Any, PyTree], PyTree], carry: PyTree, may_be_shared: Sequence[bool]):
        leaves, self.tree = jax.tree.flatten(carry)
        self.step = step
        self.split = None
        if any(may_be_shared):
            traced = jax.make_jaxpr(self._of_leaves)(jnp.int32(0), *leaves)
            split = _Split(_inlined(traced), [i for i, may in enumerate(may_be_shared) if may])
            self.split = split if split.shared else None

    def begin(self, t: Any, carry: PyTree) -> State:
        """The state of runs after t steps."""
        leaves = jax.tree.leaves(carry)
        if self.split is None:
            return State(t, [], [], leaves)
        shared, others = self.split.parted(leaves)
        return State(t, [t, *shared], self.split.empty, others)

    def until(self, end: Any, state: State) -> State:
        """The state after `end` steps."""
        return jax.lax.while_loop(lambda state: state.t < end, self._next, state)

    def carry(self, state: State) -> PyTree:
        """The carry of runs in a state."""
        leaves = state.leaves if self.split is None else self.split.joined(state.shared[1:], state.leaves)
        return jax.tree.unflatten(self.tree, leaves)

    def _next(self, state: State) -> State:
        t = state.t
        if self.split is None:
            return State(t + 1, [], [], self._of_leaves(t, *state.leaves))
        split = self.split
        # A loop that is left after its first round, which XLA does not know.
        shared, numbers = jax.lax.while_loop(
            lambda both: both[0][0] <= t, lambda both: split.numbers(both[0]), (state.shared, state.numbers)
        )
        return State(shared[0], shared, numbers, split.rest(numbers, state.leaves))

    def _of_leaves(self, t: Any, *leaves: Any) -> list[Any]:
        return jax.tree.leaves(self.step(t, jax.tree.unflatten(self.tree, leaves)))


class _Split:
    """A program `(t, *leaves) -> leaves` split into what follows from t and shared leaves alone, and all the rest.

    Attributes:
        shared: of the leaves that may be shared those that follow from nothing but each other and t, by their places.
        empty: zeros in place of the numbers that the rest takes.
    """

    def __init__(self, program: ClosedJaxpr, may_be_shared: Sequence[int]):
        jaxpr, self.constants = program.jaxpr, program.consts
        t, *leaves = jaxpr.invars
        shared, known = list(may_be_shared), {t}
        while shared:
            known = _following_from(jaxpr, [t, *(leaves[i] for i in shared)])
            kept = [i for i in shared if _is_number(leaves[i]) and _follows(known, jaxpr.outvars[i])]
            if kept == shared:
                break
            shared = kept
        constants = _following_from(jaxpr, [])
        self.jaxpr, self.shared = jaxpr, shared
        self.for_numbers = [e for e in jaxpr.eqns if e.outvars and known.issuperset(e.outvars)]
        self.for_runs = [e for e in jaxpr.eqns if constants.issuperset(e.outvars) or not known.issuperset(e.outvars)]
        known -= constants
        computed = known.difference(jaxpr.invars)
        results = self.parted(jaxpr.outvars)[1]
        operands = [x for e in self.for_runs for x in (e.invars[:1] if _divisor(e) in computed else e.invars)]
        self.taken = list(dict.fromkeys(x for x in [*operands, *results] if not isinstance(x, Literal) and x in known))
        self.divisors = list(dict.fromkeys(x for e in self.for_runs if (x := _divisor(e)) in computed))
        self.empty = [jnp.zeros((), number.aval.dtype) for number in [*self.taken, *self.divisors]]

    def parted(self, leaves: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """The shared leaves, and the others."""
        others = [leaf for i, leaf in enumerate(leaves) if i not in self.shared]
        return [leaves[i] for i in self.shared], others

    def joined(self, shared: Sequence[Any], others: Sequence[Any]) -> list[Any]:
        """All leaves, from the shared ones and the others."""
        by_kind = {True: iter(shared), False: iter(others)}
        return [next(by_kind[i in self.shared]) for i in range(len(shared) + len(others))]

    def numbers(self, shared: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """The shared leaves after a step, behind the number of steps, and the numbers that the rest of it takes."""
        t, *leaves = self.jaxpr.invars
        inputs, outputs = self.parted(leaves)[0], self.parted(self.jaxpr.outvars)[0]
        values = dict(zip([t, *inputs], shared, strict=True))
        evaluate(self.for_numbers, values)
        after = [value_of(x, values) for x in outputs]
        # XLA divides by a number that it has just computed by multiplying with its inverse, but not by what comes from
        # a loop.
        numbers = [*(values[x] for x in self.taken), *(1 / values[x] for x in self.divisors)]
        return [shared[0] + 1, *after], [x.astype(empty.dtype) for x, empty in zip(numbers, self.empty, strict=True)]

    def rest(self, numbers: Sequence[Any], leaves: Sequence[Any]) -> list[Any]:
        """All other leaves after a step, from those ahead of it and from the numbers."""
        inputs, outputs = self.parted(self.jaxpr.invars[1:])[1], self.parted(self.jaxpr.outvars)[1]
        values = dict(zip([*self.jaxpr.constvars, *inputs], [*self.constants, *leaves], strict=True))
        values |= dict(zip(self.taken, numbers, strict=False))
        inverses = dict(zip(self.divisors, numbers[len(self.taken) :], strict=True))

        def by_inverse(equation: Any, read: Read) -> list[Any] | None:
            divisor = _divisor(equation)
            return [read(equation.invars[0]) * inverses[divisor]] if divisor in inverses else None

        evaluate(self.for_runs, values, by_inverse)
        return [value_of(x, values) for x in outputs]


def _following_from(jaxpr: Jaxpr, inputs: Iterable[Any]) -> set[Any]:
    """These inputs of a program, and the numbers in it that follow from them, or from none."""
    known = set(inputs)
    for e in jaxpr.eqns:
        if not e.effects and all(map(_is_number, e.outvars)) and all(_follows(known, x) for x in e.invars):
            known |= set(e.outvars)
    return known


def _follows(known: set[Any], atom: Any) -> bool:
    return isinstance(atom, Literal) or atom in known


def _is_number(variable: Any) -> bool:
    return variable.aval.shape == () and not jnp.issubdtype(variable.aval.dtype, jax.dtypes.extended)


def _divisor(equation: Any) -> Any:
    """The variable that an equation divides floats by; None where it does not, and of floats of few bits.

    The inverse of a small number of those is infinite.
    """
    if equation.primitive is not jax.lax.div_p or isinstance(equation.invars[1], Literal):
        return None
    divisor = equation.invars[1]
    return divisor if divisor.aval.dtype in (jnp.float32, jnp.float64) else None


def _inlined(program: ClosedJaxpr) -> ClosedJaxpr:
    """The program without programs inside of it that are called once."""
    jaxpr = program.jaxpr
    shapes = [jax.ShapeDtypeStruct(x.aval.shape, x.aval.dtype) for x in jaxpr.invars]
    return jax.make_jaxpr(lambda *inputs: run(jaxpr, program.consts, inputs))(*shapes)
