"""The report's rows on one's own data: `python -m experiments.reproduce`."""
