"""Compiling the encoders changes the speed of a training, not its course."""

import shutil

import numpy as np
import pytest

from sscl_geo.pretraining import pretrain
from sscl_geo.trainer_options import TrainerOptions

TINY = {
    "encoder_name": "tu-test_resnet",
    "steps": 4,
    "batch_size": 4,
    "patch_size": 32,
    "task_options": {"projection_dim": 16, "hidden_dim": 32},
}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="a CPU's code is made by a C++ compiler")
def test_losses_are_the_same_with_compiled_encoders(make_scene) -> None:
    array = np.random.default_rng(0).normal(100, 20, (2, 80, 90)).astype(np.float32)
    scene = make_scene(array, descriptions=("red", "nir"))

    def losses(*, compiled: bool) -> np.ndarray:
        options = TrainerOptions(accelerator="cpu", precision="32-true", compile=compiled)
        found = pretrain(scene, **TINY, trainer_options=options)
        assert found.bundle.encoder_weights
        assert not any("_orig_mod" in name for name in found.bundle.state_dict)
        return found.history["loss"].to_numpy()

    np.testing.assert_allclose(losses(compiled=True), losses(compiled=False), rtol=1e-3)
