"""The plan of a map: which tiles the network sees and how they cover the scene."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from sscl_geo.errors import ConfigError
from sscl_geo.maps.axis import TileAxis


@dataclass(frozen=True)
class Columns:
    """Part of a scene, from its top to its bottom, that is computed at once.

    Attributes:
        first: first tile column that adds to it.
        stop: tile column after the last that adds to it.
        begin: first pixel column.
        end: pixel column after the last.
    """

    first: int
    stop: int
    begin: int
    end: int

    @property
    def width(self) -> int:
        """Number of pixel columns."""
        return self.end - self.begin


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

    @property
    def whole(self) -> Columns:
        """All columns of the scene."""
        return Columns(0, len(self.cols), 0, self.shape[1])

    def cut(self, parts: int) -> tuple[Columns, ...]:
        """Cut the scene into parts of about as many tile columns each, from left to right.

        Tiles that reach across a cut are computed for both sides.

        Args:
            parts: number of parts, at most that of the tile columns.
        """
        count = len(self.cols)
        edges = [part * count // parts for part in range(parts + 1)]
        return tuple(self._columns(a, b) for a, b in pairwise(edges))

    def share(self, number: int, total: int) -> "PlanShare":
        """One of so many shares of the scene, numbered from 1, from left to right.

        Raises:
            ConfigError: if there is no such share, or there are fewer tile columns than shares.
        """
        if not 1 <= number <= total:
            raise ConfigError(f"There is no column strip {number} of {total}; count from 1.")
        if total > len(self.cols):
            raise ConfigError(
                f"The scene has {len(self.cols)} tile columns, too few for {total} column strips; "
                "choose fewer."
            )
        return PlanShare(self, number, total)

    def _columns(self, first: int, stop: int) -> Columns:
        begin, end = self.cols.finished(first)[0], self.cols.finished(stop - 1)[1]
        reaching = next(j for j in range(first + 1) if self.cols.span(j)[1] > begin)
        return Columns(reaching, stop, begin, end)


@dataclass(frozen=True)
class PlanShare:
    """Some columns of a scene that are computed by themselves; see :meth:`TilePlan.share`.

    Attributes:
        plan: the tiles of the scene.
        number: number of the share, from 1.
        total: how many there are.
    """

    plan: TilePlan
    number: int
    total: int

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.plan.shape[0], self.whole.width

    @property
    def whole(self) -> Columns:
        """All its columns, as columns of the scene."""
        return self.cut(1)[0]

    def cut(self, parts: int) -> tuple[Columns, ...]:
        """Cut the share like a scene; see :meth:`TilePlan.cut`."""
        begin, end = (self.number - 1) * parts, self.number * parts
        return self.plan.cut(self.total * parts)[begin:end]
