"""The contestants of the benchmark: each module's `prepare(work)` returns a function that takes one step.

That of `ours` takes several and returns their seconds, as an epoch of `fit` tells its own.
"""
