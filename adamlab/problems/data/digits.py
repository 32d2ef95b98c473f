"""scikit-learn's small digits, kept in the user's cache: importing scikit-learn takes a second, reading them none."""

from contextlib import suppress
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Bool, Int32, UInt8

from adamlab.files import replacing
from adamlab.problems.data.openml import cache_folder

COUNT = 1797

Digits = tuple[UInt8[np.ndarray, "n 8 8 1"], Int32[np.ndarray, " n"], Bool[np.ndarray, " n"]]


def load_digits(test_share: int | float, seed: int) -> Digits:
    """The images, their labels, and which of them are held out; drawn by the seed with each class in proportion.

    Raises:
        ModuleNotFoundError: scikit-learn is not installed.
    """
    try:
        path = cache_folder() / "digits" / f"{version('scikit-learn')}-{float(test_share)}-{seed}.npz"
        with suppress(OSError, ValueError, KeyError, EOFError, BadZipFile):  # the zip file's checksums among them
            return _kept(path)
        digits = _drawn(test_share, seed)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "The digits come with scikit-learn, which is not installed: pip install 'adamlab[data]'."
        ) from error
    with suppress(OSError):
        _keep(path, digits)
    return digits


def _drawn(test_share: int | float, seed: int) -> Digits:
    from sklearn.datasets import load_digits as shipped
    from sklearn.model_selection import train_test_split

    rows, labels = shipped(return_X_y=True)
    _, test = train_test_split(np.arange(len(labels)), test_size=test_share, stratify=labels, random_state=seed)
    images = np.asarray(rows, np.uint8).reshape(-1, 8, 8, 1)
    return images, np.asarray(labels, np.int32), np.isin(np.arange(len(labels)), test)


def _keep(path: Path, digits: Digits) -> None:
    images, labels, is_test = digits
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as new:
        np.savez_compressed(new, images=images, labels=labels, is_test=is_test)


def _kept(path: Path) -> Digits:
    """What is kept; raises where there is no regular file, or it holds something else."""
    if not path.is_file():
        raise FileNotFoundError(path)
    with np.load(BytesIO(path.read_bytes())) as kept:
        images, labels, is_test = kept["images"], kept["labels"], kept["is_test"]
    forms = [(x.shape, x.dtype) for x in (images, labels, is_test)]
    if forms != [((COUNT, 8, 8, 1), np.uint8), ((COUNT,), np.int32), ((COUNT,), np.bool_)]:
        raise ValueError(f"{path} holds something else")
    return images, labels, is_test
