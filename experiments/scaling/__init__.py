"""Several ranks, measured here and predicted for more: `python -m experiments.scaling`."""
