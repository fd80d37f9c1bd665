"""Computing the layers of a map: inference in front, writing behind, side by side."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sscl_geo.maps.inference import Rows
from sscl_geo.maps.layers import Layer
from sscl_geo.maps.partial import PartialMap
from sscl_geo.progress import progress_bar

PredictPart = Callable[[int], Iterator[Rows]]
"""Predicts the rows of a part of a map that are still to be done."""


def compute_layers(partial: PartialMap, layers: Sequence[Layer], predict: PredictPart) -> None:
    """Compute what is still to be done of a map, part by part.

    Args:
        partial: where the rows go.
        layers: its layers.
        predict: gives the rows of a part, with the values of each layer.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="write") as pool, _progress(partial) as advance:
        writing: Future[None] | None = None
        for part in range(len(partial.columns)):
            for rows in predict(part):
                if writing is not None:
                    writing.result()
                writing = pool.submit(_write, partial, part, layers, rows.values, rows.valid)
                advance(rows.valid.size)
            if writing is not None:
                writing.result()


def _write(
    partial: PartialMap,
    part: int,
    layers: Sequence[Layer],
    values: Sequence[Tensor],
    valid: NDArray[np.bool_],
) -> None:
    # Here, in the writing thread, so that nobody else waits for a GPU to be done.
    arrays = [value.cpu().numpy() for value in values]
    if not valid.all():
        for array, layer in zip(arrays, layers, strict=True):
            np.copyto(array, np.asarray(layer.nodata, array.dtype), where=~valid)
    partial.write(part, arrays)


@contextmanager
def _progress(partial: PartialMap) -> Generator[Callable[[int], None]]:
    """Show pixels done, the speed of this run and the time left."""
    total = partial.shape[0] * partial.shape[1]
    before = sum(
        partial.rows_done(part) * columns.width for part, columns in enumerate(partial.columns)
    )
    start, done = time.perf_counter(), 0
    with progress_bar(f"segment {partial.folder.stem}", total=total / 1e6) as bar:
        bar.advance(before / 1e6)

        def advance(pixels: int) -> None:
            nonlocal done
            done += pixels
            speed = done / 1e6 / (time.perf_counter() - start)
            bar.advance(pixels / 1e6, note=f"{speed:.1f} MPix/s")

        yield advance
