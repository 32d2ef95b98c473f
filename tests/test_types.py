"""Decay: a rate and its complement, of which either may be the exact one."""

import jax
import jax.numpy as jnp
import pytest

import adamlab as al


def test_the_complement_is_taken_in_decimal():
    assert al.Decay(0.999).complement == 0.001 != 1 - 0.999
    assert al.Decay(complement=1e-9).rate == 0.999999999
    assert (al.Decay(1).complement, al.Decay(0).complement) == (0.0, 1.0)


def test_a_decay_takes_one_of_the_two():
    for arguments in ({}, {"rate": 0.9, "complement": 0.1}):
        with pytest.raises(TypeError, match="either a rate"):
            al.Decay(**arguments)


def test_a_decay_is_a_tree_of_both_numbers():
    mapped = jax.tree.map(jnp.asarray, al.Decay(complement=1e-12))
    assert mapped.complement == jnp.float32(1e-12)
    assert al.Decay.of(mapped) is mapped
    assert repr(al.Decay(0.9)) == "Decay(rate=0.9, complement=0.1)"
