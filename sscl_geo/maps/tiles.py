"""The plan of a map: which tiles the network sees and how they cover the scene."""

from dataclasses import dataclass
from functools import cached_property

from sscl_geo.maps.axis import TileAxis


@dataclass(frozen=True)
class TilePlan:
    """Tiles that cover a scene in rows and columns; pure geometry, nothing is read.

    Tile (i, j) stands in tile row i and tile column j. Its weight is the product of the weights of
    its two axes, so that the weights of all tiles sum to 1 at every pixel of the scene.

    Args:
        shape: (height, width) of the scene, in pixels.
        tile: height and width of a tile, in pixels; a multiple of ``stride``.
        margin: pixels at each side of a tile that serve as context only.
        overlap: share of a tile without its margins, 0 to 0.5, that neighbours share and blend.
        stride: the network's largest downsampling, in pixels.

    Raises:
        ConfigError: if the numbers do not make a tiling.

    Example:
        >>> plan = TilePlan((1000, 700), tile=256, margin=16, overlap=0.25, stride=32)
        >>> len(plan.rows), len(plan.cols), plan.rows.starts[:2]
        (6, 5, (-32, 128))
    """

    shape: tuple[int, int]
    tile: int = 256
    margin: int = 16
    overlap: float = 0.25
    stride: int = 1

    def __post_init__(self) -> None:
        _ = self.rows, self.cols

    @cached_property
    def rows(self) -> TileAxis:
        """Tiles from top to bottom."""
        return TileAxis(self.shape[0], self.tile, self.margin, self.overlap, self.stride)

    @cached_property
    def cols(self) -> TileAxis:
        """Tiles from left to right."""
        return TileAxis(self.shape[1], self.tile, self.margin, self.overlap, self.stride)

    def __len__(self) -> int:
        """Number of tiles."""
        return len(self.rows) * len(self.cols)
