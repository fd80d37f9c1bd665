"""``sscl-geo split``: parts for training, validation and test, and few of the labels."""

from pathlib import Path
from typing import Literal


def split(
    scenes: list[str],
    *,
    out: Path = Path("split"),
    labels: Path | None = None,
    classes: Path | None = None,
    column: str | None = None,
    layer: list[str] | None = None,
    remap: Path | None = None,
    resampling: Literal["nearest", "majority"] = "nearest",
    overlap: Literal["last", "first", "smallest", "ignore"] = "last",
    label_crs: str | None = None,
    block_size: int = 256,
    shares: tuple[float, float, float] = (0.5, 0.1, 0.4),
    buffer: int = 0,
    label_shares: list[float] | None = None,
    drawn: Literal["patch", "pixel"] = "patch",
    patch_size: int = 64,
    stratified: bool = True,
    seed: int = 0,
) -> Path:
    """Split one scene by spatial blocks, or several as a whole; draw few of the labels.

    The parts go to blocks.gpkg, for --within of 'finetune' and 'evaluate'; each share of the labels
    in the training part to a label raster, with classes.csv. Labels count where the scene has data.

    Args:
        scenes: raster files, folders or patterns.
        out: folder for blocks.gpkg and the label rasters.
        labels: labels of the scene; its blocks are then dealt so that each class is spread over the
            parts.
        classes: CSV or YAML file with value, name, color, or a QGIS style (QML); those of the
            labels if not given.
        column: column of a vector file that holds the class; chosen if not given.
        layer: layer of a vector file that has several; more are read together, later ones on top.
        remap: YAML or CSV file of rules 'source value or name: class or ignore' for the labels.
        resampling: what a pixel gets from a class raster on another grid: the class under its
            centre, or the most frequent inside it.
        overlap: which of overlapping features has a pixel; 'ignore' leaves it without a label where
            their classes differ.
        label_crs: coordinate reference system of the labels, where the file names none or a wrong
            one.
        block_size: side of a block in pixels; a rest narrower than a third of it at the edge goes
            to the last blocks.
        shares: shares of train, val and test.
        buffer: pixels left out between parts; the test part stays whole.
        label_shares: shares of the labels to draw, 0 to 1, each inside the larger ones; none if not
            given.
        drawn: draw whole patches or single pixels.
        patch_size: side of a patch of labels in pixels.
        stratified: draw labels by class; at random if not.
        seed: seed of the draws.

    Returns:
        the folder.
    """
    from rich.console import Console
    from rich.table import Table

    from sscl_geo.errors import ConfigError
    from sscl_geo.io.finding import find_scenes
    from sscl_geo.io.labelled_ground import labels_on_scene
    from sscl_geo.io.labels import LabelOptions, open_with
    from sscl_geo.io.scene import open_scene
    from sscl_geo.splits import (
        count_parts,
        draw_label_shares,
        labels_of_part,
        spatial_blocks,
        split_scenes,
        write_blocks,
    )

    opened = [open_scene(path) for path in find_scenes(scenes)]
    if label_shares and labels is None:
        raise ConfigError("Shares of the labels need labels; give --labels.")
    if labels is not None and len(opened) > 1:
        raise ConfigError("Several scenes are split without looking at labels; leave out --labels.")
    console = Console(soft_wrap=True, highlight=False)
    named = dict(zip(("train", "val", "test"), shares, strict=True))
    first = opened[0]
    known, indices = None, None
    if labels is not None:
        options = LabelOptions(layer, remap, resampling, overlap, label_crs)
        known = open_with(labels, classes, column, options)
        indices = labels_on_scene(known, first)
    if len(opened) == 1:
        blocks = spatial_blocks(first.geobox, block_size, named, seed, indices, buffer)
        counts = count_parts(blocks, named, first.geobox, indices)
    else:
        blocks = split_scenes(opened, named, seed, buffer * max(first.pixel_size))
        counts = count_parts(blocks, named).rename(columns={"blocks": "scenes"})
    table = Table(*counts.rename(columns={"labelled": "labelled pixels"}))
    for part, *numbers in counts.itertuples(index=False):
        table.add_row(part, *(f"{number:,}" for number in numbers))
    written = [("blocks", write_blocks(blocks, out / "blocks.gpkg"))]
    if label_shares and known is not None and indices is not None:
        few = draw_label_shares(
            labels_of_part(indices, blocks, first.geobox, "train"),
            label_shares,
            drawn=drawn,
            patch_size=patch_size,
            stratified=stratified,
            seed=seed,
        )
        for share, labelled in zip(few.shares, few.labelled_pixels, strict=True):
            table.add_row(f"{100 * share:g} % of train", "", "", f"{labelled:,}")
        written += [("labels", path) for path in few.write(out, first.geobox, known.classes)]
    console.print(table)
    for what, path in written:
        console.print(what, path, markup=False)
    return out
