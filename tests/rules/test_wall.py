"""A wall of wrong optimizers: each is its paper with a line or two gone wrong, and the oracle's test must reject it."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy import maximum, minimum, sqrt, where

import adamlab as al
from tests.rules.test_formulas import CASES, COLUMNS, WEIGHTS, exact, wrong_families

Lines = Mapping[str, Callable[..., Any]]
"""A rule as its paper prints it: a line for each letter, which may name the letters above it, s, t, w and arguments."""


class Memory(NamedTuple):
    """The letters m, v and x as the last step left them, which the lines read from s."""

    m: Any
    v: Any
    x: Any


START = {"v0": lambda: 0.0, "g": lambda g: g}
END = {"step": lambda u, learning_rate: -learning_rate * u}
DECAY = {
    "fade": lambda w, weight_decay: weight_decay * w,
    "step": lambda u, fade, learning_rate: -learning_rate * (u + fade),
}

SGD = {
    "m": lambda g, s, momentum: g + momentum * s.m,
    "u": lambda g, m, momentum, nesterov: g + momentum * m if nesterov else m,
}
ADAGRAD = {
    "v0": lambda initial_accumulator_value: initial_accumulator_value,
    "v": lambda g, s: s.v + g**2,
    "u": lambda g, v, eps: where(v > 0, g / sqrt(v + eps), 0),
}
RMSPROP = {
    "v0": lambda initial_scale: initial_scale,
    "m": lambda g, s, decay: decay * s.m + (1 - decay) * g,
    "v": lambda g, s, decay: decay * s.v + (1 - decay) * g**2,
    "unbias": lambda decay, t, bias_correction: 1 - decay**t if bias_correction else 1.0,
    "center": lambda m, unbias, centered: (m / unbias) ** 2 if centered else 0.0,
    "inside": lambda eps, eps_in_sqrt: eps if eps_in_sqrt else 0.0,
    "outside": lambda eps, eps_in_sqrt: 0.0 if eps_in_sqrt else eps,
    "u": lambda g, v, unbias, center, inside, outside: g / (sqrt(v / unbias - center + inside) + outside),
    "x": lambda u, s, momentum, learning_rate: -learning_rate * u + momentum * s.x,
    "step": lambda u, x, momentum, learning_rate, nesterov: -learning_rate * u + momentum * x if nesterov else x,
}
ADADELTA = {
    "g": lambda g, w, weight_decay: g + weight_decay * w,
    "v": lambda g, s, rho: rho * s.v + (1 - rho) * g**2,
    "u": lambda g, s, v, eps: sqrt(s.x + eps) / sqrt(v + eps) * g,
    "x": lambda u, s, rho: rho * s.x + (1 - rho) * u**2,
}
ADAM = {
    "m": lambda g, s, b1: b1 * s.m + (1 - b1) * g,
    "v": lambda g, s, b2: b2 * s.v + (1 - b2) * g**2,
    "m_hat": lambda m, b1, t: m / (1 - b1**t),
    "v_hat": lambda v, b2, t: v / (1 - b2**t),
    "ahead": lambda g, m, m_hat, b1, t, nesterov: (
        b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t) if nesterov else m_hat
    ),
    "u": lambda ahead, v_hat, eps, eps_root: ahead / (sqrt(v_hat + eps_root) + eps),
}
WITH_SWITCH = {
    "m_hat": lambda m, b1, t, bias_correction: m / (1 - b1**t) if bias_correction else m,
    "v_hat": lambda v, b2, t, bias_correction: v / (1 - b2**t) if bias_correction else v,
    "ahead": lambda g, m, m_hat, b1, t, nesterov, bias_correction: (
        (b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t) if bias_correction else b1 * m + (1 - b1) * g)
        if nesterov
        else m_hat
    ),
}
ADAMAX = {
    "m": lambda g, s, b1: b1 * s.m + (1 - b1) * g,
    "v": lambda g, s, b2, eps: maximum(b2 * s.v, abs(g) + eps),
    "m_hat": lambda m, b1, t: m / (1 - b1**t),
    "u": lambda m_hat, v: m_hat / v,
}
AMSGRAD = {
    "m": lambda g, s, b1: b1 * s.m + (1 - b1) * g,
    "v": lambda g, s, b2: b2 * s.v + (1 - b2) * g**2,
    "m_hat": lambda m, b1, t, bias_correction_mu: m / (1 - b1**t) if bias_correction_mu else m,
    "v_hat": lambda v, b2, t, bias_correction_nu: v / (1 - b2**t) if bias_correction_nu else v,
    "x": lambda s, v_hat: maximum(s.x, v_hat),
    "u": lambda m_hat, x, eps, eps_root: m_hat / (sqrt(x + eps_root) + eps),
}

RIGHT: dict[str, Lines] = {
    "sgd": START | SGD | END,
    "adagrad": START | ADAGRAD | END,
    "rmsprop": START | RMSPROP,
    "adadelta": START | ADADELTA | END,
    "adam": START | ADAM | WITH_SWITCH | END,
    "adamw": START | ADAM | DECAY,
    "adamax": START | ADAMAX | END,
    "adamaxw": START | ADAMAX | DECAY,
    "nadam": START | ADAM | END,
    "nadamw": START | ADAM | DECAY,
    "amsgrad": START | AMSGRAD | END,
}

L2 = {"g": lambda g, w, weight_decay: g + weight_decay * w, "fade": lambda: 0.0}
RATELESS = {"fade": lambda w, weight_decay, learning_rate: weight_decay * w / learning_rate}

WRONG: dict[str, dict[str, Lines]] = {
    "sgd": {
        "step uphill": {"step": lambda u, learning_rate: learning_rate * u},
        "trace dampened": {"m": lambda g, s, momentum: (1 - momentum) * g + momentum * s.m},
        "trace of the lookahead": {"m": lambda g, s, momentum: g + momentum * (g + momentum * s.m), "u": lambda m: m},
        "learning rate ahead of the momentum": {"g": lambda g, learning_rate: learning_rate * g, "step": lambda u: -u},
        "nesterov left out": {"u": lambda m: m},
        "nesterov on top of m": {"u": lambda m, momentum, nesterov: m + momentum * m if nesterov else m},
    },
    "adagrad": {
        "start left out": {"v0": lambda: 0.0},
        "mean for sum": {"v": lambda g, s, t: s.v + (g**2 - s.v) / t},
        "|g| for g²": {"v": lambda g, s: s.v + abs(g)},
        "sum before this step": {"u": lambda g, s, eps: where(s.v > 0, g / sqrt(s.v + eps), 0)},
        "zero branch left out": {"u": lambda g, v, eps: g / sqrt(v + eps)},
        "ε outside the root": {"u": lambda g, v, eps: where(v > 0, g / (sqrt(v) + eps), 0)},
        "ε left out": {"u": lambda g, v: where(v > 0, g / sqrt(v), 0)},
        "root for its inverse": {"u": lambda g, v, eps: where(v > 0, g * sqrt(v + eps), 0)},
    },
    "rmsprop": {
        "start left out": {"v0": lambda: 0.0},
        "shares of v swapped": {"v": lambda g, s, decay: (1 - decay) * s.v + decay * g**2},
        "v before this step": {
            "u": lambda g, s, unbias, center, inside, outside: g / (sqrt(s.v / unbias - center + inside) + outside)
        },
        "correction left out": {"unbias": lambda: 1.0},
        "count ahead by one": {
            "unbias": lambda decay, t, bias_correction: 1 - decay ** (t + 1) if bias_correction else 1.0
        },
        "centered on m, not m²": {"center": lambda m, unbias, centered: m / unbias if centered else 0.0},
        "centered on m² uncorrected": {"center": lambda m, centered: m**2 if centered else 0.0},
        "centered ahead of correction": {"center": lambda m, unbias, centered: m**2 / unbias if centered else 0.0},
        "centered on m before this step": {
            "center": lambda s, unbias, centered: (s.m / unbias) ** 2 if centered else 0.0
        },
        "ε always inside": {"inside": lambda eps: eps, "outside": lambda: 0.0},
        "ε always outside": {"inside": lambda: 0.0, "outside": lambda eps: eps},
        "ε inside ahead of correction": {
            "inside": lambda eps, unbias, eps_in_sqrt: eps / unbias if eps_in_sqrt else 0.0
        },
        "ε outside ahead of correction": {
            "outside": lambda eps, unbias, eps_in_sqrt: 0.0 if eps_in_sqrt else eps / sqrt(unbias)
        },
        "trace dampened": {
            "x": lambda u, s, momentum, learning_rate: -learning_rate * (1 - momentum) * u + momentum * s.x
        },
        "trace ahead of the scaling": {
            "g": lambda g, s, momentum: g + momentum * s.x,
            "x": lambda g: g,
            "step": END["step"],
        },
        "learning rate after the momentum": {
            "x": lambda u, s, momentum: u + momentum * s.x,
            "step": lambda u, x, momentum, learning_rate, nesterov: (
                -learning_rate * (u + momentum * x if nesterov else x)
            ),
        },
        "nesterov left out": {"step": lambda x: x},
    },
    "adadelta": {
        "accumulators swapped": {"u": lambda g, s, v, eps: sqrt(v + eps) / sqrt(s.x + eps) * g},
        "ratio of the last averages": {"u": lambda g, s, eps: sqrt(s.x + eps) / sqrt(s.v + eps) * g},
        "ε outside the roots": {"u": lambda g, s, v, eps: (sqrt(s.x) + eps) / (sqrt(v) + eps) * g},
        "ε in the denominator alone": {
            "u": lambda g, s, v, eps, t: where(t > 1, sqrt(s.x), sqrt(eps)) / sqrt(v + eps) * g
        },
        "x of the gradients": {"x": lambda g, s, rho: rho * s.x + (1 - rho) * g**2},
        "ratio to the average that is to come": {
            "u": lambda g, s, v, rho, eps: (
                sqrt(rho * s.x + (1 - rho) * (s.x + eps) / (v + eps) * g**2 + eps) / sqrt(v + eps) * g
            )
        },
        "x of the scaled step": {
            "x": lambda u, s, rho, learning_rate: rho * s.x + (1 - rho) * (learning_rate * u) ** 2
        },
        "decay decoupled": {
            "g": lambda g: g,
            "step": lambda u, w, weight_decay, learning_rate: -learning_rate * (u + weight_decay * w),
        },
    },
    "adam": {
        "shares of m swapped": {"m": lambda g, s, b1: (1 - b1) * s.m + b1 * g},
        "shares of v swapped": {"v": lambda g, s, b2: (1 - b2) * s.v + b2 * g**2},
        "sum for mean": {"m": lambda g, s, b1: b1 * s.m + g, "v": lambda g, s, b2: b2 * s.v + g**2},
        "b1 and b2 swapped": {
            "m": lambda g, s, b2: b2 * s.m + (1 - b2) * g,
            "v": lambda g, s, b1: b1 * s.v + (1 - b1) * g**2,
            "m_hat": lambda m, b2, t: m / (1 - b2**t),
            "v_hat": lambda v, b1, t: v / (1 - b1**t),
        },
        "|g| for g²": {"v": lambda g, s, b2: b2 * s.v + (1 - b2) * abs(g)},
        "v of m": {"v": lambda m, s, b2: b2 * s.v + (1 - b2) * m**2},
        "v of g − m": {"v": lambda g, m, s, b2: b2 * s.v + (1 - b2) * (g - m) ** 2},
        "v before this step": {"u": lambda ahead, s, eps, eps_root: ahead / (sqrt(s.v + eps_root) + eps)},
        "correction of m left out": {"m_hat": lambda m: m},
        "correction of v left out": {"v_hat": lambda v: v},
        "correction left out": {"m_hat": lambda m: m, "v_hat": lambda v: v},
        "corrections swapped": {
            "m_hat": lambda m, b2, t: m / (1 - b2**t),
            "v_hat": lambda v, b1, t: v / (1 - b1**t),
        },
        "correction kept in the state": {
            "m": lambda g, s, b1, t: (b1 * s.m + (1 - b1) * g) / (1 - b1**t),
            "m_hat": lambda m: m,
        },
        "correction outside the root": {
            "u": lambda ahead, v, b2, t, eps, eps_root: ahead / (sqrt(v + eps_root) / (1 - b2**t) + eps)
        },
        "count ahead by one": {
            "m_hat": lambda m, b1, t: m / (1 - b1 ** (t + 1)),
            "v_hat": lambda v, b2, t: v / (1 - b2 ** (t + 1)),
        },
        "count behind by one": {
            "m_hat": lambda m, b1, t: m / (1 - b1 ** maximum(t - 1, 1)),
            "v_hat": lambda v, b2, t: v / (1 - b2 ** maximum(t - 1, 1)),
        },
        "ε inside the root": {"u": lambda ahead, v_hat, eps, eps_root: ahead / sqrt(v_hat + eps_root + eps)},
        "ε in both places": {"u": lambda ahead, v_hat, eps, eps_root: ahead / (sqrt(v_hat + eps_root + eps) + eps)},
        "ε ahead of correction": {
            "u": lambda ahead, v, b2, t, eps, eps_root: (
                ahead * sqrt(1 - b2**t) / (sqrt(v + eps_root * (1 - b2**t)) + eps)
            )
        },
        "ε left out": {"u": lambda ahead, v_hat, eps_root: ahead / sqrt(v_hat + eps_root)},
        "eps_root outside the root": {"u": lambda ahead, v_hat, eps, eps_root: ahead / (sqrt(v_hat) + eps_root + eps)},
        "eps_root ahead of correction": {
            "u": lambda ahead, v, b2, t, eps, eps_root: ahead / (sqrt((v + eps_root) / (1 - b2**t)) + eps)
        },
        "root left out": {"u": lambda ahead, v_hat, eps, eps_root: ahead / (v_hat + eps_root + eps)},
        "root for its inverse": {"u": lambda ahead, v_hat, eps, eps_root: ahead * (sqrt(v_hat + eps_root) + eps)},
        "nesterov left out": {"ahead": lambda m_hat: m_hat},
        "learning rate squared": {"step": lambda u, learning_rate: -(learning_rate**2) * u},
        "schedule ahead by one": {"step": lambda u, t, at: -at("learning_rate", t) * u},
    },
    "adamw": {
        "decay left out": {"fade": lambda: 0.0},
        "decay of the wrong sign": {"fade": lambda w, weight_decay: -weight_decay * w},
        "decay without the learning rate": RATELESS,
        "decay by the learning rate squared": {
            "fade": lambda w, weight_decay, learning_rate: learning_rate * weight_decay * w
        },
        "decay ahead of the moments": L2,
        "schedule of the decay ahead by one": {"fade": lambda w, t, at: at("weight_decay", t) * w},
        "decay over the root": {
            "ahead": lambda m_hat, w, weight_decay: m_hat + weight_decay * w,
            "fade": lambda: 0.0,
        },
    },
    "adamax": {
        "g² for |g|": {"v": lambda g, s, b2, eps: maximum(b2 * s.v, g**2 + eps)},
        "g for |g|": {"v": lambda g, s, b2, eps: maximum(b2 * s.v, g + eps)},
        "mean for maximum": {"v": lambda g, s, b2, eps: b2 * s.v + (1 - b2) * (abs(g) + eps)},
        "norm that never decays": {"v": lambda g, s, eps: maximum(s.v, abs(g) + eps)},
        "norm decayed after the maximum": {"v": lambda g, s, b2, eps: b2 * maximum(s.v, abs(g) + eps)},
        "ε left out": {
            "v": lambda g, s, b2: maximum(b2 * s.v, abs(g)),
            "u": lambda m_hat, v: where(v > 0, m_hat / v, 0),
        },
        "ε beside the norm": {
            "v": lambda g, s, b2: maximum(b2 * s.v, abs(g)),
            "u": lambda m_hat, v, eps: m_hat / (v + eps),
        },
        "ε as the norm's floor": {"v": lambda g, s, b2, eps: maximum(maximum(b2 * s.v, abs(g)), eps)},
        "correction left out": {"m_hat": lambda m: m},
        "correction of the norm": {"u": lambda m_hat, v, b2, t: m_hat / v * (1 - b2**t)},
    },
    "adamaxw": {"decay without the learning rate": RATELESS, "decay ahead of the moments": L2},
    "nadam": {
        "lookahead left out": {"ahead": lambda m_hat: m_hat},
        "lookahead from m before this step": {
            "ahead": lambda g, s, b1, t: b1 * s.m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
        },
        "lookahead to m": {"ahead": lambda m, b1, t: b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * m / (1 - b1**t)},
        "both corrected by this step": {"ahead": lambda g, m_hat, b1, t: b1 * m_hat + (1 - b1) * g / (1 - b1**t)},
        "both corrected by the next step": {"ahead": lambda g, m, b1, t: (b1 * m + (1 - b1) * g) / (1 - b1 ** (t + 1))},
        "corrections swapped": {"ahead": lambda g, m, b1, t: b1 * m / (1 - b1**t) + (1 - b1) * g / (1 - b1 ** (t + 1))},
        "g uncorrected": {"ahead": lambda g, m, b1, t: b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g},
        "shares swapped": {"ahead": lambda g, m, b1, t: (1 - b1) * m / (1 - b1 ** (t + 1)) + b1 * g / (1 - b1**t)},
        "Dozat's b2 on v̂": {"v_hat": lambda v, b2, t: b2 * v / (1 - b2**t)},
    },
    "nadamw": {"decay without the learning rate": RATELESS, "decay ahead of the moments": L2},
    "amsgrad": {
        "maximum left out": {"x": lambda v_hat: v_hat},
        "maximum kept, not used": {"u": lambda m_hat, v_hat, eps, eps_root: m_hat / (sqrt(v_hat + eps_root) + eps)},
        "minimum for maximum": {"x": lambda s, v_hat, t: where(t == 1, v_hat, minimum(s.x, v_hat))},
        "maximum before this step": {"u": lambda m_hat, s, eps, eps_root: m_hat / (sqrt(s.x + eps_root) + eps)},
        "maximum of v before this step": {
            "x": lambda s, b2, t, bias_correction_nu: maximum(
                s.x, s.v / (1 - b2 ** maximum(t - 1, 1)) if bias_correction_nu else s.v
            )
        },
        "maximum of g²": {"x": lambda g, s: maximum(s.x, g**2)},
        "maximum of raw v, corrected then": {
            "x": lambda s, v: maximum(s.x, v),
            "u": lambda m_hat, x, b2, t, bias_correction_nu, eps, eps_root: (
                m_hat / (sqrt(x / (1 - b2**t if bias_correction_nu else 1) + eps_root) + eps)
            ),
        },
        "v averaged with the maximum": {"v": lambda g, s, b2: b2 * s.x + (1 - b2) * g**2},
        "both moments always corrected": {"m_hat": ADAM["m_hat"], "v_hat": ADAM["v_hat"]},
        "flags of the corrections swapped": {
            "m_hat": lambda m, b1, t, bias_correction_nu: m / (1 - b1**t) if bias_correction_nu else m,
            "v_hat": lambda v, b2, t, bias_correction_mu: v / (1 - b2**t) if bias_correction_mu else v,
        },
    },
}


def updates_of(lines: Lines, name: str, hyper: Mapping[str, Any]) -> np.ndarray:
    """The updates (steps, families) by the lines, with the arguments of the optimizer of that name.

    NumPy computes them: a wrong optimizer is rejected for its numbers, and none has to be compiled.
    """
    bound = inspect.signature(getattr(al, name)).bind(**hyper)
    bound.apply_defaults()
    absent = {"learning_rate": -1.0, "momentum": 0.0}  # what None stands for
    given: dict[str, Any] = {key: absent.get(key) if value is None else value for key, value in bound.arguments.items()}
    letters = {letter: tuple(inspect.signature(line).parameters) for letter, line in lines.items()}

    def at(key: str, count: int) -> Any:
        return given[key](count) if callable(given[key]) else given[key]

    s = Memory(*np.zeros((3, len(WEIGHTS))))
    s = s._replace(v=s.v + lines["v0"](*(given[letter] for letter in letters["v0"])))
    updates = []
    for t, g in enumerate(COLUMNS, start=1):
        known: dict[str, Any] = {key: at(key, t - 1) for key in given} | {
            "g": g,
            "w": WEIGHTS,
            "s": s,
            "t": t,
            "at": at,
        }
        for letter, line in lines.items():
            known[letter] = line(*(known[name] for name in letters[letter]))
        s = Memory(*(known.get(field, getattr(s, field)) for field in Memory._fields))
        updates.append(known["step"])
    return np.stack(updates)


def rejections(lines: Lines, name: str) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """The arguments and families on which the lines are not the optimizer of that name."""
    for case, hyper in CASES:
        if case == name:
            with np.errstate(all="ignore"):  # of wrong lines 0/0 is expected
                wrong = wrong_families(updates_of(lines, name, hyper), *exact(name, **hyper))
            if wrong:
                yield hyper, wrong


@pytest.mark.parametrize("name", RIGHT)
def test_right_lines_are_accepted(name):
    assert list(rejections(RIGHT[name], name)) == []


@pytest.mark.parametrize("name", WRONG)
def test_wrong_lines_are_rejected(name):
    accepted = [
        mistake for mistake, wrong in WRONG[name].items() if not any(rejections({**RIGHT[name], **wrong}, name))
    ]
    assert accepted == []
