"""How the outputs of a network are decided: one class a pixel, one or none, or several."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from sscl_geo.errors import ConfigError

Task = Literal["multiclass", "binary", "multilabel"]
"""TorchGeo's names."""


@dataclass(frozen=True)
class Decision:
    """What turns logits into probabilities, and probabilities into classes.

    ==============  =========  ===========  ======================================================
    task            outputs    activation   decision
    ==============  =========  ===========  ======================================================
    ``multiclass``  one each   softmax      the most probable class
    ``binary``      one        sigmoid      the second of two classes from the threshold, else the
                                            first
    ``multilabel``  one each   sigmoid      every class that reaches its threshold, or none
    ==============  =========  ===========  ======================================================

    Attributes:
        task: which.
        thresholds: least probability, between 0 and 1: none for ``"multiclass"``, one for
            ``"binary"``, one for each class for ``"multilabel"``; one half where empty.

    Raises:
        ConfigError: if there is no such task, or a threshold cannot be used.

    Example:
        >>> from sscl_geo.decision import Decision
        >>> Decision("binary", (0.3,)).outputs(2)
        1
    """

    task: Task = "multiclass"
    thresholds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.task not in get_args(Task):
            raise ConfigError(
                f"There is no task {self.task!r:.40}; take one of {', '.join(get_args(Task))}."
            )
        if self.task == "multiclass" and self.thresholds:
            raise ConfigError(
                "A multiclass model shows the most probable class and has no threshold; leave the "
                "thresholds out."
            )
        if not all(0 < threshold < 1 for threshold in self.thresholds):
            raise ConfigError(
                f"A threshold of {self.thresholds} is not between 0 and 1; change it."
            )

    @property
    def is_exclusive(self) -> bool:
        """Whether a pixel has one class only."""
        return self.task != "multilabel"

    def outputs(self, classes: int) -> int:
        """Number of a network's outputs for so many classes."""
        return 1 if self.task == "binary" else classes

    def thresholds_of(self, classes: int) -> tuple[float, ...]:
        """Threshold of each output; none where the most probable class is shown."""
        if self.task == "multiclass":
            return ()
        return self.thresholds or (0.5,) * self.outputs(classes)

    def check(self, classes: int) -> None:
        """Refuse a number of classes that this cannot decide about.

        Raises:
            ConfigError: with both numbers.
        """
        if self.task == "binary" and classes != 2:
            raise ConfigError(
                f"A binary model tells two classes apart, but {classes} are given; name what is "
                "looked for and what is not."
            )
        wanted = self.outputs(classes)
        if self.thresholds and len(self.thresholds) != wanted:
            raise ConfigError(
                f"There are {len(self.thresholds)} thresholds for a {self.task} model of {classes} "
                f"classes; give {wanted}, or none for one half."
            )

    def activate(self, logits: Tensor) -> Tensor:
        """Probabilities from logits (..., outputs, H, W), one for each output."""
        return logits.softmax(dim=-3) if self.task == "multiclass" else logits.sigmoid()

    def of_classes(self, logits: Tensor) -> Tensor:
        """Logits of each class (..., classes, H, W), from those of the outputs.

        The one output of a binary model becomes two, of which a softmax gives the same probability
        as a sigmoid of the one.
        """
        if self.task != "binary":
            return logits
        return torch.cat([torch.zeros_like(logits), logits], dim=-3)

    def class_probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities of each class (..., classes, H, W), from what :meth:`of_classes` gives."""
        return logits.softmax(dim=-3) if self.is_exclusive else logits.sigmoid()
