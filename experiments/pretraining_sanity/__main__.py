"""Sanity of pretraining: ``python -m experiments.pretraining_sanity NAME=SCENE,LABELS …``.

For each scene and seed, an encoder is pretrained for a short while without labels. Then a linear
probe learns classes from its frozen features at some labelled pixels and predicts others, in
patches that share no ground; the patches are drawn several times, and all rows see the same draws.
Beside it stand the same architecture with its random weights, before pretraining, and no network
at all: the bands with their local means and deviations. The spread of each branch at the end tells
of a collapse. A result is a figure for one label draw; the table shows means and deviations.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from experiments.benchmarks.machine import describe_machine, describe_versions
from sscl_geo.cli.options import parse_options
from sscl_geo.io.atomic import atomic_path
from sscl_geo.io.labels import open_labels
from sscl_geo.io.scene import open_scene
from sscl_geo.models.hypercolumns import hypercolumns
from sscl_geo.models.surroundings import with_surroundings
from sscl_geo.pretraining import pretrain
from sscl_geo.probing.pixels import ProbePixels, probe_miou
from sscl_geo.tasks.methods import build_task
from sscl_geo.transforms.normalize import Normalize

RESULTS = Path(__file__).parents[1] / "results" / "pretraining_sanity.csv"
CELL = 2
Encode = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Figure:
    """One probe: a scene, features, a pretraining seed, a label draw."""

    case: str
    features: str
    seed: int
    draw: int
    miou: float
    instance_std: float = float("nan")
    dense_std: float = float("nan")


def main() -> None:
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(prog="python -m experiments.pretraining_sanity")
    parser.add_argument("cases", nargs="+", metavar="NAME=SCENE,LABELS")
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--method", default="sscl")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--draws", type=int, default=5, help="of labelled patches")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--batch-size", type=int, default=16, help="pairs")
    parser.add_argument("--patch-size", type=int, default=64, help="pixels")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--option", nargs="*", default=[], help="of the method: NAME=VALUE")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    figures: list[Figure] = []
    for case in options.cases:
        name, _, paths = case.partition("=")
        scene, _, labels = paths.partition(",")
        figures += study(name, scene, labels, options)
    table = pd.DataFrame([asdict(figure) for figure in figures])
    words = [re.sub(r"[^=,]*/", "", word) for word in sys.argv[1:]]  # names of files, no folders
    told = {"command": " ".join([parser.prog, *words]), "versions": describe_versions()}
    table = table.assign(**told, machine=describe_machine())
    with atomic_path(options.out) as temporary:
        table.to_csv(temporary, index=False)
    Console().print(summary(table))


def study(
    name: str, scene_path: str, labels_path: str, options: argparse.Namespace
) -> Iterator[Figure]:
    """Figures of one scene."""
    scene, labels = open_scene(scene_path), open_labels(labels_path)
    classes = len(labels.classes)
    draws = [
        ProbePixels.draw([scene], labels, options.patch_size, pixels=100, seed=draw)
        for draw in range(options.draws)
    ]

    def figures(features: str, seed: int, encode: Encode, **spread: float) -> Iterator[Figure]:
        for number, (train, test) in enumerate(draws):
            miou = probe_miou(train, test, encode, classes)
            yield Figure(name, features, seed, number, miou, **spread)

    for seed in range(options.seeds):
        print(f"{name}: seed {seed}", file=sys.stderr)
        torch.manual_seed(seed)
        chosen: dict[str, Any] = parse_options(options.option)
        task = build_task(
            options.method,
            encoder=options.encoder,
            in_channels=len(scene.bands),
            lr=options.lr,
            **chosen,
        )
        before = {key: value.clone() for key, value in task.encoder.state_dict().items()}
        result = pretrain(
            [scene_path],
            task=task,
            steps=options.steps,
            batch_size=options.batch_size,
            patch_size=options.patch_size,
            seed=seed,
        )
        normalize = Normalize(result.bundle.mean, result.bundle.std)
        if seed == 0:
            yield from figures("bands and their surroundings", 0, by_hand(normalize))
        last = result.history.tail(20).mean()
        spread = {k: float(last[k]) for k in ("instance_std", "dense_std") if k in last}
        yield from figures("pretrained", seed, encoder_of(task.encoder, normalize), **spread)
        task.encoder.load_state_dict(before)
        yield from figures("random", seed, encoder_of(task.encoder, normalize))


def encoder_of(encoder: torch.nn.Module, normalize: Normalize) -> Encode:
    """Features of a frozen encoder, all levels from stride 2 on."""
    encoder.eval()
    return lambda image, valid: hypercolumns(encoder(normalize(image, valid)), CELL)


def by_hand(normalize: Normalize) -> Encode:
    """Bands, and their means and deviations in windows of 5 and 15 pixels."""
    return lambda image, valid: with_surroundings(normalize(image, valid))


def summary(table: pd.DataFrame) -> Table:
    """Means over draws and seeds, and deviations between the means of seeds."""
    shown = Table("scene", "features", title="Linear probe of frozen features, mIoU in percent")
    for heading in ("mean", "± seeds", "± label draws", "instance std", "dense std"):
        shown.add_column(heading, justify="right")
    for key, rows in table.groupby(["case", "features"], sort=False):
        case, features = map(str, tuple(key))  # ty: ignore[invalid-argument-type] - a pair
        of_seeds = rows.groupby("seed")["miou"].mean() * 100
        of_draws = rows.groupby("draw")["miou"].mean() * 100
        spreads = [f"{rows[name].mean():.2f}" for name in ("instance_std", "dense_std")]
        values = (of_seeds.mean(), of_seeds.std(), of_draws.std())
        shown.add_row(case, features, *(f"{value:.1f}" for value in values), *spreads)
    return shown


if __name__ == "__main__":
    main()
