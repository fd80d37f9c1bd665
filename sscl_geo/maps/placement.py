"""Where a tile stands in the blend, and which of its pixels others add to."""

from dataclasses import dataclass

from sscl_geo.maps.tiles import Columns, TilePlan


@dataclass(frozen=True)
class Placement:
    """Pixels of a tile that have weight, and what its neighbours do to them.

    Rows and columns are counted from the first of these pixels.

    Attributes:
        corner: row and column of the tile at which they begin.
        height: number of rows.
        width: number of columns.
        left: first of their columns, counted from that of the columns that are computed.
        skipped: columns that would have weight but are not computed, at the left.
        seen: rows that the tiles above have added to, and columns that the tile to the left has.
        ready: rows and columns to which no later tile adds.
    """

    corner: tuple[int, int]
    height: int
    width: int
    left: int
    skipped: int
    seen: tuple[int, int]
    ready: tuple[int, int]

    @classmethod
    def of(cls, plan: TilePlan, columns: Columns, i: int, j: int, *, follows: bool) -> "Placement":
        """Place a tile.

        Args:
            plan: the tiles.
            columns: the part of the scene that is computed.
            i: tile row.
            j: tile column.
            follows: whether the tile to the left was the last to be added.
        """
        rows, cols = plan.rows, plan.cols

        def clip(begin: int, end: int) -> tuple[int, int]:
            first, width = columns.begin, columns.width
            return min(max(begin - first, 0), width), min(max(end - first, 0), width)

        top, bottom = rows.span(i)
        left, right = clip(*cols.span(j))
        return cls(
            corner=(top - rows.starts[i], left + columns.begin - cols.starts[j]),
            height=bottom - top,
            width=right - left,
            left=left,
            skipped=left + columns.begin - cols.span(j)[0],
            seen=(
                rows.span(i - 1)[1] - top if i else 0,
                clip(*cols.span(j - 1))[1] - left if j and follows else 0,
            ),
            ready=(rows.finished(i)[1] - top, clip(*cols.finished(j))[1] - left),
        )
