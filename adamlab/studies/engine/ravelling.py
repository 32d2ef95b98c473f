"""Ravelling: parameters, gradients and states of many arrays as one vector between steps."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from adamlab.calls import Call
from adamlab.flattening.transformation import flat
from adamlab.flattening.vectors import ravel
from adamlab.types import Problem, PyTree


def ravelled(problem: Problem) -> Problem:
    """The problem as one of ravelled parameters."""

    def of_tree(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda params, *others: function(params.tree, *others)

    project, next_state = problem.project, problem.next_state
    return replace(
        problem,
        start=lambda key: ravel(problem.start(key)),
        loss=of_tree(problem.loss),
        objective=of_tree(problem.objective),
        metrics={name: of_tree(metric) for name, metric in problem.metrics.items()},
        project=None if project is None else lambda params: ravel(project(params.tree)),
        next_state=None if next_state is None else of_tree(next_state),
    )


def takes_vectors(template: Call, problem: Problem, numbers: Mapping[str, Any]) -> bool:
    """Whether the optimizer's steps on a vector of all the problem's parameters are those on their arrays.

    A single array is left as it is, and so are arrays of several types.
    """
    tree = jax.eval_shape(problem.start, jax.random.key(0))
    if len(jax.tree.leaves(tree)) < 2 or len({leaf.dtype for leaf in jax.tree.leaves(tree)}) > 1:
        return False

    def step(numbers: Mapping[str, Any], tree: PyTree) -> None:
        params = ravel(tree)
        tx = flat(template.build(numbers))
        tx.update(params, tx.init(params), params, value=_loss(params), grad=params, value_fn=_loss)

    try:
        jax.eval_shape(step, numbers, tree)
    except Exception:  # a user's optimizer, too, which may raise anything where it gets no tree
        return False
    return True


def _loss(params: PyTree) -> jax.Array:
    """A loss of any parameters in place of the problem's: a single number that depends on all of them alike."""
    return sum((jnp.sum(leaf) for leaf in jax.tree.leaves(params)), start=jnp.zeros(()))
