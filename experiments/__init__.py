"""Experiments with the public API of functional_nn, run in a clone: `python -m experiments.NAME --help`.

The commands are reproduce, search, autopsy, mnist, resnet, mutants and benchmark. Imports run downward: from the
commands to `report` (the student's report), `running` (training and its results) and `showing` (files and pictures).
"""
