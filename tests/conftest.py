"""Strict settings for every test: ranks are never promoted, warnings are errors, random numbers have fixed seeds.

Nothing of adamlab is imported at the top: `typed` comes first, and the process that hands out tests needs none of it.
"""

import copy
import gc
import inspect
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, cast

import hypothesis
import jax
import jaxtyping
import numpy as np
import pytest
from jax._src import compiler

if "PYTEST_XDIST_WORKER" not in os.environ:  # the workers, and the processes that they start, share it
    CACHE = tempfile.TemporaryDirectory(prefix="adamlab-tests-")
    os.environ["ADAMLAB_CACHE"] = CACHE.name

_jaxtyped: Any = jaxtyping.jaxtyped


def typed(*, typechecker: Any) -> Any:
    """The decorator that checks types, but not of functions without any; inner ones are decorated at each call."""
    decorate = _jaxtyped(typechecker=typechecker)
    return lambda of: of if inspect.isfunction(of) and not of.__annotations__ else decorate(of)


jaxtyping.jaxtyped = cast(Any, typed)  # which the import hook puts above every function


def pytest_configure(config):
    """Keep compiled programs wherever tests are run."""
    if "PYTEST_XDIST_WORKER" in os.environ or not config.option.numprocesses:
        from adamlab.studies import distributed

        distributed.keep_compiled(Path(os.environ["ADAMLAB_CACHE"]) / "programs")


def family_of(item: pytest.Item) -> str:
    """The name of a test without its case."""
    return item.nodeid.partition("[")[0]


def is_optimized(item: pytest.Item) -> bool:
    """Whether the programs of a test are compiled with optimization in the gate."""
    mark = item.get_closest_marker("optimized")
    return mark is None or mark.args[0]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark as slow what the gate leaves out of families, and put the tests of a file that compile alike together."""
    seen: Counter[str] = Counter()
    for item in items:
        if every := item.get_closest_marker("one_case_in"):
            family = family_of(item)
            if seen[family] % every.args[0]:
                item.add_marker("slow")
            seen[family] += 1
    places = {path: place for place, path in enumerate(dict.fromkeys(item.path for item in items))}
    items.sort(key=lambda item: (places[item.path], is_optimized(item)))


def pytest_collection_finish(session):
    """Keep the collector off what the imports made: JAX's and SymPy's objects are many, and never garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


_given: dict[str, Any] = {}
_compile_options = compiler.get_compile_options


def _options(*args: Any, env_options_overrides: dict[str, Any] | None = None, **named: Any) -> Any:
    return _compile_options(*args, env_options_overrides=_given | (env_options_overrides or {}), **named)


compiler.get_compile_options = _options  # JAX has no public setting for options of every compilation
_checked: set[str] = set()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """In the gate, check types in the first case of a family, and compile without optimization where a mark says so."""
    in_gate, family = item.config.option.markexpr == "not slow", family_of(item)
    jaxtyping.config.update("jaxtyping_disable", in_gate and family in _checked)
    _checked.add(family)
    wanted: dict[str, Any] = {}
    if in_gate and not is_optimized(item):
        from tests import computing

        wanted = computing.UNOPTIMIZED
    if wanted != _given:
        from adamlab.studies.sweep.programs import RECENT

        _given.clear()
        _given.update(wanted)
        RECENT.clear()
        jax.clear_caches()  # so that no test takes a program that was compiled in the other way


hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.load_profile("fixed")

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    """Both widths of float; 64-bit types are on only where they are asked for."""
    with jax.enable_x64(request.param == "float64"):
        yield request.param


@pytest.fixture
def x64():
    """64-bit types on."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def strict_promotion():
    """No implicit promotion between types; for our own code, since Optax itself raises under it."""
    with jax.numpy_dtype_promotion("strict"):
        yield


@pytest.fixture
def rng():
    """Random numbers, the same in every run of the suite."""
    return np.random.default_rng(20150507)


@pytest.fixture(scope="session")
def small_config() -> dict[str, Any]:
    """A small study of two problems, with optimizers of both libraries, swept and not."""
    return {
        "name": "small",
        "steps": 25,
        "seeds": 2,
        "dtype": "float64",
        "record": {"every": 10, "what": ["loss", "params", "test_accuracy"]},
        "problem": [{"name": "rosenbrock"}, {"name": "digits_softmax", "batch_size": 8}],
        "optimizer": [
            {"name": "adamlab.adam", "learning_rate": [0.01, 0.1], "b2": [0.9, 0.99]},
            {"spec": "optax.adam(lr, b2=decay)", "label": "optax.adam", "lr": [0.01, 0.1], "decay": [0.9, 0.99]},
            {"name": "adamlab.sgd", "learning_rate": {"schedule": "inverse_sqrt", "init": 0.001}, "momentum": 0.9},
        ],
    }


@pytest.fixture
def config(small_config) -> dict[str, Any]:
    """The small study, to be changed at will."""
    return copy.deepcopy(small_config)


@pytest.fixture
def adamlab(monkeypatch, capsys):
    """The command line in this process, which saves starting a new one; it has patience with a slow machine."""
    from adamlab.cli import main

    monkeypatch.setattr("adamlab.terminal.console.PATIENCE", 600.0)

    def run(*arguments: Any, cwd: Any = ".") -> CompletedProcess[str]:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["adamlab", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        output = capsys.readouterr()
        return CompletedProcess(sys.argv, int(stopped.value.code or 0), output.out, output.err)

    return run
