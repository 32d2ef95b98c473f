"""The convolutional net of hand-derived layers: how fast its training step is, and how well it learns the digits.

    python -m tests.benchmarks.conv_net [--rounds N] [--steps N]

A step is timed against the same net in plain autodiff, twice: in XLA's own convolution and pooling, and with our
convolution and pooling differentiated by JAX, not by hand. They take turns in one process, a round each, and are timed
by two clocks: CPU time, which a busy machine disturbs less, and the clock on the wall, by which ours is judged. A row
has the median over rounds of the time a step takes, and the median, least and greatest of its ratio to ours in the same
round, above 1 where ours is faster. Then the net is trained by `al.run`, its compilation timed too. The exit code is 1
if a step of ours takes more than 1.05 times as long as one of the faster of the other two (the median of the ratios in
each round), or the training does not come to 97 % on the test images in two minutes.
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from rich.console import Console

import adamlab as al
from adamlab.layers.windows import seen_at, windows
from adamlab.problems import get
from adamlab.types import PyTree

STEPS_A_ROUND = 30
LOSS_ABOVE = 1.05
ACCURACY = 0.97
SECONDS = 120

CLOCKS = {"CPU": time.process_time, "wall": time.perf_counter}

Layer = Callable[..., jax.Array]


def lax_conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def lax_pool(x: jax.Array) -> jax.Array:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def window_conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As `layers.conv2d`, without its backward."""
    patches = jnp.concatenate(seen_at(windows(3, 1, 1), x), axis=-1)
    return patches @ kernel.reshape(-1, kernel.shape[-1])


def window_pool(x: jax.Array) -> jax.Array:
    """As `layers.max_pool`, without its backward."""
    seen = seen_at(windows(2, 2), x)
    return jnp.max(jnp.stack(seen), axis=0)


def plain_loss(conv: Layer, pool: Layer) -> Callable[[PyTree, Any], jax.Array]:
    """The loss of `digits_conv` with these two layers, and JAX's own in the place of the others."""

    def loss(params, batch):
        x = batch.x
        for block in params["blocks"]:
            x = conv(x, block.kernel)
            mean, variance = (f[None, None, None, :] for f in (jnp.mean(x, (0, 1, 2)), jnp.var(x, (0, 1, 2))))
            gamma, beta = (f[None, None, None, :] for f in (block.gamma, block.beta))
            x = pool(jax.nn.relu((x - mean) / jnp.sqrt(variance + 1e-5) * gamma + beta))
        logits = x.reshape(len(x), -1) @ params["last"]["W"] + params["last"]["b"][None, :]
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch.y).mean()

    return loss


def step_times(steps: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, np.ndarray]]:
    """Seconds that a step takes, by clock and by its name, in every round."""
    times = {clock: {name: np.zeros(rounds) for name in steps} for clock in CLOCKS}
    for i in range(rounds):
        for name, step in steps.items():
            begin = {clock: now() for clock, now in CLOCKS.items()}
            for _ in range(STEPS_A_ROUND):
                jax.block_until_ready(step())
            for clock, now in CLOCKS.items():
                times[clock][name][i] = (now() - begin[clock]) / STEPS_A_ROUND
    return times


def training_steps() -> dict[str, Callable[[], Any]]:
    """A compiled step of Adam under each implementation; all of them take the same step.

    Raises:
        AssertionError: they do not.
    """
    problem, optimizer = get("digits_conv"), al.adam(0.003)
    assert problem.sample is not None
    params, batch = problem.start(jax.random.key(0)), problem.sample(jax.random.key(1), 1)
    state = optimizer.init(params)

    def compiled(loss):
        @jax.jit
        def step(params, state, batch):
            gradient = jax.grad(loss)(params, batch)
            updates, new = optimizer.update(gradient, state, params)
            return optax.apply_updates(params, updates), new, gradient

        return lambda: step(params, state, batch)

    losses = {
        "by hand": problem.loss,
        "autodiff of lax": plain_loss(lax_conv, lax_pool),
        "autodiff of windows": plain_loss(window_conv, window_pool),
    }
    steps = {name: compiled(loss) for name, loss in losses.items()}
    gradients = [jax.tree.leaves(step()[-1]) for step in steps.values()]
    for others in gradients[1:]:
        for ours, theirs in zip(gradients[0], others, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-4 * float(jnp.abs(theirs).max()))
    return steps


def trained(steps: int) -> tuple[float, float]:
    """The accuracy on the test images after a training, and the seconds it took, compilation included."""
    begin = time.perf_counter()
    results = al.run(
        {
            "name": "conv_net",
            "steps": steps,
            "record": {"every": max(1, steps // 10), "what": ["loss", "test_loss", "train_accuracy", "test_accuracy"]},
            "problem": [{"name": "digits_conv"}],
            "optimizer": [{"spec": "adamlab.adam(0.003)"}],
        }
    )
    return float(results["digits_conv"].ds["test_accuracy"][0, -1]), time.perf_counter() - begin


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.conv_net", description="The convolutional net.")
    parser.add_argument("--rounds", type=int, default=20, help=f"of {STEPS_A_ROUND} steps each")
    parser.add_argument("--steps", type=int, default=1000, help="of the training")
    arguments = parser.parse_args()

    console = Console(soft_wrap=True, markup=False, highlight=False)
    clocks = step_times(training_steps(), arguments.rounds)
    for clock, times in clocks.items():
        console.print(f"{'a training step':24}{clock + ' ms':>8}{'to ours':>9}{'least':>8}{'greatest':>10}")
        for name, seconds in times.items():
            ratios = seconds / times["by hand"]
            told = f"{np.median(ratios):9.2f}{ratios.min():8.2f}{ratios.max():10.2f}"
            console.print(f"{name:24}{1000 * np.median(seconds):8.2f}{told}")
    wall = clocks["wall"]
    slower = max(np.median(wall["by hand"] / seconds) for name, seconds in wall.items() if name != "by hand")
    accuracy, seconds = trained(arguments.steps)
    console.print(f"{arguments.steps} steps of training: {100 * accuracy:.2f} % of the test images in {seconds:.1f} s")
    return int(slower > LOSS_ABOVE or accuracy < ACCURACY or seconds > SECONDS)


if __name__ == "__main__":
    sys.exit(main())
