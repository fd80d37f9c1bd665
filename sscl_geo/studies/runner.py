"""A study from a dataset's folder to its table."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sscl_geo.bundle import load_bundle, save_bundle
from sscl_geo.io.atomic import ensure_folder
from sscl_geo.studies.choice import Choice, Place, choose_patches, read_named_patches
from sscl_geo.studies.field_dataset import FieldDataset, Tile, find_tiles
from sscl_geo.studies.georeferencing import write_scenes
from sscl_geo.studies.options import Machine, StudyOptions
from sscl_geo.studies.patch_grid import PatchGrid
from sscl_geo.studies.patches import TilePatches
from sscl_geo.studies.records import check_same, write_choices
from sscl_geo.studies.results import write_run, write_tables
from sscl_geo.studies.starts import Start, find_starts
from sscl_geo.studies.testing import evaluate_tiles
from sscl_geo.studies.training import BEST_EPOCH, VALIDATION_MIOU, train_segmenter


def run_study(
    dataset: FieldDataset,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: StudyOptions | None = None,
    machine: Machine | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Run a study, or go on with one.

    Encoders are pretrained on the training tiles without their labels, fine-tuned on the few
    labelled patches, chosen by the validation patches, and only then tested. Called again with the
    same ``out``, what is done is not done again; rows and seeds may be added.

    Args:
        dataset: one of :data:`~sscl_geo.studies.catalog.DATASETS`.
        data: folder of the dataset as its owners lay it out.
        out: folder of the study.
        options: its figures; the protocol's if None.
        machine: how it runs.
        say: takes a line for each run that is done.

    Returns:
        a row a run, as in ``results.csv``.

    Raises:
        SceneError: if the dataset is not complete, with where to get it.
        ConfigError: if ``out`` holds a study with other options.
        SSCLGeoError: whatever else is wrong with files or options.

    Example:
        >>> from sscl_geo.studies import DATASETS, run_study
        >>> run_study(DATASETS["potsdam"], "potsdam", "studies/potsdam")  # doctest: +SKIP
    """
    options, machine = options or StudyOptions(), machine or Machine()
    study = _prepare(dataset, data, Path(out), options, machine)
    for row in options.rows:
        encoders = study.folder / "encoders"
        for start in find_starts(row, dataset, study.scenes, encoders, options, machine):
            for seed in options.seeds:
                result = study.folder / "runs" / f"{start.name}-s{seed}.json"
                if not result.is_file():
                    say(f"{result.stem}: mIoU {_run(study, start, seed, result):.1%}")
                    # Each time, for who looks in while the study goes on.
                    write_tables(study.folder, options.rows)
    return write_tables(study.folder, options.rows)


@dataclass(frozen=True)
class _Study:
    """What all runs of a study share: its files, its patches, and how it runs."""

    dataset: FieldDataset
    options: StudyOptions
    machine: Machine
    folder: Path
    labels: tuple[str, str]
    train: tuple[Tile, ...]
    test: tuple[Tile, ...]
    choices: dict[int, Choice]
    scenes: list[Path]

    @property
    def patch_size(self) -> int:
        return self.options.patch_size or self.dataset.patch_size

    def grids(self, tiles: Sequence[Tile]) -> list[PatchGrid]:
        return [PatchGrid(t.shape, self.patch_size, self.options.patch_order) for t in tiles]

    def patches(self, places: Sequence[Place]) -> TilePatches:
        classes = self.dataset.counted_classes(optional=self.options.clutter)
        return TilePatches(self.dataset, self.train, self.grids(self.train), places, classes)


def _prepare(
    dataset: FieldDataset,
    data: str | os.PathLike[str],
    folder: Path,
    options: StudyOptions,
    machine: Machine,
) -> _Study:
    labels = options.labels or dataset.label_kinds[0]
    test_labels = options.test_labels or labels
    tiles = find_tiles(dataset, data, labels=labels, test_labels=test_labels)
    train = tuple(tile for tile in tiles if tile.part == "train")
    test = tuple(tile for tile in tiles if tile.part == "test")[: options.test_tiles]
    check_same(ensure_folder(folder) / "study.json", dataset, options)
    scenes = write_scenes(dataset, train, folder / "scenes")
    kinds = (labels, test_labels)
    study = _Study(dataset, options, machine, folder, kinds, train, test, {}, scenes)
    grids = study.grids(train)
    named = _named(dataset, train, grids, study.patch_size)
    shares = options.label_share, options.val_share
    for seed in options.seeds:
        study.choices[seed] = choose_patches(grids, *shares, seed=seed, named=named)
    write_choices(folder / "patches.csv", study.choices, train, grids)
    return study


def _run(study: _Study, start: Start, seed: int, result: Path) -> float:
    """Fine-tune, if that is not done yet, and test; returns the mIoU."""
    clock = time.perf_counter()
    options, machine, choice = study.options, study.machine, study.choices[seed]
    model = result.with_suffix(".safetensors")
    if not model.is_file():
        labelled, val = (study.patches(p) for p in (choice.labelled, choice.validation))
        trained = train_segmenter(study.dataset, labelled, val, start, options, machine, seed)
        ensure_folder(model.parent)
        save_bundle(trained, model)
    bundle = load_bundle(model, kind="segmenter")
    evaluation = evaluate_tiles(
        bundle,
        study.dataset,
        study.test,
        study.grids(study.test),
        batch_size=options.batch_size,
        num_workers=machine.num_workers,
        accelerator=machine.accelerator,
        boundary_tolerance=options.boundary_tolerance,
    )
    told = {
        "dataset": study.dataset.key,
        "title": study.dataset.title,
        "row": start.row,
        "seed": seed,
        "pretrain_seed": start.pretrain_seed,
        "label_share": options.label_share,
        "drawn": "named by the protocol" if choice.named else "drawn at random",
        "labelled_patches": len(choice.labelled),
        "val_patches": len(choice.validation),
        "patch_size": study.patch_size,
        "labels": study.labels[0],
        "test_labels": study.labels[1],
        "test_tiles": len(study.test),
        "best_epoch": int(bundle.provenance[BEST_EPOCH]),
        "val_miou": float(bundle.provenance[VALIDATION_MIOU]),
        "seconds": round(time.perf_counter() - clock, 1),
    }
    write_run(result, told, evaluation)
    return evaluation.miou


def _named(
    dataset: FieldDataset, tiles: Sequence[Tile], grids: Sequence[PatchGrid], size: int
) -> dict[int, tuple[int, ...]] | None:
    """Patches that the protocol names, where tiles are cut as it cuts them."""
    same = size == dataset.patch_size and all(g.counts == dataset.named_counts for g in grids)
    if dataset.named_patches is None or not same:
        return None
    named = read_named_patches(dataset.named_patches)
    return {place: named[tile.name] for place, tile in enumerate(tiles)}
