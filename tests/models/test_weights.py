"""Weights from files and from TorchGeo."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from sscl_geo.errors import ConfigError
from sscl_geo.models.encoders import build_encoder

TINY = "tu-test_resnet"


@pytest.fixture
def rgb() -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in build_encoder(TINY, 3).state_dict().items()}


def same(encoder: torch.nn.Module, state: dict[str, torch.Tensor], but: str = "-") -> bool:
    found = encoder.state_dict()
    return all(torch.equal(found[k], v) for k, v in state.items() if not k.startswith(but))


@pytest.mark.parametrize("prefix", ["", "module.", "model.encoder.", "backbone."])
@pytest.mark.parametrize("nested", [False, True])
def test_a_checkpoint_loads_whatever_its_prefix(rgb, prefix: str, nested: bool, tmp_path: Path):
    state = {prefix + k: v for k, v in rgb.items()} | {"head.weight": torch.zeros(2)}
    torch.save({"state_dict": state, "epoch": 3} if nested else state, tmp_path / "w.pth")
    assert same(build_encoder(TINY, 3, str(tmp_path / "w.pth")), rgb)


def test_timms_own_names_load_into_an_encoder_of_timm(tmp_path: Path) -> None:
    own = timm.create_model("test_resnet", pretrained=False).state_dict()
    torch.save(own, tmp_path / "w.pth")
    encoder = build_encoder(TINY, 3, str(tmp_path / "w.pth"))
    assert same(encoder, {f"model.{k}": v for k, v in own.items() if not k.startswith("fc.")})


def test_an_encoders_bundle_is_a_file_of_weights(rgb, tmp_path: Path) -> None:
    save_file(rgb, tmp_path / "encoder.safetensors")
    assert same(build_encoder(TINY, 3, str(tmp_path / "encoder.safetensors")), rgb)


@pytest.mark.parametrize("bands", [1, 2, 4, 7])
def test_weights_for_rgb_are_inflated_so_that_grey_images_give_the_same(
    rgb, bands: int, tmp_path: Path
) -> None:
    torch.save(rgb, tmp_path / "w.pth")
    encoder = build_encoder(TINY, bands, str(tmp_path / "w.pth")).eval()
    reference = build_encoder(TINY, 3).eval()
    reference.load_state_dict(rgb)
    gray = torch.rand(1, 1, 32, 32)
    if bands in (1, 3):
        for ours, theirs in zip(
            encoder(gray.expand(-1, bands, -1, -1))[1:],
            reference(gray.expand(-1, 3, -1, -1))[1:],
            strict=True,
        ):
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    first = next(k for k, v in rgb.items() if v.ndim == 4)
    assert same(encoder, rgb, but=first)
    expected = timm.models.adapt_input_conv(bands, rgb[first])
    assert torch.equal(encoder.state_dict()[first], expected)


def test_weights_for_other_bands_are_refused_in_a_sentence(tmp_path: Path) -> None:
    torch.save(build_encoder(TINY, 13).state_dict(), tmp_path / "w.pth")
    with pytest.raises(ConfigError, match="take 13 bands but the scenes have 4"):
        build_encoder(TINY, 4, str(tmp_path / "w.pth"))
    assert build_encoder(TINY, 13, str(tmp_path / "w.pth"))


def test_weights_of_another_encoder_are_refused_in_a_sentence(rgb, tmp_path: Path) -> None:
    torch.save(rgb, tmp_path / "w.pth")
    with pytest.raises(ConfigError, match="not those of this encoder"):
        build_encoder("mobilenet_v2", 3, str(tmp_path / "w.pth"))
    wrong = {k: v[:1] if v.ndim else v for k, v in rgb.items()}
    torch.save(wrong, tmp_path / "wrong.pth")
    with pytest.raises(ConfigError, match="do not fit this encoder"):
        build_encoder(TINY, 3, str(tmp_path / "wrong.pth"))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_and_missing_files_are_refused_in_a_sentence(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"w{suffix}").write_bytes(b"no weights")
    with pytest.raises(ConfigError, match="not read for safety"):
        build_encoder(TINY, 3, str(tmp_path / f"w{suffix}"))
    with pytest.raises(ConfigError, match="no file of weights"):
        build_encoder(TINY, 3, str(tmp_path / f"missing{suffix}"))


def test_code_in_a_file_of_weights_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    torch.save({"state_dict": Evil()}, tmp_path / "w.pth")
    with pytest.raises(ConfigError, match="not read for safety"):
        build_encoder(TINY, 3, str(tmp_path / "w.pth"))
    assert not (tmp_path / "ran").exists()


def test_a_file_without_tensors_is_refused_in_a_sentence(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(ConfigError, match="holds no state dict"):
        build_encoder(TINY, 3, str(tmp_path / "w.pth"))


def test_weights_of_torchgeo_load_by_name(monkeypatch) -> None:
    from torchgeo.models import ResNet18_Weights

    own = timm.create_model("resnet18", in_chans=13, num_classes=0).state_dict()
    asked = []

    def fetch(self, **options):
        asked.append((str(self), options["weights_only"]))
        return own

    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", fetch)
    name = "ResNet18_Weights.SENTINEL2_ALL_MOCO"
    assert same(build_encoder("resnet18", 13, name), own)
    assert asked == [(name, True)]


def test_unknown_weights_of_torchgeo_are_refused_in_a_sentence() -> None:
    with pytest.raises(ConfigError, match="TorchGeo has no weights"):
        build_encoder("resnet18", 13, "ResNet18_Weights.NOPE")


def test_weights_that_cannot_be_fetched_are_refused_in_a_sentence(monkeypatch) -> None:
    from urllib.error import URLError

    from torchgeo.models import ResNet18_Weights

    def fail(self, **options):
        raise URLError("no network")

    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", fail)
    with pytest.raises(ConfigError, match=r"could not be fetched .*no network"):
        build_encoder("resnet18", 13, "ResNet18_Weights.SENTINEL2_ALL_MOCO")
