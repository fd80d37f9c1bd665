"""What a study leaves in its folder beside its results: its options and its patches."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sscl_geo.errors import ConfigError
from sscl_geo.io.atomic import atomic_path
from sscl_geo.studies.choice import Choice
from sscl_geo.studies.field_dataset import FieldDataset, Tile
from sscl_geo.studies.options import StudyOptions
from sscl_geo.studies.patch_grid import PatchGrid


def check_same(path: Path, dataset: FieldDataset, options: StudyOptions) -> None:
    """Refuse to mix results of different studies in one folder.

    Args:
        path: JSON file with the options of the study, written if it is not there.
        dataset: the dataset.
        options: the options now.

    Raises:
        ConfigError: naming the first option that differs, or if the file is damaged.
    """
    wanted = json.loads(json.dumps({"dataset": dataset.key, **options.identity()}))
    if path.is_file():
        found = read_record(
            path, "choose another --out, or remove it if the study there has the same options"
        )
        for name, value in wanted.items():
            if found.get(name) != value:
                raise ConfigError(
                    f"{path.parent} holds a study with {name} {found.get(name)}, not {value}; "
                    "choose another --out."
                )
        return
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(wanted, indent=1), encoding="utf-8")


def read_record(path: Path, advice: str) -> dict[str, Any]:
    """Read a JSON file that a study wrote.

    Args:
        path: the file.
        advice: what to do if it is damaged, for the message.

    Raises:
        ConfigError: if it is damaged.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConfigError(f"{path} is damaged; {advice}.")
    return found


def write_choices(
    path: Path, choices: dict[int, Choice], tiles: Sequence[Tile], grids: Sequence[PatchGrid]
) -> None:
    """Say which patches were used for what, with the pixel (row, column) where each begins.

    Args:
        path: CSV file.
        choices: the patches, by seed.
        tiles: tiles that they are of.
        grids: grids of the tiles.
    """
    rows = [
        (seed, use, tiles[place.tile].name, place.number, *grids[place.tile].origin(place.number))
        for seed, choice in choices.items()
        for use, places in (("labelled", choice.labelled), ("validation", choice.validation))
        for place in places
    ]
    columns = ["seed", "use", "tile", "number", "row", "column"]
    with atomic_path(path) as temporary:
        pd.DataFrame(rows, columns=columns).to_csv(temporary, index=False)
