"""The patches of a tile: side by side, none overlapping, numbered."""

from dataclasses import dataclass
from typing import Literal

from sscl_geo.errors import ConfigError

Order = Literal["row", "column"]


@dataclass(frozen=True)
class PatchGrid:
    """Square patches that cover a tile once, from its upper left corner.

    The last row and column reach beyond the tile where its sides are no multiples of the patch's;
    there is no data and no label there. Potsdam's tiles of 6000 pixels have 24 x 24 patches of 256,
    the last of which hold 112 pixels of ground.

    Attributes:
        shape: (height, width) of the tile in pixels.
        size: side of a patch in pixels.
        order: whether numbers run along rows first, or along columns.

    Raises:
        ConfigError: if the patch has no size.

    Example:
        >>> from sscl_geo.studies.patch_grid import PatchGrid
        >>> grid = PatchGrid((6000, 6000), 256)
        >>> len(grid), grid.origin(1), grid.origin(25), grid.origin(519)
        (576, (0, 0), (256, 0), (5376, 3584))
    """

    shape: tuple[int, int]
    size: int
    order: Order = "row"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ConfigError(f"A patch of {self.size} pixels holds nothing; give at least 1.")

    @property
    def counts(self) -> tuple[int, int]:
        """Numbers of rows and of columns of patches."""
        height, width = self.shape
        return -(-height // self.size), -(-width // self.size)

    def __len__(self) -> int:
        rows, cols = self.counts
        return rows * cols

    def place(self, number: int) -> tuple[int, int]:
        """Row and column, from 0, in the grid of a patch.

        Args:
            number: its number, from 1.

        Raises:
            ConfigError: if there is no such patch.
        """
        if not 1 <= number <= len(self):
            raise ConfigError(f"There is no patch {number}; a tile has patches 1 to {len(self)}.")
        rows, cols = self.counts
        if self.order == "row":
            return (number - 1) // cols, (number - 1) % cols
        return (number - 1) % rows, (number - 1) // rows

    def origin(self, number: int) -> tuple[int, int]:
        """First row and first column, in pixels, of a patch."""
        row, col = self.place(number)
        return row * self.size, col * self.size

    def number(self, row: int, col: int) -> int:
        """Number of the patch at a row and column of the grid, from 0."""
        rows, cols = self.counts
        return 1 + (row * cols + col if self.order == "row" else col * rows + row)

    def around(self, number: int) -> list[int]:
        """Numbers of a patch and of those that touch it, corners included."""
        row, col = self.place(number)
        rows, cols = self.counts
        return [
            self.number(r, c)
            for r in range(max(0, row - 1), min(rows, row + 2))
            for c in range(max(0, col - 1), min(cols, col + 2))
        ]
