"""Readings are made: formulas step by step and for general t, and what each gradient weighs, as one dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from sympy import Eq, Symbol

from adamlab.analysis import readings as tables
from adamlab.analysis.readings import GENERAL
from adamlab.errors import InputError
from adamlab.studies.listening import Listener
from adamlab.studies.mistakes import ConfigError, Mistakes
from adamlab.studies.readings import Read, Readings
from adamlab.symbolic.letters import at_step
from adamlab.symbolic.notation.printing import latex, mathml, text
from adamlab.symbolic.open_optimizer import rational
from adamlab.symbolic.results import Equation
from adamlab.symbolic.solving.closed_forms import ClosedForm, closed_form_of
from adamlab.symbolic.solving.weights import NoWeightsError, weights
from adamlab.symbolic.unrolling import Unrolled, unroll_reading

formula_rows, summary, weight_rows = tables.formula_rows, tables.formula_summary, tables.weight_rows


@dataclass(frozen=True)
class Formulas:
    """What was read of one optimizer."""

    read: Read
    unrolled: Unrolled
    closed: ClosedForm

    def equations(self, state: str) -> list[Equation]:
        """A state at steps 1 … T, and for general t: its closed form, or its recurrence where there is none."""
        letter = self.read.opened.letters[self.read.opened.fields.index(state)]
        general = self.closed.states[state]
        written_out = [(at_step(letter, t), fields[state]) for t, fields in enumerate(self.unrolled.states, start=1)]
        return [*written_out, (Symbol(f"{letter}_t"), general.rhs if isinstance(general, Eq) else general)]

    def weighed(self, state: str, setting: Mapping[str, float]) -> tuple[int, np.ndarray, str]:
        """The power of the gradients that the state adds up, the weight of each, and why there are none."""
        numbers = {self.closed.hyper[name]: rational(value) for name, value in setting.items()}
        try:
            if state in self.closed.unsolved:
                raise NoWeightsError("it has no closed form that was found")
            found = weights(self.closed.states[state].xreplace(numbers), self.read.lags)
        except NoWeightsError as error:
            return 0, np.full(self.read.lags, np.nan), str(error)
        return found.power, found.values, ""


def prepare_readings(readings: Readings, where: str) -> list[Formulas]:
    """Reads every optimizer.

    Raises:
        ConfigError: with each that cannot be read.
    """
    found, mistakes = [], Mistakes()
    for read in readings.reads:
        try:
            found.append(Formulas(read, unroll_reading(read.opened, readings.steps), closed_form_of(read.opened)))
        except InputError as error:
            mistakes.tell(read.key, str(error))
    if mistakes:
        raise ConfigError(where, mistakes)
    return found


def read_all(readings: Readings, formulas: Sequence[Formulas], listener: Listener) -> xr.Dataset:
    """Writes the formulas down and takes their weights.

    Returns:
        Over reading × step: each state's formula as `text`, `latex` and `mathml`, at steps "1" … "T" and for every t at
        step "t". Over setting × lag: `weight`, what the gradient so many steps ago is multiplied by in the state after
        as many steps as there are lags; NaN beyond a reading's own, and where the state is no weighted sum.
        Coordinates of a reading: `label`, `spec`, `state`, `assumptions`, and `solved`, whether there is a closed form;
        of a setting: the number of its reading, `reading_of`, each number that it sets, and the `power` of the
        gradients in the sum, which is 0 where there is no such sum, and then a `note` says why.
    """
    rows = [(one, state) for one in formulas for state in one.read.states]
    written = _written([one.equations(state) for one, state in rows], readings.superscripts)
    texts = {
        "label": [one.read.label for one, _ in rows],
        "spec": [one.read.spec for one, _ in rows],
        "state": [state for _, state in rows],
        "assumptions": ["; ".join(one.closed.assumptions) for one, _ in rows],
    }
    coordinates = {name: ("reading", np.array(values, object)) for name, values in texts.items()}
    coordinates["solved"] = ("reading", np.array([state not in one.closed.unsolved for one, state in rows]))
    steps = np.array([*map(str, range(1, readings.steps + 1)), GENERAL], object)
    made = xr.Dataset(written, {**coordinates, "step": steps}).merge(_weights(rows, listener))
    settings = list(dict.fromkeys(name for one in formulas for name in one.read.swept))
    source = "Read off the optimizers' own code; al.unroll, al.closed_form."
    return made.assign_attrs(of="readings", problem="readings", metrics=[], settings=settings, source=source)


def _written(equations: Sequence[Sequence[Equation]], superscripts: bool) -> dict[str, Any]:
    def in_format(write: Any) -> np.ndarray:
        return np.array([[write(*equation) for equation in row] for row in equations], object)

    how = {"superscripts": superscripts}
    return {
        "text": (("reading", "step"), in_format(lambda a, b: f"{text(a, **how)} = {text(b, **how)}")),
        "latex": (("reading", "step"), in_format(lambda a, b: f"{latex(a, **how)} = {latex(b, **how)}")),
        "mathml": (("reading", "step"), in_format(lambda a, b: mathml(Eq(a, b, evaluate=False), **how))),
    }


def _weights(rows: Sequence[tuple[Formulas, str]], listener: Listener) -> xr.Dataset:
    settings = [(k, setting) for k, (one, _) in enumerate(rows) for setting in one.read.settings()]
    names = list(dict.fromkeys(name for _, setting in settings for name in setting))
    lags = max(one.read.lags for one, _ in rows)
    values, powers, notes = np.full((len(settings), lags), np.nan), [], []
    for row, (k, setting) in enumerate(settings):
        one, state = rows[k]
        listener.working_on(f"{one.read.label}: the weights in {state} {_shown(setting)}".rstrip())
        power, found, note = one.weighed(state, setting)
        values[row, : len(found)] = found
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
