"""A part of Optax's own tests, with adamlab's functions in the place of Optax's; all of them: tests.benchmarks."""

from collections import Counter

import pytest

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
    "(accept_extra_args or explicit_dtype or transform_test or _inject_test or _adding_test "
    f"or sharding_test and ({' or '.join(RULES)})) and not (nois or prng or radam or lion or polyak)"  # not ours
)


def test_a_test_is_broken_if_it_fails_or_is_gone_and_did_not_fail_before():
    before = Run(
        {"a": "passed", "b": "failed", "c": "passed", "d": "skipped", "e": "skipped", "f": "passed"}, Counter()
    )
    after = Run({"a": "failed", "b": "failed", "c": "passed", "d": "failed", "e": "passed", "g": "failed"}, Counter())
    assert after.broken_since(before) == ["a", "d", "f", "g"]


@pytest.mark.slow
@pytest.mark.parametrize("with_before", [False, True], ids=["swapped", "both"])
def test_swapping_adamlab_in_breaks_none_of_optax_own_tests(monkeypatch, with_before):
    """Where all pass with adamlab swapped in, the gate does not ask how they did before."""
    monkeypatch.setenv("XLA_FLAGS", XLA_FLAGS)
    after = run(MODULES, "optax", TAKEN)
    if with_before or set(after.outcomes.values()) != {"passed"}:
        before = run(MODULES, None, TAKEN)
        assert after.broken_since(before) == []
        assert not before.calls
    assert list(after.outcomes.values()).count("passed") > 130
    assert set(RULES) | {"trace", "scale_by_adam"} <= set(after.calls) <= set(RULES) | set(PARTS)
