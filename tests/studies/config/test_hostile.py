"""Configs made to exhaust whoever reads them: each is refused in a message, or read, at once and in little memory."""

import json
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adamlab.errors import LONGEST_LINE, MOST_LISTED, UNPRINTABLE
from adamlab.studies.config import sizes
from adamlab.studies.config.errors import ConfigError
from adamlab.studies.config.toml import read_config
from tests.studies.config.hostile import HEAVY, READ, REFUSED, files, runs

SECONDS = 5.0
"""The time that a config may take, be it read or refused."""

KILOBYTES = 2e6
"""The memory that all of them may take together."""

ROOT = Path(__file__).parents[3]


def outcomes_of(*which: str) -> dict[str, dict[str, Any]]:
    """What came of configs, by their names."""
    command = [sys.executable, "-m", "tests.studies.config.hostile", *which]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    lines = {line["name"]: line for line in map(json.loads, process.stdout.splitlines())}
    assert max(line["kilobytes"] for line in lines.values()) < KILOBYTES
    return lines


@pytest.fixture(scope="module", params=[8, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "all"])
def outcomes(request, tmp_path_factory):
    """What came of hostile configs, in the gate of an eighth of them; and the folder of the files among them."""
    folder = tmp_path_factory.mktemp("hostile")
    return outcomes_of(str(folder), str(request.param)), folder


def otherwise_refused(lines: dict[str, dict[str, Any]], words: dict[str, str]) -> dict[str, str]:
    """The messages, by config, that do not have their words."""
    told = {name: lines[name]["message"] or "it is read" for name in words}
    return {name: message[:200] for name, message in told.items() if not re.search(words[name], message)}


def test_a_hostile_config_is_refused_in_a_message(outcomes):
    lines, folder = outcomes
    words = {name: words for name, (_, words) in REFUSED.items() if name in lines}
    words |= {str(path): re.escape(expected) for path, _, expected in files(folder) if str(path) in lines}
    assert len(words) == len(lines) > 12
    assert otherwise_refused(lines, words) == {}


@pytest.mark.slow
def test_what_is_large_is_read_or_refused_in_seconds():
    lines = outcomes_of("large")
    assert {name: lines[name]["message"] for name in READ} == dict.fromkeys(READ)
    assert otherwise_refused(lines, {name: REFUSED[name][1] for name in HEAVY}) == {}
    assert [line for line in lines.values() if line["seconds"] > SECONDS] == []


def test_a_message_is_short_and_commands_no_terminal(outcomes):
    messages = {name: line["message"] for name, line in outcomes[0].items() if line["message"]}
    assert [name for name, message in messages.items() if message.count("\n") > MOST_LISTED + 1] == []
    assert [name for name, message in messages.items() if max(map(len, message.split("\n"))) > LONGEST_LINE] == []
    assert [name for name, message in messages.items() if UNPRINTABLE.search(message)] == []


def test_a_key_that_is_set_deep_is_refused():
    with pytest.raises(ConfigError, match="nested more than 100 levels"):
        read_config(runs(), [".".join(["a"] * 3000) + "=1"])


def test_the_memory_that_is_there_is_what_the_system_says(monkeypatch):
    assert 10**8 < sizes.available_memory() < 10**15
    monkeypatch.setattr(resource, "getrlimit", lambda limit: (10**9, 10**9))
    assert sizes.available_memory() == 10**9


GROUPS = {
    "of the second version": ("0::/job/step\n", {"job/memory.max": "3000\n", "job/step/memory.max": "max\n"}),
    "of the first version": (
        "3:cpu,cpuacct:/job\n4:memory:/job\n0::/\n",
        {"memory/job/memory.limit_in_bytes": "3000", "memory/memory.limit_in_bytes": str(2**63 - 4096)},
    ),
    "of a container": ("0::/seen/from/outside\n", {"memory.max": "3000"}),
}


@pytest.mark.parametrize("groups", GROUPS)
def test_the_memory_of_a_container_is_what_its_group_may_use(monkeypatch, tmp_path, groups):
    monkeypatch.setattr(sizes, "SYSTEM", tmp_path)
    without = sizes.available_memory()
    own, limits = GROUPS[groups]
    for name, text in {
        "proc/self/cgroup": own,
        **{f"sys/fs/cgroup/{name}": text for name, text in limits.items()},
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert without > 3000 == sizes.available_memory()
