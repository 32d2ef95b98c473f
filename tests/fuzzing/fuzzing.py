"""Random pairs judged one after the other, counted by kind, and made smaller where something is wrong."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tests.fuzzing.judge import Outcome, differs_from_jax, judged
from tests.fuzzing.pairs import Pair, random_pair
from tests.fuzzing.programs import Program
from tests.fuzzing.readings import JUDGES, read
from tests.fuzzing.rewriting import variants


@dataclass(frozen=True)
class Fault:
    """Something wrong, or slow, that was said of a pair or of a program alone."""

    outcome: Outcome
    subject: Pair | Program
    judge: Callable[[Any], Outcome]

    def shrunk(self, seconds: float) -> str:
        """The smallest pair that is still wrong in the same way, as Python source; a slow one as it is."""
        until, subject, outcome = time.monotonic() + seconds, self.subject, self.outcome
        better = bool(outcome.wrong)
        while better and time.monotonic() < until:
            better = False
            for smaller in _smaller(subject):
                if time.monotonic() > until:
                    break
                try:
                    other = self.judge(smaller)
                except Exception:  # the loop has no meaning for what is left of the program
                    continue
                if other.wrong and other.said == outcome.said:
                    subject, outcome, better = smaller, other, True
                    break
        words = "\n".join(f"# {line}" for line in outcome.wrong.splitlines())
        return f"# {outcome.kind}: {outcome.said} in {self.outcome.seconds:.1f} s\n{subject.source()}\n{words}"


def _smaller(subject: Pair | Program) -> Iterator[Any]:
    if isinstance(subject, Program):
        yield from (p for p in variants(subject) if p.size < subject.size and p.is_valid())
        return
    lefts, rights = list(variants(subject.left)), list(variants(subject.right))
    both = zip(lefts, rights, strict=False) if len(lefts) == len(rights) else []
    for left, right in [*both, *((p, subject.right) for p in lefts), *((subject.left, p) for p in rights)]:
        pair = replace(subject, left=left, right=right)
        if pair.size < subject.size and left.is_valid() and right.is_valid() and left != right:
            yield pair


@dataclass
class Report:
    """What was said of all pairs, by kind."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: int = 0

    def add(self, seed: int, readings: bool = True) -> Iterator[Fault]:
        """Judge the pair of a seed, and its left side alone; gives what is wrong."""
        pair = random_pair(seed)
        yield from self._counted(judged(pair, seed), pair, partial(judged, seed=seed))
        if readings:
            for judge in (*(partial(read, kind=kind, seed=seed) for kind in JUDGES), partial(_by_jax, seed=seed)):
                yield from self._counted(judge(pair.left), pair.left, judge)

    def _counted(self, outcome: Outcome, subject: Pair | Program, judge: Callable[[Any], Outcome]) -> Iterator[Fault]:
        self.counts[outcome.kind, outcome.said] += 1
        self.counts[outcome.kind, "slow"] += outcome.is_slow
        if outcome.wrong:
            self.counts[outcome.kind, "WRONG"] += 1
            self.wrong += 1
        if outcome.wrong or outcome.is_slow:
            yield Fault(outcome, subject, judge)

    def table(self) -> str:
        """A line for each kind."""
        kinds = dict.fromkeys(kind for kind, _ in self.counts)
        return "\n".join(
            f"{kind:12} " + ", ".join(f"{n} {what}" for (k, what), n in sorted(self.counts.items()) if k == kind and n)
            for kind in kinds
        )


def _by_jax(program: Program, seed: int) -> Outcome:
    began = time.process_time()
    wrong = differs_from_jax(program, seed)
    return Outcome("loop and JAX", "run", time.process_time() - began, wrong)
