"""Putting regions together again that strips of rows have cut."""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray

from sscl_geo.geometry.outlines import (
    Ring,
    polygon_from_rings,
    signed_area,
    split_where_touching,
    without_straight,
)
from sscl_geo.maps.products.regions import Regions


@dataclass(frozen=True, eq=False)
class Cut:
    """Where a strip of rows was cut off what stands above and below.

    Attributes:
        top: first row of the strip.
        bottom: row after its last.
        above: bool for each column: whether the pixel below the upper cut goes on above it.
        below: whether the pixel above the lower cut goes on below it.
    """

    top: int
    bottom: int
    above: NDArray[np.bool_]
    below: NDArray[np.bool_]


class RegionJoiner:
    """Joins the pieces of regions, strip by strip from top to bottom.

    Held in memory are the outlines of the regions that go on below the last strip, and no others.
    What comes out is what the whole raster would have given, vertex for vertex.

    Args:
        keep_vertices: whether outlines keep the vertices at the cuts where they go straight on, as
            neighbours of simplified outlines have them.
    """

    def __init__(self, *, keep_vertices: bool = False) -> None:
        self._keep_vertices = keep_vertices
        self._open: list[_Open] = []
        self._owner = np.zeros(0, np.intp)  # of the pixels above the cut, where they go on

    def add(self, pieces: Regions, cut: Cut) -> Regions:
        """Take the pieces of the next strip, oriented, and return the regions that end in it."""
        _, tops, _, bottoms = shapely.bounds(pieces.polygons).reshape(-1, 4).T
        near = np.flatnonzero((tops == cut.top) | (bottoms == cut.bottom))
        outlines = _CutOutlines(pieces.polygons[near], cut)
        begun = len(self._open)
        parts = [
            *self._open,
            *(
                _Open.of(pieces, near[i], chains)
                for i, chains in zip(outlines.cut, outlines.chains, strict=True)
            ),
        ]
        number = np.full(len(near), -1)
        number[outlines.cut] = np.arange(begun, len(parts))
        crossing = np.flatnonzero(cut.above)
        pairs = zip(
            self._owner[crossing].tolist(),
            number[outlines.owner_above[crossing]].tolist(),
            strict=True,
        )
        group = _groups(len(parts), set(pairs))
        members: dict[int, list[_Open]] = defaultdict(list)
        for part, of in zip(parts, group.tolist(), strict=True):
            members[of].append(part)
        closed: list[_Open] = []
        self._open, place = [], np.full(len(parts), -1)
        for of, found in members.items():
            region = _merged(found)
            region.join(cut.top)
            if region.chains:
                place[of] = len(self._open)
                self._open.append(region)
            else:
                closed.append(region)
        self._owner = np.full(len(cut.below), -1)
        self._owner[cut.below] = place[group[number[outlines.owner_below[cut.below]]]]
        whole = np.ones(len(pieces.class_values), np.bool_)
        whole[near[outlines.cut]] = False
        ended = Regions(
            np.array([r.polygon(keep_vertices=self._keep_vertices) for r in closed], dtype=object),
            np.array([r.value for r in closed], np.int32),
            np.array([r.total for r in closed], np.int64),
            np.array([r.pixels for r in closed], np.int64),
        )
        return Regions.together([pieces.where(whole), ended])


@dataclass(eq=False)
class _Chain:
    """Part of an outline between two cuts: its vertices but the last, and the last."""

    parts: deque[Ring]
    end: tuple[int, int]

    @property
    def start(self) -> tuple[int, int]:
        col, row = self.parts[0][0].tolist()
        return col, row

    def extend(self, other: "_Chain") -> None:
        # The longer of both stays where it is: a long outline is not copied at every cut.
        if len(self.parts) >= len(other.parts):
            self.parts.extend(other.parts)
        else:
            other.parts.extendleft(reversed(self.parts))
            self.parts = other.parts
        self.end = other.end

    def vertices(self) -> Ring:
        return np.concatenate(self.parts)


@dataclass(eq=False)
class _Open:
    """A region that is not complete, or a piece of one."""

    value: int
    total: int
    pixels: int
    chains: list[_Chain]
    rings: list[Ring] = field(default_factory=list)
    holes: list[Ring] = field(default_factory=list)
    sizes: list[NDArray[np.intp]] = field(default_factory=list)

    @classmethod
    def of(cls, pieces: Regions, index: int, chains: list[_Chain]) -> "_Open":
        rings = shapely.get_rings(pieces.polygons[index])[1:]
        holes, ring = shapely.get_coordinates(rings, return_index=True)
        last = np.diff(ring, append=-1) != 0  # the first vertex again
        return cls(
            int(pieces.class_values[index]),
            int(pieces.total[index]),
            int(pieces.pixels[index]),
            chains,
            holes=[np.rint(holes[~last]).astype(np.int32)],
            sizes=[np.bincount(ring, minlength=len(rings)) - 1],
        )

    def join(self, row: int) -> None:
        """Join chains that meet at the cut above a row."""
        starting: dict[tuple[int, int], list[_Chain]] = defaultdict(list)
        for chain in self.chains:
            starting[chain.start].append(chain)
        gone: set[int] = set()
        for chain in self.chains:
            while id(chain) not in gone and chain.end[1] == row:
                following = starting[chain.end].pop()
                gone.add(id(following))
                if following is chain:
                    self.rings.append(chain.vertices())
                else:
                    chain.extend(following)
        self.chains = [chain for chain in self.chains if id(chain) not in gone]

    def polygon(self, *, keep_vertices: bool) -> shapely.Polygon:
        rings = [part for ring in self.rings for part in split_where_touching(ring)]
        if not keep_vertices:
            rings = [without_straight(ring) for ring in rings]
        outer = next(i for i, ring in enumerate(rings) if signed_area(ring) > 0)
        outline = rings.pop(outer)
        sizes = np.concatenate([*self.sizes, [len(ring) for ring in rings]]).astype(np.intp)
        holes = np.concatenate([*self.holes, *rings, np.empty((0, 2), np.int32)])
        return polygon_from_rings(outline, holes, sizes)


def _merged(regions: Sequence[_Open]) -> _Open:
    """One region of several; the largest takes the others in."""
    first, *others = sorted(regions, key=lambda r: -len(r.rings) - len(r.holes) - len(r.chains))
    for other in others:
        first.total += other.total
        first.pixels += other.pixels
        first.chains += other.chains
        first.rings += other.rings
        first.holes += other.holes
        first.sizes += other.sizes
    return first


class _CutOutlines:
    """Outer rings of pieces, without the edges at which the pieces go on beyond a cut.

    Attributes:
        cut: numbers of the pieces that go on.
        chains: what is left of their outlines, in the same order.
        owner_above: for each column the piece below the upper cut, where it goes on.
        owner_below: for each column the piece above the lower cut, where it goes on.
    """

    def __init__(self, polygons: NDArray[np.object_], cut: Cut) -> None:
        xy, piece = shapely.get_coordinates(shapely.get_exterior_ring(polygons), return_index=True)
        xy = np.rint(xy).astype(np.int32)
        edges = np.flatnonzero(piece[1:] == piece[:-1])
        begin, step, piece = xy[edges], (xy[1:] - xy[:-1])[edges], piece[edges]
        at_top = (step[:, 1] == 0) & (begin[:, 1] == cut.top)
        at_bottom = (step[:, 1] == 0) & (begin[:, 1] == cut.bottom)
        # Edges at the cuts are taken apart into those of single pixels.
        lengths = np.where(at_top | at_bottom, np.abs(step[:, 0]), 1)
        edge = np.repeat(np.arange(len(edges)), lengths)
        along = np.arange(len(edge)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        vertices = begin[edge]
        vertices[:, 0] += along * np.sign(step[edge, 0])
        column = np.minimum(vertices[:, 0] - (step[edge, 0] < 0), len(cut.above) - 1)
        up, down = at_top[edge] & cut.above[column], at_bottom[edge] & cut.below[column]
        self.owner_above = np.full(len(cut.above), -1)
        self.owner_below = np.full(len(cut.below), -1)
        self.owner_above[column[up]] = piece[edge[up]]
        self.owner_below[column[down]] = piece[edge[down]]
        self.cut: list[int] = []
        self.chains: list[list[_Chain]] = []
        gone, corner = up | down, along == 0
        bounds = np.searchsorted(piece[edge], np.arange(len(polygons) + 1))
        for number in np.unique(piece[edge[gone]]).tolist():
            own = slice(bounds[number], bounds[number + 1])
            self.cut.append(number)
            self.chains.append(_chains(vertices[own], gone[own], corner[own]))


def _chains(vertices: Ring, gone: NDArray[np.bool_], corner: NDArray[np.bool_]) -> list[_Chain]:
    """What is left of a ring without some edges.

    Args:
        vertices: the ring.
        gone: whether the edge that leaves a vertex is left out.
        corner: whether a vertex is one of the ring's own; others count only as ends.
    """
    turn = -int(np.argmax(gone))
    vertices, gone, corner = np.roll(vertices, turn, 0), np.roll(gone, turn), np.roll(corner, turn)
    changes = np.flatnonzero(np.diff(gone, append=True)) + 1
    found = []
    for first, stop in changes.reshape(-1, 2).tolist():
        kept = corner[first:stop].copy()
        kept[0] = True
        end = vertices[stop % len(vertices)].tolist()
        found.append(_Chain(deque([vertices[first:stop][kept]]), (end[0], end[1])))
    return found


def _groups(count: int, pairs: Iterable[tuple[int, int]]) -> NDArray[np.intp]:
    """Number of a group for each of so many things, some of which belong together."""
    parent = list(range(count))

    def root(of: int) -> int:
        while parent[of] != of:
            parent[of] = of = parent[parent[of]]
        return of

    for a, b in pairs:
        parent[root(a)] = root(b)
    return np.array([root(of) for of in range(count)], np.intp)
