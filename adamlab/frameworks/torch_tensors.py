"""PyTorch's tensors with JAX's arrays or tracers as values, on which PyTorch's own Python code runs as it stands."""

import operator
from collections.abc import Callable
from importlib import import_module
from typing import Any

import jax.numpy as jnp

from adamlab.frameworks.branches import holds

torch: Any = import_module("torch")  # so that type checkers do not need PyTorch


class JaxTensor(torch.Tensor):
    """A tensor of PyTorch's whose values are JAX's; methods that work in place put a new value into it.

    Attributes:
        value: the array or the tracer; a view's is read from its source, and put there.
        gradient: another such tensor, or None.
    """

    source: Any = None

    @staticmethod
    def __new__(cls, value: Any):
        """A tensor of the array's shape and type, without any memory."""
        value = jnp.asarray(value)
        return torch.Tensor._make_wrapper_subclass(cls, value.shape, dtype=getattr(torch, str(value.dtype)))

    def __init__(self, value: Any):
        self._value = jnp.asarray(value)
        self.gradient = None

    @property
    def value(self) -> Any:
        """The array or the tracer, as it is now."""
        if self.source is not None and self.seen is not self.source.value:
            self.seen = self.source.value
            self._value = self.look(self.seen)
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        if self.source is None:
            self._value = value
        else:
            self.source.value = self.look_back(value)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None):
        """What PyTorch calls in place of each of its functions and methods that takes such a tensor."""
        kwargs = kwargs or {}
        name = func.__name__
        if name in ("__get__", "__set__"):
            return _ATTRIBUTES.get((name, func.__self__.__name__), _as_it_is(func))(*args)
        if name in _METADATA:
            return _as_it_is(func)(*args, **kwargs)
        if name in _METHODS:
            return _METHODS[name](*args, **kwargs)
        base = _IN_PLACE.get(name) or (name[:-1] if name.endswith("_") and not name.endswith("__") else None)
        compute = _FUNCTIONS.get(base or name)
        if compute is None:
            raise NotImplementedError(f"PyTorch's {name}, which has no counterpart in JAX that is known here")
        out = args[0] if base else kwargs.pop("out", None)
        for unread in ("memory_format", "non_blocking"):
            kwargs.pop(unread, None)
        value = compute(*_values(args), **_values(kwargs))
        if out is None:
            return JaxTensor(value)
        out.value = jnp.broadcast_to(value, out.value.shape).astype(out.value.dtype)
        return out

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None):
        """What PyTorch's inner code calls, which has to copy a tensor at most."""
        if func.name() == "aten::_to_copy":
            return JaxTensor(args[0].value.astype(_dtype((kwargs or {}).get("dtype"), args[0])))
        raise NotImplementedError(f"PyTorch's {func.name()} inside of its own code")


def value_of(x: Any) -> Any:
    """The values of a tensor of either kind as JAX's array; anything else as it is."""
    if isinstance(x, JaxTensor):
        return x.value
    return jnp.asarray(x.detach().cpu().numpy()) if isinstance(x, torch.Tensor) else x


def _values(x: Any) -> Any:
    if isinstance(x, dict):
        return {key: _values(value) for key, value in x.items()}
    return type(x)(map(_values, x)) if type(x) in (tuple, list) else value_of(x)


def _as_it_is(func: Any) -> Callable[..., Any]:
    """The function on what a tensor is, not on its values: shape, type, device."""

    def call(*args: Any, **kwargs: Any) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs)

    return call


def _dtype(dtype: Any, like: Any) -> Any:
    return like.value.dtype if dtype is None else str(dtype).removeprefix("torch.")


def _view(source: JaxTensor, look: Callable[[Any], Any], look_back: Callable[[Any], Any]) -> JaxTensor:
    """A tensor that shares its values with another, by a function and its inverse."""
    view = JaxTensor(look(source.value))
    view.source, view.seen, view.look, view.look_back = source, source.value, look, look_back
    return view


def _transposed(x: JaxTensor, dim0: int = 0, dim1: int = 1) -> JaxTensor:
    return _view(x, lambda a: jnp.swapaxes(a, dim0, dim1), lambda a: jnp.swapaxes(a, dim0, dim1))


def _squeezed(x: JaxTensor, dim: Any = None) -> JaxTensor:
    shape = x.value.shape
    axes = range(len(shape)) if dim is None else dim if isinstance(dim, tuple) else (dim,)
    alone = tuple(k for k in axes if shape[k] == 1)
    return _view(x, lambda a: jnp.squeeze(a, alone), lambda a: a.reshape(shape))


def _unsqueezed(x: JaxTensor, dim: int) -> JaxTensor:
    return _view(x, lambda a: jnp.expand_dims(a, dim), lambda a: a.reshape(x.value.shape))


def _set_item(x: JaxTensor, mask: Any, value: Any) -> None:
    if getattr(mask, "dtype", None) is not torch.bool:
        raise NotImplementedError("PyTorch's assignment to entries that no mask of booleans says")
    x.value = jnp.where(value_of(mask), value_of(value), x.value).astype(x.value.dtype)


def _set_gradient(x: JaxTensor, gradient: Any) -> None:
    x.gradient = gradient


def _to(x: JaxTensor, *given: Any, dtype: Any = None, copy: bool = False, **how: Any) -> JaxTensor:
    """The tensor in another type; itself where that is its own."""
    for g in given:
        dtype = g if isinstance(g, torch.dtype) else g.dtype if isinstance(g, torch.Tensor) else dtype
    return x if dtype in (None, x.dtype) and not copy else JaxTensor(x.value.astype(_dtype(dtype, x)))


_ATTRIBUTES: dict[tuple[str, str], Callable[..., Any]] = {
    ("__get__", "grad"): lambda x, *_: x.gradient,
    ("__set__", "grad"): _set_gradient,
    ("__get__", "data"): lambda x, *_: x,
    ("__get__", "T"): lambda x, *_: _view(x, jnp.transpose, jnp.transpose),
    ("__get__", "mT"): lambda x, *_: _transposed(x, -1, -2),
}

_METADATA = {"dim", "size", "numel", "ndimension", "is_complex", "is_floating_point", "element_size", "__len__"}

_METHODS: dict[str, Callable[..., Any]] = {
    # A number that Python code computes with; what it branches on is asked for by __bool__.
    "item": lambda x: JaxTensor(x.value),
    "__bool__": lambda x: holds(x.value, *(getattr(x, "compared", ()))),
    "__setitem__": _set_item,
    "to": _to,
    "float": lambda x, **how: _to(x, torch.float32),
    "bfloat16": lambda x, **how: _to(x, torch.bfloat16),
    "contiguous": lambda x, **how: x,
    "detach": lambda x: x,
    "detach_": lambda x: x,
    "requires_grad_": lambda x, *_: x,
    "squeeze": _squeezed,
    "unsqueeze": _unsqueezed,
    "transpose": _transposed,
}


def _comparison(name: str, compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], JaxTensor]:
    def compared(x: Any, y: Any) -> JaxTensor:
        left, right = value_of(x), value_of(y)
        result = JaxTensor(compare(left, right))
        result.compared = (name, left, right)
        return result

    return compared


for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    _METHODS |= dict.fromkeys((_name, f"__{_name}__"), _comparison(_name, getattr(operator, _name)))

_IN_PLACE = {f"__i{name}__": name for name in ("add", "sub", "mul", "truediv", "pow")}
"""Python's own operators that work in place."""


def _is_plain(number: Any, value: Any) -> bool:
    return isinstance(number, (int, float)) and number == value


def _scaled(x: Any, factor: Any) -> Any:
    return x if _is_plain(factor, 1) else factor * x


def _norm(x: Any, p: Any = 2, dim: Any = None, keepdim: bool = False, **how: Any) -> Any:
    if p not in (2, "fro", None):
        raise NotImplementedError(f"PyTorch's norm of order {p}")
    return jnp.sqrt(jnp.sum(x * x, axis=dim, keepdims=keepdim))


def _full(x: Any, value: Any, dtype: Any = None) -> Any:
    return jnp.full(x.shape, value, x.dtype if dtype is None else str(dtype).removeprefix("torch."))


def _root(x: Any, y: Any) -> Any:
    return jnp.sqrt(x) if _is_plain(y, 0.5) else x**y


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": lambda x, y, alpha=1: x + _scaled(y, alpha),
    "sub": lambda x, y, alpha=1: x - _scaled(y, alpha),
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": _root,
    "neg": lambda x: -x,
    "reciprocal": lambda x: 1 / x,
    "rsub": lambda x, y: y - x,
    "rtruediv": lambda x, y: y / x,
    "rpow": lambda x, y: y**x,
    "lerp": lambda x, y, weight: x + weight * (y - x),
    "addcmul": lambda x, y, z, value=1: x + _scaled(y * z, value),
    "addcdiv": lambda x, y, z, value=1: x + _scaled(y, value) / z,
    "square": lambda x: x * x,
    "sqrt": jnp.sqrt,
    "rsqrt": lambda x: 1 / jnp.sqrt(x),
    "exp": jnp.exp,
    "log": jnp.log,
    "abs": jnp.abs,
    "sign": jnp.sign,
    "clone": lambda x: x,
    "copy": lambda x, y: y,
    "new_zeros": lambda x, shape, **how: jnp.zeros(shape, x.dtype),
    "zero": jnp.zeros_like,
    "zeros_like": lambda x, **how: jnp.zeros_like(x),
    "ones_like": lambda x, **how: jnp.ones_like(x),
    "full_like": lambda x, value, dtype=None, **how: _full(x, value, dtype),
    "maximum": jnp.maximum,
    "minimum": jnp.minimum,
    "clamp": jnp.clip,
    "where": jnp.where,
    "norm": _norm,
    "mean": lambda x, dim=None, keepdim=False: jnp.mean(x, axis=dim, keepdims=keepdim),
    "sum": lambda x, dim=None, keepdim=False: jnp.sum(x, axis=dim, keepdims=keepdim),
    "matmul": jnp.matmul,
    "addmm": lambda x, y, z, beta=1, alpha=1: _scaled(x, beta) + _scaled(y @ z, alpha),
}
"""What PyTorch's functions compute, by name; those that work in place have a _ behind it."""

_FUNCTIONS |= {
    f"__{name}__": _FUNCTIONS[short]
    for name, short in {
        **{
            name: name
            for name in ("add", "sub", "mul", "div", "pow", "neg", "abs", "rsub", "rtruediv", "rpow", "matmul")
        },
        "truediv": "div",
        "rdiv": "rtruediv",
        "radd": "add",
        "rmul": "mul",
    }.items()
}
_FUNCTIONS |= {"truediv": _FUNCTIONS["div"], "true_divide": _FUNCTIONS["div"], "multiply": _FUNCTIONS["mul"]}
