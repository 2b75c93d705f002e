"""Speed beside other libraries and beside the machine's limit: `python -m experiments.benchmark`."""
