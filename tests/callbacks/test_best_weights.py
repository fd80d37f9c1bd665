import lightning.pytorch as pl
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from sscl_geo.callbacks.best_weights import BestWeights


class Counting(pl.LightningModule):
    """Its weight is the number of steps done; its score is told beforehand."""

    def __init__(self, scores):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.scores = list(scores)

    def training_step(self, *_):
        return -self.weight.sum()

    def validation_step(self, *_):
        pass

    def on_validation_epoch_end(self):
        if not self.trainer.sanity_checking:
            self.log("val_score", self.scores.pop(0))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def fit(scores, patience=None):
    task, best = Counting(scores), BestWeights("val_score", patience)
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


@pytest.mark.parametrize(("patience", "validations"), [(1, 3), (2, 4), (None, 6)])
def test_training_ends_when_it_gets_no_better(patience, validations):
    _, best = fit([0.2, 0.6, 0.4, 0.5, 0.5, 0.5], patience)
    assert len(best.rows) == validations


def test_it_says_that_nothing_was_chosen_without_validation():
    assert "last step" in BestWeights().provenance()["weights"]
