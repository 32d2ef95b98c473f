"""An optimizer of one library as that of another, with the verdict on whether both take the same steps."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp

from adamlab.calls import Call
from adamlab.errors import InputError, nearest, reason
from adamlab.specs import parse
from adamlab.symbolic.proving.proofs import prove
from adamlab.symbolic.proving.verdicts import Verdict
from adamlab.translation import distance
from adamlab.translation.ahead import LIKE
from adamlab.translation.matching import (
    chained,
    explicit,
    filled,
    library_of,
    links,
    masks,
    match,
)
from adamlab.translation.pasted import call_of
from adamlab.translation.python_code import HOMES, code_of, on_jax, schedule_code
from adamlab.translation.table import IN_WORDS, LIBRARIES, Near, Same, undecided
from adamlab.translation.targets import Target, nearest_targets, targets


@dataclass(frozen=True)
class Translation:
    """An optimizer in the words of another library.

    Attributes:
        source: the spec that was translated.
        to: the library.
        spec: the optimizer of that library; the nearest that is known where none is known to be the same, None where
            none is near.
        code: a line of Python to paste; None without a spec.
        verdict: the verdict on whether the source and the spec take the same steps; None where that was not decided.
        differences: in words, what differs and how much that matters, or what has to be done besides; empty where
            there is nothing.
        instead: a line of Python that takes the very steps all the same; empty where `code` does.
    """

    source: str
    to: str
    spec: str | None
    code: str | None
    verdict: Verdict | None
    differences: tuple[str, ...] = ()
    instead: str = ""

    @property
    def holds(self) -> bool:
        """Whether the two were proved to be the same for every step."""
        return self.verdict is not None and self.verdict.holds

    def text(self) -> str:
        """The translation as lines to read."""
        library = IN_WORDS[self.to]
        no_row = f"the table of translations has no row for this and {library}."
        nothing = f"nothing to paste for {library}:" if self.differences else no_row
        lines = [] if self.holds else [f"the nearest of {library} that is known is" if self.code else nothing]
        lines += [self.code] if self.code else []
        lines += [f"{self.verdict.status}: {self.verdict.explanation}"] if self.verdict else []
        lines += [f"  where {'; '.join(self.verdict.assumptions)}"] if self.verdict and self.conditions else []
        lines += [f"  {difference}" for difference in self.differences]
        lines += [f"the very steps: {self.instead}"] if self.instead else []
        return "\n".join(lines)

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions under which it is proved, in words."""
        return self.verdict.assumptions if self.verdict and self.verdict.status == "proved" else ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        verdict = self.verdict and {
            "status": self.verdict.status,
            "explanation": self.verdict.explanation,
            "assumptions": [*self.verdict.assumptions],
        }
        return {**vars(self), "verdict": verdict, "differences": [*self.differences], "holds": self.holds}

    def __str__(self):
        return self.text()


def translate(optimizer: str, to: str) -> Translation:
    """Translate an optimizer between PyTorch, Keras, Optax and adamlab.

    >>> translate("adamlab.adam(0.1)", to="optax").code
    'optax.adam(0.1, b1=0.9, b2=0.999, eps=1e-08)'

    Args:
        optimizer: a spec, such as "torch.RMSprop(lr=0.01, alpha=0.99)"; or a whole call as it stands in a program, such
            as "torch.optim.Adam(model.parameters(), lr=3e-4)", which is parsed and never evaluated.
        to: "optax", "adamlab", "torch" or "keras".

    Returns:
        A `Translation`. Its verdict is decided now, on the code that is installed: whether the two, with the numbers
        that they have, take the same steps for every t.

    Raises:
        InputError: no optimizer of these libraries, or no such library.
    """
    if to not in LIBRARIES:
        raise InputError(f"there is no library {to!r} to translate to; {nearest(to, LIBRARIES)}")
    pasted = call_of(optimizer)
    source = chained(links(pasted.call))
    if library_of(source) == to:
        raise InputError(f"{source.name} is {IN_WORDS[to]}'s already; to is one of {', '.join(LIBRARIES)}.")
    if source.library in HOMES and (refused := _refused(source)):
        raise InputError(refused)
    translation = _translated(source, to)
    return replace(translation, differences=(*translation.differences, *pasted.remarks))


def _translated(source: Call, to: str) -> Translation:
    """The first target that is proved to be the same; else the first that the library takes."""
    known: list[Translation] = []
    for target in targets(source, to):
        translation = _decided(source, target, to)
        if translation.holds:
            return translation
        known.append(translation)
    if not any(translation.code for translation in known):
        known += [_short_of(source, target, to) for target in _that_are_taken(nearest_targets(source, to))]
    if not known:
        return Translation(str(source), to, None, None, None, undecided(source.short, to), on_jax(source))
    return next((translation for translation in known if translation.code), known[0])


def _that_are_taken(near: list[Target]) -> list[Target]:
    """The nearest of the targets that their library takes; of none the nearest."""
    return next(([target] for target in near if not _refused(target.call)), near[:1])


def _decided(source: Call, target: Target, to: str) -> Translation:
    """The translation to a target, with its verdict and, where that is no proof, how near the two are."""
    refused = _refused(target.call)
    if refused:
        words = f"{IN_WORDS[to]} does not take {target.call}: {refused}"
        return Translation(str(source), to, None, None, None, (words,), on_jax(source))
    verdict, undecided = _compared(source, target, to)
    holds = verdict is not None and verdict.holds
    differences = [*undecided, *_differences(source, target, to, holds), *_scheduled(target.call, to)]
    instead = "" if holds else on_jax(source)
    return Translation(str(source), to, str(target.call), code_of(target.call), verdict, tuple(differences), instead)


def _short_of(source: Call, target: Target, to: str) -> Translation:
    """The translation to a target that lacks something of the source, with what that is."""
    translation = _decided(source, target, to)
    why = "which changes no step in exact arithmetic" if translation.holds else "since the table has no row with it"
    words = [f"left out, {why}: {', '.join(part.words for part in target.lost)}."] if target.lost else []
    if not translation.holds and to in LIKE:
        like = [(part.words, LIKE[to][part.key]) for part in target.lost if part.key in LIKE[to]]
        words += [f"like {part}, and not compared: {counterpart}." for part, counterpart in like]
    return replace(translation, differences=(*words, *translation.differences))


def _compared(source: Call, target: Target, to: str) -> tuple[Verdict | None, list[str]]:
    """The verdict on the very calls; none, and why, where one of them cannot be read."""
    if masks(source) != masks(target.call):
        return None, ["not compared: a mask goes by the paths of parameters, and a proof is about a single number."]
    try:
        verdict = prove(explicit(source), explicit(target.call))
        if target.row is not None and not verdict.holds and verdict.status != "refuted":
            lost = [part.key for part in target.lost]
            verdict = _proof_of_the_row(source, target.row, lost, to) or verdict
    except InputError as error:
        return None, [f"not compared: {reason(error, 200)}"]
    return verdict, []


def _proof_of_the_row(source: Call, row: Same | Near, lost: Collection[str], to: str) -> Verdict | None:
    """A proof for all numbers above 0, and of decays below 1, where the source's are such and others are written in."""
    pattern = parse(row.forms[library_of(source)])
    pattern = pattern.with_arguments({**pattern.arguments, **{k: x for k, x in source.arguments.items() if k in lost}})
    numbers = match(pattern, source)
    if numbers is None:
        return None
    decays = {symbol.name for symbol, argument in pattern.symbols() if argument.kind == "decay"}
    fixed = {name: value for name, value in numbers.items() if not _is_usual(value, name in decays)}
    verdict = prove(explicit(pattern.with_numbers(fixed)), explicit(filled(row.forms[to], fixed, to)))
    return verdict if verdict.holds else None


def _is_usual(value: Any, is_decay: bool) -> bool:
    return type(value) in (int, float) and 0 < value < (1 if is_decay else float("inf"))


def _refused(target: Call) -> str:
    """Why the library does not take an optimizer's numbers; nothing where it does, or where that cannot be tried."""
    if masks(target):
        return ""
    usual = {symbol.name: 1 if argument.is_whole else 0.5 for symbol, argument in explicit(target).symbols()}
    try:
        explicit(target).build(usual).init(jnp.ones((1, 1)))  # Muon takes matrices alone
    except (ValueError, TypeError) as error:
        return reason(error)
    return ""


def _differences(source: Call, target: Target, to: str, holds: bool) -> Iterator[str]:
    row, library = target.row, library_of(source)
    if isinstance(row, Near) and not holds:
        yield f"what differs: {row.difference}."
    if isinstance(row, Same) and (library in row.inside) != (to in row.inside) and not _schedules(target.call):
        inside = IN_WORDS[library if library in row.inside else to]
        yield f"while the learning rate is constant: {inside} has it inside of the momentum."
    if not holds:
        yield from distance.in_words(source, target.call)


def _schedules(optimizer: Call) -> list[Call]:
    return [inner for inner in optimizer.calls() if inner.role == "schedule"]


def _scheduled(target: Call, to: str) -> Iterator[str]:
    """In words, what a schedule is in a framework that does not take one as a number."""
    rate = {"torch": 'for group in optimizer.param_groups: group["lr"] =', "keras": "optimizer.learning_rate ="}
    for schedule in _schedules(target) if to in rate else ():
        yield (
            f"the line has the first rate alone; for the same steps, with schedule = {schedule_code(schedule)}, do "
            f"after the t-th step {rate[to]} float(schedule(t))"
        )
