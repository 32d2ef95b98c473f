"""Layers of networks, and what is minimized."""

from tests.benchmarks.wrong_versions.change import of

BACKWARDS = "tests/layers/test_backwards.py"
STABILITY = "tests/layers/test_stability.py"
NORMALIZATION = "tests/layers/test_normalization.py"
FUNCTIONS = "tests/problems/test_functions.py"
ONLINE = "tests/problems/test_online.py"
REGRESSION = "tests/problems/test_regression.py"
NETWORKS = "tests/problems/test_networks.py"

LAYERS = [
    *of(
        "layers/activation.py",
        f"{BACKWARDS} -k relu",
        ("jnp.where(y > 0, dy, jnp.zeros_like(dy))", "jnp.where(y >= 0, dy, jnp.zeros_like(dy))"),
    ),
    *of(
        "layers/classification.py",
        STABILITY,
        ("z - jnp.max(z, axis=-1, keepdims=True))\n    y_hat", "z)\n    y_hat"),
        ("    dy_hat = jnp.where(y_hat > 0, dy_hat, jnp.zeros_like(dy_hat))  # what has", "    # what has"),
        ("terms = jnp.where(y == 0, jnp.zeros_like(y), y * log_y_hat)", "terms = y * log_y_hat"),
        ("jnp.exp(log_y_hat) * jnp.sum(y, axis=-1, keepdims=True) - y", "jnp.exp(log_y_hat) - y"),
        ("jnp.where(dloss == 0, dloss, dloss * gradient)", "dloss * gradient"),
    ),
    *of(
        "layers/convolution.py",
        f"{BACKWARDS} -k conv",
        (
            "return shape[0], rows, columns, channels[0]",
            "return shape[0], columns, rows, channels[0]",
            "tests/layers/test_shapes.py",
        ),
        ("dpatches = dy @ _as_matrix(kernel).T", "dpatches = dy @ _as_matrix(kernel[::-1]).T"),
    ),
    *of(
        "layers/windows.py",
        f"{BACKWARDS} tests/layers/test_shapes.py",
        ("return (side - span + before + after) //", "return (side - span + before) //"),
        ("    dtype = wide(seen[0].dtype)\n", "    dtype = seen[0].dtype\n", "tests/layers/test_shapes.py -k halves"),
        ("if not isinstance(n, bool)]", "]", "tests/layers/test_shapes.py"),
    ),
    *of(
        "layers/normalization.py",
        NORMALIZATION,
        ("variance * (count / (count - 1))", "variance", f"{NORMALIZATION} -k population"),
        ("jax.lax.stop_gradient(jax.tree.map(after, running, batch))", "jax.tree.map(after, running, batch)"),
        ("for s in statistics)", "for s in jax.lax.stop_gradient(statistics))"),
        (
            "deps = -jnp.sum(scale * dgamma / sigma) / 2",
            "deps = -jnp.sum(scale * dgamma / sigma)",
            f"{BACKWARDS} {NORMALIZATION} -k 'batch_norm or eps'",
        ),
        ("- x_hat * _like(dy, dgamma / count))", ")", f"{BACKWARDS} -k norm"),
        ("    x = x.astype(wide(x.dtype))\n    mean", "    mean", f"{NORMALIZATION} -k 'halves'"),
    ),
    *of(
        "layers/pooling.py",
        f"{BACKWARDS} tests/layers/test_shapes.py -k 'pool or window or halves'",
        ("better = (value > y) | jnp.isnan(value)", "better = (value >= y) | jnp.isnan(value)"),
        ("better = (value > y) | jnp.isnan(value)", "better = value > y"),
        ("sum(seen_at(geometry, x.astype(wide(x.dtype))))", "sum(seen_at(geometry, x))"),
    ),
    *of(
        "layers/noise.py",
        f"{BACKWARDS} -k dropout",
        (
            "return jnp.where(kept, x / share, jnp.zeros_like(x)), kept",
            "return jnp.where(kept, x, jnp.zeros_like(x)), kept",
        ),
        ("return jnp.where(kept, dy / share, jnp.zeros_like(dy)), None", "return dy / share, None"),
        ("    if not 0 <= rate < 1:\n", "    if not 0 <= rate <= 1:\n"),
    ),
]

PROBLEMS = [
    *of(
        "problems/surfaces/quadratics.py",
        FUNCTIONS,
        ("np.sqrt(curvatures / batch_size)", "(curvatures / batch_size)", f"{FUNCTIONS} -k noise"),
        ("return np.geomspace(1.0, condition, dim)", "return np.linspace(1.0, condition, dim)"),
        ("(x - y) ** 2 / condition", "(x - y) ** 2 / condition**2", f"{FUNCTIONS} -k 'ravine or condition'"),
    ),
    *of(
        "problems/surfaces/many_minima.py",
        FUNCTIONS,
        (
            "jnp.where(mean_square > 0, jnp.sqrt(jnp.where(mean_square > 0, mean_square, 1.0)), 0.0)",
            "jnp.sqrt(mean_square)",
            f"{FUNCTIONS} -k ackley",
        ),
        ("minimum=-39.16616570377141 * dim", "minimum=-39.16616570377141", f"{FUNCTIONS} -k 'minim or dimensions'"),
        ("[-np.pi, 12.275]", "[-np.pi, 12.285]", f"{FUNCTIONS} -k 'minima'"),
    ),
    *of(
        "problems/surfaces/valleys.py",
        FUNCTIONS,
        (
            "start=[-1.2 if i % 2 == 0 else 1.0 for i in range(dim)]",
            "start=[1.0 if i % 2 == 0 else -1.2 for i in range(dim)]",
            f"{FUNCTIONS} -k literature",
        ),
        ("start=[1.0, 0.0],", "start=[1.0, 0.1],", f"{FUNCTIONS} -k saddle"),
    ),
    *of(
        "problems/functions.py",
        FUNCTIONS,
        (
            "return unravel(flat + spread * normal(key, flat.size))",
            "return unravel(flat + jnp.abs(spread * normal(key, flat.size)))",
            f"{FUNCTIONS} -k every_side",
        ),
        (
            "return jax.random.normal(key, (size,), jnp.float32).astype(float)",
            "return jax.random.normal(key, (size,), float)",
            f"{FUNCTIONS} {NETWORKS} -k 'seed'",
        ),
        ("    if not least <= value <= most:\n", "    if not value <= most:\n"),
    ),
    *of(
        "problems/stochastic/online.py",
        ONLINE,
        ("mean=10.0 / 101.0,", "mean=1020.0 / 101.0,"),
        ("jnp.asarray(t) % 101 == 1", "jnp.asarray(t) % 101 == 0"),
        ("project=lambda x: optax.projections.projection_box(x, -1.0, 1.0),", ""),
        ("jax.random.uniform(key, (), jnp.float32) < 0.01", "jax.random.uniform(key, (), jnp.float32) < 0.02"),
        ("    if not 2 < c <= MOST_SLOPE:", "    if not 2 <= c <= MOST_SLOPE:"),
    ),
    *of(
        "problems/stochastic/regression.py",
        REGRESSION,
        (
            'metrics={"test_loss": lambda w: loss(w, _in_jax(test))},',
            'metrics={"test_loss": lambda w: loss(w, _in_jax(train))},',
        ),
        (
            '"test_accuracy": lambda w: _accuracy(w, _in_jax(test)),',
            '"test_accuracy": lambda w: _accuracy(w, _in_jax(train)),',
        ),
        (
            "return jnp.mean((examples.x @ w) * examples.y > 0, dtype=float)",
            "return jnp.mean((examples.x @ w) * examples.y >= 0, dtype=float)",
        ),
        ("np.where(y > 0, 1, 5)", "np.where(y > 0, 1, 4)"),
        ("frequency = 0.5 / np.arange(1, features + 1)", "frequency = 0.5 / np.sqrt(np.arange(1, features + 1))"),
        ("np.sqrt(np.geomspace(1.0, 1.0 / condition, dim))", "np.geomspace(1.0, 1.0 / condition, dim)"),
        ("shares = np.array([ones, examples - ones]) / examples", "shares = np.array([0.5, 0.5])"),
    ),
    *of(
        "problems/data/batches.py",
        NETWORKS,
        (
            "keys = jax.random.split(jax.random.key(0), pieces)",
            "keys = jnp.stack([jax.random.key(0)] * pieces)",
            f"{NETWORKS} -k noise",
        ),
        (
            "return Part(data.test_images, data.test_labels, data.scale)",
            "return Part(data.test_images, data.train_labels[: len(data.test_labels)], data.scale)",
            "tests/problems/test_digits.py",
        ),
        ("pixels[::step]))", "pixels[: len(part.labels) // step]))", f"{NETWORKS} -k evenly"),
        (
            "(part[:2], size, with_key=noisy)",
            "(part[:2], 1, with_key=noisy)",
            f"{NETWORKS} -k minibatches",
        ),
    ),
    *of(
        "problems/networks/autoencoder.py",
        "tests/problems/test_autoencoder.py",
        ("- 1 - log_variance, axis=-1) / 2", "- 1 - log_variance, axis=-1)"),
        ("z = mean + jnp.exp(log_variance / 2) * noise", "z = mean + jnp.exp(log_variance) * noise"),
        (
            'held_out = {"test_loss": test_part(data)}',
            'held_out = {"test_loss": training_part(data)}',
        ),
    ),
    *of(
        "problems/networks/starts.py",
        f"{NETWORKS} -k variances",
        ("math.sqrt(2 / math.prod(shape[:-1]))", "math.sqrt(1 / math.prod(shape[:-1]))"),
        ("math.sqrt(2 / (inputs + outputs))", "math.sqrt(2 / inputs)"),
    ),
    *of(
        "problems/landscapes.py",
        "tests/problems/test_landscapes.py",
        ("tuple(axes)[::-1], np.asarray(values)", "tuple(axes), np.asarray(values)"),
        ("return len(problem.domain) in (1, 2)", "return len(problem.domain) == 2"),
    ),
]

CHANGES = [*LAYERS, *PROBLEMS]
