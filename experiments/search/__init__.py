"""The search behind the tuned settings: `python -m experiments.search`."""
