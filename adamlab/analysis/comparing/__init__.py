"""Optimizers side by side: ranks, profiles and tests over instances, and twins of two libraries."""
