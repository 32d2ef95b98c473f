"""The rules, one file each, and their registry: a rule is registered by its import below.

Every function imported here makes a transformation. Those that take a learning rate, RULES, are the optimizers: the
command line, the comparison, the readings and the sweeps go by it.
"""

import inspect
from collections.abc import Callable

import optax

from adamlab.rules.adagrad import adagrad as adagrad
from adamlab.rules.adagrad import scale_by_rss as scale_by_rss
from adamlab.rules.adam import adam as adam
from adamlab.rules.adam import scale_by_adam as scale_by_adam
from adamlab.rules.learning_rate import scale_by_learning_rate as scale_by_learning_rate
from adamlab.rules.rmsprop import rmsprop as rmsprop
from adamlab.rules.rmsprop import scale_by_rms as scale_by_rms
from adamlab.rules.rmsprop import scale_by_stddev as scale_by_stddev
from adamlab.rules.sgd import sgd as sgd
from adamlab.rules.sgd import trace as trace

Factory = Callable[..., optax.GradientTransformationExtraArgs]

_FACTORIES: dict[str, Factory] = {name: value for name, value in tuple(globals().items()) if inspect.isfunction(value)}

RULES = {
    name: f
    for name, f in _FACTORIES.items()
    if "learning_rate" in inspect.signature(f).parameters and not name.startswith("scale_by")
}
PARTS = {name: f for name, f in _FACTORIES.items() if name not in RULES}
