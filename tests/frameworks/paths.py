"""The paths of optimizers of PyTorch and Keras, by the frameworks themselves and by the transformations."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

STEPS = 50
SHAPES = {"matrix": (3, 2), "number": ()}

Trees = dict[str, np.ndarray]


def drawn(shapes: Mapping[str, tuple[int, ...]] = SHAPES) -> tuple[Trees, Trees]:
    """Parameters to start from, and gradients: signs flip, scales differ, and some are exactly 0."""
    rng = np.random.default_rng(20150507)
    start = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    gradients = {name: rng.normal(size=(STEPS, *shape)) * 3 ** rng.normal(size=shape) for name, shape in shapes.items()}
    for g in gradients.values():
        g[10:12] = 0.0
    return start, gradients


def torch_path(torch: Any, name: str, arguments: Mapping[str, Any], shapes: Mapping[str, Any] = SHAPES) -> Trees:
    """The parameters after each step of PyTorch's own optimizer."""
    start, gradients = drawn(shapes)
    params = {key: torch.nn.Parameter(torch.tensor(w)) for key, w in start.items()}
    optimizer = getattr(torch.optim, name)(params.values(), **arguments)
    path: dict[str, list[np.ndarray]] = {key: [] for key in start}
    for t in range(STEPS):
        for key, param in params.items():
            param.grad = torch.tensor(gradients[key][t])
        optimizer.step()
        for key, param in params.items():
            path[key].append(param.detach().numpy().copy())
    return {key: np.stack(steps) for key, steps in path.items()}


def keras_path(keras: Any, name: str, arguments: Mapping[str, Any], shapes: Mapping[str, Any] = SHAPES) -> Trees:
    """The parameters after each step of Keras's own optimizer."""
    start, gradients = drawn(shapes)
    variables = [keras.Variable(start[key], dtype="float64") for key in start]
    optimizer = getattr(keras.optimizers, name)(**arguments)
    optimizer.build(variables)

    def step(carry: Any, g: Any) -> Any:
        weights, own = optimizer.stateless_apply(carry[1], [g[key] for key in start], carry[0])
        return (weights, own), weights

    begin = ([v.value for v in variables], [v.value for v in optimizer.variables])
    steps = jax.lax.scan(step, begin, jax.tree.map(jnp.asarray, gradients))[1]
    return dict(zip(start, map(np.asarray, steps), strict=True))


def paths_of(transforms: Mapping[str, Any], shapes: Mapping[str, Any] = SHAPES) -> dict[str, Trees]:
    """The parameters after each step of each transformation, all in one program."""
    start, gradients = jax.tree.map(jnp.asarray, drawn(shapes))

    def step(carry: Any, g: Any) -> Any:
        new = {}
        for name, transform in transforms.items():
            w, state = carry[name]
            u, state = transform.update(g, state, w)
            new[name] = (optax.apply_updates(w, u), state)
        return new, {name: w for name, (w, _) in new.items()}

    begin = {name: (start, transform.init(start)) for name, transform in transforms.items()}
    return jax.tree.map(np.asarray, jax.jit(lambda gs: jax.lax.scan(step, begin, gs)[1])(gradients))


def apart(path: Trees, other: Trees) -> float:
    """The greatest difference of two paths, in units of the path's own size."""
    return max(float((np.abs(path[key] - other[key]) / (1 + np.abs(path[key]))).max()) for key in path)
