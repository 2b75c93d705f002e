"""Large arrays that are freed stay with the process, so that the next ones need no page faults.

glibc's allocator gives large freed blocks back to the kernel at once. Allocating and freeing a block just below its
limit of 32 MiB raises its thresholds for good; no page of the block is touched. Other allocators are not changed.
"""

from __future__ import annotations

import numpy as np

__all__ = ["keep_freed_memory"]


def keep_freed_memory() -> None:
    """Raise the allocator's thresholds in this process."""
    np.empty(31 << 20, np.uint8)
