"""The defects behind the report's figures, as layers, losses, initial parameters and preparations of data.

Each file holds one family and explains the wrong form and the right one: `activations`, `weighted` (convolutions and
dense layers), `pool`, `cross_entropy`, `centring`. `catalogue` lists them all. They are made by `fnn.constructor`, so
networks with defects go to files: `fnn.load(path, constructors=CONSTRUCTORS)`.
"""

from experiments.autopsy.defects.catalogue import CONSTRUCTORS, DEFECTS, Defect, loss_with_defects, with_defects

__all__ = ["CONSTRUCTORS", "DEFECTS", "Defect", "loss_with_defects", "with_defects"]
