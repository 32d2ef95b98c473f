"""The type that sums are taken in."""

from typing import Any

import jax.numpy as jnp


def wide(dtype: Any) -> Any:
    """float32 for anything narrower, in which sums and squares of many numbers overflow or stand still."""
    return jnp.dtype(jnp.float32) if jnp.finfo(dtype).bits < 32 else jnp.dtype(dtype)
