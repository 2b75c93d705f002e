"""Experiments with the public API of functional_nn, run in a clone: `python -m experiments.NAME --help`.

The commands are reproduce, search, autopsy, mnist, resnet, autoencoder, mutants, benchmark and scaling. The first six
train networks and keep them: `networks` in their `--out` holds files for `fnn.load`, and a command says at its end how
to use one. Imports run downward: from the commands to `report` (the student's report), `running` (training and its
results) and `showing` (files and pictures).
"""
