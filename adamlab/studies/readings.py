"""Readings of optimizers: formulas step by step and for general t, and the weights of gradients, in one dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from sympy import Eq, Symbol

from adamlab.analysis.readings import GENERAL
from adamlab.errors import InputError
from adamlab.studies.config.errors import ConfigError, Mistakes
from adamlab.studies.config.readings import Read, Readings
from adamlab.studies.options import RunOptions
from adamlab.studies.progress import Listener
from adamlab.studies.store.location import Location
from adamlab.studies.store.once import compute_once
from adamlab.symbolic.letters import at_step
from adamlab.symbolic.notation.printing import latex, mathml, text
from adamlab.symbolic.open_optimizer import rational
from adamlab.symbolic.results import Equation
from adamlab.symbolic.solving.closed_forms import ClosedForm, closed_form_of
from adamlab.symbolic.solving.weights import NoWeightsError
from adamlab.symbolic.solving.weights import weights as weights_of
from adamlab.symbolic.unrolling import Unrolled, unroll_open


@dataclass(frozen=True)
class Formulas:
    """The formulas of one optimizer."""

    read: Read
    unrolled: Unrolled
    closed: ClosedForm

    def equations(self, state: str) -> list[Equation]:
        """A state at steps 1 … T and for general t, where it is the closed form or, without one, the recurrence."""
        letter = self.read.opened.letters[self.read.opened.fields.index(state)]
        general = self.closed.states[state]
        written_out = [(at_step(letter, t), fields[state]) for t, fields in enumerate(self.unrolled.states, start=1)]
        return [*written_out, (Symbol(f"{letter}_t"), general.rhs if isinstance(general, Eq) else general)]

    def weights(self, state: str, setting: Mapping[str, float]) -> tuple[int, np.ndarray, str]:
        """The power of the gradients in the state's sum, the weight of each, and the reason if there are none."""
        numbers = {self.closed.hyper[name]: rational(value) for name, value in setting.items()}
        try:
            if state in self.closed.unsolved:
                raise NoWeightsError("it has no closed form that was found")
            weighted = weights_of(self.closed.states[state].xreplace(numbers), self.read.lags)
        except NoWeightsError as error:
            return 0, np.full(self.read.lags, np.nan), str(error)
        return weighted.power, weighted.values, ""


def run_readings(
    readings: Readings, where: str, location: Location, options: RunOptions, listener: Listener
) -> xr.DataTree:
    """Compute a config's readings, unless its folder has them.

    Args:
        readings: the config.
        where: the config's file, for messages.
        location: where the results are kept.
        options: the options of the run.
        listener: receives the progress.

    Raises:
        ConfigError: with each optimizer that cannot be read.
        StoreError: the folder has results of another config, cannot be written, or is locked by another run.
    """

    def compute() -> dict[str, xr.Dataset]:
        return {"readings": read_all(readings, read_formulas(readings, where), listener)}

    return compute_once(readings, location, listener, compute)


def read_formulas(readings: Readings, where: str) -> list[Formulas]:
    """The formulas of every optimizer.

    Raises:
        ConfigError: with each optimizer that cannot be read.
    """
    formulas, mistakes = [], Mistakes()
    for read in readings.reads:
        try:
            formulas.append(Formulas(read, unroll_open(read.opened, readings.head.steps), closed_form_of(read.opened)))
        except InputError as error:
            mistakes.tell(read.key, str(error))
    if mistakes:
        raise ConfigError(where, mistakes)
    return formulas


def read_all(readings: Readings, formulas: Sequence[Formulas], listener: Listener) -> xr.Dataset:
    """The dataset of formulas and weights.

    Returns:
        Over reading × step: each state's formula as `text`, `latex` and `mathml`, at steps "1" … "T" and for every t at
        step "t". Over setting × lag: `weight`, the factor of the gradient `lag` steps ago in the state after as many
        steps as there are lags; NaN beyond a reading's own, and where the state is no weighted sum.
        Coordinates of a reading: `label`, `spec`, `state`, `assumptions`, and `solved`, whether there is a closed form;
        of a setting: the number of its reading, `reading_of`, each number that it sets, and the `power` of the
        gradients in the sum, which is 0 where there is no such sum, and then a `note` says why.
    """
    rows = [(optimizer, state) for optimizer in formulas for state in optimizer.read.states]
    printed = _printed([optimizer.equations(state) for optimizer, state in rows], readings.head.superscripts)
    texts = {
        "label": [optimizer.read.label for optimizer, _ in rows],
        "spec": [optimizer.read.spec for optimizer, _ in rows],
        "state": [state for _, state in rows],
        "assumptions": ["; ".join(optimizer.closed.assumptions) for optimizer, _ in rows],
    }
    coordinates = {name: ("reading", np.array(values, object)) for name, values in texts.items()}
    coordinates["solved"] = ("reading", np.array([state not in optimizer.closed.unsolved for optimizer, state in rows]))
    steps = np.array([*map(str, range(1, readings.head.steps + 1)), GENERAL], object)
    data = xr.Dataset(printed, {**coordinates, "step": steps}).merge(_weights(rows, listener))
    settings = list(dict.fromkeys(name for optimizer in formulas for name in optimizer.read.swept))
    source = "Read off the optimizers' own code; al.unroll, al.closed_form."
    return data.assign_attrs(of="readings", problem="readings", metrics=[], settings=settings, source=source)


def _printed(equations: Sequence[Sequence[Equation]], superscripts: bool) -> dict[str, Any]:
    def in_format(write: Any) -> np.ndarray:
        return np.array([[write(*equation) for equation in row] for row in equations], object)

    how = {"superscripts": superscripts}
    return {
        "text": (("reading", "step"), in_format(lambda a, b: f"{text(a, **how)} = {text(b, **how)}")),
        "latex": (("reading", "step"), in_format(lambda a, b: f"{latex(a, **how)} = {latex(b, **how)}")),
        "mathml": (("reading", "step"), in_format(lambda a, b: mathml(Eq(a, b, evaluate=False), **how))),
    }


def _weights(rows: Sequence[tuple[Formulas, str]], listener: Listener) -> xr.Dataset:
    settings = [(k, setting) for k, (optimizer, _) in enumerate(rows) for setting in optimizer.read.settings()]
    names = list(dict.fromkeys(name for _, setting in settings for name in setting))
    lags = max(optimizer.read.lags for optimizer, _ in rows)
    values, powers, notes = np.full((len(settings), lags), np.nan), [], []
    for row, (k, setting) in enumerate(settings):
        optimizer, state = rows[k]
        listener.working_on(f"{optimizer.read.label}: the weights in {state} {_shown(setting)}".rstrip())
        power, weights, note = optimizer.weights(state, setting)
        values[row, : len(weights)] = weights
        powers.append(power)
        notes.append(note)
    coordinates = {
        "reading_of": ("setting", np.array([k for k, _ in settings])),
        "power": ("setting", np.array(powers)),
        "note": ("setting", np.array(notes, object)),
    } | {name: ("setting", np.array([setting.get(name, np.nan) for _, setting in settings])) for name in names}
    return xr.Dataset({"weight": (("setting", "lag"), values)}, {**coordinates, "lag": np.arange(lags)})


def _shown(setting: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in setting.items())
