"""Configs: TOML files or mappings, read and checked as a whole before anything is computed or written."""
