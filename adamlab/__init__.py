"""adamlab: understand first-order optimizers.

Names are looked up when they are first used, so that the command line starts without loading JAX.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adamlab import analysis as analysis
    from adamlab import layers as layers
    from adamlab import plots as plots
    from adamlab import problems as problems
    from adamlab import schedules as schedules
    from adamlab.derivations import derive as derive
    from adamlab.interpret.oracle import exact as exact
    from adamlab.parity.comparison import compare as compare
    from adamlab.recipes import like_torch as like_torch
    from adamlab.rules import *
    from adamlab.running import run as run
    from adamlab.studies.store.dataset import load as load
    from adamlab.symbolic.proving.proofs import prove as prove
    from adamlab.symbolic.solving.closed_forms import closed_form as closed_form
    from adamlab.symbolic.unrolling import unroll as unroll
    from adamlab.types import Decay as Decay

_MODULES = ("analysis", "layers", "plots", "problems", "schedules")
_HOMES = {
    "Decay": "adamlab.types",
    "closed_form": "adamlab.symbolic.solving.closed_forms",
    "compare": "adamlab.parity.comparison",
    "derive": "adamlab.derivations",
    "exact": "adamlab.interpret.oracle",
    "like_torch": "adamlab.recipes",
    "load": "adamlab.studies.store.dataset",
    "prove": "adamlab.symbolic.proving.proofs",
    "run": "adamlab.running",
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
