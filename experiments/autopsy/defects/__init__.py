"""The defects behind the report's figures, as layers, losses, starts and preparations of data.

One family a file, each saying what is wrong and what is right: `activations`, `weighted` (convolutions and dense
layers), `pool`, `cross_entropy`, `centring`; `catalogue` names them all.
"""

from experiments.autopsy.defects.catalogue import DEFECTS, Defect, loss_with_defects, with_defects

__all__ = ["DEFECTS", "Defect", "loss_with_defects", "with_defects"]
