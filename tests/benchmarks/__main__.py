"""All benchmarks: `python -m tests.benchmarks`, or those of some topics, `python -m tests.benchmarks sweeps start`.

Figures go into tests/benchmarks/results.json and results.md; `python -m tests.golden` puts them into adamlab/README.md.
Everything takes about a quarter of an hour on two cores, which have to be idle otherwise.
"""

import argparse
import os
import sys
import time
from importlib import import_module
from tempfile import TemporaryDirectory

import jax

from tests.benchmarks.measuring import RESULTS, Figure, from_json, machine, to_json, to_markdown

TOPICS = ("sweeps", "networks", "steps", "leaves", "small_studies", "readings", "start")


def main() -> int:
    """Measure, show and keep the figures of the topics that are asked for; others keep theirs of the same machine."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("topics", nargs="*", choices=[*TOPICS, []], help="by default all")
    asked = parser.parse_args().topics or TOPICS
    jax.config.update("jax_num_cpu_devices", 2)
    topics: dict[str, list[Figure]] = {}
    if RESULTS.exists():
        about, kept = from_json(RESULTS.read_text())
        topics = kept if about == machine() else {}
    with TemporaryDirectory() as folder:
        os.environ["ADAMLAB_CACHE"] = folder  # so that nothing has been compiled by an earlier benchmark
        for topic in asked:
            began = time.monotonic()
            topics[topic] = list(import_module(f"tests.benchmarks.{topic}").figures())
            sys.stderr.write(f"{topic}: {time.monotonic() - began:.0f} s\n")
            ordered = {name: topics[name] for name in TOPICS if name in topics}
            RESULTS.write_text(to_json(ordered))
    about, ordered = from_json(RESULTS.read_text())
    RESULTS.with_suffix(".md").write_text(to_markdown(about, ordered))
    sys.stdout.write(to_markdown(about, {topic: ordered[topic] for topic in asked}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
