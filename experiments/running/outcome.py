"""What one run gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Outcome:
    """The result of one run: `record`, which JSON can hold, and `arrays` for larger results."""

    record: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
