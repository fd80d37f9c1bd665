import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, jaccard_score
from torch.utils.data import DataLoader
from torchgeo.tasks import SemanticSegmentation

from sscl_geo.bundle import save_bundle
from sscl_geo.errors import BandError, BundleError, ConfigError
from sscl_geo.models.segmenters import SEGMENTERS, build_segmenter
from sscl_geo.tasks.segmentation import Segmentation


@pytest.fixture
def encoder_path(make_bundle, tmp_path):
    torch.manual_seed(3)
    encoder = build_segmenter("unet", "resnet18", 3, 2).encoder
    bundle = make_bundle(
        kind="encoder",
        decoder=None,
        bands=("a", "b", "c"),
        resolution=(1.0, 1.0),
        patch_size=32,
        classes=None,
        state_dict=encoder.state_dict(),
    )
    save_bundle(bundle, tmp_path / "encoder.safetensors")
    return str(tmp_path / "encoder.safetensors"), encoder


def batches(count=6, labelled=True):
    torch.manual_seed(0)
    for _ in range(count):
        mask = torch.randint(0, 3, (2, 32, 32))
        mask[:, 5:] = 255
        yield {
            "image": torch.randn(2, 3, 32, 32),
            "mask": mask if labelled else torch.full_like(mask, 255),
            "valid": torch.ones(2, 32, 32, dtype=torch.bool),
        }


def fit(task, data):
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(task, DataLoader(list(data), batch_size=None))
    return trainer


@pytest.mark.parametrize("model", ["unet", "deeplabv3+", "upernet", "segformer"])
def test_the_network_is_the_one_of_torchgeo_and_of_the_predictor(model):
    names = [
        {name: value.shape for name, value in network.state_dict().items()}
        for network in (
            SemanticSegmentation(model, "resnet18", in_channels=3, num_classes=4).model,
            Segmentation(model, "resnet18", in_channels=3, num_classes=4).model,
            build_segmenter(model, "resnet18", 3, 4),
        )
    ]
    assert names[0] == names[1] == names[2]


def test_the_encoder_of_a_bundle_is_where_training_starts(encoder_path):
    path, encoder = encoder_path
    task = Segmentation(in_channels=3, num_classes=3, encoder_bundle=path)
    mine = task.model.encoder.state_dict()
    assert all(torch.equal(mine[name], value) for name, value in encoder.state_dict().items())


def test_an_encoder_for_other_bands_is_refused_in_a_sentence(encoder_path):
    with pytest.raises(BandError, match="pretrained on 3 bands"):
        Segmentation(in_channels=4, num_classes=3, encoder_bundle=encoder_path[0])


def test_another_encoder_is_refused_in_a_sentence(encoder_path):
    with pytest.raises(BundleError, match="'resnet18'"):
        Segmentation(
            backbone="resnet34", in_channels=3, num_classes=3, encoder_bundle=encoder_path[0]
        )


@pytest.mark.parametrize("loss", ["ce", "focal", "dice"])
def test_unlabelled_pixels_do_not_count(loss):
    task = Segmentation(in_channels=3, num_classes=3, loss=loss)
    mask = torch.randint(0, 3, (2, 8, 8))
    mask[:, 4:] = 255
    logits = torch.randn(2, 3, 8, 8)
    other = torch.where((mask == 255)[:, None], torch.randn(2, 3, 8, 8) * 9, logits)
    assert torch.allclose(task.criterion(logits, mask), task.criterion(other, mask), atol=1e-5)


@pytest.mark.parametrize("loss", ["ce", "focal", "dice"])
def test_a_batch_without_labels_has_loss_and_gradient_zero(loss):
    task = Segmentation(in_channels=3, num_classes=3, loss=loss)
    logits = torch.randn(2, 3, 8, 8, requires_grad=True)
    value = task.criterion(logits, torch.full((2, 8, 8), 255))
    value.backward()
    assert value == 0
    assert (logits.grad == 0).all()


def validate(task, data):
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    return trainer.validate(task, DataLoader(list(data), batch_size=None), verbose=False)[0]


def test_validation_figures_are_those_of_all_labelled_pixels_together():
    task = Segmentation(in_channels=3, num_classes=3).eval()
    many, few, none = *batches(2), *batches(1, labelled=False)
    few["mask"][:, 1:] = 255
    found = validate(task, [many, few, none])
    mask = torch.cat([many["mask"], few["mask"]])
    with torch.no_grad():
        logits = task(torch.cat([many["image"], few["image"]])).double()
    known = mask != 255
    mapped, truth = logits.argmax(dim=1)[known], mask[known]
    hits, mapped, truth = (
        torch.bincount(values, minlength=3).double()
        for values in (truth[mapped == truth], mapped, truth)
    )
    assert found["val_OverallAccuracy"] == pytest.approx(float(hits.sum() / truth.sum()))
    assert found["val_AverageF1Score"] == pytest.approx(float((2 * hits / (mapped + truth)).mean()))
    iou = hits / (mapped + truth - hits)
    assert found["val_AverageJaccardIndex"] == pytest.approx(float(iou.mean()))
    loss = torch.nn.functional.cross_entropy(logits, mask, ignore_index=255)
    assert found["val_loss"] == pytest.approx(float(loss))


def test_a_class_that_the_labels_lack_is_in_no_mean():
    task = Segmentation(in_channels=3, num_classes=4).eval()
    batch = next(batches(1))
    with torch.no_grad():
        mapped = task(batch["image"]).argmax(dim=1)
    lacking = int(mapped.flatten().mode().values)
    batch["mask"] = torch.where(batch["mask"] == lacking, 255, batch["mask"])
    found = validate(task, [batch])
    known = batch["mask"] != 255
    mapped, truth = mapped[known].numpy(), batch["mask"][known].numpy()
    assert (mapped == lacking).any()
    present = np.unique(truth).tolist()
    f1, iou = (
        score(truth, mapped, labels=present, average="macro", zero_division=0)
        for score in (f1_score, jaccard_score)
    )
    assert found["val_AverageF1Score"] == pytest.approx(f1)
    assert found["val_AverageJaccardIndex"] == pytest.approx(iou)


def test_training_on_batches_without_labels_leaves_no_nan():
    task = Segmentation(in_channels=3, num_classes=3)
    fit(task, [*batches(2), *batches(2, labelled=False)])
    assert all(torch.isfinite(p).all() for p in task.parameters())


@pytest.mark.parametrize("options", [{"freeze_backbone": True}, {"encoder_lr_factor": 0.0}])
def test_a_frozen_encoder_keeps_weights_and_statistics(options):
    task = Segmentation(in_channels=3, num_classes=3, **options)
    before = {name: v.clone() for name, v in task.model.state_dict().items()}
    fit(task, batches())
    after = task.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any(name.startswith("encoder.") for name in changed)
    assert any(name.startswith("decoder.") for name in changed)


def test_the_encoder_learns_at_its_own_rate_and_norms_are_not_decayed():
    task = Segmentation(
        in_channels=3, num_classes=3, lr=1e-2, encoder_lr_factor=0.1, weight_decay=0.5
    )
    task.trainer = fit(Segmentation(in_channels=3, num_classes=3), batches(2))
    optimizer = task.configure_optimizers()["optimizer"]
    of = {id(p): g for g in optimizer.param_groups for p in g["params"]}
    assert len(of) == len(list(task.model.parameters()))
    for name, parameter in task.model.named_parameters():
        group = of[id(parameter)]
        assert group["initial_lr"] == pytest.approx(1e-3 if name.startswith("encoder.") else 1e-2)
        assert group["weight_decay"] == (0.5 if parameter.ndim > 1 else 0.0)


def test_a_checkpoint_needs_no_bundle(encoder_path, tmp_path):
    path, _ = encoder_path
    task = Segmentation(in_channels=3, num_classes=3, encoder_bundle=path)
    trainer = fit(task, batches(1))
    trainer.save_checkpoint(tmp_path / "task.ckpt")
    (tmp_path / "encoder.safetensors").unlink()
    again = Segmentation.load_from_checkpoint(tmp_path / "task.ckpt", weights_only=True)
    old, new = task.state_dict(), again.state_dict()
    assert all(torch.equal(old[name], new[name]) for name in old)


@pytest.mark.parametrize("model", SEGMENTERS)
def test_each_model_gives_logits_of_each_pixel_and_loads_an_encoder(model, encoder_path):
    path, encoder = encoder_path
    task = Segmentation(model, "resnet18", in_channels=3, num_classes=4, encoder_bundle=path)
    assert task.eval()(torch.randn(1, 3, 64, 64)).shape == (1, 4, 64, 64)
    for name, value in encoder.state_dict().items():
        assert torch.equal(task.model.encoder.state_dict()[name], value)


@pytest.mark.parametrize("model", sorted(set(SEGMENTERS) - {"knn"}))
def test_each_model_learns(model):
    torch.manual_seed(0)
    task = Segmentation(model, "resnet18", in_channels=3, num_classes=3, lr=1e-2)
    before = {name: p.clone() for name, p in task.model.named_parameters()}
    fit(task, batches())
    changed = {n for n, p in task.model.named_parameters() if not torch.equal(p, before[n])}
    assert any(name.startswith("segmentation_head") for name in changed)
    assert any(name.startswith("encoder") for name in changed) == (model != "linear")


def test_rates_fall_from_stage_to_stage():
    task = Segmentation(
        "unet", "resnet18", in_channels=3, num_classes=3,
        lr=1.0, encoder_lr_factor=0.5, layer_decay=0.1,
    )  # fmt: skip
    optimizer = fit(task, batches(1)).optimizers[0]
    rate = {id(p): g["initial_lr"] for g in optimizer.param_groups for p in g["params"]}
    encoder = task.model.encoder
    expected = {
        encoder.conv1: 0.5e-4, encoder.bn1: 0.5e-4, encoder.layer1: 0.5e-3,
        encoder.layer2: 0.5e-2, encoder.layer3: 0.5e-1, encoder.layer4: 0.5,
        task.model.decoder: 1.0, task.model.segmentation_head: 1.0,
    }  # fmt: skip
    for module, lr in expected.items():
        assert all(rate[id(p)] == pytest.approx(lr) for p in module.parameters())
    assert len(rate) == len(list(task.model.parameters()))


@pytest.mark.parametrize(
    "wrong", [{"layer_decay": 0}, {"layer_decay": 2}, {"encoder_lr_factor": -1}, {"loss": "l1"}]
)
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ConfigError):
        Segmentation("unet", "resnet18", **wrong)
