"""Gradient descent and momentum, as their papers have them."""

from adamlab.translation.papers.steps import Transformation, stepping


def gradient_descent(lr) -> Transformation:
    """Robbins & Monro 1951."""
    return stepping(lambda g, w, t: (-lr * g,))


def heavy_ball(lr, m) -> Transformation:
    """Polyak 1964: w_t = w_(t-1) − lr·g_t + m·(w_(t-1) − w_(t-2)); `d` is the difference of the last two."""

    def step(g, w, t, d):
        d = m * d - lr * g
        return d, d

    return stepping(step, d=0.0)


def nesterov(lr, m) -> Transformation:
    """Sutskever et al. 2013, (3) and (4), with the point θ + m·v at which the gradient is taken as the parameter."""

    def step(g, w, t, v):
        v_next = m * v - lr * g
        return v_next + m * (v_next - v), v_next

    return stepping(step, v=0.0)


def sgdw(lr, alpha, m, wd) -> Transformation:
    """Loshchilov & Hutter 2019, Algorithm 1, whose η_t is lr: SGD with momentum and decoupled weight decay."""

    def step(g, w, t, d):
        d = m * d + lr * alpha * g
        return -d - lr * wd * w, d

    return stepping(step, d=0.0)
