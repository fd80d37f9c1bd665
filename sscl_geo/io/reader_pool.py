"""Open readers of many scenes, a set for each thread."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Self

from sscl_geo.io.reading import SceneReader
from sscl_geo.io.scene import Scene

OPEN_FILES: Final = 128
"""Readers that a thread keeps open; systems often allow a process no more than 1,024 files."""


class ReaderPool:
    """Readers by number of the scene, made when first asked for, the least used ones closed.

    A reader is for one thread at a time, so each thread has its own. A pickled pool has none open.

    Args:
        make: gives the reader of a scene; not opened yet. If it is a method of who holds the pool,
            files stay open until Python looks for cycles.
        limit: readers that a thread keeps.
    """

    def __init__(self, make: Callable[[int], SceneReader], limit: int = OPEN_FILES) -> None:
        self._make = make
        self._limit = limit
        self._local = threading.local()

    @classmethod
    def of(
        cls, scenes: Sequence[Scene], bands: Sequence[str] | None = None, limit: int = OPEN_FILES
    ) -> Self:
        """Readers of some bands of scenes.

        Args:
            scenes: the scenes, in the order of their numbers.
            bands: names of the bands to read; all if None.
            limit: readers that a thread keeps.

        Raises:
            BandError: if a scene lacks a band.
        """
        for scene in scenes:
            SceneReader(scene, bands)
        return cls(partial(_reader, tuple(scenes), bands), limit)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_local": None}  # open files stay behind

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._local = threading.local()

    def __getitem__(self, scene: int) -> SceneReader:
        """Reader of a scene for the thread that asks."""
        readers: OrderedDict[int, SceneReader] | None = getattr(self._local, "readers", None)
        if readers is None:
            readers = self._local.readers = OrderedDict()
        if scene not in readers:
            readers[scene] = self._make(scene)
            if len(readers) > self._limit:
                readers.popitem(last=False)[1].close()
        readers.move_to_end(scene)
        return readers[scene]


def _reader(scenes: tuple[Scene, ...], bands: Sequence[str] | None, number: int) -> SceneReader:
    return SceneReader(scenes[number], bands)
