"""`al.flat`: an Optax transformation on vectors in place of trees."""

from typing import Any

import jax
import optax

from adamlab.errors import InputError, cut
from adamlab.flattening.vectors import is_ravelled
from adamlab.lifting import Lifted
from adamlab.types import PyTree


def flat(tx: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    """Let a transformation work on ravelled parameters, gradients and states: few large arrays in place of many.

    Each array that goes into a compiled step and comes out again costs microseconds, and each one of a tree is compiled
    for itself. `ravel` makes one vector of the parameters (one of each type of number), which stays one between steps;
    the loss looks at its `tree`:

        tx = al.flat(optax.adam(1e-3))
        w = al.ravel(params)
        state = tx.init(w)

        @partial(jax.jit, donate_argnums=(0, 1))
        def step(w, state, batch):
            value, gradient = jax.value_and_grad(lambda w: loss(w.tree, batch))(w)
            updates, state = tx.update(gradient, state, w)
            return optax.apply_updates(w, updates), state, value

    `al.unravel` makes trees again, of a state too. The steps are those on the tree. That this is so is read off the
    transformation, traced on both: it has to treat every entry of every array alike. What looks at all entries at once
    may do so, as the global norm does; what treats arrays by their names, shapes or own norms is refused: masks,
    labels, `optax.clip_by_block_rms`, the trust ratios of LAMB and LARS, factored states, noise. adamlab's own rules
    need no reading; any other is read once for each tree, in a millisecond or two for each of its arrays.

    Args:
        tx: the transformation, of adamlab, of Optax or another.

    Returns:
        A transformation whose `init` and `update` take what `ravel` makes.

    Raises:
        InputError: it is no transformation; from `init` or `update`, where the parameters or gradients are not
            ravelled, or where the transformation would do something else on the tree.
    """
    if not (hasattr(tx, "init") and hasattr(tx, "update")):
        raise InputError(f"flat: expected a transformation, such as optax.adam(1e-3), and got {cut(repr(tx), 60)}.")
    inner = optax.with_extra_args_support(tx)
    known: set[Any] = set()
    is_alike = all(map(_is_rule_of_ours, getattr(tx, "pieces", (None,))))

    def check(key: Any, function: Any, *arguments: Any) -> None:
        if not is_alike and key not in known:
            from adamlab.flattening.reading import require_alike

            require_alike(function, *arguments)
            known.add(key)

    def init(params: Any) -> PyTree:
        _require_ravelled("params", params)
        check(params.layout, inner.init, params)
        return inner.init(params)

    def update(updates: Any, state: PyTree, params: Any = None, **extra_args: Any):
        _require_ravelled("gradients", updates)
        if params is not None:
            _require_ravelled("params", params)
            if params.layout is not updates.layout:
                raise InputError(
                    "flat: gradients and params are of different trees; differentiate the loss by the params."
                )
        leaves, structure = jax.tree.flatten((updates, state, params, extra_args))
        key = structure, tuple(getattr(leaf, "shape", ()) for leaf in leaves)
        check(key, lambda g, s, w, extra: inner.update(g, s, w, **extra), updates, state, params, extra_args)
        return inner.update(updates, state, params, **extra_args)

    return optax.GradientTransformationExtraArgs(init, update)


def _is_rule_of_ours(piece: Any) -> bool:
    """Whether a piece is known to treat every entry alike; a rule of a user's own may take the norm of an array."""
    return isinstance(piece, Lifted) and piece.part.rule.step.__module__.startswith("adamlab.rules.")


def _require_ravelled(name: str, value: Any) -> None:
    if not is_ravelled(value):
        how = "al.ravel(params)" if name == "params" else "jax.grad(lambda w: loss(w.tree))(w) of w = al.ravel(params)"
        raise InputError(f"flat: expected ravelled {name}, as of {how}, and got {type(value).__name__}.")
