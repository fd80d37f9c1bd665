"""The pictures of a run: each a file of its own, and an image for the report."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from odc.geo.geobox import GeoBox

from sscl_geo.bundle import Bundle
from sscl_geo.classes import nodata_of
from sscl_geo.demo.run import DemoRun, training_history
from sscl_geo.io.atomic import atomic_path
from sscl_geo.io.labels import open_labels
from sscl_geo.report.confusion import draw_confusion
from sscl_geo.report.contact_sheet import Pairs, draw_contact_sheet, draw_footprints
from sscl_geo.report.curves import draw_curves
from sscl_geo.report.figure import Chart, to_png
from sscl_geo.report.overview import draw_overview
from sscl_geo.report.page import Image
from sscl_geo.report.preview import (
    FALSE_COLOR,
    Picture,
    best_bands,
    class_picture,
    color_bands,
    encode_png,
    map_picture,
    scene_picture,
)
from sscl_geo.report.split_picture import draw_split
from sscl_geo.splits import part_mask
from sscl_geo.transforms.views import ViewAugmentation

_SCREEN_DPI = 130


@dataclass(frozen=True)
class Album:
    """Pictures of a run, by topic; see :func:`make_album`."""

    maps: tuple[Image, ...]
    split: Image
    confusion: tuple[Image, ...]
    curves: tuple[Image, ...]
    pairs: tuple[Image, ...]
    footprints: Image


def make_album(run: DemoRun) -> Album:
    """Draw all pictures of a run and write them into its folder ``pictures``.

    Raises:
        OutputError: if a picture cannot be written.
    """
    folder = run.out / "pictures"
    return Album(
        maps=_maps(run, folder),
        split=_split(run, folder),
        confusion=_confusion(run, folder),
        curves=_curves(run, folder),
        pairs=_pairs(run, folder),
        footprints=_keep(
            folder / "footprints.png",
            to_png(draw_footprints(run.scene, run.pairs.pairs), _SCREEN_DPI),
            "Where the pairs lie: first views solid, second views dashed, overlaps filled.",
        ),
    )


def augmented(pairs: Pairs, bundle: Bundle, seed: int) -> Pairs:
    """Pairs as the network sees them: normalised, warped and recoloured, with their new matrices.

    Args:
        pairs: pairs in raw units.
        bundle: encoder with the statistics of the bands.
        seed: seed of the draw; PyTorch's own generator is left as it was.
    """
    batch = {
        "image": torch.from_numpy(pairs.image),
        "valid": torch.from_numpy(pairs.valid),
        "pixel_to_map": torch.from_numpy(pairs.pixel_to_map),
    }
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        seen = ViewAugmentation(bundle.mean, bundle.std)(batch)
    return Pairs(seen["image"].numpy(), seen["valid"].numpy(), seen["pixel_to_map"].numpy())


def _maps(run: DemoRun, folder: Path) -> tuple[Image, ...]:
    scene = scene_picture(run.scene)
    titles = {"scene": (scene, f"The scene, {_shown_bands(run.scene.bands)}.")}
    if run.sample.reference is not None:
        reference = _reference_picture(run, scene)
        titles["reference"] = (reference, f"The reference, {run.sample.reference.name}.")
    elif (false := color_bands(run.scene.bands, FALSE_COLOR)) is not None:
        titles["false_color"] = (scene_picture(run.scene, false), "Near infrared, red, green.")
    for outcome in run.outcomes:
        picture = map_picture(outcome.products.class_map, run.classes)
        caption = f"The map, fine-tuned from the {outcome.initialisation} encoder."
        titles[f"map_{outcome.initialisation}"] = (picture, caption)
    overview = {name.replace("_", ", "): picture for name, (picture, _) in titles.items()}
    _write(folder / "overview.png", to_png(draw_overview(overview, run.classes), 160))
    return tuple(
        _keep(folder / f"{name}.png", encode_png(picture), caption, pixels=True)
        for name, (picture, caption) in titles.items()
    )


def _split(run: DemoRun, folder: Path) -> Image:
    inside = part_mask(run.blocks, run.scene.geobox, "train")
    table = run.sample.classes or run.classes
    labels = np.where(inside, run.labels, nodata_of(run.labels.dtype))
    figure = draw_split(run.scene, run.blocks, class_picture(table.values_of(labels), table))
    return _keep(
        folder / "split.png",
        to_png(figure, _SCREEN_DPI),
        "The test blocks, tinted, and the labels outside them, which are all that fine-tuning got.",
    )


def _confusion(run: DemoRun, folder: Path) -> tuple[Image, ...]:
    return tuple(
        _keep_chart(
            folder / f"confusion_{outcome.initialisation}.svg",
            Chart.draw(
                lambda theme, e=outcome.evaluation: draw_confusion(
                    e.confusion, e.classes.names, theme
                )
            ),
            f"From the {outcome.initialisation} encoder: share of each class of the reference, "
            "in percent.",
        )
        for outcome in run.outcomes
    )


def _curves(run: DemoRun, folder: Path) -> tuple[Image, ...]:
    panels = {
        "Loss of pretraining": ["loss", "instance", "spatial", "semantic"],
        "Spread of features (1 healthy, 0 collapsed)": ["instance_std", "dense_std"],
    }
    history = training_history(run)
    names = [outcome.initialisation for outcome in run.outcomes]
    tuning = (
        history.pivot_table(index="step", columns="stage", values="loss")
        .rename(columns=lambda name: name.removeprefix("finetune "))
        .dropna(subset=names, how="all")
        .reset_index()
    )
    return (
        _keep_chart(
            folder / "pretraining.svg",
            Chart.draw(lambda theme: draw_curves(run.pretraining.history, panels, theme)),
            "Pretraining: each term, and how far the features of either branch spread.",
        ),
        _keep_chart(
            folder / "finetuning.svg",
            Chart.draw(lambda theme: draw_curves(tuning, {"Loss of fine-tuning": names}, theme)),
            "Fine-tuning: cross-entropy on the labelled pixels of the training blocks.",
        ),
    )


def _pairs(run: DemoRun, folder: Path) -> tuple[Image, ...]:
    bands, pairs = best_bands(run.scene.bands), run.pairs.pairs
    seen = augmented(pairs, run.pretraining.bundle, run.settings.seed)
    return (
        _keep(
            folder / "pairs.png",
            to_png(draw_contact_sheet(pairs, bands), _SCREEN_DPI),
            "Pairs as drawn, one above the other, with the share of the smaller view that both "
            "show. The outline is the same ground, the dot the same point of it.",
        ),
        _keep(
            folder / "pairs_augmented.png",
            to_png(draw_contact_sheet(seen, bands), _SCREEN_DPI),
            "The same pairs as the network saw them, flipped, turned and recoloured; the outline "
            "follows.",
        ),
    )


def _reference_picture(run: DemoRun, scene: Picture) -> Picture:
    """Colours of the reference on the grid of the scene's picture, clear where that is clear."""
    if run.sample.reference is None:
        return np.zeros_like(scene)
    reference = open_labels(run.sample.reference, run.sample.classes)
    rows, cols = scene.shape[:2]
    height, width = run.scene.shape
    affine = run.scene.geobox.affine
    grid = GeoBox((rows, cols), affine @ affine.scale(width / cols, height / rows), run.scene.crs)
    picture = class_picture(reference.classes.values_of(reference.on_grid(grid)), run.classes)
    picture[scene[..., 3] == 0] = 0
    return picture


def _shown_bands(bands: tuple[str, ...]) -> str:
    return ", ".join(bands[i] for i in best_bands(bands))


def _keep(path: Path, data: bytes, caption: str, pixels: bool = False) -> Image:
    _write(path, data)
    return Image(data, caption, pixels=pixels)


def _keep_chart(path: Path, chart: Chart, caption: str) -> Image:
    _write(path, chart.light)
    return Image.of_chart(chart, caption)


def _write(path: Path, data: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
