"""Comparisons of optimizers, computed one after the other."""

from collections.abc import Iterator, Sequence

import xarray as xr

from adamlab.errors import InputError
from adamlab.parity.comparison import Comparison, compare
from adamlab.specs import own_code
from adamlab.studies.config.comparisons import SIDES, SWEPT, Comparisons, Pair
from adamlab.studies.config.errors import ConfigError, Mistakes
from adamlab.studies.options import RunOptions
from adamlab.studies.progress import Listener
from adamlab.studies.store.items import Assemble, Document, compute_items, item_id
from adamlab.studies.store.location import Location


def run_comparisons(
    comparisons: Comparisons,
    where: str,
    location: Location,
    options: RunOptions,
    listener: Listener,
    assemble: Assemble,
) -> xr.DataTree:
    """Compute the comparisons of a config that its folder does not have.

    Args:
        comparisons: the config.
        where: the config's file, for messages.
        location: where the results are kept.
        options: the options of the run.
        listener: receives the progress.
        assemble: makes the dataset from the documents.

    Raises:
        ConfigError: with each pair of optimizers that cannot be compared; the comparisons of the others are kept.
        StoreError: the folder has results of another config, cannot be written, or is locked by another run.
    """
    pairs, steps = comparisons.pairs, comparisons.head.steps

    def compute(missing: Sequence[int]) -> Iterator[Document | None]:
        mistakes = Mistakes(where)
        listener.begin(len(missing), steps)
        for pair in (pairs[i] for i in missing):
            listener.working_on(f"{pair.label} in {', '.join(pair.arguments[key] for key in SWEPT)}")
            try:
                yield document_of(pair, compare(**pair.arguments, steps=steps))
            except InputError as error:
                mistakes.tell(pair.key, str(error))
                yield None
            listener.advance(1)
        if mistakes:
            raise ConfigError(where, mistakes)

    ids = [item_id("comparison", pair.label, pair.arguments, steps, *_code(pair)) for pair in pairs]
    return compute_items(comparisons, "comparisons", ids, assemble, location, listener, compute)


def _code(pair: Pair) -> list[str]:
    """The digests of the user's code behind a comparison."""
    return sorted({digest for side in SIDES for digest in own_code(pair.arguments[side]).values()})


def document_of(pair: Pair, result: Comparison) -> Document:
    """A comparison as plain data: how it was asked for, the verdict, and the rows of its table."""
    names = ("left", "right", *SWEPT, "kind", "verdict", "families")
    return {"label": pair.label, "settings": pair.settings, **{name: getattr(result, name) for name in names}}
