"""Data sets of OpenML, fetched from a small mirror on this machine."""

import gzip
import hashlib
import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError, URLError

import numpy as np
import pytest

from adamlab.errors import InputError
from adamlab.problems.data import openml
from tests.problems.mirror import Mirror

TINY = openml.Archive("tiny", data_id=77, shape=(2, 3, 2), train=5, test_counts=(1, 2, 1), source="made up")
LABELS = [2, 0, 1, 1, 2, 1, 0, 2, 1]
PIXELS = np.random.default_rng(77).integers(1, 255, (9, 12))
PIXELS[3, 5], PIXELS[8, 11] = 0, 255


def _lines(pixels=PIXELS, labels=LABELS, class_first=False) -> list[str]:
    rows = zip(pixels.tolist(), labels, strict=True)
    return [",".join(map(str, [label, *row] if class_first else [*row, label])) for row, label in rows]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ADAMLAB_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture
def hasty(monkeypatch):
    """No waiting between scikit-learn's attempts."""
    monkeypatch.setattr("sklearn.datasets._openml.time", SimpleNamespace(sleep=lambda _: None))


@pytest.fixture
def mirror(monkeypatch, hasty):
    with Mirror(_lines()).served() as (state, opened):
        monkeypatch.setattr("sklearn.datasets._openml.urlopen", opened)
        yield state


@pytest.fixture
def no_network(monkeypatch, hasty):
    def unreachable(request):
        raise URLError("Name or service not known")

    monkeypatch.setattr("sklearn.datasets._openml.urlopen", unreachable)


def _are_the_tiny_images(images, labels) -> bool:
    """Whether these are the rows that the mirror sends: by channels, then rows, then columns."""
    assert (images.shape, images.dtype, labels.dtype) == ((9, 2, 3, 2), np.uint8, np.int32)
    right = all(images[n, h, w, c] == PIXELS[n, 6 * c + 3 * h + w] for n, h, w, c in np.ndindex(images.shape))
    return right and labels.tolist() == LABELS


def test_what_is_fetched_is_kept_and_asked_for_no_more(mirror, cache):
    assert _are_the_tiny_images(*openml.fetch(TINY))
    asked = list(mirror.asked)
    assert asked[-1] == "/data/v1/download/1/tiny.arff"
    assert _are_the_tiny_images(*openml.fetch(TINY))
    assert mirror.asked == asked
    assert sorted(path.name for path in cache.iterdir()) == ["tiny.npz", "tiny.npz.sha256"]
    digest, name = (cache / "tiny.npz.sha256").read_text().split()
    assert (digest, name) == (hashlib.sha256((cache / "tiny.npz").read_bytes()).hexdigest(), "tiny.npz")


def test_copied_files_spare_the_network_and_scikit_learn(mirror, cache, tmp_path, monkeypatch):
    openml.fetch(TINY)
    cache.rename(tmp_path / "elsewhere")
    monkeypatch.setenv("ADAMLAB_CACHE", str(tmp_path / "elsewhere"))
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert _are_the_tiny_images(*openml.fetch(TINY))


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda cache: _flip(cache / "tiny.npz"),
        lambda cache: _flip(cache / "tiny.npz.sha256"),
        lambda cache: (cache / "tiny.npz").write_bytes(b""),
        lambda cache: (cache / "tiny.npz.sha256").write_bytes(b""),
        lambda cache: (cache / "tiny.npz.sha256").unlink(),
    ],
    ids=["images", "digest", "no images", "no digest", "no digest file"],
)
def test_a_damaged_file_is_told_and_fetched_again(mirror, cache, damage):
    openml.fetch(TINY)
    damage(cache)
    mirror.asked.clear()
    with pytest.warns(UserWarning, match=r"tiny\.npz does not match tiny\.npz\.sha256, so it is fetched again"):
        assert _are_the_tiny_images(*openml.fetch(TINY))
    assert mirror.asked
    assert _are_the_tiny_images(*openml.fetch(TINY))


def _packed(images: np.ndarray, labels: np.ndarray, name="images") -> bytes:
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **{name: images, "labels": labels})
    return packed.getvalue()


IMAGES, CLASSES = np.full((9, 2, 3, 2), 255, np.uint8), np.array(LABELS, np.int32)
OTHERS = {
    "other images": (_packed(IMAGES[..., :1], CLASSES), r"expected uint8 of shape .* got uint8 of"),
    "other type": (_packed(IMAGES.astype(float), CLASSES), r"got float64 of shape \(9, 2, 3, 2\)"),
    "a label less": (_packed(IMAGES, CLASSES[1:]), r"expected int32 of shape \(9,\), got"),
    "another order": (_packed(IMAGES, np.roll(CLASSES, -1)), r"not the test part: \[1, 1, 2\]"),
    "another class": (_packed(IMAGES, CLASSES + 1), r"expected labels 0 to 2, got \[1, 2, 3\]"),
    "other names": (_packed(IMAGES, CLASSES, "x"), "images is not a file in the archive"),
    "no archive": (b"nothing", "pickled"),
    "an archive cut short": (_packed(IMAGES, CLASSES)[:99], "not a zip file"),
    "nothing": (b"", "No data left"),
}


@pytest.mark.parametrize(("content", "expected"), OTHERS.values(), ids=OTHERS.keys())
def test_a_file_of_something_else_is_told_and_fetched_again(mirror, cache, content, expected):
    cache.mkdir()
    (cache / "tiny.npz").write_bytes(content)
    (cache / "tiny.npz.sha256").write_text(hashlib.sha256(content).hexdigest())
    with pytest.warns(UserWarning, match=rf'tiny\.npz does not hold the data set "tiny" \(.*{expected}.*\), so it is'):
        assert _are_the_tiny_images(*openml.fetch(TINY))
    assert mirror.asked
    assert _are_the_tiny_images(*openml.fetch(TINY))  # without a warning


@pytest.mark.parametrize("name", ["tiny.npz", "tiny.npz.sha256"])
def test_a_folder_in_the_place_of_a_file_is_told(mirror, cache, name):
    openml.fetch(TINY)
    mirror.asked.clear()
    (cache / name).unlink()
    (cache / name).mkdir()
    with pytest.raises(InputError, match=rf'"tiny" cannot be kept in .*directory.*{name}.* Set ADAMLAB_CACHE to a f'):
        openml.fetch(TINY)
    assert mirror.asked == []


def test_without_a_network_the_message_says_what_to_do(no_network, cache):
    expected = (
        rf'"tiny" comes from openml\.org \(data set 77\) and cannot be fetched: .*Name or service not known.*'
        rf"run this with a network, or copy tiny\.npz and tiny\.npz\.sha256 to {re.escape(str(cache))} from"
    )
    with pytest.raises(InputError, match=expected) as told:
        openml.fetch(TINY)
    assert isinstance(told.value.__cause__, URLError)
    assert list(cache.iterdir()) == []


def test_a_damaged_file_and_no_network_are_both_told(no_network, cache):
    cache.mkdir()
    (cache / "tiny.npz").write_bytes(b"half a file")
    with (
        pytest.warns(UserWarning, match=r"tiny\.npz does not match tiny\.npz\.sha256"),
        pytest.raises(InputError, match="run this with a network"),
    ):
        openml.fetch(TINY)


def test_a_server_that_fails_is_told(mirror, cache):
    mirror.status = 503
    with pytest.raises(InputError, match="cannot be fetched: HTTP Error 503") as told:
        openml.fetch(TINY)
    assert isinstance(told.value.__cause__, HTTPError)
    told.value.__cause__.close()
    assert list(cache.iterdir()) == []


def _changed(row, column, value, class_first=False):
    pixels = PIXELS.astype(object)
    pixels[row, column] = value
    return _lines(pixels, class_first=class_first)


WRONG = {
    "a pixel less": ({"rows": _lines(PIXELS[:, 1:]), "columns": 11}, r"9 images of 12 pixels, got .* \(9, 11\)"),
    "a pixel more": ({"rows": _lines(PIXELS[:, [0, *range(12)]]), "columns": 13}, r"got .* \(9, 13\)"),
    "an image less": ({"rows": _lines()[1:]}, r"9 images of 12 pixels, got .* \(8, 12\)"),
    "columns untold": ({"columns": 13}, "number of columns"),
    "too bright": ({"rows": _changed(0, 0, 256)}, "uint8"),
    "negative": ({"rows": _changed(0, 0, -1)}, "uint8"),
    "a fraction": ({"rows": _changed(0, 0, 0.5)}, "uint8"),
    "too bright after the class": (
        {"rows": _changed(0, 11, 256, class_first=True), "class_first": True},
        "got values from 0 to 256",
    ),
    "missing": ({"rows": _changed(0, 0, "?")}, "NA"),
    "no white": ({"rows": _changed(8, 11, 254)}, "pixels from 0 to 255, got values from 0 to 254"),
    "a fourth class": ({"rows": _lines(labels=[3, *LABELS[1:]])}, r"labels 0 to 2, got \[0, 1, 2, 3\]"),
    "a class less": ({"rows": _lines(labels=[min(label, 1) for label in LABELS])}, r"labels 0 to 2, got \[0, 1\]"),
    "no number": ({"rows": _lines(labels=["cat", *LABELS[1:]])}, "cat"),
    "another order": ({"rows": [*_lines()[1:], _lines()[0]]}, r"last 4 images are not the test part: \[1, 1, 2\]"),
    "wrong MD5": ({"md5": "0" * 32}, "its MD5 is not the one that OpenML gives"),
    "a key of another name": ({"format": "data_format"}, "its description lacks 'format'"),
    "cut short": ({"packed": lambda content: gzip.compress(content)[:-20]}, "ended before the end-of-stream marker"),
    "not packed": ({"packed": lambda content: content}, "Not a gzipped file"),
    "garbled": ({"packed": lambda content: gzip.compress(content)[:10] + b"\7" * 99}, "invalid block type"),
    "no such data set": ({"status": 412}, "Dataset with data_id 77 not found"),
}


@pytest.mark.parametrize(("answers", "expected"), WRONG.values(), ids=WRONG.keys())
def test_what_is_not_the_data_set_is_refused_and_not_kept(mirror, cache, answers, expected):
    for name, value in answers.items():
        setattr(mirror, name, value)
    with pytest.raises(InputError, match=rf'sent as "tiny" \(data set 77\) cannot be used: .*{expected}'):
        openml.fetch(TINY)
    assert list(cache.iterdir()) == []


def test_quoted_classes_are_the_same_classes(mirror, cache):
    mirror.rows = _lines(labels=[f"'{label}'" for label in LABELS])
    assert _are_the_tiny_images(*openml.fetch(TINY))


def test_two_that_fetch_at_once_both_get_whole_files(mirror, cache, monkeypatch):
    """The second fetches while the first has written half a file; each half-written one in turn."""
    write, others = Path.write_bytes, []

    def halfway(path: Path, content: bytes):
        monkeypatch.setattr(Path, "write_bytes", write)
        write(path, content[: len(content) // 2])
        others.append(openml.fetch(TINY))
        monkeypatch.setattr(Path, "write_bytes", halfway if len(others) < 2 else write)
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", halfway)
    assert _are_the_tiny_images(*openml.fetch(TINY))
    assert len(others) == 2
    assert all(_are_the_tiny_images(*other) for other in [*others, openml.fetch(TINY)])


@pytest.mark.parametrize("at", ["tiny.npz.sha256", "tiny.npz"])
def test_a_write_cut_short_leaves_no_half_file(mirror, cache, monkeypatch, at):
    write = Path.write_bytes

    def cut_short(path: Path, content: bytes):
        assert path.parent.name.startswith(".adamlab-")
        if path.name == at:
            write(path, content[: len(content) // 2])
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", cut_short)
    with pytest.raises(InputError, match=r"cannot be kept in .*No space left.* Set ADAMLAB_CACHE"):
        openml.fetch(TINY)
    assert {path.name for path in cache.iterdir()} <= {"tiny.npz.sha256"}
    monkeypatch.setattr(Path, "write_bytes", write)
    assert _are_the_tiny_images(*openml.fetch(TINY))  # without a warning


def test_a_folder_that_cannot_be_is_told_before_anything_is_fetched(mirror, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ADAMLAB_CACHE", str(tmp_path / "file" / "kept"))
    with pytest.raises(InputError, match=r'"tiny" cannot be kept in .*file/kept.* Set ADAMLAB_CACHE to a folder'):
        openml.fetch(TINY)
    assert mirror.asked == []


def test_without_scikit_learn_the_message_says_what_to_install(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"\"tiny\" is fetched by .* pip install 'adamlab\[data\]'"):
        openml.fetch(TINY)


def test_the_cache_is_where_the_user_says(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("ADAMLAB_CACHE", "~/data")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/ada")
    assert openml.cache_folder() == Path("/home/ada/data")
    monkeypatch.delenv("ADAMLAB_CACHE")
    assert openml.cache_folder() == Path("/var/cache/ada/adamlab")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert openml.cache_folder() == Path("/home/ada/.cache/adamlab")


@pytest.mark.parametrize(("name", "images"), [("mnist", 70_000), ("fashion_mnist", 70_000), ("cifar_10", 60_000)])
def test_the_known_data_sets_have_ten_thousand_test_images(name, images):
    archive = openml.ARCHIVES[name]
    assert archive.name == name
    assert sum(archive.test_counts) == 10_000
    assert archive.train + 10_000 == images
    assert len(archive.test_counts) == 10
