"""Relations between optimizers: statements with their sources, each decided by `al.prove` on the shipped code."""

from collections.abc import Iterable, Mapping
from typing import Any

from adamlab.errors import InputError, nearest
from adamlab.interpret.programs import as_call
from adamlab.relations import adagrad, corrections, momentum, signs, variants
from adamlab.relations.relation import Relation as Relation
from adamlab.relations.relation import decide as decide
from adamlab.symbolic.open_optimizer import Optimizer
from adamlab.symbolic.proving.proofs import prove as prove_two
from adamlab.symbolic.proving.verdicts import Verdict

_ROWS = (*adagrad.ROWS, *corrections.ROWS, *momentum.ROWS, *signs.ROWS, *variants.ROWS)


def _number_and_letters(relation: Relation) -> tuple[int, str]:
    letters = relation.row.lstrip("0123456789")
    return int(relation.row.removesuffix(letters)), letters


RELATIONS: dict[str, Relation] = {relation.name: relation for relation in sorted(_ROWS, key=_number_and_letters)}
"""Every statement, by name."""

UNDECIDED: dict[str, str] = {
    "adam-diverges-online": (
        "Reddi et al. 2018, Theorem 1: with f_t = C·x if t mod 3 = 1 and −x otherwise on [−1, 1], Adam with β₁ = 0, "
        "β₂ = 1/(1 + C²), C > 2 goes to the worst point, +1, and AMSGrad to the best. It speaks of where the parameter "
        "of one problem ends up, not of two optimizers taking the same steps. The problem reddi shows it: from x = 1 "
        "with α = 0.5, after 2·10⁵ steps Adam is at 0.9997 and AMSGrad, uncorrected as in the paper, at −0.9996."
    ),
    "adam-diverges-in-the-run-of-the-paper": (
        "Reddi et al. 2018, section 5: 1010·x if t mod 101 = 1, else −10·x, with β₁ = 0.9, β₂ = 0.99 and α/√t. A "
        "measured run and no theorem: the problem reddi_cyclic, with α = 0.5 and 10⁶ steps, ends at 1 for Adam and at "
        "−0.997 for AMSGrad without bias correction, −0.910 with Optax's."
    ),
}
"""Known results about the family that cannot be stated as relations, each with the reason."""


FAMILIES = {"Heavy ball": "sgd", "Nesterov": "sgd", "signSGD": "sign_sgd"}
"""The factories of optimizers whose names in relations are not the factory's."""


def prove(
    left: Optimizer,
    right: Optimizer | None = None,
    *,
    limit: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Verdict:
    """Decide whether two optimizers take the same steps, or a relation of `RELATIONS` by its name alone.

    >>> prove("adam-to-rmsprop").status
    'proved'

    Args:
        left: a spec or a factory; or, without a right side, the name of a relation.
        right: a spec or a factory.
        limit: of two optimizers, the numbers that go somewhere, see `adamlab.symbolic.proving.proofs.prove`, which also
            tells how it decides.
        given: of two optimizers, the numbers that are fixed on both sides.

    Raises:
        SpecError, InputError: a side that cannot be read, a name that neither side has, or no relation of that name.
    """
    if right is not None:
        return prove_two(left, right, limit=limit, given=given)
    if not isinstance(left, str) or left not in RELATIONS:
        wrong = UNDECIDED.get(str(left)) or f"{nearest(str(left), RELATIONS)}; or give two optimizers"
        raise InputError(f'there is no relation "{left}" that can be decided: {wrong}')
    if limit or given:
        raise InputError(f"{left} is a statement with its own numbers; limit and given are for two optimizers.")
    return decide(RELATIONS[left])


def relations_of(left: Optimizer, right: Optimizer) -> list[Relation]:
    """The relations that say how one of two optimizers becomes the other, whatever their numbers."""
    pair = sorted([as_call(left).short, as_call(right).short])
    return [r for r in RELATIONS.values() if r.general and pair == sorted(map(_factory, (r.general, r.special)))]


def _factory(name: str) -> str:
    return FAMILIES.get(name, name.lower())


def verdict_rows(names: Iterable[str] | None = None, library: str = "optax") -> list[dict[str, Any]]:
    """Each relation with its verdict, as plain data: a table's rows.

    Args:
        names: of relations; by default all.
        library: on whose code, "optax" or "adamlab".

    Returns:
        For each relation its name, row, statement, expected ("proved" or "refuted"), status, as_expected, horizon,
        order, explanation, source, assumptions, note, general, special, condition, limit and given.

    Raises:
        InputError: there is no relation of that name, or no such library.
    """
    chosen = list(RELATIONS) if names is None else list(names)
    for name in chosen:
        if name not in RELATIONS:
            raise InputError(f'there is no relation "{name}"; {nearest(name, RELATIONS)}')
    return [_row(RELATIONS[name], library) for name in chosen]


def _row(relation: Relation, library: str) -> dict[str, Any]:
    verdict = decide(relation, library)
    expected = "proved" if relation.holds else "refuted"
    return {
        "name": relation.name,
        "row": relation.row,
        "statement": relation.statement,
        "expected": expected,
        "status": verdict.status,
        "as_expected": verdict.holds if relation.holds else verdict.status == expected,
        "horizon": verdict.horizon,
        "order": verdict.order and str(verdict.order),
        "explanation": verdict.explanation,
        "source": relation.source,
        "assumptions": [*relation.assumptions, *verdict.assumptions],
        "note": relation.note,
        "general": relation.general,
        "special": relation.special,
        "condition": relation.condition,
        "limit": {name: str(value) for name, value in relation.limit.items()},
        "given": {name: str(value) for name, value in relation.given.items()},
    }
