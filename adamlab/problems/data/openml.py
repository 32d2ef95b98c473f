"""Image data sets of openml.org: fetched once, checked, and kept in a folder of the user's.

A data set is kept as two files, NAME.npz and NAME.npz.sha256, in `cache_folder()`. Copied there from another machine,
they spare this one the network. To read what arrives takes a minute or so for MNIST and Fashion-MNIST, and some
five for CIFAR-10, besides the download.
"""

import gzip
import math
import os
import warnings
import zlib
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPException
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Int32, UInt8

from adamlab.errors import InputError

WHITE = 255


@dataclass(frozen=True)
class Archive:
    """An image data set as OpenML holds it, and what is known of it before it arrives.

    A row is an image: its channels one after the other, each by rows from the top, in integers from 0 to 255. The
    training part comes first and the test part after it.

    Attributes:
        name: ours, and that of the files it is kept in.
        data_id: OpenML's number, which fixes the version too.
        shape: an image's height, width and channels.
        train: the size of the training part.
        test_counts: how many images of each class the test part has. No other order of the rows is likely to have them.
        source: who made the data set.
    """

    name: str
    data_id: int
    shape: tuple[int, int, int]
    train: int
    test_counts: tuple[int, ...]
    source: str


ARCHIVES: dict[str, Archive] = {
    archive.name: archive
    for archive in (
        Archive(
            "mnist",
            data_id=554,
            shape=(28, 28, 1),
            train=60_000,
            test_counts=(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
            source="LeCun, Cortes & Burges 1998, The MNIST database of handwritten digits (openml.org/d/554)",
        ),
        Archive(
            "fashion_mnist",
            data_id=40996,
            shape=(28, 28, 1),
            train=60_000,
            test_counts=(1000,) * 10,
            source="Xiao, Rasul & Vollgraf 2017, Fashion-MNIST (openml.org/d/40996)",
        ),
        Archive(
            "cifar_10",
            data_id=40927,
            shape=(32, 32, 3),
            train=50_000,
            test_counts=(1000,) * 10,
            source="Krizhevsky 2009, Learning multiple layers of features from tiny images (openml.org/d/40927)",
        ),
    )
}


def cache_folder() -> Path:
    """The folder that data sets are kept in: `ADAMLAB_CACHE`, else `adamlab` under `XDG_CACHE_HOME` or `~/.cache`."""
    if named := os.environ.get("ADAMLAB_CACHE"):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adamlab"


def fetch(archive: Archive) -> tuple[UInt8[np.ndarray, "n H W C"], Int32[np.ndarray, " n"]]:
    """All images of a data set, the training part first, and their labels: from the cache, else from openml.org.

    scikit-learn checks what arrives against OpenML's MD5; sizes, values and the classes of the test part are checked
    here before anything is kept. A kept file that fails its SHA-256, or holds something else, is told in a warning and
    fetched again.

    Raises:
        InputError: it is in the cache and cannot be read; or it is not, and cannot be fetched, is not what was
            expected, or cannot be kept.
        ModuleNotFoundError: it is not in the cache, and scikit-learn, which fetches it, is not installed.
    """
    path = cache_folder() / f"{archive.name}.npz"
    try:
        if path.exists():
            try:
                return _kept(archive, path)
            except ValueError as error:
                warnings.warn(f"{path} {error}, so it is fetched again.", stacklevel=2)
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".adamlab-", dir=path.parent) as workplace:
            images, labels = _fetched(archive, Path(workplace), path)
            _keep(path, Path(workplace), images, labels)
    except OSError as error:
        raise InputError(
            f'The data set "{archive.name}" cannot be kept in {path.parent}: {error}. '
            "Set ADAMLAB_CACHE to a folder whose files can be read and written."
        ) from error
    return images, labels


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _kept(archive: Archive, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels in the file; raises ValueError, which says what is wrong with it."""
    content = path.read_bytes()
    told = _beside(path).read_bytes().split()[:1] if _beside(path).exists() else []
    if told != [sha256(content).hexdigest().encode()]:
        raise ValueError(f"does not match {_beside(path).name}")
    try:
        with np.load(BytesIO(content)) as kept:
            images, labels = kept["images"], kept["labels"]
        _check_form(archive, images, labels)
        _check_classes(archive, labels)
    except (ValueError, KeyError, EOFError, TypeError, BadZipFile) as error:
        raise ValueError(f'does not hold the data set "{archive.name}" ({error})') from error
    return images, labels


def _keep(path: Path, workplace: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Write both files elsewhere and rename them, the images last, so that no reader finds half a file."""
    packed = BytesIO()
    np.savez_compressed(packed, images=images, labels=labels)
    content = packed.getvalue()
    digest = f"{sha256(content).hexdigest()}  {path.name}\n".encode()
    for target, data in ((_beside(path), digest), (path, content)):
        part = workplace / target.name
        part.write_bytes(data)
        part.replace(target)


def _fetched(archive: Archive, workplace: Path, path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        return _checked(archive, *_downloaded(archive, workplace))
    except (ValueError, KeyError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        what = f"its description lacks {error}" if isinstance(error, KeyError) else str(error)
        reason = "its MD5 is not the one that OpenML gives" if "md5" in what else what
        raise InputError(
            f'What openml.org sent as "{archive.name}" (data set {archive.data_id}) cannot be used: {reason}. '
            "Nothing was kept; try again later."
        ) from error
    except (OSError, HTTPException) as error:
        raise InputError(
            f'The data set "{archive.name}" comes from openml.org (data set {archive.data_id}) and cannot be fetched: '
            f"{error}. It is fetched only once: run this with a network, or copy {path.name} and {_beside(path).name} "
            f"to {path.parent} from a machine that has them."
        ) from error


def _downloaded(archive: Archive, workplace: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        from sklearn.datasets import fetch_openml
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'The data set "{archive.name}" is fetched by scikit-learn, which is not installed: '
            "pip install 'adamlab[data]'."
        ) from error
    as_bytes = dict.fromkeys(range(math.prod(archive.shape)), "uint8")  # an eighth of the memory
    with warnings.catch_warnings():
        # scikit-learn tries again, and what comes of it in the end is told by an error.
        warnings.filterwarnings("ignore", "A network error occurred|Invalid cache")
        pixels, classes = fetch_openml(
            data_id=archive.data_id,
            data_home=workplace,
            return_X_y=True,
            as_frame=False,
            parser="pandas",
            read_csv_kwargs={"dtype": as_bytes},
        )
    return pixels, classes


def _checked(archive: Archive, pixels: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows as images and the classes as numbers, if they are what the archive says."""
    expected = (archive.train + sum(archive.test_counts), math.prod(archive.shape))
    if pixels.shape != expected:
        raise ValueError(f"expected {expected[0]} images of {expected[1]} pixels, got an array of shape {pixels.shape}")
    images = pixels.astype(np.uint8)
    if (images != pixels).any() or images.max() != WHITE:
        raise ValueError(f"expected pixels from 0 to {WHITE}, got values from {pixels.min()} to {pixels.max()}")
    labels = np.char.strip(classes.astype(str), "'").astype(np.int32)
    _check_classes(archive, labels)
    height, width, channels = archive.shape
    planes = images.reshape(-1, channels, height, width)
    return np.ascontiguousarray(np.moveaxis(planes, 1, -1)), labels


def _check_form(archive: Archive, images: np.ndarray, labels: np.ndarray) -> None:
    count = archive.train + sum(archive.test_counts)
    expected = (((count, *archive.shape), np.uint8), ((count,), np.int32))
    for array, (shape, dtype) in zip((images, labels), expected, strict=True):
        if (array.shape, array.dtype) != (shape, dtype):
            raise ValueError(f"expected {np.dtype(dtype)} of shape {shape}, got {array.dtype} of shape {array.shape}")


def _check_classes(archive: Archive, labels: np.ndarray) -> None:
    if not np.array_equal(np.unique(labels), np.arange(len(archive.test_counts))):
        raise ValueError(f"expected labels 0 to {len(archive.test_counts) - 1}, got {np.unique(labels).tolist()}")
    counts = np.bincount(labels[archive.train :], minlength=len(archive.test_counts)).tolist()
    if counts != list(archive.test_counts):
        raise ValueError(f"its last {sum(counts)} images are not the test part: {counts} of the classes")
