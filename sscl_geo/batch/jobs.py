"""Segmenting many scenes: what is done with each, and what became of it."""

import csv
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import torch

from sscl_geo.bundle import bundle_hash, load_bundle
from sscl_geo.errors import ConfigError, SSCLGeoError
from sscl_geo.io.atomic import atomic_path
from sscl_geo.io.scene import open_scene
from sscl_geo.maps.resample import resample
from sscl_geo.maps.resolution import check_resolution
from sscl_geo.maps.segment import segment
from sscl_geo.maps.shares import share_folder
from sscl_geo.models.augmented import AugmentedPredictor
from sscl_geo.models.ensemble import EnsemblePredictor
from sscl_geo.models.predictor import build_predictor
from sscl_geo.publishing import write_products


@dataclass(frozen=True)
class Job:
    """One scene and the map to be made of it.

    Attributes:
        scene: file name, URL or any name that GDAL opens.
        out: the map, a ``.tif``.
        strips: number of column strips of the scene that are computed apart.
        strip: the one of them that is to be computed, from 1; the map if None.
    """

    scene: str
    out: Path
    strips: int = 1
    strip: int | None = None

    @property
    def output(self) -> Path:
        """What is made: the map, or the folder of a share of it."""
        if self.strip is None:
            return self.out
        return share_folder(self.out, self.strip, self.strips)

    def shares(self) -> tuple["Job", ...]:
        """Jobs that can be done side by side, before this one; none where nothing is cut."""
        if self.strips == 1 or self.strip is not None:
            return ()
        return tuple(replace(self, strip=number) for number in range(1, self.strips + 1))


@dataclass(frozen=True)
class Outcome:
    """What became of a job; one line of a manifest.

    Attributes:
        scene: as in the job.
        status: ``"done"`` or ``"failed"``.
        seconds: how long it took, its last attempt alone.
        output: what was to be made.
        error: what went wrong; empty if nothing did.
    """

    scene: str
    status: Literal["done", "failed"]
    seconds: float
    output: str
    error: str = ""


@dataclass(frozen=True)
class Settings:
    """What all jobs of a run share; can be sent to another process.

    Attributes:
        models: bundles; several vote.
        device: where to compute.
        tta: whether each tile is shown in its eight flips and turns.
        resample: whether scenes of another resolution are read at that of the first bundle.
        options: further arguments of :func:`~sscl_geo.maps.segment.segment`.
        products: what to make of each map, arguments of
            :func:`~sscl_geo.publishing.write_products`.
    """

    models: tuple[Path, ...]
    device: str = "cpu"
    tta: bool = False
    resample: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    products: Mapping[str, Any] = field(default_factory=dict)


class SceneSegmenter:
    """Loads the models once and segments scene after scene.

    Args:
        settings: models and parameters.

    Raises:
        BundleError: if a model cannot be used, or models do not fit together.
        ConfigError: if PyTorch finds no GPU where one is asked for.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError("PyTorch finds no GPU on this machine; choose --device cpu.")
        self._settings = settings
        bundles = [load_bundle(path, kind="segmenter") for path in settings.models]
        self._bundle = bundles[0]
        members = [build_predictor(bundle) for bundle in bundles]
        predictor = members[0] if len(members) == 1 else EnsemblePredictor(members)
        if settings.tta:
            predictor = AugmentedPredictor(predictor)
        if not predictor.decision.is_exclusive and any(settings.products.values()):
            raise ConfigError(
                "The model gives each pixel any number of classes, in a band each, while polygons, "
                "areas, preview, page and STAC item are made of one class a pixel; leave them out."
            )
        self._predictor = predictor.to(settings.device).eval()
        self._provenance = {
            "bundle": " ".join(path.name for path in settings.models),
            "bundle_sha256": " ".join(bundle_hash(path) for path in settings.models),
        }

    def segment(self, job: Job) -> tuple[Path, ...]:
        """Make one map and its products, or a share of a map.

        Returns:
            the files, the map first; the folder of a share.

        Raises:
            SSCLGeoError: see :func:`~sscl_geo.maps.segment.segment` and
                :func:`~sscl_geo.publishing.write_products`.
        """
        scene = open_scene(job.scene)
        if self._settings.resample:
            scene = resample(scene, self._bundle)
        check_resolution(self._bundle, scene)
        made = segment(
            scene,
            self._predictor,
            job.out,
            device=self._settings.device,
            strips=job.strips,
            strip=job.strip,
            provenance=self._provenance,
            **self._settings.options,
        )
        if job.strip is not None:
            return (job.output,)
        more = write_products(
            job.out, scene=scene, model=self._settings.models[0], **self._settings.products
        )
        return (made.class_map, *made.layers.values(), *more)

    def attempt(self, job: Job) -> Outcome:
        """Do one job, or say why it could not be made."""
        start = time.perf_counter()
        try:
            self.segment(job)
        # PyTorch has no narrower class for what goes wrong in a network.
        except (SSCLGeoError, OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            return Outcome(job.scene, "failed", _since(start), str(job.output), reason)
        return Outcome(job.scene, "done", _since(start), str(job.output))


def parse_shard(shard: str) -> tuple[int, int]:
    """Read ``"2/8"``: the second of eight shares.

    Raises:
        ConfigError: if it is not of that form.
    """
    number, slash, total = shard.partition("/")
    if not (slash and number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total)):
        raise ConfigError(
            f"A shard is written as its number and how many there are, 1/8 to 8/8, not {shard!r}; "
            "correct it."
        )
    return int(number), int(total)


def write_manifest(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Write what became of each scene as CSV, in the order of the scenes.

    Raises:
        OutputError: if it cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Outcome)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(outcome) for outcome in outcomes)


def failures(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Outcomes of the scenes that failed."""
    return [outcome for outcome in outcomes if outcome.status == "failed"]


def _since(start: float) -> float:
    return round(time.perf_counter() - start, 2)
