"""What pretraining buys with few labels: ``python -m experiments.few_labels [CONFIG]``.

Encoders that began as random or as ImageNet's, pretrained by each method on the training part of a
scene, learn classes from few labels there; settings are chosen on the validation part and figures
are those of the test part, each pixel once. Beside them stand features made by hand. What is done
is kept in the work folder, so that a broken run goes on; several processes can share it with
``--shard``. At the end, or with ``--summary``, the table and the picture are written.
"""

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

from experiments.benchmarks.machine import describe_machine, describe_versions
from experiments.few_labels.config import (
    HAND_MADE,
    UNTRAINED,
    Case,
    Row,
    SceneConfig,
    StudyConfig,
)
from experiments.few_labels.encoders import encoder_of, network_of
from experiments.few_labels.features import (
    encoder_features,
    factor_features,
    hand_made_features,
    pixel_features,
)
from experiments.few_labels.figures import (
    Figure,
    add_to_unit,
    known_cases,
    read_units,
    unit_path,
)
from experiments.few_labels.finetune import finetuned_map
from experiments.few_labels.ground import Ground
from experiments.few_labels.markdown import differences_table, main_table, shares_table
from experiments.few_labels.plot import plot
from experiments.few_labels.probe import best_probe, predict
from experiments.few_labels.summary import differences, table
from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.errors import ConfigError, SSCLGeoError
from sscl_geo.io.atomic import atomic_path, ensure_folder
from sscl_geo.progress import track

HERE = Path(__file__).parent
RESULTS = HERE / "results"
OURS = ("sscl", "sscl_pixels", "sscl_decoder")
"""Rows that are compared with every other."""


def main() -> None:
    """Run the study, or what is left of it."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.few_labels", description=(__doc__ or "").partition("\n\n")[2]
    )
    parser.add_argument(
        "config", nargs="?", type=Path, default=HERE / "configs" / "reduced.yaml", help="YAML file"
    )
    parser.add_argument("--data", type=Path, help="folder that the config's files lie in")
    parser.add_argument("--work", type=Path, default=Path("runs/few_labels"), help="work folder")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of tables and picture")
    parser.add_argument("--shard", default="1/1", help="i/n: do the i-th of n parts of the rows")
    parser.add_argument("--only", nargs="*", help="names of scenes, methods, or modes to run")
    parser.add_argument("--summary", action="store_true", help="run nothing, sum up what is there")
    parser.add_argument("--threads", type=int, help="threads of each computation")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    config = StudyConfig.read(options.config)
    if options.data is not None:
        scenes = [
            s if not s.scene else replace(
                s, scene=str(options.data / s.scene), labels=str(options.data / s.labels)
            )
            for s in config.scenes
        ]  # fmt: skip
        config = replace(config, scenes=tuple(scenes))
    if not options.summary:
        _run(config, options)
    _sum_up(config, options.work, options.config, options.out)


def _run(config: StudyConfig, options: argparse.Namespace) -> None:
    part, _, parts = options.shard.partition("/")
    if not (part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise ConfigError(f"--shard {options.shard} is no part of a whole; give i/n, such as 1/2.")
    only: set[str] = set(options.only or ())
    for scene in config.scenes:
        names = only & {s.name for s in config.scenes}
        if names and scene.name not in names:
            continue
        ground = Ground.prepare(scene, options.work)
        without_network = {
            "bands": hand_made_features(ground.image, ground.parts["train"]),
            "factors": factor_features(ground.image, ground.parts["train"]),
        }
        study = _Study(config, ground, without_network, options.work)
        for mode, measure in (("probe", _probe), ("finetune", _finetune)):
            jobs = [
                (row, unit_path(options.work, scene.name, row, mode))
                for row in config.rows()
                if _wanted(row, mode, config, only)
            ]
            jobs = [
                (row, unit, missing)
                for row, unit in jobs
                if (missing := _missing(unit, config, row, scene, mode))
            ][int(part) - 1 :: int(parts)]
            for row, unit, missing in track(jobs, f"{scene.name}, {mode}"):
                add_to_unit(measure(row, missing, study), unit)


def _wanted(row: Row, mode: str, config: StudyConfig, only: set[str]) -> bool:
    methods = only & {*config.methods, UNTRAINED, *HAND_MADE}
    modes = only & {"probe", "finetune"}
    return not ((methods and row.method not in methods) or (modes and mode not in modes))


def _missing(
    unit: Path, config: StudyConfig, row: Row, scene: SceneConfig, mode: str
) -> list[Case]:
    """What the row is to be measured in, and was not yet."""
    asked = config.probes(row, scene) if mode == "probe" else config.finetunings(row)
    known = known_cases(unit)
    return [case for case in asked if case not in known]


@dataclass(frozen=True, eq=False)
class _Study:
    """A scene of a study: its config, its ground, features without a network, the work folder."""

    config: StudyConfig
    ground: Ground
    without_network: dict[str, torch.Tensor]
    work: Path


def _probe(row: Row, cases: list[Case], study: _Study) -> list[Figure]:
    """Figures of frozen features, alone and beside those that need no network."""
    config, ground = study.config, study.ground
    kind = "forest" if row.method == "bands_forest" else "linear"
    views = _views(row, study)
    asked = ground.labels_of("test") != IGNORE_INDEX
    figures = []
    for case in cases:
        features = views[case.mode]
        labels = ground.share(config, case.drawn, case.share, case.label_seed)
        start = time.perf_counter()
        classify = best_probe(
            features,
            labels,
            ground.labels_of("val"),
            len(ground.classes),
            kind=kind,
            most=config.probe_pixels,
            seed=row.seed,
        )
        predicted = predict(classify, features, asked)
        seconds = time.perf_counter() - start
        figures.append(Figure.of(row, ground, predicted, seconds, case))
    return figures


def _views(row: Row, study: _Study) -> dict[str, torch.Tensor]:
    """Features of each kind of probe."""
    if row.method in HAND_MADE:
        return {"probe": study.without_network[row.method.partition("_")[0]]}
    ground = study.ground
    bundle = encoder_of(row, ground, study.config, study.work / "encoders")
    features = encoder_features(
        network_of(bundle), ground.image, ground.parts["train"], study.config.components
    )
    if bundle.pixel_factor_weights:
        features = torch.cat([features, pixel_features(bundle, ground.image)])
    return {"probe": features} | {
        f"probe_{name}": torch.cat([features, other])
        for name, other in study.without_network.items()
    }


def _finetune(row: Row, cases: list[Case], study: _Study) -> list[Figure]:
    """Figures of fine-tuned networks."""
    config, ground, work = study.config, study.ground, study.work
    ours = ("share", "drawn", "label_seeds", "rows", "seeds", "lrs")
    told = {name: value for name, value in config.finetune.items() if name not in ours}
    start = encoder_of(row, ground, config, work / "encoders")
    test = ground.labels_of("test") != IGNORE_INDEX
    figures = []
    for case in cases:
        begin = time.perf_counter()
        name = f"{ground.name}_{row.method}_{row.init}_{row.seed}_{case.label_seed}"
        mapped = finetuned_map(
            start,
            ground,
            ground.share(config, case.drawn, case.share, case.label_seed),
            work / "labels" / name,
            lrs=tuple(config.finetune["lrs"]),
            seed=row.seed,
            accelerator=config.accelerator,
            **told,
        )
        seconds = time.perf_counter() - begin
        figures.append(Figure.of(row, ground, mapped[test], seconds, case))
    return figures


def _sum_up(config: StudyConfig, work: Path, path: Path, out: Path) -> None:
    """Write the figures, their summary, the differences and the picture."""
    figures = read_units(work)
    if not figures.empty:  # the folder may hold more than this config asks for
        asked = {scene.name for scene in config.scenes}
        figures = figures[figures["label_share"].isin(config.shares) & figures["scene"].isin(asked)]
    if figures.empty:
        raise ConfigError(f"There are no figures in {work} to sum up; run the study first.")
    ensure_folder(out)
    command = f"python -m experiments.few_labels {path.name}"
    told = {"command": command, "versions": describe_versions(), "machine": describe_machine()}
    written = {
        "few_labels.csv": figures.assign(**told),
        "summary.csv": table(figures).round(2),
        "differences.csv": pd.concat([differences(figures, name) for name in OURS]).round(2),
    }
    for name, frame in written.items():
        with atomic_path(out / name) as temporary:
            frame.to_csv(temporary, index=False)
    tables = {
        "table.md": main_table(figures),
        "differences.md": differences_table(figures, OURS),
        "shares.md": shares_table(figures),
    }
    merged = [scene.name for scene in config.scenes if scene.merge]
    if (chosen := figures[figures["scene"].isin(merged)]).size:
        tables["merged.md"] = main_table(chosen, "miou_merged")
    for name, text in tables.items():
        with atomic_path(out / name) as temporary:
            temporary.write_text(f"{text}\n", encoding="utf-8")
    plot(figures, out / "few_labels.png")
    Console().print(_shown(figures))


def _shown(figures: pd.DataFrame) -> Table:
    """The table's first column: the smallest share, drawn as patches."""
    least = figures["label_share"].min()
    rows = table(figures[(figures["label_share"] == least) & (figures["drawn"] == "patch")])
    shown = Table(
        "scene", "mode", "init", "method", title=f"mIoU in percent, {least:.0%} of labels"
    )
    for heading in ("mean", "± labels", "± seeds"):
        shown.add_column(heading, justify="right")
    for row in rows.to_dict("records"):
        words = [str(row[name]) for name in ("scene", "mode", "init", "method")]
        shown.add_row(*words, *(f"{row[k]:.1f}" for k in ("mean", "label_std", "seed_std")))
    return shown


if __name__ == "__main__":
    try:
        main()
    except SSCLGeoError as error:
        sys.exit(f"few_labels: {error}")
