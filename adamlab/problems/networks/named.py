"""Every net on every data set of images: `digits_conv`, `mnist_vae` and so on.

The images of openml.org are fetched when such a problem is first made, see `openml.fetch`; those of scikit-learn are
here already, and how many of them are held out is an option, `test_share`. Of all of them the option
`validation_share` holds a share of the training part out, for `validation_loss` and `validation_accuracy`. What is held
out is drawn by `split_seed`.
"""

import inspect
from collections.abc import Callable
from typing import Any

from adamlab.calls import call
from adamlab.problems.data import images
from adamlab.problems.networks.autoencoder import vae
from adamlab.problems.networks.classifiers import conv, mlp, softmax
from adamlab.types import Problem

DATA = {
    "digits": "scikit-learn's digits",
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "cifar_10": "CIFAR-10",
}
"""The names of the data sets in words."""


def on(data: str, net: Callable[..., Problem]) -> Callable[..., Problem]:
    """The maker of a net's problem on a data set, with the net's options as its own.

    Args:
        data: a key of `DATA`.
        net: makes a problem of `Images` and options; the first line of its docstring says "images".
    """

    def make(
        test_share: int | float | None = None,
        validation_share: int | float = 0.0,
        split_seed: int = 0,
        **options: Any,
    ) -> Problem:
        call(make.__name__, make, options)  # tells of options of the wrong kind
        if data != "digits":
            net(images.blank(data), **options)  # tells of those out of range, before anything is fetched
            if split_seed and not validation_share:
                raise ValueError("split_seed draws the validation part: give its validation_share, too.")
        loaded = images.load(data, test_share, split_seed if data == "digits" else 0)
        return net(images.with_validation(loaded, validation_share, split_seed), **options)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    options = list(inspect.signature(net).parameters.values())[1:]
    options.append(inspect.Parameter("validation_share", kind, default=0.0, annotation=float))
    options.append(inspect.Parameter("split_seed", kind, default=0, annotation=int))
    if data == "digits":
        options.append(inspect.Parameter("test_share", kind, default=images.TEST_SHARE, annotation=float))
    make.__name__ = make.__qualname__ = f"{data}_{net.__name__}"
    make.__doc__ = (inspect.getdoc(net) or "").replace("images", DATA[data], 1)
    # Through its dict, since the type of functions declares no __signature__.
    vars(make)["__signature__"] = inspect.Signature(options, return_annotation=Problem)
    return make


MAKERS = tuple(on(data, net) for data in DATA for net in (softmax, mlp, conv, vae))
"""The makers of all these problems, those of the digits first."""
