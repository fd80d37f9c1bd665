"""What a row reached, a line a figure, kept as soon as it is known."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from experiments.few_labels.config import Case, Row
from experiments.few_labels.ground import Ground
from sscl_geo.classes import IGNORE_INDEX
from sscl_geo.evaluation import Evaluation
from sscl_geo.evaluation.boundary import BoundaryCounts
from sscl_geo.io.atomic import atomic_path, ensure_folder
from sscl_geo.probing.classify import mean_iou


@dataclass(frozen=True)
class Figure:
    """One map of the test part against its labels.

    Attributes:
        scene: name of the scene.
        method: see :class:`~experiments.few_labels.config.Row`.
        init: as above.
        label_share: see :class:`~experiments.few_labels.config.Case`.
        drawn: as above.
        mode: as above.
        label_seed: as above.
        seed: pretraining seed.
        oa: overall accuracy.
        kappa: Cohen's kappa.
        miou: mean IoU over the classes that the test part has.
        miou_merged: the same with rare classes merged.
        seconds: time of the probe or of fine-tuning, without pretraining.
        iou: IoU of each class, by name, joined by semicolons.
    """

    scene: str
    method: str
    init: str
    label_share: float
    drawn: str
    mode: str
    label_seed: int
    seed: int
    oa: float
    kappa: float
    miou: float
    miou_merged: float
    seconds: float
    iou: str

    @classmethod
    def of(
        cls,
        row: Row,
        ground: Ground,
        predicted: NDArray[np.int64],
        seconds: float,
        case: Case,
        part: str = "test",
    ) -> "Figure":
        """Compare what was predicted for a part's labelled pixels, each once.

        Args:
            row: what predicted it.
            ground: the scene.
            predicted: class indices in the order of ``np.argwhere(labelled pixels)``.
            seconds: what it took.
            case: what it was measured in.
            part: the part; the test part but for work on the method.
        """
        labels = ground.labels_of(part)
        reference = labels[labels != IGNORE_INDEX].astype(np.int64)
        matrix = confusion(predicted, reference, len(ground.classes))
        merged = (torch.from_numpy(ground.merged[found]) for found in (predicted, reference))
        nothing = np.zeros((5, len(matrix)), np.int64)
        borders = BoundaryCounts.of(0, nothing[:4])  # not asked for
        found = Evaluation(ground.classes, matrix, nothing[4], borders)
        named = zip(ground.classes.names, found.iou, strict=True)
        return cls(
            scene=ground.name,
            method=row.method,
            init=row.init,
            label_share=case.share,
            drawn=case.drawn,
            mode=case.mode,
            label_seed=case.label_seed,
            seed=row.seed,
            oa=found.overall_accuracy,
            kappa=found.kappa,
            miou=found.miou,
            miou_merged=mean_iou(*merged, int(ground.merged.max()) + 1),
            seconds=round(seconds, 2),
            iou=";".join(f"{name}={value:.4f}" for name, value in named),
        )


def unit_path(folder: Path, scene: str, row: Row, mode: str) -> Path:
    """File that keeps the figures of one row of one scene."""
    return folder / "units" / f"{scene}_{row.method}_{row.init}_{row.seed}_{mode}.csv"


def known_cases(path: Path) -> set[Case]:
    """What a row was measured in already."""
    if not path.is_file():
        return set()
    columns = ["drawn", "label_share", "label_seed", "mode"]
    return {Case(*known) for known in pd.read_csv(path)[columns].itertuples(index=False)}


def add_to_unit(figures: list[Figure], path: Path) -> None:
    """Put a row's figures beside those that are there."""
    ensure_folder(path.parent)
    table = pd.DataFrame([asdict(figure) for figure in figures])
    if path.is_file():
        table = pd.concat([pd.read_csv(path), table], ignore_index=True)
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)


def read_units(folder: Path) -> pd.DataFrame:
    """All figures that are there, sorted so that a table does not depend on their order."""
    tables = [pd.read_csv(path) for path in sorted((folder / "units").glob("*.csv"))]
    if not tables:
        return pd.DataFrame()
    keys = ["scene", "mode", "drawn", "label_share", "init", "method", "seed", "label_seed"]
    table = pd.concat(tables, ignore_index=True)
    return table.sort_values(keys, ignore_index=True)


def confusion(
    predicted: NDArray[np.int64], reference: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Confusion matrix (K, K) of class indices; rows are the reference."""
    pairs = np.bincount(reference * classes + predicted, minlength=classes**2)
    return pairs.reshape(classes, classes)
