"""What happens to the gradient ahead of a rule: keywords of a framework's, and links of a chain in Optax."""

from collections.abc import Iterator, Mapping
from typing import Any

from adamlab.calls import Call, Symbol, arguments, written
from adamlab.specs import parse
from adamlab.translation.matching import as_taken, chained, links

Ahead = Mapping[str, Any]
"""What happens to the gradient ahead of the rule, by the keyword that a framework has for it, in the order of steps."""

COUPLED = ("Adadelta", "Adagrad", "Adam", "Adamax", "NAdam", "RAdam", "RMSprop", "SGD")
"""PyTorch's optimizers whose weight decay joins the gradient, unless it is decoupled."""

CLIPS = {"clipvalue": "optax.clip", "global_clipnorm": "optax.clip_by_global_norm"}
"""The keywords of Keras's that are links of Optax's, by the number that both take."""

LIKE: dict[str, dict[str, str]] = {
    "optax": {
        "clipnorm": "optax.clip_by_block_rms, which goes by the root of the mean of the squares; Optax has no clipping "
        "of each parameter by its own norm",
        "gradient_accumulation_steps": "optax.MultiSteps, which takes no step before the last of them",
        "loss_scale_factor": "optax.scale by its inverse, ahead of all else",
        "use_ema": "optax.ema of the parameters beside the steps; a transformation of Optax's does not overwrite them",
    },
    "torch": {
        "clipvalue": "torch.nn.utils.clip_grad_value_ ahead of each step",
        "global_clipnorm": "torch.nn.utils.clip_grad_norm_ ahead of each step",
        "use_ema": "torch.optim.swa_utils.AveragedModel beside the optimizer",
        "gradient_accumulation_steps": "a call of step() after so many of backward()",
    },
}
LIKE["adamlab"] = LIKE["optax"]
"""By the library, what is like the keywords of Keras's that none of its optimizers has."""


def splits(call: Call) -> Iterator[tuple[Call, Ahead]]:
    """The rule itself and what happens ahead of it: nothing taken off, then one thing after the other."""
    ahead: dict[str, Any] = {}
    yield call, {}
    if call.library in ("torch", "keras"):
        for key, value in _keywords(call):
            ahead[key] = value
            yield call.with_arguments({k: x for k, x in call.arguments.items() if k not in ahead}), {**ahead}
        return
    parts = links(call)
    for k, part in enumerate(parts[:-1], 1):
        key, value = _keyword_of(part)
        if not key or any(_place(other) >= _place(key) for other in ahead):
            return
        ahead[key] = value
        yield chained(parts[k:]), {**ahead}


def put_ahead(core: Call, ahead: Ahead, to: str) -> Call | None:
    """The rule with what happens to the gradient ahead of it; None where the library cannot say that."""
    if not ahead:
        return core
    if not all(can_have_ahead(core, key, to) for key in ahead):
        return None
    if to in ("torch", "keras"):
        return core.with_arguments({**core.arguments, **ahead})
    parts = [_link(key, value, to) for key, value in sorted(ahead.items(), key=lambda item: _place(item[0]))]
    return as_taken(chained([*map(parse, parts), *links(core)]), to)


def can_have_ahead(core: Call, key: str, to: str) -> bool:
    """Whether the library can say what a keyword says ahead of a rule; in Optax it is a link of a chain."""
    if to not in ("torch", "keras"):
        return True
    if key == "weight_decay" and not (to == "torch" and core.short in COUPLED):
        return False
    return key in arguments(core.factory) and key not in core.arguments


def _keywords(call: Call) -> Iterator[tuple[str, Any]]:
    """What a framework's optimizer does to the gradient ahead of its rule."""
    values = call.bound()
    if call.library == "torch":
        if values.get("maximize"):
            yield "maximize", True
        if call.short in COUPLED and values.get("weight_decay") and not values.get("decoupled_weight_decay"):
            yield "weight_decay", values["weight_decay"]
        return
    for key in CLIPS:
        value = values.get(key)
        if isinstance(value, Symbol) or (value is not None and value > 0):  # at others Keras does not clip
            yield key, value


def _place(key: str) -> int:
    """PyTorch turns the gradient around before weight decay, and does each once; Keras clips alone."""
    return {"maximize": 0, "weight_decay": 2}.get(key, 1)


def _keyword_of(link: Call) -> tuple[str, Any]:
    """The keyword that a link is, with its value; an empty one where it is none."""
    values = link.bound()
    if link.short == "scale" and values.get("step_size") == -1:
        return "maximize", True
    if link.short == "add_decayed_weights" and values.get("mask") is None:
        return "weight_decay", values.get("weight_decay")
    for key, name in CLIPS.items():
        if link.name == name:
            return key, next(iter(link.arguments.values()), None)
    return "", None


def _link(key: str, value: Any, to: str) -> str:
    if key == "maximize":
        return "optax.scale(-1.0)"
    return f"{CLIPS.get(key, f'{to}.add_decayed_weights')}({written(value)})"
