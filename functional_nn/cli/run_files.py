"""The files of one training run, beside the network that it makes, and what may be replaced.

pets.npz             the network, written at the end
pets.html            its page
pets.checkpoint.npz  the run so far, for the same command to go on from; removed at the end
pets.checkpoint.json what that run was: its options and data; removed at the end
pets.best.npz        the best epoch so far; removed at the end
.pets.lock           locked by the run that is at work; removed at the end
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from functional_nn.cli.options import NETWORK_ENDINGS
from functional_nn.extras import needs_extra
from functional_nn.files import exists, locked
from functional_nn.result import FitResult
from functional_nn.saving import load

__all__ = ["RunFiles"]


class RunFiles(NamedTuple):
    """The paths."""

    net: Path
    page: Path
    checkpoint: Path
    best: Path
    record: Path

    @classmethod
    def of(cls, out: Path) -> RunFiles:
        """Return the paths of the run that makes the network `out`. Raise `ValueError` for another ending."""
        if out.suffix.lower() not in NETWORK_ENDINGS or not out.stem:
            raise ValueError(f"--out {out}: expected a name that ends in {' or '.join(NETWORK_ENDINGS)}")
        if out.suffix.lower() == ".safetensors":
            with needs_extra("safetensors", f"--out {out}"):
                import safetensors  # noqa: F401 (better missed now than after the training)
        endings = (".html", ".checkpoint.npz", ".best.npz", ".checkpoint.json")
        return cls(out, *(out.with_name(out.stem + ending) for ending in endings))

    @contextmanager
    def held(self, data: str, cache: Path | None) -> Iterator[None]:
        """Make the folder, and keep the files for this run while the body runs.

        Raises `ValueError` where another run is at work on them or they are its data, and `OSError` where nothing can
        be written.
        """
        for role, path in (("DATA", Path(data)), ("--cache", cache)):
            if path is not None and any(path.resolve() == own.resolve() for own in self):
                raise ValueError(f"{role} {path}: is a file that this run writes: give another --out")
        try:
            self.net.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.net.parent):
                pass
        except OSError as error:
            what = f"{self.net.parent} is no folder that can be written ({error.strerror})"
            raise OSError(f"--out {self.net}: {what}: name another --out") from error
        with locked(self.net.with_name(f".{self.net.stem}.lock")) as alone:
            if not alone:
                raise ValueError(
                    f"--out {self.net}: another run is writing it: wait for its end, or name another --out"
                )
            yield

    def goes_on(self, *, force: bool) -> bool:
        """Return whether an interrupted run is there to go on from. Raise `ValueError` for files that would be lost."""
        standing = [path for path in (self.net, self.page, self.best, self.record) if exists(path)]
        interrupted = exists(self.checkpoint)
        if standing and not interrupted and not force:
            raise ValueError(f"{standing[0]} exists: name another --out, or give --force to replace it")
        return interrupted

    def epochs_kept(self) -> int:
        """Return how many epochs the checkpoint holds. Raises `ValueError` where it is none, and as `load` does."""
        kept = load(self.checkpoint)
        if not isinstance(kept, FitResult):
            raise ValueError(f"{self.checkpoint}: holds a {type(kept).__name__}, expected the checkpoint of a run")
        return len(kept.history)

    def how_to_go_on(self, epochs: int | None = None) -> str:
        """Return what an interrupt leaves: the file tells, which may lack the epoch that was being kept."""
        if not self.checkpoint.exists():
            return "no epoch had ended; the same command begins again"
        total = "" if epochs is None else f" of {epochs}"
        return f"{self.epochs_kept()}{total} epochs are kept in {self.checkpoint}; the same command goes on from there"

    def begin_anew(self) -> None:
        """Remove what an interrupted run left, or one that has ended."""
        for file in (self.checkpoint, self.best, self.record):  # the first: without the others it is not whole
            file.unlink(missing_ok=True)
