"""Images by name: which there are, in which parts and which form."""

import os
import sys

import chex
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from adamlab import problems
from adamlab.errors import InputError
from adamlab.problems.data import digits, images, openml


@pytest.fixture
def fetched(rng, monkeypatch):
    """All rows of a small CIFAR-10, as `openml.fetch` would give them; each call is counted in `calls`."""
    pixels = rng.integers(0, 256, (7, 2, 3, 3), np.uint8)
    labels = np.array([2, 0, 1, 1, 2, 0, 1], np.int32)
    small = openml.Archive("cifar_10", 40927, (2, 3, 3), 4, (1, 1, 1), "somebody")
    calls = []
    monkeypatch.setitem(openml.ARCHIVES, "cifar_10", small)
    monkeypatch.setattr(openml, "fetch", lambda archive: calls.append(archive) or (pixels, labels))
    images.load.cache_clear()
    yield pixels, labels, calls
    images.load.cache_clear()


def test_the_digits_are_those_of_scikit_learn_in_a_stratified_split():
    data = images.load("digits")
    rows, labels = load_digits(return_X_y=True)
    train, test = train_test_split(np.arange(1797), test_size=0.2, stratify=labels, random_state=0)
    for part, kept, chosen in (
        (data.train_images, data.train_labels, np.sort(train)),
        (data.test_images, data.test_labels, np.sort(test)),
    ):
        assert (part.dtype, kept.dtype) == (np.uint8, np.int32)
        np.testing.assert_array_equal(part, rows[chosen].reshape(-1, 8, 8, 1))
        np.testing.assert_array_equal(kept, labels[chosen])
    assert len(data.test_labels) == 360
    assert np.bincount(data.test_labels).min() >= 34  # stratified: a tenth each, by their shares of 1797
    assert (data.name, data.scale, data.classes) == ("digits", rows.max(), 10)


def test_the_rows_of_an_image_come_from_the_top():
    """A one is tall and narrow, so its ink is spread over more rows than columns."""
    data = images.load("digits")
    ones = data.train_images[data.train_labels == 1][..., 0].mean(axis=0)
    assert (ones.sum(axis=1) > 20).sum() > (ones.sum(axis=0) > 20).sum()


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The file of the digits in a cache of its own, and the digits."""
    monkeypatch.setenv("ADAMLAB_CACHE", str(tmp_path))
    drawn = digits.load_digits(0.2, 0)
    (path,) = (tmp_path / "digits").iterdir()
    return path, drawn


def test_kept_digits_are_read_without_scikit_learn(kept, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    chex.assert_trees_all_equal(digits.load_digits(0.2, 0), kept[1])


def other_arrays(path):
    np.savez(path, images=np.zeros((1797, 8, 8), np.uint8), labels=np.zeros(1797), is_test=np.zeros(1797, bool))


def a_flipped_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "spoil", [other_arrays, a_flipped_byte, a_pipe, lambda path: path.write_bytes(path.read_bytes()[:1000])]
)
def test_spoiled_digits_are_drawn_again_and_kept(kept, spoil, monkeypatch):
    path, drawn = kept
    spoil(path)
    chex.assert_trees_all_equal(digits.load_digits(0.2, 0), drawn)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    chex.assert_trees_all_equal(digits.load_digits(0.2, 0), drawn)


def test_digits_that_cannot_be_kept_are_drawn(kept, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ADAMLAB_CACHE", str(tmp_path / "file"))
    chex.assert_trees_all_equal(digits.load_digits(0.2, 0), kept[1])


def test_another_share_is_another_split_of_the_same_images():
    half = images.load("digits", test_share=0.5)
    assert (len(half.train_labels), len(half.test_labels)) == (898, 899)


def test_a_seed_draws_the_three_parts_of_the_digits():
    """The test part as scikit-learn draws it, and what is left apart without one image lost or in two parts."""
    rows, labels = load_digits(return_X_y=True)
    everything = np.sort(rows.astype(np.uint8), axis=0)
    validation = []
    for seed in (0, 3):
        data = images.with_validation(images.load("digits", seed=seed), 0.25, seed)
        _, test = train_test_split(np.arange(1797), test_size=0.2, stratify=labels, random_state=seed)
        np.testing.assert_array_equal(data.test_images.reshape(-1, 64), rows[np.sort(test)])
        assert data.validation is not None
        parts = [data.train_images, data.test_images, data.validation[0]]
        assert [*map(len, parts)] == [1078, 360, 359]
        np.testing.assert_array_equal(np.sort(np.concatenate(parts).reshape(-1, 64), axis=0), everything)
        validation.append(data.validation[0])
    assert not np.array_equal(*validation)


def test_a_seed_of_images_with_a_test_part_of_their_own_draws_the_validation_part(fetched):
    small = images.load("cifar_10")
    drawn = {images.with_validation(small, 0.5, seed).train_labels.tobytes() for seed in range(6)}
    assert len(drawn) > 1
    with pytest.raises(ValueError, match="split_seed must be from 0 to"):
        images.with_validation(small, 0.5, -1)
    with pytest.raises(ValueError, match="give its validation_share, too"):
        problems.get("mnist_softmax", split_seed=1)


def test_the_last_images_of_openml_are_the_test_part(fetched):
    pixels, labels, _ = fetched
    cifar = images.load("cifar_10")
    np.testing.assert_array_equal(cifar.train_images, pixels[:4])
    np.testing.assert_array_equal(cifar.train_labels, labels[:4])
    np.testing.assert_array_equal(cifar.test_images, pixels[4:])
    np.testing.assert_array_equal(cifar.test_labels, labels[4:])
    assert (cifar.name, cifar.scale, cifar.classes, cifar.source) == ("cifar_10", 255, 3, "somebody")


def test_images_are_loaded_once_and_nobody_can_change_them(fetched):
    _, _, calls = fetched
    assert images.load("cifar_10") is images.load("cifar_10")
    assert len(calls) == 1
    with pytest.raises(ValueError, match="read-only"):
        images.load("cifar_10").train_images[0] = 0


def test_what_cannot_be_had_is_refused():
    with pytest.raises(InputError, match=r'There are no images "cifar10"; did you mean "cifar_10"\?'):
        images.load("cifar10")
    with pytest.raises(InputError, match="valid here: digits, mnist, fashion_mnist, cifar_10"):
        images.load("?")
    with pytest.raises(InputError, match='test_share is for "digits"; "mnist" has a test part of its own'):
        images.load("mnist", test_share=0.2)
    with pytest.raises(ValueError, match=r"test_share must be from 0\.01 to 0\.99, not 0\.0\."):
        images.load("digits", test_share=0.0)


@pytest.mark.parametrize(("share", "sizes"), [(0.01, (1779, 18)), (0.99, (17, 1780))])
def test_the_least_and_the_greatest_share_can_be_had(share, sizes):
    digits = images.load("digits", test_share=share)
    assert (len(digits.train_labels), len(digits.test_labels)) == sizes


def test_what_stands_for_images_before_they_are_fetched_is_like_them_and_in_no_memory(fetched):
    cifar, blank = images.load("cifar_10"), images.blank("cifar_10")
    for part in ("train_images", "train_labels", "test_images", "test_labels"):
        real, fake = getattr(cifar, part), getattr(blank, part)
        assert (fake.shape, fake.dtype) == (real.shape, real.dtype)
        assert not any(fake.strides)
    assert (blank.name, blank.scale, blank.classes, blank.source) == ("cifar_10", 255, 3, "somebody")
