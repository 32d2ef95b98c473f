"""Tasks for a small transformer, on tokens that are made: modular addition, copying, and the letters of a grammar."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Integer

from adamlab import layers
from adamlab.problems.data.sampling import epochs, minibatches, split
from adamlab.problems.functions import MOST_SEED, Value, require
from adamlab.problems.networks.transformer import Weights, logits, start
from adamlab.types import Problem, PyTree

MOST_WIDTH, MOST_DEPTH = 1024, 12

WORDS = {
    "determiner": ["the", "a", "every", "no"],
    "adjective": ["old", "small", "red", "quiet"],
    "noun": ["cat", "bird", "river", "child", "tree"],
    "verb": ["sees", "finds", "likes", "follows"],
    "adverb": ["slowly", "often", "here"],
}

LETTERS = " abcdefghijklmnopqrstuvwxyz."
"""The characters of the grammar's text."""


class Size(NamedTuple):
    """The size of a transformer."""

    width: int
    depth: int
    heads: int


def modular_addition(
    modulus: int = 31,
    batch_size: int = 64,
    width: int = 32,
    depth: int = 1,
    heads: int = 2,
    replacement: bool = True,
    data_seed: int = 0,
) -> Problem:
    """A small transformer learns a + b mod p from 60 % of all pairs; 20 % are to validate, 20 % to test.

    The tokens are a, b, "=", and the answer, whose cross-entropy is the loss. The minibatches are drawn from the run's
    seed. A net that has learnt the pairs by heart may take long to learn to add, or never do: it then has a small loss
    and a great `test_loss`.

    Args:
        modulus: p.
        batch_size: pairs in a minibatch.
        width: of the residual stream.
        depth: the number of blocks.
        heads: of attention in every block.
        replacement: whether minibatches are drawn with replacement; otherwise every epoch shuffles the pairs anew.
        data_seed: the seed of the split.
    """
    require("modulus", modulus, 3, 200)
    size = _size(width, depth, heads)
    require("data_seed", data_seed, 0, MOST_SEED)
    a, b = np.divmod(np.arange(modulus**2), modulus)
    pairs = np.stack([a, b, np.full(a.shape, modulus), (a + b) % modulus], axis=1).astype(np.int32)
    parts = split(pairs, data_seed, (0.6, 0.2, 0.2))
    require("batch_size", batch_size, 1, len(parts[0]))
    return _next_token(
        "modular_addition",
        dict(zip(("train", "validation", "test"), parts, strict=True)),
        (minibatches if replacement else epochs)(parts[0], batch_size),
        size,
        tokens=modulus + 1,
        predicted=1,
        source="Power et al. 2022, Grokking: generalization beyond overfitting on small algorithmic datasets",
    )


def copying(
    letters: int = 8, length: int = 6, batch_size: int = 16, width: int = 32, depth: int = 1, heads: int = 2
) -> Problem:
    """A small transformer learns to repeat a sequence of letters that it has seen before a mark.

    Its loss is the cross-entropy of the repeated letters. Every batch has new sequences, drawn from the run's seed.
    What is recorded is on 256 fixed ones.

    Args:
        letters: how many different ones there are.
        length: letters in a sequence.
        batch_size: sequences in a minibatch.
        width: of the residual stream.
        depth: the number of blocks.
        heads: of attention in every block.
    """
    require("letters", letters, 2, 1000)
    require("length", length, 1, 128)
    require("batch_size", batch_size, 1, 10**4)

    def repeated(text: ArrayLike) -> Integer[Array, "n whole"]:
        drawn = jnp.asarray(text, jnp.int32)
        return jnp.concatenate([drawn, jnp.full((len(drawn), 1), letters, jnp.int32), drawn], axis=1)

    fixed = np.random.default_rng(0).integers(0, letters, (256, length))
    return _next_token(
        "copying",
        {"train": np.concatenate([fixed, np.full((256, 1), letters), fixed], axis=1).astype(np.int32)},
        lambda key, t: repeated(jax.random.randint(key, (batch_size, length), 0, letters, jnp.int32)),
        _size(width, depth, heads),
        tokens=letters + 1,
        predicted=length,
        source="the copying task of Graves, Wayne & Danihelka 2014, Neural Turing machines, section 4.1",
    )


def grammar(
    batch_size: int = 16,
    length: int = 16,
    width: int = 32,
    depth: int = 1,
    heads: int = 2,
    replacement: bool = True,
    data_seed: int = 0,
) -> Problem:
    """A small transformer predicts the letters of sentences of a made grammar, as "the old cat often sees a bird.".

    The text has some 10,000 letters, cut into pieces; the first 80 % are to train on, 10 % to validate, 10 % to test.
    The loss is the mean cross-entropy of a letter. The minibatches are drawn from the run's seed.

    Args:
        batch_size: pieces in a minibatch.
        length: letters of a piece that are predicted, each from those before it in the piece.
        width: of the residual stream.
        depth: the number of blocks.
        heads: of attention in every block.
        replacement: whether minibatches are drawn with replacement; otherwise every epoch shuffles the pieces anew.
        data_seed: the seed of the text.
    """
    require("length", length, 2, 128)
    require("data_seed", data_seed, 0, MOST_SEED)
    text = text_of_grammar(data_seed)
    pieces = np.lib.stride_tricks.sliding_window_view(text, length + 1)[::length]
    ends = np.rint(len(pieces) * np.array([0.8, 0.9])).astype(int)
    parts = np.split(pieces, ends)
    require("batch_size", batch_size, 1, len(parts[0]))
    return _next_token(
        "grammar",
        dict(zip(("train", "validation", "test"), parts, strict=True)),
        (minibatches if replacement else epochs)(parts[0], batch_size),
        _size(width, depth, heads),
        tokens=len(LETTERS),
        predicted=length,
        source="a grammar of adamlab's own; nets of letters: Karpathy 2015, The unreasonable effectiveness of RNNs",
    )


@cache
def text_of_grammar(seed: int, sentences: int = 300) -> Integer[np.ndarray, " letters"]:
    """The text as numbers of `LETTERS`: a subject, sometimes an adverb, a verb and an object in each sentence."""
    rng = np.random.default_rng(seed)

    def word(kind: str) -> str:
        return str(rng.choice(WORDS[kind]))

    def thing() -> list[str]:
        return [word("determiner"), *([word("adjective")] if rng.random() < 0.5 else []), word("noun")]

    def sentence() -> str:
        adverb = [word("adverb")] if rng.random() < 0.3 else []
        return " ".join([*thing(), *adverb, word("verb"), *thing()]) + "."

    text = " ".join(sentence() for _ in range(sentences))
    return np.array([LETTERS.index(letter) for letter in text], np.int32)


def _size(width: int, depth: int, heads: int) -> Size:
    require("width", width, 1, MOST_WIDTH)
    require("depth", depth, 1, MOST_DEPTH)
    if heads < 1 or width % heads:
        raise ValueError(f"heads must divide the width, {width}, not {heads}.")
    return Size(width, depth, heads)


def _next_token(
    name: str,
    parts: Mapping[str, Integer[np.ndarray, "n length"]],
    sample: Callable[[jax.Array, ArrayLike], PyTree],
    size: Size,
    *,
    tokens: int,
    predicted: int,
    source: str,
) -> Problem:
    """The problem of predicting the last tokens of sequences; the parts are those that are recorded on."""
    length = parts["train"].shape[1] - 1

    def begin(key: jax.Array) -> Weights:
        return start(key, tokens=tokens, length=length, width=size.width, depth=size.depth)

    def outputs(params: Weights, sequences: Integer[Array, "n length"]) -> tuple[Array, Array]:
        guesses = logits(params, sequences[:, :-1], size.heads)
        return guesses[:, -predicted:], sequences[:, -predicted:]

    def loss(params: Weights, sequences: Integer[Array, "n length"]) -> Value:
        guesses, answers = outputs(params, sequences)
        labels = jax.nn.one_hot(answers, tokens, dtype=guesses.dtype)
        return jnp.mean(layers.softmax_cross_entropy(guesses, labels))

    def accuracy(params: Weights, sequences: Integer[Array, "n length"]) -> Value:
        guesses, answers = outputs(params, sequences)
        return jnp.mean(jnp.argmax(guesses, axis=-1) == answers, dtype=float)

    def on(part: str, quantity: Callable[[Weights, Array], Value]) -> Callable[[Weights], Value]:
        return lambda params: quantity(params, jnp.asarray(parts[part]))

    losses = {f"{part}_loss": on(part, loss) for part in parts if part != "train"}
    return Problem(
        name,
        loss=loss,
        start=begin,
        objective=on("train", loss),
        sample=sample,
        metrics=losses | {f"{part}_accuracy": on(part, accuracy) for part in parts},
        side_by_side=1,
        source=source,
    )
