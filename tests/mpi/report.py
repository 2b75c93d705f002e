"""What a script on several ranks reports: short lines, each written at once so that those of two ranks never mix."""

import hashlib
import json
import os
from typing import Any

import numpy as np

from functional_nn import tree

REPORT = "report: "


def report(rank: int, facts: Any) -> None:
    """Print facts of a rank."""
    os.write(1, f"{REPORT}{json.dumps([rank, facts])}\n".encode())


def digest(value: Any) -> str:
    """The digest of a tree of arrays and numbers, a `FitResult` say, without the seconds that its epochs took."""
    summed = hashlib.sha256()
    for path, leaf in tree.items(value):
        if not path.endswith("seconds"):
            content = leaf.tobytes() if isinstance(leaf, np.ndarray) else repr(leaf).encode()
            summed.update(f"{path} {getattr(leaf, 'dtype', '')} {np.shape(leaf)} ".encode() + content)
    return summed.hexdigest()[:16]
