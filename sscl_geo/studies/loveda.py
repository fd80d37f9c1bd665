"""LoveDA: 5,987 tiles of 1024 x 1024 pixels, red, green and blue, 30 cm; 4,191 with labels."""

from sscl_geo.classes import ClassTable, LandCoverClass
from sscl_geo.studies.field_dataset import FieldDataset, Part, TileSource


def _tiles(part: Part, folder: str, area: str) -> TileSource:
    place = f"{folder}/{area}"
    return TileSource(
        part,
        (f"{place}/images_png/{{name}}.png",),
        {"all": (f"{place}/masks_png/{{name}}.png",)},
        prefix=f"{area.lower()}_",
    )


LOVEDA = FieldDataset(
    key="loveda",
    title="LoveDA",
    owner="the RSIDEA group of Wuhan University",
    page="LoveDA: A Remote Sensing Land-Cover Dataset for Domain Adaptive Semantic Segmentation",
    url="https://github.com/Junjue-Wang/LoveDA",
    layout="Train/Urban/images_png/1366.png, Train/Urban/masks_png/1366.png, the same under "
    "Train/Rural, Val/Urban and Val/Rural",
    bands=("red", "green", "blue"),
    pixel_size=0.3,
    classes=ClassTable(
        (
            LandCoverClass(1, "Background", (255, 255, 255)),
            LandCoverClass(2, "Building", (255, 0, 0)),
            LandCoverClass(3, "Road", (255, 255, 0)),
            LandCoverClass(4, "Water", (0, 0, 255)),
            LandCoverClass(5, "Barren", (159, 129, 183)),
            LandCoverClass(6, "Forest", (0, 255, 0)),
            LandCoverClass(7, "Agriculture", (255, 195, 128)),
        )
    ),
    coding="values",
    ignored_values=frozenset({0}),
    sources=(
        _tiles("train", "Train", "Urban"),
        _tiles("train", "Train", "Rural"),
        _tiles("test", "Val", "Urban"),
        _tiles("test", "Val", "Rural"),
    ),
    patch_size=512,
)
"""``Train`` is for training; ``Val`` for testing, as the owners' ``Test`` has no public labels."""
