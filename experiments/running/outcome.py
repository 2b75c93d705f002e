"""What one run gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

import functional_nn as fnn


@dataclass(frozen=True)
class Outcome:
    """The result of one run: `record`, which JSON can hold, `arrays` for larger results, and the trained network.

    `network` is None where a run trains none of ours.
    """

    record: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    network: fnn.Trained | None = None
