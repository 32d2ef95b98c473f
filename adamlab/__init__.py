"""adamlab: understand first-order optimizers.

Names are looked up when they are first used, so that the command line starts without loading JAX.

Words that stand for one thing each in studies, results and verdicts:

- run: one optimizer at one setting on one problem, with one seed and one start.
- setting: an optimizer with its numbers written in, such as `optax.adam(0.1, b2=0.99)`.
- axis: the values that a config gives one argument: a number, a list, a range, or a schedule made of such.
- design: the way in which the values of the axes make settings: a grid, a zip, or points drawn from their space.
- stage: "tuning", in which settings are compared, or "evaluation", in which the best of them get fresh seeds.
- plan: the runs of one optimizer on one problem in one stage, a row each, with its id.
- part: the place in a store of one optimizer's runs on a problem, the same whatever values are swept.
- section: the runs of a part that were added at one time; it never changes afterwards.
- block: the runs of a section that are computed and written at once.
- item: a comparison, or an optimizer to read, which is computed and written at once.
- key: a place in a config, such as `optimizer[1].b2`; of a plan, its problem and its part.
- target: the loss, or other quantity, that counts as reached.
- reading: an optimizer's own code read in another algebra: as formulas, or in as many digits as are asked for.
- relation: a statement about two optimizers, with its source, that is decided on their code.
- verdict: the answer to a statement, "proved", "refuted" or "unknown"; to a comparison, in words.
- family: a way of making gradients, which shows a mistake that the others hide.
- ulp: the distance from a number to the next float of its type, the unit of rounding errors.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adamlab import analysis as analysis
    from adamlab import dynamics as dynamics
    from adamlab import layers as layers
    from adamlab import optimizers as optimizers
    from adamlab import plots as plots
    from adamlab import problems as problems
    from adamlab import schedules as schedules
    from adamlab.derivations import derive as derive
    from adamlab.dynamics.stability import stability as stability
    from adamlab.exporting.files import export as export
    from adamlab.flattening.transformation import flat as flat
    from adamlab.flattening.vectors import ravel as ravel
    from adamlab.flattening.vectors import unravel as unravel
    from adamlab.frameworks.keras3 import from_keras as from_keras
    from adamlab.frameworks.pytorch import from_torch as from_torch
    from adamlab.interpret.oracle import exact as exact
    from adamlab.parity.comparison import compare as compare
    from adamlab.recipes import like_torch as like_torch
    from adamlab.relations import prove as prove
    from adamlab.rules import *
    from adamlab.running import run as run
    from adamlab.studies.kinds import load as load
    from adamlab.symbolic.solving.closed_forms import closed_form as closed_form
    from adamlab.symbolic.solving.influence import influence as influence
    from adamlab.symbolic.unrolling import unroll as unroll
    from adamlab.translation.states import state_from_keras as state_from_keras
    from adamlab.translation.states import state_from_torch as state_from_torch
    from adamlab.translation.states import state_to_keras as state_to_keras
    from adamlab.translation.states import state_to_torch as state_to_torch
    from adamlab.translation.translating import translate as translate
    from adamlab.types import Decay as Decay

_MODULES = ("analysis", "dynamics", "layers", "optimizers", "plots", "problems", "schedules")
_HOMES = {
    "Decay": "adamlab.types",
    "closed_form": "adamlab.symbolic.solving.closed_forms",
    "compare": "adamlab.parity.comparison",
    "derive": "adamlab.derivations",
    "exact": "adamlab.interpret.oracle",
    "export": "adamlab.exporting.files",
    "flat": "adamlab.flattening.transformation",
    "from_keras": "adamlab.frameworks.keras3",
    "from_torch": "adamlab.frameworks.pytorch",
    "influence": "adamlab.symbolic.solving.influence",
    "like_torch": "adamlab.recipes",
    "load": "adamlab.studies.kinds",
    "prove": "adamlab.relations",
    "ravel": "adamlab.flattening.vectors",
    "run": "adamlab.running",
    "stability": "adamlab.dynamics.stability",
    "state_from_keras": "adamlab.translation.states",
    "state_from_torch": "adamlab.translation.states",
    "state_to_keras": "adamlab.translation.states",
    "state_to_torch": "adamlab.translation.states",
    "translate": "adamlab.translation.translating",
    "unravel": "adamlab.flattening.vectors",
    "unroll": "adamlab.symbolic.unrolling",
}


def __getattr__(name: str):
    if name in _MODULES:
        return import_module(f"adamlab.{name}")
    if name.startswith("_"):
        raise AttributeError(f"module 'adamlab' has no attribute {name!r}")
    if name not in __dir__():
        raise AttributeError(f"module 'adamlab' has no attribute {name!r}; it offers {', '.join(__dir__())}")
    return getattr(import_module(_HOMES.get(name, "adamlab.rules")), name)


def __dir__():
    rules = import_module("adamlab.rules")
    return sorted([*_MODULES, *_HOMES, *rules.RULES, *rules.PARTS])
