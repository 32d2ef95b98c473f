"""The rules, one file each, and their registry: a rule is registered by its import below.

Every function imported here makes a transformation. Those that take a learning rate, RULES, are the optimizers: the
command line, the comparison, the readings and the sweeps go by it.
"""

import inspect
from collections.abc import Callable

import optax

from adamlab.rules.adadelta import adadelta as adadelta
from adamlab.rules.adadelta import scale_by_adadelta as scale_by_adadelta
from adamlab.rules.adagrad import adagrad as adagrad
from adamlab.rules.adagrad import scale_by_rss as scale_by_rss
from adamlab.rules.adam import adam as adam
from adamlab.rules.adam import scale_by_adam as scale_by_adam
from adamlab.rules.adamax import adamax as adamax
from adamlab.rules.adamax import adamaxw as adamaxw
from adamlab.rules.adamax import scale_by_adamax as scale_by_adamax
from adamlab.rules.adamw import adamw as adamw
from adamlab.rules.amsgrad import amsgrad as amsgrad
from adamlab.rules.amsgrad import scale_by_amsgrad as scale_by_amsgrad
from adamlab.rules.learning_rate import scale_by_learning_rate as scale_by_learning_rate
from adamlab.rules.nadam import nadam as nadam
from adamlab.rules.nadam import nadamw as nadamw
from adamlab.rules.rmsprop import rmsprop as rmsprop
from adamlab.rules.rmsprop import scale_by_rms as scale_by_rms
from adamlab.rules.rmsprop import scale_by_stddev as scale_by_stddev
from adamlab.rules.sgd import sgd as sgd
from adamlab.rules.sgd import trace as trace
from adamlab.rules.weight_decay import add_decayed_weights as add_decayed_weights

Factory = Callable[..., optax.GradientTransformationExtraArgs]

_FACTORIES: dict[str, Factory] = {name: value for name, value in tuple(globals().items()) if inspect.isfunction(value)}

RULES = {
    name: f
    for name, f in _FACTORIES.items()
    if "learning_rate" in inspect.signature(f).parameters and not name.startswith("scale_by")
}
PARTS = {name: f for name, f in _FACTORIES.items() if name not in RULES}
