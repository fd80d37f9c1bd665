"""A public dataset as its owners lay it out: tiles, parts, classes, and where to ask for it."""

import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

from sscl_geo.classes import ClassTable
from sscl_geo.errors import ConfigError, SceneError

Part = Literal["train", "test"]

NAME = "{name}"
"""Stands for a tile's name in the patterns of a :class:`TileSource`."""


@dataclass(frozen=True)
class Tile:
    """One image of a dataset with its labels.

    Attributes:
        name: short name, unique in its dataset.
        part: ``"train"`` or ``"test"``.
        image: file of the image.
        labels: file of the labels.
        shape: (height, width) in pixels.
    """

    name: str
    part: Part
    image: Path
    labels: Path
    shape: tuple[int, int]


@dataclass(frozen=True)
class TileSource:
    """Tiles that lie in one place, by patterns of paths below the dataset's folder.

    Attributes:
        part: what its tiles are for.
        images: patterns with ``{name}``; the first that exists counts.
        labels: the same for each kind of label files.
        names: names of the tiles; None for all that are found.
        prefix: put before the names to make them unique.
    """

    part: Part
    images: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    names: tuple[str, ...] | None = None
    prefix: str = ""


@dataclass(frozen=True)
class FieldDataset:
    """What is known of a dataset before a file of it is seen.

    Attributes:
        key: its name on the command line.
        title: its name in texts.
        owner: who publishes it.
        page: title of the page where it can be had.
        url: address of that page.
        layout: where the files are expected, for messages.
        bands: names of the bands of an image, in order.
        pixel_size: side of a pixel in metres.
        classes: classes in the order of a network's outputs.
        coding: whether labels hold the classes' colours or their values.
        sources: where tiles lie.
        patch_size: side of a patch of the protocol, in pixels.
        ignored_values: values of labels that stand for no class, where ``coding`` is ``"values"``.
        optional_class: value of a class that need not count, such as clutter.
        test_share: share of the tiles that are put aside for testing where its owners publish no
            labelled test part; 0 where they do.
        preset: how views are recoloured in pretraining, see
            :class:`~sscl_geo.datamodules.pairs.PairDataModule`.
        named_patches: file in this package with the patches that the protocol labels.
        named_counts: rows and columns of patches in each tile that their numbers speak of.
    """

    key: str
    title: str
    owner: str
    page: str
    url: str
    layout: str
    bands: tuple[str, ...]
    pixel_size: float
    classes: ClassTable
    coding: Literal["colors", "values"]
    sources: tuple[TileSource, ...]
    patch_size: int
    ignored_values: frozenset[int] = field(default_factory=frozenset)
    optional_class: int | None = None
    test_share: float = 0.0
    preset: Literal["optical", "rgb"] = "rgb"
    named_patches: str | None = None
    named_counts: tuple[int, int] | None = None

    @property
    def label_kinds(self) -> tuple[str, ...]:
        """Kinds of label files, the usual one first."""
        return tuple(self.sources[0].labels)

    def counted_classes(self, *, optional: bool) -> ClassTable:
        """Classes of a study; without the optional one, its pixels are unlabelled.

        Args:
            optional: whether the optional class counts.
        """
        kept = (c for c in self.classes if optional or c.value != self.optional_class)
        return ClassTable(tuple(kept))

    def missing(self, root: Path, path: str, count: int) -> SceneError:
        """What to tell who lacks the data.

        Args:
            root: folder that was looked into.
            path: first path that is missing there.
            count: how many are missing.
        """
        more = f" and {count - 1} more files are" if count > 1 else " is"
        return SceneError(
            f"{self.title} is not complete in {root}: {path}{more} missing; get it from "
            f"{self.owner}, page '{self.page}' ({self.url}), and unpack it so that there are "
            f"{self.layout}."
        )


def find_tiles(
    dataset: FieldDataset, root: str | os.PathLike[str], *, labels: str, test_labels: str
) -> tuple[Tile, ...]:
    """Find the tiles of a dataset, all of them.

    Args:
        dataset: the dataset.
        root: folder that holds it.
        labels: kind of label files of the training tiles, a key of ``label_kinds``.
        test_labels: the same of the test tiles.

    Returns:
        training tiles, then test tiles.

    Raises:
        ConfigError: if there is no such kind of label files.
        SceneError: if a file is missing, with where to get it, or cannot be read.
    """
    for kind in (labels, test_labels):
        if kind not in dataset.label_kinds:
            raise ConfigError(
                f"{dataset.title} has no label files {kind!r}; choose "
                f"{', '.join(dataset.label_kinds)}."
            )
    folder, missing = Path(root), []
    found: list[tuple[str, Part, Path, Path]] = []
    for source in dataset.sources:
        kind = labels if source.part == "train" else test_labels
        for name in _names(source, folder):
            image = _first(folder, source.images, name)
            mask = _first(folder, source.labels[kind], name)
            patterns = ((image, source.images), (mask, source.labels[kind]))
            missing += [p[0].replace(NAME, name) for path, p in patterns if path is None]
            if image is not None and mask is not None:
                found.append((source.prefix + name, source.part, image, mask))
    if missing:
        raise dataset.missing(folder, missing[0], len(missing))
    for part in ("train", "test") if not dataset.test_share else ("train",):
        if not any(item[1] == part for item in found):
            source = next(s for s in dataset.sources if s.part == part)
            raise dataset.missing(folder, source.images[0].replace(NAME, "*"), 1)
    held = _held_out([item[0] for item in found], dataset.test_share)
    tiles = [
        Tile(name, "test" if name in held else part, image, mask, _shape(image))
        for name, part, image, mask in found
    ]
    return tuple(sorted(tiles, key=lambda tile: tile.part == "test"))


def _names(source: TileSource, root: Path) -> tuple[str, ...]:
    if source.names is not None:
        return source.names
    for pattern in source.images:
        place = Path(pattern)
        before, after = place.name.split(NAME)
        files = (root / place.parent).glob(f"{before}*{after}")
        names = [f.name.removeprefix(before).removesuffix(after) for f in files]
        if names:
            # 2 before 10, as the files are numbered.
            return tuple(sorted(names, key=lambda n: (int(n) if n.isdigit() else -1, n)))
    return ()


def _first(root: Path, patterns: tuple[str, ...], name: str) -> Path | None:
    paths: Iterator[Path] = (root / pattern.replace(NAME, name) for pattern in patterns)
    return next((path for path in paths if path.is_file()), None)


def _held_out(names: list[str], share: float) -> frozenset[str]:
    """Names put aside for testing, by a hash: the same on every machine and for every seed."""
    order = sorted(names, key=lambda name: sha256(name.encode()).hexdigest())
    return frozenset(order[: max(1, round(share * len(names)))]) if share else frozenset()


def _shape(path: Path) -> tuple[int, int]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as source:
                return int(source.height), int(source.width)
    except RasterioIOError as error:
        raise SceneError(f"Cannot read {path}, which is damaged; fetch it again.") from error
