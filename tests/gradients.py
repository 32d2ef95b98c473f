"""Ways of making gradients, each of which shows a bug that the others hide."""

import numpy as np


def families(rng: np.random.Generator, steps: int) -> dict[str, np.ndarray]:
    """Gradients (steps,) by family."""
    normal = rng.normal(size=steps)
    signs = np.where(np.arange(steps) % 2, -1.0, 1.0)
    return {
        "constant": np.full(steps, 0.7),  # a bias that random signs would average away
        "normal": normal,
        "heavy_tailed": rng.standard_t(2, size=steps),  # one step outweighs all before it
        "spiked": np.where(np.arange(steps) % 50 == 49, 30.0, 0.1) * normal,
        "alternating": signs * (1 + 0.1 * normal),  # the first moment nearly cancels
        "tiny": 1e-9 * normal,  # where ε decides, and where it stands
        "huge": 1e9 * normal,
        "huge_then_tiny": np.where(np.arange(steps) < steps // 3, 1e4, 1e-4) * normal,  # what is forgotten, and when
        "with_zeros": np.where(np.arange(steps) % 3 == 0, normal, 0.0),
    }
