"""Layers of networks, forward and hand-derived backward side by side, each with its derivation.

Notation: L is the loss, ∂L/∂y what comes back from the layers above, and each backward gives ∂L/∂ of every input. They
are functions of arrays without any state, to be used under `jax.grad`, `jax.vmap` and `jax.jit`; only forward-mode
differentiation (`jax.jvp`) cannot go through them, since JAX has none for hand-derived backwards.
"""

from adamlab.layers.activation import relu as relu
from adamlab.layers.classification import softmax as softmax
from adamlab.layers.classification import softmax_cross_entropy as softmax_cross_entropy
from adamlab.layers.classification import softmax_jacobian as softmax_jacobian
from adamlab.layers.convolution import conv2d as conv2d
from adamlab.layers.convolution import conv_output_shape as conv_output_shape
from adamlab.layers.linear import dense as dense
from adamlab.layers.noise import dropout as dropout
from adamlab.layers.normalization import Statistics as Statistics
from adamlab.layers.normalization import batch_norm as batch_norm
from adamlab.layers.normalization import batch_statistics as batch_statistics
from adamlab.layers.normalization import update_statistics as update_statistics
from adamlab.layers.pooling import max_pool as max_pool
from adamlab.layers.pooling import mean_pool as mean_pool
