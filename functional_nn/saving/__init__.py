"""Trees, networks and what training gives, to files and back: as JSON and arrays, never as code."""

from functional_nn.saving.store import load, save

__all__ = ["load", "save"]
