"""A statement about two optimizers, on whose code it is decided, and its verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from adamlab.calls import Call, arguments
from adamlab.errors import InputError, nearest
from adamlab.rules import PARTS, RULES
from adamlab.specs import name_of
from adamlab.symbolic.open_optimizer import Optimizer
from adamlab.symbolic.proving.proofs import prove
from adamlab.symbolic.proving.verdicts import Verdict

DECIDED_ON = ("optax", "adamlab")
"""The libraries that have the family, on whose code relations can be decided."""

SGD = "optax.sgd(learning_rate)"
HEAVY_BALL = "optax.sgd(learning_rate, momentum=momentum)"
NESTEROV = "optax.sgd(learning_rate, momentum=momentum, nesterov=true)"
SIGN = "optax.sign_sgd(learning_rate)"
ADAM = "optax.adam(learning_rate, b1=b1, b2=b2, eps=eps)"


@dataclass(frozen=True)
class Relation:
    """The statement that one optimizer takes the steps of another, always or in a limit; or that it does not.

    Attributes:
        name: such as "adam-to-adagrad".
        row: its number; statements of one number and different letters belong together.
        statement: in words.
        left, right: the two sides, specs or factories, on Optax's code wherever Optax has it.
        source: the paper it is from, or "algebra".
        limit, given: as `al.prove` takes them.
        holds: whether it is to be proved; False where it is to be refuted.
        assumptions: what else has to be so, in words.
        note: a remark.
        general, special: in a picture of the family, which optimizer becomes which; empty where none does.
        condition: the condition under which it does, in short.
    """

    name: str
    row: str
    statement: str
    left: Optimizer
    right: Optimizer
    source: str
    limit: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    holds: bool = True
    assumptions: tuple[str, ...] = ()
    note: str = ""
    general: str = ""
    special: str = ""
    condition: str = ""

    def on(self, library: str) -> "Relation":
        """The same statement on the code of "optax" or "adamlab", as far as that library has its own.

        Raises:
            InputError: there is no such library.
        """
        if library not in DECIDED_ON:
            raise InputError(f"there is no library {library!r} to decide on; {nearest(library, DECIDED_ON)}")
        return replace(self, left=_on(self.left, library), right=_on(self.right, library))


def decide(relation: Relation, library: str = "optax") -> Verdict:
    """Prove or refute a relation on the code of "optax" or "adamlab"."""
    stated = relation.on(library)
    return prove(stated.left, stated.right, limit=stated.limit, given=stated.given)


def _on(side: Optimizer, library: str) -> Optimizer:
    if library == "optax":
        return side
    if isinstance(side, str):
        name = side.partition("(")[0].removeprefix("optax.")
        return side.replace("optax.", f"{library}.", 1) if name in {**RULES, **PARTS} else side
    call = side if isinstance(side, Call) else Call(name_of(side), side, {})
    given = {**call.arguments, "library": library}
    return Call(call.name, call.factory, given) if "library" in arguments(call.factory) else side
