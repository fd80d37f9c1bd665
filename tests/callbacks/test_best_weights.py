import math

import lightning.pytorch as pl
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from sscl_geo.callbacks.best_weights import BestWeights
from sscl_geo.errors import ConfigError

LOGGED = {
    "miou": "AverageJaccardIndex", "mf1": "AverageF1Score", "oa": "OverallAccuracy", "loss": "loss",
}  # fmt: skip


class Counting(pl.LightningModule):
    """Its weight is the number of steps done; its scores are told beforehand."""

    def __init__(self, scores, select):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.scores, self.select = list(scores), select

    def training_step(self, *_):
        return -self.weight.sum()

    def validation_step(self, *_):
        pass

    def on_validation_epoch_end(self):
        if not self.trainer.sanity_checking:
            # What is not selected by says the opposite.
            value = self.scores.pop(0)
            for name, logged in LOGGED.items():
                self.log(f"val_{logged}", value if name == self.select else -value)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def fit(scores, patience=None, select="miou"):
    task, best = Counting(scores, select), BestWeights(select, patience)
    loader = DataLoader(torch.zeros(1, 1))
    trainer = pl.Trainer(
        max_epochs=len(scores), accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[best],
    )  # fmt: skip
    trainer.fit(task, loader, loader)
    return task, best


def test_the_best_validation_is_gone_back_to():
    task, best = fit([0.2, 0.6, 0.4, 0.5])
    assert task.weight.item() == 2
    assert best.best_step == 2
    assert [row["step"] for row in best.rows] == [1, 2, 3, 4]


@pytest.mark.parametrize("select", ["miou", "mf1", "oa"])
def test_any_figure_can_be_selected_by(select):
    task, best = fit([0.2, 0.6, 0.4], select=select)
    assert task.weight.item() == 2
    assert best.provenance() == {
        "weights": "of step 2, the best of 3 validations",
        "selected_by": select,
        f"validation_{select}": "0.6000",
    }


def test_the_least_loss_is_the_best():
    task, best = fit([0.5, 0.2, 0.4], select="loss")
    assert task.weight.item() == 2
    assert best.provenance()["validation_loss"] == "0.2000"


def test_patience_goes_by_what_is_selected_by():
    _, best = fit([0.5, 0.4, 0.5, 0.6, 0.7], patience=2, select="loss")
    assert len(best.rows) == 4


def test_what_is_no_number_is_never_the_best():
    task, best = fit([math.nan, 0.7, math.nan, 0.6], select="loss")
    assert task.weight.item() == 4
    assert best.best_step == 4
    _, best = fit([math.nan], select="loss")
    assert best.provenance() == {"weights": "of the last step, as loss was never a number"}


def test_an_unknown_figure_is_refused():
    with pytest.raises(ConfigError, match="'kappa'; choose one of miou"):
        BestWeights("kappa")


@pytest.mark.parametrize("patience", [0, -1])
def test_a_patience_for_no_validation_is_refused(patience):
    with pytest.raises(ConfigError, match="ends before the first; give 1 or more"):
        BestWeights(patience=patience)


@pytest.mark.parametrize(("patience", "validations"), [(1, 3), (2, 4), (None, 6)])
def test_training_ends_when_it_gets_no_better(patience, validations):
    _, best = fit([0.2, 0.6, 0.4, 0.5, 0.5, 0.5], patience)
    assert len(best.rows) == validations


def test_it_says_that_nothing_was_chosen_without_validation():
    assert "last step" in BestWeights().provenance()["weights"]
