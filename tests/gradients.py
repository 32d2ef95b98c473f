"""Ways of making gradients, each of which shows a bug that the others hide."""

import numpy as np


def families(rng: np.random.Generator, steps: int) -> dict[str, np.ndarray]:
    """Gradients (steps,) by family."""
    normal = rng.normal(size=steps)
    step = np.arange(steps)
    return {
        "constant": np.full(steps, 0.7),  # a bias that random signs would average away
        "normal": normal,  # most wrong formulas
        "heavy_tailed": rng.standard_t(2, size=steps),  # one step outweighs all before it
        "spiked": np.where(step % 50 == 49, 30.0, 0.1) * normal,  # a mean that never meets an outlier
        "alternating": np.where(step % 2, -1.0, 1.0) * (1 + 0.1 * normal),  # the first moment nearly cancels
        "tiny": 1e-9 * normal,  # where ε decides, and where it stands
        "huge": 1e9 * normal,  # where not even a large ε hides a wrong scale
        "huge_then_tiny": np.where(step < steps // 3, 1e4, 1e-4) * normal,  # what is forgotten, and when
        "with_zeros": np.where(step % 3 == 0, normal, 0.0),  # averages that stand still where the gradient is 0
        "once": np.where(step == steps // 4, 1.0, 0.0),  # 0/0 before the first gradient; how a single one decays
    }
