"""The chaos command in its short form."""

import pytest

from tests.benchmarks import chaos


@pytest.mark.slow
def test_runs_survive_kills_and_stores_damage(monkeypatch):
    for module, name in (
        (chaos.block_sizes, "RECORDS"),
        (chaos.program, "CALL"),
        (chaos.execution, "SECONDS"),
        (chaos.worker, "PAUSE"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))  # which the command changes
    monkeypatch.setattr(chaos.products, "draw_outputs", chaos.products.draw_outputs)
    assert chaos.main(["--kills", "12", "--flips", "3", "--reruns", "6"]) == 0
