"""Image data by name: scikit-learn's small digits, and what openml.org holds."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from jaxtyping import Int32, UInt8

from adamlab.errors import InputError, nearest
from adamlab.problems.data import openml
from adamlab.problems.data.digits import load_digits
from adamlab.problems.functions import require

TEST_SHARE = 0.2
"""The share of the digits that is held out, unless another is asked for."""

GREATEST_SEED = 2**32 - 1

WHOLE = 2000
"""Images that a part can be cut into pieces of; large parts, all of OpenML's, are a multiple of it."""


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images in two parts, kept in bytes, since floats would take four or eight times the memory.

    Attributes:
        name: the data set's.
        train_images: rows from the top, columns from the left, channels; the arrays cannot be written to.
        train_labels: classes, from 0.
        test_images: as `train_images`.
        test_labels: as `train_labels`.
        scale: the greatest value of a pixel, which divided by it is in [0, 1].
        classes: how many there are.
        source: who made the data set.
        validation: the images and labels of a third part, where one is held out of the training part.
    """

    name: str
    train_images: UInt8[np.ndarray, "train H W C"]
    train_labels: Int32[np.ndarray, " train"]
    test_images: UInt8[np.ndarray, "test H W C"]
    test_labels: Int32[np.ndarray, " test"]
    scale: int
    classes: int
    source: str
    validation: tuple[UInt8[np.ndarray, "validation H W C"], Int32[np.ndarray, " validation"]] | None = None


@cache
def load(name: str, test_share: int | float | None = None, seed: int = 0) -> Images:
    """The images of that name; those of openml.org are fetched once and then kept, see `openml.fetch`.

    OpenML holds the training part before the test part (of MNIST: Géron 2019, Hands-on machine learning, 2nd edition,
    chapter 3). `openml.fetch` makes sure of it, for each of them, by how many images of each class the last ones are.

    Args:
        name: "digits", or a key of `openml.ARCHIVES`.
        test_share: the share of the digits that is held out, from 0.01 to 0.99, by default 0.2. The others have a test
            part of their own.
        seed: draws the part of the digits that is held out.

    Raises:
        InputError: there are no such images, `test_share` is not for them, or they cannot be fetched.
        ValueError: `test_share` or `seed` is out of its range.
        ModuleNotFoundError: scikit-learn, which has or fetches the images, is not installed.
    """
    if name == "digits":
        return _digits(TEST_SHARE if test_share is None else test_share, seed)
    if name not in openml.ARCHIVES:
        raise InputError(f'There are no images "{name}"; {nearest(name, ["digits", *openml.ARCHIVES])}')
    if test_share is not None:
        raise InputError(f'test_share is for "digits"; "{name}" has a test part of its own.')
    archive = openml.ARCHIVES[name]
    images, labels = openml.fetch(archive)
    is_test = np.arange(len(labels)) >= archive.train
    return _parted(name, images, labels, is_test, openml.WHITE, archive.source)


@cache
def with_validation(data: Images, share: int | float, seed: int = 0) -> Images:
    """The images with a share of the training part held out of it, to compare settings on, drawn by the seed.

    Of large parts a multiple of `WHOLE` images is held out, which leaves one, so that both can be computed in pieces.
    """
    require("validation_share", share, 0, 0.9)
    require("split_seed", seed, 0, GREATEST_SEED)
    count = len(data.train_labels)
    size = round(share * count / WHOLE) * WHOLE if count >= 2 * WHOLE else round(share * count)
    if not size:
        return data
    held_out = np.zeros(count, bool)
    held_out[np.random.default_rng(seed).permutation(count)[:size]] = True
    images, labels = data.train_images, data.train_labels
    train, validation = ((images[rows], labels[rows]) for rows in (~held_out, held_out))
    for part in (*train, *validation):
        part.flags.writeable = False
    return replace(data, train_images=train[0], train_labels=train[1], validation=validation)


def blank(name: str) -> Images:
    """The stand-in for images of openml.org before they are fetched: of their shape and number, all 0, in no memory.

    Args:
        name: a key of `openml.ARCHIVES`.
    """
    archive = openml.ARCHIVES[name]
    parts = []
    for size in (archive.train, sum(archive.test_counts)):
        parts += [np.broadcast_to(np.uint8(0), (size, *archive.shape)), np.broadcast_to(np.int32(0), (size,))]
    return Images(name, *parts, scale=openml.WHITE, classes=len(archive.test_counts), source=archive.source)


def _digits(test_share: int | float, seed: int) -> Images:
    require("test_share", test_share, 0.01, 0.99)
    require("split_seed", seed, 0, GREATEST_SEED)
    images, labels, is_test = load_digits(test_share, seed)
    source = "Alpaydin & Kaynak 1998, Optical recognition of handwritten digits, as shipped by scikit-learn"
    return _parted("digits", images, labels, is_test, 16, source)


def _parted(name: str, images: np.ndarray, labels: np.ndarray, is_test: np.ndarray, scale: int, source: str) -> Images:
    parts = (images[~is_test], labels[~is_test], images[is_test], labels[is_test])
    for part in parts:
        part.flags.writeable = False  # all who load them share them
    return Images(name, *parts, scale=scale, classes=int(labels.max()) + 1, source=source)
