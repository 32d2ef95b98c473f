"""Readings of optimizers: formulas step by step and for general t, and the weights of gradients."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from sympy import Eq, Symbol

from adamlab.errors import InputError
from adamlab.specs import own_code
from adamlab.studies.config.errors import ConfigError, Mistakes
from adamlab.studies.config.readings import Read, Readings
from adamlab.studies.options import RunOptions
from adamlab.studies.progress import Listener
from adamlab.studies.store.items import Assemble, Document, compute_items, item_id
from adamlab.studies.store.location import Location
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
    readings: Readings, where: str, location: Location, options: RunOptions, listener: Listener, assemble: Assemble
) -> xr.DataTree:
    """Compute the readings of a config that its folder does not have.

    Args:
        readings: the config.
        where: the config's file, for messages.
        location: where the results are kept.
        options: the options of the run.
        listener: receives the progress.
        assemble: makes the dataset from the documents.

    Raises:
        ConfigError: with each optimizer that cannot be read; the readings of the others are kept.
        StoreError: the folder has results of another config, cannot be written, or is locked by another run.
    """
    reads, head = readings.reads, readings.head

    def compute(missing: Sequence[int]) -> Iterator[Document | None]:
        mistakes = Mistakes(where)
        for read in (reads[i] for i in missing):
            try:
                yield document_of(formulas_of(read, head.steps), head.superscripts, listener)
            except InputError as error:
                mistakes.tell(read.key, str(error))
                yield None
        if mistakes:
            raise ConfigError(where, mistakes)

    ids = [item_id("reading", _asked_for(read), head.steps, head.superscripts) for read in reads]
    return compute_items(readings, "readings", ids, assemble, location, listener, compute)


def _asked_for(read: Read) -> Sequence[Any]:
    """All that a reading depends on beside the config's own keys."""
    code = sorted(own_code(read.opened.subject.call).values())
    return read.label, read.spec, read.fixed, list(read.swept.items()), read.states, read.lags, *code


def formulas_of(read: Read, steps: int) -> Formulas:
    """The formulas of an optimizer.

    Raises:
        InputError: it cannot be read.
    """
    return Formulas(read, unroll_open(read.opened, steps), closed_form_of(read.opened))


def document_of(formulas: Formulas, superscripts: bool, listener: Listener) -> Document:
    """The reading of one optimizer as plain data: the formulas of each state, and its weights at each setting."""
    read = formulas.read
    return {
        "label": read.label,
        "spec": read.spec,
        "assumptions": "; ".join(formulas.closed.assumptions),
        "swept": [*read.swept],
        "lags": read.lags,
        "states": [
            {
                "state": state,
                "solved": state not in formulas.closed.unsolved,
                **_printed(formulas.equations(state), superscripts),
                "weights": [_weights(formulas, state, setting, listener) for setting in read.settings()],
            }
            for state in read.states
        ],
    }


def _printed(equations: Sequence[Equation], superscripts: bool) -> dict[str, list[str]]:
    how = {"superscripts": superscripts}
    return {
        "text": [f"{text(a, **how)} = {text(b, **how)}" for a, b in equations],
        "latex": [f"{latex(a, **how)} = {latex(b, **how)}" for a, b in equations],
        "mathml": [mathml(Eq(a, b, evaluate=False), **how) for a, b in equations],
    }


def _weights(formulas: Formulas, state: str, setting: Mapping[str, float], listener: Listener) -> dict[str, Any]:
    shown = ", ".join(f"{name} {value:g}" for name, value in setting.items())
    listener.working_on(f"{formulas.read.label}: the weights in {state} {shown}".rstrip())
    power, values, note = formulas.weights(state, setting)
    return {"setting": setting, "power": int(power), "values": values.tolist(), "note": note}
