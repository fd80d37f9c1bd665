"""Overlapping tiles along one axis of a scene, and the weight of each in the blend."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sscl_geo.errors import ConfigError


@dataclass(frozen=True)
class TileAxis:
    """Tiles that cover one axis of a scene, from its first pixel to its last.

    Every tile starts at a multiple of ``stride`` counted from the scene's first pixel, so that a
    network with strided layers sees each pixel in the same phase whatever the tile size. The first
    tile starts before the scene and the last ends behind it, by at least ``margin`` pixels each,
    which are filled by reflection; the last is moved back so that it reflects no more than that.
    Inside, ``margin`` pixels at both ends of a tile are context only and have no weight; what
    remains, the *core*, meets the next core with about the overlap that was asked for.

    Args:
        size: number of pixels of the scene along this axis.
        tile: number of pixels of a tile, what the network gets; a multiple of ``stride``.
        margin: pixels at either end of a tile that serve as context only.
        overlap: share of the core, 0 to 0.5, that neighbouring tiles share and blend; met as
            nearly as steps in multiples of ``stride`` allow.
        stride: the network's largest downsampling, in pixels.

    Raises:
        ConfigError: if the numbers do not make a tiling.
    """

    size: int
    tile: int
    margin: int
    overlap: float
    stride: int = 1

    def __post_init__(self) -> None:
        if self.stride < 1 or self.tile < 1 or self.tile % self.stride:
            fitting = self.stride * max(1, round(self.tile / self.stride))
            raise ConfigError(
                f"A tile of {self.tile} pixels is not a multiple of the network's stride of "
                f"{self.stride}; choose for example {fitting}."
            )
        if self.margin < 0 or self.core < self.stride:
            raise ConfigError(
                f"A margin of {self.margin} pixels leaves too little of a tile of {self.tile}; "
                f"choose a margin of 0 to {(self.tile - self.stride) // 2} or a larger tile."
            )
        if not 0 <= self.overlap <= 0.5:
            raise ConfigError(f"An overlap of {self.overlap} is not between 0 and 0.5; change it.")

    @property
    def core(self) -> int:
        """Pixels of a tile that have weight in the blend, away from the scene's borders."""
        return self.tile - 2 * self.margin

    @property
    def step(self) -> int:
        """Pixels from one tile to the next, the last excepted; a multiple of ``stride``."""
        wanted = round(self.core * (1 - self.overlap) / self.stride)
        return self.stride * max(1, min(wanted, self.core // self.stride))

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """First pixel of each tile, negative for the first one unless the margin is 0."""
        first = -_round_up(self.margin, self.stride)
        last = max(first, _round_up(self.size + self.margin - self.tile, self.stride))
        return (*range(first, last, self.step), last)

    def __len__(self) -> int:
        return len(self.starts)

    def span(self, index: int) -> tuple[int, int]:
        """Pixels of the scene, from and up to, to which a tile contributes."""
        start = self.starts[index]
        begin = 0 if index == 0 else start + self.margin
        end = self.size if index == len(self) - 1 else start + self.tile - self.margin
        return begin, end

    def finished(self, index: int) -> tuple[int, int]:
        """Pixels of the scene, from and up to, that get their last contribution from a tile."""
        end = self.size if index == len(self) - 1 else self.span(index + 1)[0]
        return self.span(index)[0], end

    @cached_property
    def carried(self) -> int:
        """Most pixels of a span that are not finished with its tile."""
        return max(self.span(i)[1] - self.finished(i)[1] for i in range(len(self)))

    @cached_property
    def weights(self) -> tuple[NDArray[np.float32], ...]:
        """Weights of each tile on the pixels of its span; at every pixel they sum to 1.

        A tile fades in and out over what it shares with its neighbours by a half-sample Hann ramp,
        which is never 0 and sums to 1 with its mirror image; it stays flat on the scene's borders.
        """
        total = np.zeros(self.size)
        raw = [self._fade(i) for i in range(len(self))]
        for i, weight in enumerate(raw):
            begin, end = self.span(i)
            total[begin:end] += weight
        return tuple(
            (weight / total[slice(*self.span(i))]).astype(np.float32)
            for i, weight in enumerate(raw)
        )

    def _fade(self, index: int) -> NDArray[np.float64]:
        begin, end = self.span(index)
        weight = np.ones(end - begin)
        if index > 0:
            shared = self.span(index - 1)[1] - begin
            weight[:shared] *= hann_ramp(shared)
        if index < len(self) - 1:
            shared = end - self.span(index + 1)[0]
            weight[len(weight) - shared :] *= hann_ramp(shared)[::-1]
        return weight

    def reflected(self, first: int, last: int) -> NDArray[np.intp]:
        """Pixel of the scene that stands at each pixel of the tiles from ``first`` to ``last``.

        Beyond the borders the scene is mirrored about its outermost pixels, as often as needed, as
        ``numpy.pad(mode="reflect")`` does.
        """
        return reflect(np.arange(self.starts[first], self.starts[last] + self.tile), self.size)


def hann_ramp(length: int) -> NDArray[np.float64]:
    """Rising half of a half-sample Hann window, ``(1 - cos(pi (i + 1/2) / length)) / 2``.

    Never 0, and ``hann_ramp(n) + hann_ramp(n)[::-1]`` is 1 throughout. The full window of 2 n
    pixels is the periodic Hann window of Harris (1978), doi:10.1109/PROC.1978.10837, sampled at
    pixel centres.
    """
    return (1 - np.cos(np.pi * (np.arange(length) + 0.5) / max(length, 1))) / 2


def reflect(indexes: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Fold indexes from beyond an axis of ``size`` pixels back into it, the edge not repeated."""
    if size == 1:
        return np.zeros_like(indexes)
    period = 2 * (size - 1)
    folded = indexes % period
    return np.minimum(folded, period - folded)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
