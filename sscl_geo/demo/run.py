"""The whole path on one scene: pretrain, fine-tune, segment, evaluate, and the same from random."""

from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sscl_geo.bundle import Bundle
from sscl_geo.classes import ClassTable
from sscl_geo.datasets.scenes import SceneDataset
from sscl_geo.demo.sample import Sample
from sscl_geo.demo.settings import Settings
from sscl_geo.demo.split import deal_blocks
from sscl_geo.demo.stages import Stages
from sscl_geo.evaluation import Evaluation, evaluate
from sscl_geo.finetuning import FinetuneResult, finetune
from sscl_geo.io.atomic import ensure_folder
from sscl_geo.io.labelled_ground import labels_on_scene
from sscl_geo.io.labels import open_labels
from sscl_geo.io.scene import Scene, open_scene
from sscl_geo.maps.segment import MapProducts, segment
from sscl_geo.models.predictor import build_predictor
from sscl_geo.pretraining import PretrainResult, pretrain
from sscl_geo.report.pairs_preview import DrawnPairs, draw_some_pairs
from sscl_geo.samplers.overlap_pairs import OverlapPairSampler
from sscl_geo.splits import write_blocks

PRETRAINED, RANDOM = "pretrained", "random"
"""Names of the two initialisations that are compared."""

_TILE, _MARGIN = 256, 32


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one initialisation.

    Attributes:
        initialisation: ``"pretrained"`` or ``"random"``.
        model: fine-tuned bundle and history.
        products: files of the map.
        evaluation: agreement with the reference inside the test blocks.
    """

    initialisation: str
    model: FinetuneResult
    products: MapProducts
    evaluation: Evaluation


@dataclass(frozen=True, eq=False)
class DemoRun:
    """A finished run.

    Attributes:
        sample: the data; ``reference`` and ``classes`` are filled in.
        settings: the options.
        out: folder of the products.
        scene: the scene.
        labels: class indices of the few labels on the scene's grid.
        blocks: spatial blocks with their part.
        pairs: some pairs as pretraining drew them.
        pretraining: encoder and history.
        outcomes: pretrained first, then random.
        stages: seconds and memory so far.
    """

    sample: Sample
    settings: Settings
    out: Path
    scene: Scene
    labels: NDArray[np.unsignedinteger]
    blocks: gpd.GeoDataFrame
    pairs: DrawnPairs
    pretraining: PretrainResult
    outcomes: tuple[Outcome, ...]
    stages: Stages

    @property
    def classes(self) -> ClassTable:
        """Classes of the maps."""
        return self.outcomes[0].evaluation.classes


def run_demo(
    sample: Sample, out: Path, settings: Settings, stages: Stages | None = None
) -> DemoRun:
    """Run the whole path and write its products, all but the report, into a folder.

    Pretraining sees the pixels of the whole scene and no label. Fine-tuning sees pixels and labels
    of the training blocks alone. The maps cover the whole scene and are measured inside the test
    blocks alone. Both initialisations get the same data, seeds and options.

    Args:
        sample: scene, labels and reference.
        out: folder of the products; files of an earlier run are replaced.
        settings: the options.
        stages: log to go on with; a new one if None.

    Raises:
        SSCLGeoError: whatever is wrong with the data, the options or the folder.
    """
    stages = stages or Stages()
    ensure_folder(out / RANDOM)
    with stages.stage("split"):
        scene = open_scene(sample.scene)
        few = open_labels(sample.labels, sample.classes, sample.column)
        sample = replace(sample, classes=few.classes)
        labels = labels_on_scene(few, scene)
        blocks = deal_blocks(
            scene,
            labels,
            settings.block_size,
            settings.train_share,
            settings.seed,
            test_needs_labels=sample.reference is None,
        )
        write_blocks(blocks, out / "blocks.gpkg")
    with stages.stage("pairs"):
        pairs = _draw_pairs(sample, settings)
        pairs.write(out / "pairs.gpkg")
    with stages.stage("pretrain"):
        pretraining = _pretrain(sample, out / "encoder.safetensors", settings)
    pretrained = _outcome(
        PRETRAINED, pretraining.bundle, sample, scene, blocks, out, settings, stages
    )
    random = _outcome(RANDOM, None, sample, scene, blocks, out / RANDOM, settings, stages)
    return DemoRun(
        sample=sample,
        settings=settings,
        out=out,
        scene=scene,
        labels=labels,
        blocks=blocks,
        pairs=pairs,
        pretraining=pretraining,
        outcomes=(pretrained, random),
        stages=stages,
    )


def training_history(run: DemoRun) -> pd.DataFrame:
    """History of all trainings, a row a step, with the column ``stage`` in front."""
    frames = [("pretrain", run.pretraining.history)]
    frames += [(f"finetune {o.initialisation}", o.model.history) for o in run.outcomes]
    return pd.concat(
        [frame.assign(stage=stage) for stage, frame in frames], ignore_index=True
    ).pipe(lambda frame: frame[["stage", *frame.columns.drop("stage")]])


def _draw_pairs(sample: Sample, settings: Settings) -> DrawnPairs:
    dataset = SceneDataset([sample.scene])
    sampler = OverlapPairSampler(
        dataset,
        size=settings.patch_size,
        length=settings.shown_pairs,
        overlap=settings.overlap,
        zoom=settings.zoom,
        seed=settings.seed,
    )
    return draw_some_pairs(dataset, sampler, settings.patch_size)


def _pretrain(sample: Sample, out: Path, settings: Settings) -> PretrainResult:
    return pretrain(
        [sample.scene],
        out=out,
        encoder_name=settings.encoder,
        task_options={"pixel_factors": settings.pixel_factors},
        steps=settings.pretrain_steps,
        batch_size=settings.pretrain_batch,
        patch_size=settings.patch_size,
        overlap=settings.overlap,
        zoom=settings.zoom,
        lr=settings.pretrain_lr,
        seed=settings.seed,
    )


def _outcome(
    initialisation: str,
    encoder: Bundle | None,
    sample: Sample,
    scene: Scene,
    blocks: gpd.GeoDataFrame,
    folder: Path,
    settings: Settings,
    stages: Stages,
) -> Outcome:
    """Fine-tune, segment and evaluate from one initialisation."""
    with stages.stage(f"finetune {initialisation}"):
        model = finetune(
            sample.scene,
            sample.labels,
            out=folder / "model.safetensors",
            encoder=encoder,
            encoder_name=settings.encoder,
            decoder=settings.decoder,  # ty: ignore[invalid-argument-type] - checked there
            classes=sample.classes,
            column=sample.column,
            within=blocks,
            patch_size=settings.patch_size,
            batch_size=settings.finetune_batch,
            steps=settings.finetune_steps,
            lr=settings.finetune_lr,
            seed=settings.seed,
        )
    with stages.stage(f"segment {initialisation}"):
        products = segment(
            scene,
            build_predictor(model.bundle),
            folder / "map.tif",
            tile=_TILE,
            margin=_MARGIN,
            layers=("confidence",),
            polygons=folder / "map.gpkg",
            provenance={
                "initialisation": initialisation,
                **({"licence": sample.licence} if sample.licence else {}),
            },
        )
    with stages.stage(f"evaluate {initialisation}"):
        evaluation = evaluate(
            products.class_map,
            sample.reference or sample.labels,
            classes=sample.classes,
            column=None if sample.reference else sample.column,
            within=blocks,
        )
        evaluation.to_csv(folder / "evaluation.csv")
    return Outcome(initialisation, model, products, evaluation)
