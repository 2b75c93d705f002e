"""Experiments: scripts that use only the public API. Run one with `python -m experiments.NAME --help`."""
