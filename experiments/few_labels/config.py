"""What a study runs, read from a YAML file."""

from dataclasses import dataclass, field, fields
from itertools import product
from pathlib import Path
from typing import Any, Literal, Self

import yaml

from sscl_geo.errors import ConfigError

Init = Literal["none", "random", "imagenet"]
HAND_MADE = ("bands_linear", "bands_forest", "factors_linear")
"""Rows without a network: the bands and their surroundings, see ``hand_made.py``, and those of slow
functions of the spectrum, see ``autocorrelation_factors.py``."""

PROBES = ("probe", "probe_bands", "probe_factors")
"""Probes of an encoder: its features alone, and beside those of the rows without a network."""

UNTRAINED = "untrained"
"""The row of an encoder that was not pretrained here: random or ImageNet weights."""


@dataclass(frozen=True)
class SceneConfig:
    """A labelled scene.

    Attributes:
        name: what tables call it; ``nc`` is the demo's sample scene, which is fetched.
        scene: raster of the scene; of the sample scene if empty.
        labels: class raster of the same ground; of the sample scene if empty.
        bands: what each band is: red, green and blue find their place in ImageNet weights.
        block_size: side in pixels of the blocks that are dealt to training, validation and test.
        merge: groups of class values that a second figure, ``miou_merged``, counts as one class;
            every value that is in no group makes up the last one.
        least_draws: draws of the smallest share of the labels; as many as of others if None.
    """

    name: str
    bands: tuple[str, ...]
    scene: str = ""
    labels: str = ""
    block_size: int = 64
    merge: tuple[tuple[int, ...], ...] = ()
    least_draws: int | None = None

    @classmethod
    def of(cls, told: dict[str, Any]) -> Self:
        """Take what a config file says of a scene."""
        merge = tuple(tuple(group) for group in told.get("merge", ()))
        known: dict[str, Any] = told | {"bands": tuple(told["bands"]), "merge": merge}
        return cls(**known)


@dataclass(frozen=True)
class Row:
    """A line of the table: what the encoder has gone through.

    Attributes:
        method: key of ``StudyConfig.methods``, ``untrained``, or one of :data:`HAND_MADE`.
        init: weights that it began with; ``none`` without a network.
        seed: seed of random weights, of pretraining and its draws; 0 where nothing is drawn.
    """

    method: str
    init: Init
    seed: int


@dataclass(frozen=True)
class Case:
    """What a row is measured in: one figure.

    Attributes:
        drawn: how the labels are drawn, ``patch`` or ``pixel``.
        share: share of the labels, as a fraction.
        label_seed: draw of the labels.
        mode: ``probe`` (features alone), ``probe_bands`` and ``probe_factors`` (features beside
            those without a network) or ``finetune``.
    """

    drawn: str
    share: float
    label_seed: int
    mode: str


@dataclass(frozen=True)
class StudyConfig:
    """A study.

    Attributes:
        scenes: where it is run.
        methods: of each row the method of pretraining (``method``) and its options.
        encoder: name of the encoder.
        inits: what pretraining starts from.
        seeds: pretraining seeds of each row.
        steps: optimiser steps of pretraining.
        batch_size: pairs a step.
        patch_size: side of a view in pixels.
        lr: greatest learning rate of pretraining.
        pairs: options of the pair data module, the same for all methods.
        shares: shares of the labels, as fractions.
        drawn: how labels are drawn: whole patches, single pixels.
        label_patch: side in pixels of a labelled patch.
        label_seeds: draws of each share of the labels, where a scene does not say otherwise.
        components: principal components of the features that a probe sees.
        probe_pixels: greatest number of labelled pixels that a probe learns from.
        finetuned_only: methods whose features are not probed.
        finetune: options of fine-tuning; empty for none. ``rows`` names METHOD/INIT, ``lrs`` the
            learning rates that are tried for every row, ``label_seeds`` and ``seeds`` count draws.
        accelerator: Lightning's name of the device kind.
    """

    scenes: tuple[SceneConfig, ...]
    methods: dict[str, dict[str, Any]]
    encoder: str = "tu-tf_efficientnet_lite0"
    inits: tuple[Init, ...] = ("random", "imagenet")
    seeds: int = 3
    steps: int = 100
    batch_size: int = 16
    patch_size: int = 64
    lr: float = 1e-3
    pairs: dict[str, Any] = field(default_factory=dict)
    shares: tuple[float, ...] = (0.01, 0.05, 0.1, 1.0)
    drawn: tuple[Literal["patch", "pixel"], ...] = ("patch", "pixel")
    label_patch: int = 16
    label_seeds: int = 5
    components: int = 16
    probe_pixels: int = 6000
    finetuned_only: tuple[str, ...] = ()
    finetune: dict[str, Any] = field(default_factory=dict)
    accelerator: str = "auto"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a YAML file.

        Raises:
            ConfigError: if there is no such file, or it has a key that is not known.
        """
        if not path.is_file():
            raise ConfigError(f"There is no config {path}; give a file of configs/ or your own.")
        told: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(told) - known):
            raise ConfigError(
                f"{path} has the unknown key {unknown[0]}; choose of {sorted(known)}."
            )
        names = ("inits", "shares", "drawn", "finetuned_only")
        lists = {name: tuple(told[name]) for name in names if name in told}
        told |= lists | {"scenes": tuple(SceneConfig.of(scene) for scene in told["scenes"])}
        return cls(**told)

    def probes(self, row: Row, scene: SceneConfig) -> list[Case]:
        """What a row's features are tried on: draws of a smaller share are those of a larger one.

        All labels are all labels, however they were drawn.
        """
        if row.method in self.finetuned_only:
            return []
        modes = PROBES[:1] if row.method in HAND_MADE else PROBES
        draws = dict.fromkeys(self.shares, self.label_seeds)
        draws[min(self.shares)] = scene.least_draws or self.label_seeds
        return [
            Case(drawn, share, seed, mode)
            for drawn, share in product(self.drawn, self.shares)
            for seed in range(draws[share] if share < 1 else 1)
            for mode in modes
        ]

    def finetunings(self, row: Row) -> list[Case]:
        """What a row's encoder is fine-tuned on; nothing where it is not asked for."""
        told = self.finetune
        if not told or f"{row.method}/{row.init}" not in told["rows"] or row.seed >= told["seeds"]:
            return []
        drawn, share = told.get("drawn", "patch"), told.get("share", 0.01)
        return [Case(drawn, share, seed, "finetune") for seed in range(told["label_seeds"])]

    def rows(self) -> list[Row]:
        """All rows, cheap and telling ones first."""
        rows = [Row(method, "none", 0) for method in HAND_MADE]
        if "imagenet" in self.inits:
            rows.append(Row(UNTRAINED, "imagenet", 0))
        if "random" in self.inits:
            rows += [Row(UNTRAINED, "random", seed) for seed in range(self.seeds)]
        for seed, init, method in product(range(self.seeds), reversed(self.inits), self.methods):
            rows.append(Row(method, init, seed))
        return rows
