"""Wrong backwards made by a program, and the checker's answer to each: `python -m experiments.mutants`.

`subjects` are what is broken, in `cases`, `source` and `results` the two ways to break it, `copies` the copies of the
library that hold the mutants, `judge` tells what becomes of a mutant, and `right` checks right cases.
"""
