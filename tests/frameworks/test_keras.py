"""Keras's optimizers as transformations take Keras's own steps, in float64; what is wrong is seen."""

import os
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import adamlab as al
from adamlab.errors import InputError
from adamlab.frameworks import FRAMEWORKS, keras3
from adamlab.specs import parse
from tests.frameworks.paths import SHAPES, apart, keras_path, paths_of

pytestmark = pytest.mark.optimized(False)

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras", reason="Keras is not installed: pip install keras")

CASES: list[tuple[str, dict[str, Any]]] = [
    ("Adadelta", {"learning_rate": 0.5, "rho": 0.8}),
    ("Adafactor", {}),
    ("Adagrad", {"initial_accumulator_value": 0.3}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "beta_1": 0.8, "global_clipnorm": 0.5}),
    ("AdamW", {"weight_decay": 0.1, "use_ema": True, "ema_overwrite_frequency": 3}),
    ("Adamax", {"weight_decay": 0.1}),
    ("Ftrl", {"l1_regularization_strength": 0.1, "l2_regularization_strength": 0.2, "beta": 0.3}),
    ("Lamb", {"clipnorm": 0.7}),
    ("Lion", {"weight_decay": 0.1}),
    ("Muon", {}),
    ("Muon", {"rms_rate": None, "adam_weight_decay": None}),
    ("Nadam", {"learning_rate": 0.1}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "clipvalue": 0.5}),
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "gradient_accumulation_steps": 2}),
    ("ScheduleFreeAdamW", {"warmup_steps": 5}),
]
"""Names and arguments of Keras's optimizers."""


def spec_of(name: str, arguments: dict[str, Any]) -> str:
    return f"keras.{name}({', '.join(f'{key}={str(value).lower()}' for key, value in arguments.items())})"


SPECS = [spec_of(*case) for case in CASES]

WRONG = {
    "without the maximum": (4, "keras.Adam(beta_1=0.8, global_clipnorm=0.5)"),
    "each gradient clipped alone": (4, "keras.Adam(amsgrad=true, beta_1=0.8, clipnorm=0.5)"),
    "without the average": (5, "keras.AdamW(weight_decay=0.1)"),
    "momentum of the heavy ball": (15, "keras.SGD(momentum=0.9, gradient_accumulation_steps=2)"),
    "another ε": (3, "keras.Adam(epsilon=1e-5)"),
}


@pytest.fixture(scope="module")
def ours():
    with jax.enable_x64(True):
        return paths_of({spec: parse(spec).build() for spec in [*SPECS, *(spec for _, spec in WRONG.values())]})


@pytest.fixture
def wide(x64):
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("case", range(len(CASES)), ids=SPECS)
def test_the_steps_are_keras(ours, wide, case):
    assert apart(keras_path(keras, *CASES[case]), ours[SPECS[case]]) <= 1e-12


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_flag_is_seen(ours, wide, wrong):
    case, spec = WRONG[wrong]
    assert apart(ours[SPECS[case]], ours[spec]) > 1e-9


def test_all_of_keras_optimizers_is_read_or_has_its_reason():
    base = keras.optimizers.Optimizer
    every = {
        name
        for name, value in vars(keras.optimizers).items()
        if isinstance(value, type) and issubclass(value, base) and value is not base
    }
    assert every == {*keras3.READ} | {*keras3.UNREAD}
    assert {name for name, _ in CASES} == {*FRAMEWORKS["keras"]}


def test_numbers_can_be_swept(x64):
    def last(momentum: Any) -> Any:
        tx = parse("keras.SGD(learning_rate=0.1, momentum=m)").build({"m": momentum})
        w = jnp.ones(2)
        u, state = tx.update(w, tx.init(w), w)
        return tx.update(w, state, w + u)[0]

    swept = jax.vmap(last)(jnp.array([0.0, 0.9]))
    assert jnp.allclose(swept[:, 0], jnp.array([-0.1, -0.19]))


def test_the_bound_of_values_can_be_swept():
    def first(bound: Any) -> Any:
        tx = parse("keras.SGD(learning_rate=1.0, clipvalue=c)").build({"c": bound})
        w = jnp.ones(2)
        return tx.update(jnp.array([0.3, -3.0]), tx.init(w), w)[0]

    swept = jax.vmap(first)(jnp.array([0.0, 0.5]))
    assert jnp.allclose(swept, jnp.array([[-0.3, 3.0], [-0.3, 0.5]]))


@pytest.mark.parametrize("spec", ["keras.Muon(rms_rate=none)", "optax.adafactor(0.1, clipping_threshold=none)"])
def test_a_number_whose_documented_value_may_be_none_takes_none(spec):
    assert None in parse(spec).arguments.values()
    with pytest.raises(InputError, match="beta_1 must be a number in"):
        parse("keras.Adam(beta_1=none)")


def test_arguments_without_an_effect_on_arrays_are_not_taken():
    with pytest.raises(InputError, match="has no argument 'exclude_embeddings'"):
        parse("keras.Muon(exclude_embeddings=false)")


def test_the_rate_can_be_a_schedule(x64):
    tx = parse("keras.SGD(inverse_sqrt(0.1))").build()
    w = jnp.ones(2)
    u, _ = tx.update(w, tx.init(w)._replace(iteration=jnp.asarray(3)), w)
    assert jnp.allclose(u, -0.1 / jnp.sqrt(4))


def test_fields_of_the_state_are_keras_own():
    params = {name: jnp.ones(shape) for name, shape in SHAPES.items()}
    state = parse("keras.Muon").build().init(params)
    assert state._fields == ("iteration", "momentum", "velocity")
    assert state.velocity["matrix"] is None
    assert state.iteration == 0


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: parse("keras.Adaam(0.1)"), 'no optimizer "keras.Adaam" that is read; did you mean "Adam"'),
        (lambda: parse("keras.MultiOptimizer()"), "keras.MultiOptimizer cannot be read: it hands layers"),
        (lambda: parse("keras.RMSprop(decay=0.9)"), "keras.RMSprop has no argument 'decay'"),
        (lambda: al.from_keras(keras.optimizers.LossScaleOptimizer), "cannot be read: it scales the loss"),
        (lambda: al.from_keras(keras.Model), "expected a class of Keras's optimizers"),
        (
            lambda: parse("keras.Adam(clipnorm=1.0, clipvalue=1.0)").build().init(jnp.ones(2)),
            "keras.Adam: Only one of `clipnorm`, `clipvalue` and `global_clipnorm`",
        ),
        (lambda: al.from_keras(keras.optimizers.Optimizer), "keras.Optimizer cannot be read: it has no update_step"),
        (lambda: al.from_keras(keras.optimizers.SGD)(name="mine"), "keras.SGD has no argument 'name'; valid here"),
        (lambda: al.from_keras(keras.optimizers.SGD)("0.1"), "keras.SGD: learning_rate must be a number or a schedule"),
        (lambda: al.from_keras(keras.optimizers.SGD)(None), "keras.SGD: learning_rate must be .*, not None"),
        (lambda: al.from_keras(keras.optimizers.SGD)().init(jnp.ones(2, int)), "floating-point numbers; got int"),
    ],
)
def test_mistakes_are_told_in_words(use, message):
    with pytest.raises(InputError, match=message):
        use()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("numpy", "Keras runs on numpy here: set KERAS_BACKEND=jax before Keras is imported"),
        ("tensorflow", "and keras.Adam is read on its backend for JAX: set KERAS_BACKEND=jax"),
    ],
)
def test_another_backend_is_told(backend, message):
    if backend == "tensorflow" and find_spec("tensorflow"):
        pytest.skip("TensorFlow is installed")
    code = "from adamlab.specs import parse; parse('keras.Adam')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert message in done.stderr
