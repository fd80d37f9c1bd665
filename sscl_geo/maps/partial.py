"""The folder beside a map in which it grows, and from which a killed run goes on."""

import fcntl
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sscl_geo.errors import OutputError
from sscl_geo.io.atomic import atomic_path, ensure_folder
from sscl_geo.maps.layers import Layer
from sscl_geo.maps.raw import RawRaster
from sscl_geo.maps.tiles import PlanShare, TilePlan

_ROWS_BETWEEN_ENTRIES = 512
"""Rows after which progress is noted: little is lost by a break, and noting costs nothing."""

_JOURNAL = "journal.json"


def partial_folder(out: Path) -> Path:
    """Folder in which a map grows: ``map.tif.partial`` beside ``map.tif``."""
    return out.with_name(f"{out.name}.partial")


class PartialMap:
    """A map that is not finished: the rasters of its layers, and a journal of what is in them.

    Rows are flushed to the disk before the journal says that they are there, and the journal is
    replaced in one step. So whatever happens to the process or the machine, what the journal says
    is true, and a run of the same hash goes on behind the last rows that it names. To be used in a
    ``with`` block; another process cannot use the folder meanwhile.

    When the block ends by an error the folder is kept if there are finished rows in it.

    Args:
        folder: where; see :func:`partial_folder`.
        run: hash of all that the map depends on; empty if that is not known, so that no other run
            can go on from this one.
        layers: what it consists of.
        plan: its tiles, or a share of them, of which its rasters hold the columns.
        parts: number of parts in which it is to be computed, one after the other, to save memory.
            A run that goes on from more parts keeps these.
        resume: whether to go on from what an earlier run left.

    Attributes:
        rasters: raster of each layer, in order.
        columns: the parts.

    Raises:
        OutputError: if the folder cannot be written, or another process works in it.
    """

    def __init__(
        self,
        folder: Path,
        run: str,
        layers: Sequence[Layer],
        plan: TilePlan | PlanShare,
        parts: int = 1,
        *,
        resume: bool = True,
    ) -> None:
        self.folder = folder
        self.rasters = [
            RawRaster(folder / f"{layer.name}.raw", layer, plan.shape) for layer in layers
        ]
        self.columns = plan.cut(parts)
        self._plan, self._run, self._resume = plan, run, resume and run
        self._written, self._noted = [0] * parts, [0] * parts
        self._kept = False

    def __enter__(self) -> Self:
        ensure_folder(self.folder)
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise OutputError(
                f"Another process is writing {self.folder.with_suffix('')}; wait until it is done, "
                "or write to another file."
            ) from error
        rows = finished_rows(self.folder, self._run, self.rasters) if self._resume else []
        if len(rows) >= len(self.columns):
            self.columns = self._plan.cut(len(rows))
            self._written, self._noted = list(rows), list(rows)
        else:
            for path in self.folder.iterdir():
                if path.name != "lock":
                    path.unlink()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for raster in self.rasters:
            raster.close()
        done = kind is None and not self._kept
        if done or not self._run or not any(self._noted):
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self._plan.shape

    def rows_done(self, part: int) -> int:
        """Number of finished rows of a part, from the top."""
        return self._written[part]

    def write(self, part: int, values: Sequence[NDArray[np.generic]]) -> None:
        """Append rows to a part.

        Args:
            part: number of the part.
            values: the rows of each layer, each of shape (bands, rows, columns of the part).

        Raises:
            OSError: if the disk is full.
        """
        row = self._written[part]
        for raster, rows in zip(self.rasters, values, strict=True):
            raster.write(row, self.columns[part].begin - self._plan.whole.begin, rows)
        self._written[part] = row + values[0].shape[1]
        finished = self._written[part] == self._plan.shape[0]
        if finished or self._written[part] - self._noted[part] >= _ROWS_BETWEEN_ENTRIES:
            self._note()

    def discard(self) -> None:
        """Forget all rows, so that nothing is kept when the block ends."""
        self._noted = [0] * len(self.columns)

    def keep(self) -> None:
        """Leave the rows there when the block ends, for the map that they are a share of."""
        self._kept = True

    @property
    def _journal(self) -> Path:
        return self.folder / _JOURNAL

    def _note(self) -> None:
        for raster in self.rasters:
            raster.sync()
        with atomic_path(self._journal) as temporary:
            state = {"run": self._run, "rows": self._written}
            temporary.write_text(json.dumps(state), encoding="utf-8")
        self._noted = list(self._written)


def finished_rows(folder: Path, run: str, rasters: Sequence[RawRaster]) -> list[int]:
    """Rows that an unfinished map of a run has in each of its parts; none if there is none."""
    try:
        state = json.loads((folder / _JOURNAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    complete = all(raster.path.is_file() for raster in rasters)
    return state["rows"] if complete and state["run"] == run else []
