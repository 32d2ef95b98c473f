"""A part of Optax's own tests, with adamlab's functions in the place of Optax's; all of them: tests.benchmarks."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from adamlab.rules import PARTS, RULES
from tests.benchmarks.optax_suite import Run, run
from tests.computing import XLA_FLAGS

MODULES = [
    "_src/alias_test",
    "_src/sharding_test",
    "_src/transform_test",
    "schedules/_inject_test",
    "transforms/_adding_test",
]
TAKEN = (
    "accept_extra_args or explicit_dtype or transform_test or _inject_test or _adding_test "
    f"or sharding_test and ({' or '.join(RULES)})"
)


def test_a_test_is_broken_if_it_fails_or_is_gone_and_did_not_fail_before():
    before = Run(
        {"a": "passed", "b": "failed", "c": "passed", "d": "skipped", "e": "skipped", "f": "passed"}, Counter()
    )
    after = Run({"a": "failed", "b": "failed", "c": "passed", "d": "failed", "e": "passed", "g": "failed"}, Counter())
    assert after.broken_since(before) == ["a", "d", "f", "g"]


def test_swapping_adamlab_in_breaks_none_of_optax_own_tests(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", XLA_FLAGS)
    with ThreadPoolExecutor() as pool:
        before, after = pool.map(lambda arithmetic: run(MODULES, arithmetic, TAKEN), (None, "optax"))
    assert after.broken_since(before) == []
    assert list(before.outcomes.values()).count("passed") > 150
    assert not before.calls
    assert set(RULES) | {"trace", "scale_by_adam"} <= set(after.calls) <= set(RULES) | set(PARTS)
