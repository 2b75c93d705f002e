"""The contestants of the benchmark: each module's `prepare(work)` returns a function that takes one step."""
