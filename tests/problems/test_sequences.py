"""The small transformer against one written in NumPy, and its tasks: what is asked, kept aside, and learnt."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from jax.flatten_util import ravel_pytree

from adamlab import problems
from adamlab.problems.networks.sequences import LETTERS, WORDS, text_of_grammar
from adamlab.problems.networks.transformer import logits, start
from tests.computing import computed, sample_of

pytestmark = pytest.mark.optimized(False)

TASKS = ["modular_addition", "copying", "grammar"]


def in_numpy(params, sequence, heads):
    """The logits after each token of one sequence, token by token."""

    def normed(x):
        return (x - x.mean()) / np.sqrt(x.var() + 1e-5)

    def dense(x, layer):
        return x @ layer["W"] + layer["b"]

    h = [params["tokens"][token] + params["places"][i] for i, token in enumerate(sequence)]
    for block in params["blocks"]:
        q, k, v = ([np.split(dense(normed(x), block[name]), heads) for x in h] for name in "qkv")
        mixed = []
        for i in range(len(h)):
            of_heads = []
            for head in range(heads):
                scores = np.array([q[i][head] @ k[j][head] for j in range(i + 1)]) / np.sqrt(len(q[i][head]))
                of_heads.append(scipy.special.softmax(scores) @ np.array([v[j][head] for j in range(i + 1)]))
            mixed.append(h[i] + dense(np.concatenate(of_heads), block["o"]))
        h = [x + dense(np.maximum(dense(normed(x), block["up"]), 0), block["down"]) for x in mixed]
    return np.array([dense(normed(x), params["last"]) for x in h])


def test_the_transformer_is_the_one_of_numpy(x64, rng):
    params = start(jax.random.key(0), tokens=5, length=6, width=8, depth=2)
    flat, unravel = ravel_pytree(params)
    params = unravel(flat + 0.1 * jax.random.normal(jax.random.key(1), flat.shape))
    sequences = rng.integers(0, 5, (3, 6))
    wanted = [in_numpy(jax.tree.map(np.asarray, params), sequence, 2) for sequence in sequences]
    np.testing.assert_allclose(jax.jit(logits, static_argnums=2)(params, sequences, 2), wanted, rtol=1e-9, atol=1e-12)


def recorded(problem, params):
    return jax.jit(lambda w: {name: f(w) for name, f in {"loss": problem.objective, **problem.metrics}.items()})(params)


def test_losses_are_cross_entropies_of_the_answers(x64):
    """Of p = 3: 9 pairs, 5 to train on, 2 to validate, 2 to test."""
    problem = problems.get("modular_addition", modulus=3, batch_size=5, width=4, replacement=False)
    w = problem.start(jax.random.key(2))
    params = jax.tree.map(np.asarray, w)
    batch = np.asarray(jax.jit(sample_of(problem))(jax.random.key(0), 1))  # all of the training part
    a, b, mark, answers = batch.T
    assert len({(x, y) for x, y in zip(a, b, strict=True)}) == 5
    np.testing.assert_array_equal(answers, (a + b) % 3)
    np.testing.assert_array_equal(mark, 3)
    guesses = np.array([in_numpy(params, sequence[:3], 2)[-1] for sequence in batch])
    losses = scipy.special.logsumexp(guesses, axis=1) - guesses[np.arange(5), answers]
    told = recorded(problem, w)
    assert float(told["loss"]) == pytest.approx(losses.mean(), rel=1e-9)
    assert float(told["train_accuracy"]) == pytest.approx(np.mean(guesses.argmax(axis=1) == answers))
    every = [(x, y) for x in range(3) for y in range(3)]
    others = np.array([[x, y, 3, (x + y) % 3] for x, y in every if (x, y) not in {*zip(a, b, strict=True)}])
    losses = []
    for sequence in others:
        guess = in_numpy(params, sequence[:3], 2)[-1]
        losses.append(scipy.special.logsumexp(guess) - guess[sequence[3]])
    mean = (float(told["validation_loss"]) + float(told["test_loss"])) / 2
    assert mean == pytest.approx(np.mean(losses), rel=1e-9)


def test_copying_asks_for_what_was_seen():
    problem = problems.get("copying", letters=4, length=3, batch_size=50)
    batch = np.asarray(sample_of(problem)(jax.random.key(0), 1))
    np.testing.assert_array_equal(batch[:, :3], batch[:, 4:])
    assert (batch[:, 3] == 4).all()
    assert {*batch[:, :3].ravel().tolist()} == {0, 1, 2, 3}
    assert not np.array_equal(batch, sample_of(problem)(jax.random.key(1), 1))


def test_the_text_is_of_the_grammar():
    text = "".join(LETTERS[i] for i in text_of_grammar(0))
    words = {word for several in WORDS.values() for word in several}
    sentences = text.removesuffix(".").split(". ")
    assert len(sentences) == 300
    assert {word for sentence in sentences for word in sentence.split()} == words
    kinds = {word: kind for kind, several in WORDS.items() for word in several}
    for sentence in sentences:
        parts = [kinds[word] for word in sentence.split() if kinds[word] not in ("adjective", "adverb")]
        assert parts == ["determiner", "noun", "verb", "determiner", "noun"]
    assert not np.array_equal(text_of_grammar(0)[:50], text_of_grammar(1)[:50])


def test_pieces_of_text_follow_each_other_and_no_part_has_those_of_another():
    problem = problems.get("grammar", batch_size=10, length=8, replacement=False)
    text = text_of_grammar(0)
    steps = int(sample_of(problem).steps_per_epoch)
    rows = jax.jit(jax.vmap(lambda t: sample_of(problem)(jax.random.key(0), t)))(jnp.arange(1, steps + 1))
    starts = {bytes(text[i : i + 9].astype(np.uint8)): i for i in range(len(text) // 8 * 8 - 8, -1, -8)}
    seen = [starts[bytes(row.astype(np.uint8))] for row in np.asarray(rows).reshape(-1, 9)]
    assert max(seen) < 0.81 * len(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "spec", "steps", "metric", "reached"),
    [
        ("copying", "adamlab.adam(0.003)", 400, "train_accuracy", 0.99),
        ("grammar", "adamlab.adam(0.003)", 800, "validation_accuracy", 0.65),
        ("modular_addition", "adamlab.adamw(0.003, weight_decay=1.0)", 1200, "validation_accuracy", 0.9),
    ],
)
def test_tasks_are_learnt(name, spec, steps, metric, reached):
    accuracy = computed(problems.get(name), spec, steps=steps, every=steps // 4, what=("loss", metric))[metric][0]
    assert accuracy[0] < 0.2
    assert accuracy.max() > reached


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("copying", {"heads": 3}, "heads must divide the width, 32, not 3"),
        ("grammar", {"depth": 0}, "depth must be from 1 to 12, not 0"),
        ("modular_addition", {"modulus": 2}, "modulus must be from 3 to 200, not 2"),
        ("modular_addition", {"batch_size": 1000}, "batch_size must be from 1 to 577, not 1000"),
        ("grammar", {"length": 1}, "length must be from 2 to 128, not 1"),
    ],
)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        problems.get(name, **options)
