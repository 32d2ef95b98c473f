"""Numbers on which two optimizers part, looked for on many trials in doubles; exact arithmetic confirms them.

Each trial has its own numbers and gradients: of every size, near the numbers in the code, of one sign, in turns.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from mpmath import mpf

from adamlab.errors import InputError
from adamlab.interpret.arrays import Values, each, objects
from adamlab.interpret.jaxpr import Reader, literals
from adamlab.interpret.lanes import ELEMENTWISE, Doubles, Lanes, row_of
from adamlab.interpret.programs import Programs, Subject, as_floats
from adamlab.symbolic.proving.counterexamples import LOSSES, START, Counterexample, confirmed, used

TRIALS = 72
"""The number of trials."""

STEPS = 24
"""The steps of each."""

SIZES = ((-1, 1), (-9, 9), (6, 10), (-10, -6), (0, 1), (2, 6))
"""The ranges of the gradients' powers of 10, in turn."""

CONFIRMED = 6
"""The most trials that exact arithmetic is asked to confirm."""

SUSPICIOUS = 1e-7
"""The relative distance of two updates in doubles from which exact arithmetic is asked."""

CLEAR = 1e-3
"""The relative distance of two updates in doubles that no rounding explains, after steps too many to run exactly."""

NEARBY = 1e-12
"""The relative distance to gradients nearby, which shows how far errors of that size are amplified."""

SAFE = 1e100
"""The size below which numbers in doubles have not overflowed, nor their squares."""

TINY = 1e-100
"""The size above which numbers in doubles have not faded away, nor their squares."""

MOST_EXACT_STEPS = 1000
"""The most steps that are run exactly to confirm what was seen in doubles."""


def find_widely(
    left: Subject,
    right: Subject,
    rates: Collection[str],
    shape: tuple[int, ...] = (),
    steps: int | None = None,
) -> Counterexample | None:
    """Numbers on which the two part in any of many trials, and part in exact arithmetic too; None if none were found.

    Raises:
        UnreadableError: the code uses a primitive without a meaning in numbers.
    """
    programs = [side.programs(np.zeros(shape), with_value=True) for side in (left, right)]
    hyper, gradients = trials(left, right, rates, programs, shape, steps=steps or STEPS)
    try:
        with np.errstate(all="ignore"):
            updates = [_run(side, own, hyper, gradients) for side, own in zip((left, right), programs, strict=True)]
    except InputError:
        raise
    except Exception:  # whatever NumPy makes of a foreign optimizer: the search is a help, no verdict rests on it alone
        return None
    return _first_confirmed(left, right, hyper, gradients, updates)


def find_late(
    left: Subject, right: Subject, rates: Collection[str], steps: int, shape: tuple[int, ...] = ()
) -> Counterexample | None:
    """Numbers on which the two part within many steps, run by JAX in doubles; None if none were found."""
    programs = [side.programs(np.zeros(shape), with_value=True) for side in (left, right)]
    hyper, gradients = trials(left, right, rates, programs, shape, lanes=6, steps=min(steps, STEPS))
    gradients = np.tile(gradients, (steps // len(gradients) + 1, *[1] * (gradients.ndim - 1)))[:steps]
    runs = [_compiled(side, own, hyper) for side, own in zip((left, right), programs, strict=True)]
    try:
        updates, in_range = zip(*(run(gradients) for run in runs), strict=True)
    except Exception:  # whatever a foreign optimizer raises as it runs: there is nothing to compare
        return None

    @cache
    def noise() -> np.ndarray:
        nearby = gradients * (1 + NEARBY * np.random.default_rng(1).normal(size=gradients.shape))
        with np.errstate(all="ignore"):
            moved = np.maximum(*(abs(run(nearby)[0] - u) for run, u in zip(runs, updates, strict=True)))
        strayed = ~np.logical_and(*in_range)
        return np.where(strayed.reshape(len(moved), *[1] * (moved.ndim - 2), -1), np.inf, moved)

    return _first_confirmed(left, right, hyper, gradients, list(updates), noise)


def trials(
    left: Subject,
    right: Subject,
    rates: Collection[str],
    programs: list[Programs],
    shape: tuple[int, ...],
    lanes: int = TRIALS,
    steps: int = STEPS,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The numbers of each trial by name, and the gradients (steps, *shape, trials): short decimals, none of them 0."""
    rng = np.random.default_rng(0)
    names = list(dict.fromkeys([*left.numbers, *right.numbers]))
    hyper = {
        name: _decimals(rng.uniform(0.05, 0.98, lanes) if name in rates else 10 ** rng.uniform(-2, 1, lanes))
        for name in names
    }
    low, high = np.array([SIZES[k % len(SIZES)] for k in range(lanes)]).T
    sizes = rng.uniform(0.2, 1, (steps, *shape, lanes)) * 10 ** rng.uniform(low, high, (steps, *shape, lanes))
    in_code = [value for own in programs for program in own[:2] for value, _ in literals(program)]
    sizes_in_code = {abs(float(x)) for x in in_code if np.ndim(x) == 0 and np.isreal(x)}
    standing = sorted(c for c in sizes_in_code if 1e-36 < c < 1e36)  # whose squares are doubles
    if standing:  # every fourth trial is about the numbers in the code
        near = rng.choice(standing, sizes.shape) * rng.uniform(0.5, 2, sizes.shape)
        sizes = np.where(np.arange(lanes) % 4 == 3, near, sizes)
    signs = rng.choice([-1.0, 1.0], sizes.shape)
    signs = np.where(np.arange(lanes) % 6 == 1, 1.0, np.where(np.arange(lanes) % 6 == 4, -1.0, signs))
    return hyper, _decimals(sizes * signs)


def _decimals(numbers: np.ndarray) -> np.ndarray:
    """The numbers with four digits, so that their decimals are short."""
    return np.vectorize(lambda x: float(f"{x:.3e}"))(numbers)


def _numbers(subject: Subject, hyper: Mapping[str, np.ndarray], use: Callable[[np.ndarray], Any]) -> dict[str, Any]:
    """The numbers of an optimizer in every trial: those that it was given, and for those left open the trials' own."""
    floats = as_floats({name: value for name, value in subject.numbers.items() if value is not None})
    return {name: floats[name] if name in floats else use(hyper[name]) for name in subject.numbers}


def _run(subject: Subject, programs: Programs, hyper: Mapping[str, np.ndarray], gradients: np.ndarray) -> np.ndarray:
    """The updates (steps, *shape, trials)."""
    reader, shape, lanes = Reader(Doubles()), gradients.shape[1:-1], gradients.shape[-1]
    numbers = _numbers(subject, hyper, Lanes)

    def lane_by_lane(rows: np.ndarray) -> Values:
        return _array(shape, lambda entry: Lanes(rows[entry]))

    w = _array(shape, lambda _: np.float64(START))
    state = reader.read(programs.init, numbers, w)
    updates = np.empty(gradients.shape)
    for t, g in enumerate(gradients):
        loss = objects(np.float64(LOSSES[t % len(LOSSES)]))
        u, state = reader.read(programs.update, numbers, lane_by_lane(g), state, w, loss)
        for entry in np.ndindex(shape):
            updates[t][entry] = np.broadcast_to(row_of(u[entry]), (lanes,))
        w = each(ELEMENTWISE["add"], w, u)
    return updates


def _array(shape: tuple[int, ...], entry_at: Callable[[tuple[int, ...]], Any]) -> Values:
    values = np.empty(shape, object)
    for entry in np.ndindex(shape):
        values[entry] = entry_at(entry)
    return values


def _compiled(
    subject: Subject, programs: Programs, hyper: Mapping[str, np.ndarray]
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """A function from gradients to updates (steps, *shape, trials), computed by JAX in doubles in one program.

    Its second result (steps, trials) tells whether all that was carried so far is within the range of doubles.
    """
    init, update = programs.init.function(), programs.update.function()

    def run(numbers, gs, losses):
        w = jnp.full(gs.shape[1:], float(START))

        def step(carry, inputs):
            state, w, in_range = carry
            u, state = update(numbers, inputs[0], state, w, inputs[1])
            in_range &= _is_in_range((state, w + u))
            return (state, w + u, in_range), (u, in_range)

        return jax.lax.scan(step, (init(numbers, w), w, jnp.array(True)), (gs, losses))[1]

    numbers = _numbers(subject, hyper, np.asarray)
    axes = {name: 0 if np.ndim(value) else None for name, value in numbers.items()}
    runs = jax.jit(jax.vmap(run, in_axes=(axes, -1, None), out_axes=-1))

    def compute(gradients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with jax.enable_x64(True):
            losses = np.resize([float(x) for x in LOSSES], len(gradients))
            updates, in_range = runs(numbers, gradients, losses)
        return np.asarray(updates), np.asarray(in_range)

    return compute


def _is_in_range(carried: Any) -> jax.Array:
    """Whether each number is 0 or of a size whose square is a double; one that fades away passes through the others."""
    floats = [x for x in jax.tree.leaves(carried) if jnp.issubdtype(jnp.result_type(x), jnp.floating)]
    return jnp.all(jnp.array([jnp.all((x == 0) | ((abs(x) > TINY) & (abs(x) < SAFE))) for x in floats]))


def _first_confirmed(
    left: Subject,
    right: Subject,
    hyper: Mapping[str, np.ndarray],
    gradients: np.ndarray,
    updates: list[np.ndarray],
    noise: Callable[[], np.ndarray] | None = None,
) -> Counterexample | None:
    """The first numbers on which the two part in exact arithmetic, or after many steps beyond all noise.

    `noise` computes how far updates move with gradients that are moved by much more than rounding errors.
    """
    a, b = updates
    with np.errstate(all="ignore"):
        both = np.isfinite(a) & np.isfinite(b)
        far = abs(a - b) > SUSPICIOUS * np.maximum(abs(a), abs(b))
        apart = np.asarray(np.where(both, far, np.isnan(a) != np.isnan(b)))
    by_step = np.asarray(apart.reshape(len(a), -1, a.shape[-1]).any(axis=1))
    for lane, t in list(_partings(by_step))[:CONFIRMED]:
        numbers = {name: repr(float(values[lane])) for name, values in hyper.items()}
        rows = [_texts(g[..., lane]) for g in gradients[: t + 1]]
        if noise is None or t < MOST_EXACT_STEPS:
            counterexample = confirmed(left, right, numbers, rows)
        else:
            histories = [side[: t + 1, ..., lane].reshape(t + 1, -1) for side in (*updates, noise())]
            counterexample = _as_seen(left, right, numbers, rows, histories)
        if counterexample is not None:
            return counterexample
    return None


def _as_seen(
    left: Subject, right: Subject, hyper: Mapping[str, str], rows: list[Any], histories: list[np.ndarray]
) -> Counterexample | None:
    """What was seen in doubles, where the two are clearly apart and no range of doubles or rounding explains it."""
    sizes = np.abs(histories)
    if not (sizes < SAFE).all() or not ((sizes[:2] == 0) | (sizes[:2] > TINY)).all():
        return None
    for x, y, noise in zip(*(history[-1] for history in histories), strict=True):
        if abs(x - y) > max(CLEAR * max(abs(x), abs(y)), noise / CLEAR):
            return Counterexample(used(left, right, hyper), rows, START, len(rows), mpf(x), mpf(y))
    return None


def _partings(apart: np.ndarray) -> Iterator[tuple[int, int]]:
    """The trials in which the two part and the step, from 0, at which they do: the earliest first."""
    lanes = np.flatnonzero(apart.any(axis=0))
    first = apart.argmax(axis=0)
    return ((int(lane), int(first[lane])) for lane in sorted(lanes, key=lambda lane: first[lane]))


def _texts(g: np.ndarray) -> Any:
    return tuple(_texts(row) for row in g) if g.ndim else repr(float(g))
