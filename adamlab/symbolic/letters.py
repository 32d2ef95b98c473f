"""The letters of hyper-parameters, states and gradients, in the field's own notation."""

from collections.abc import Collection, Sequence
from typing import Any

from sympy import IndexedBase, Symbol

from adamlab.interpret.signs import REAL

HYPER = {
    "learning_rate": "eta",
    "b1": "beta_1",
    "b2": "beta_2",
    "b3": "beta_3",
    "decay": "d",
    "eps": "epsilon",
    "eps_root": "epsilon_root",
    "momentum": "mu",
    "weight_decay": "lambda",
    "initial_accumulator_value": "G_0",
    "initial_scale": "v_0",
    "beta1": "beta_1",
    "beta2": "beta_2",
}
"""The letters of hyper-parameters, Greek spelled as in SymPy; any other hyper-parameter is called by its own name."""

STATES = {
    "mu": "m",
    "nu": "v",
    "mu_hat": "mhat",
    "nu_hat": "vhat",
    "nu_max": "vmax",
    "trace": "z",
    "sum_of_squares": "G",
    "variance": "s",
    "variance_hat": "shat",
    "exp_avg": "m",
    "exp_avg_sq": "v",
    "max_exp_avg_sq": "vmax",
    "square_avg": "v",
    "grad_avg": "m",
    "momentum_buffer": "z",
    "sum": "G",
    "momentum": "m",
    "velocity": "v",
    "velocity_hat": "vmax",
    "accumulator": "G",
}
"""The letters of states, by field."""

RATES = {"b1", "b2", "b3", "decay", "momentum", "rho", "beta", "beta1", "beta2", "beta3", "adam_b1", "adam_b2"}
"""The arguments of Optax that are decay rates."""

RESERVED = {"g", "w", "u", "f", "t", "i"}
"""Letters that no hyper-parameter and no state can have."""

T = Symbol("t", integer=True, positive=True)
"""The number of a step, from 1."""

INDICES = tuple(Symbol(letter, integer=True, positive=True) for letter in "ijklnpq")
"""The indices of sums, the outermost sum's first."""

G: Any
W: Any
U: Any
F: Any
G, W, U, F = (IndexedBase(letter, real=True) for letter in "gwuf")
"""Gradients, parameters, updates and losses, by step."""


def hyper_letters(names: Collection[str]) -> dict[str, str]:
    """A letter for every hyper-parameter of a statement; different names have different letters."""
    letters = {name: HYPER.get(name, name.replace(".", "_")) for name in names}
    taken = [*letters.values(), *RESERVED]
    return {name: f"{name}'" if taken.count(letter) > 1 else letter for name, letter in letters.items()}


def state_letters(fields: Sequence[str]) -> list[str]:
    """A letter for every field of a state: s with a number where it has no name, its name where two would share one."""
    names = [
        f"s{field.replace('.', '')}" if field[0].isdigit() and field[-1].isdigit() else field.replace(".", "_")
        for field in fields
    ]
    letters = [STATES.get(field.rpartition(".")[2], name) for field, name in zip(fields, names, strict=True)]
    unclear = {letter for letter in letters if letter in RESERVED or letters.count(letter) > 1}
    return [f"state_{name}" if letter in unclear else letter for name, letter in zip(names, letters, strict=True)]


def at_step(letter: str, t: int, entry: tuple[int, ...] = (), *, known: int = REAL) -> Symbol:
    """A quantity at a step, or an entry of it, with what is known of its sign: m_3, g_3_0_1."""
    name = "_".join([letter, str(t), *map(str, entry)])
    return Symbol(name, **{("real", "nonnegative", "positive")[known]: True})
