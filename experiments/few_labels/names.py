"""What tables and pictures call the rows, starts and modes of the study."""

from typing import Final

METHODS: Final = {
    "bands_linear": "bands and surroundings, linear",
    "bands_forest": "bands and surroundings, forest",
    "factors_linear": "slow functions of the spectrum and surroundings, linear",
    "untrained": "no pretraining",
    "sscl": "SSCCL",
    "sscl_pixels": "SSCCL with pixel factors",
    "sscl_decoder": "SSCCL with a decoder",
    "sscl_no_instance": "SSCCL without the instance branch",
    "sscl_no_semantic": "SSCCL without the semantic term",
    "sscl_no_spatial": "SSCCL without the spatial term",
    "byol": "BYOL (no consistency branch)",
    "simclr": "SimCLR",
    "moco": "MoCo v2",
    "densecl": "DenseCL",
    "pixpro": "PixPro",
}
"""By the key in a config; a method of one's own is called by its key."""

INITS: Final = {"none": "no network", "random": "random", "imagenet": "ImageNet"}

MODES: Final = {
    "probe": "probe",
    "probe_bands": "probe + bands",
    "probe_factors": "probe + slow functions",
    "finetune": "fine-tuned",
}
