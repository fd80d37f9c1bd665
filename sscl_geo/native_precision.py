"""Whether a device computes in bfloat16 natively, or would only imitate it slowly."""

from functools import cache
from pathlib import Path

import torch

_CPU_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""Instruction sets as /proc/cpuinfo names them: Intel and AMD, Intel's matrix tiles, Arm."""

_FIRST_GPU = 8
"""Compute capability of the first GPUs with bfloat16 (NVIDIA Ampere, 2020)."""


def computes_bfloat16(*, on_gpu: bool) -> bool:
    """True if matrix products and convolutions in bfloat16 are faster than in float32.

    Args:
        on_gpu: ask the first CUDA device; else the CPU, of which only Linux tells.
    """
    if on_gpu:
        return torch.cuda.get_device_capability()[0] >= _FIRST_GPU
    return bool(_CPU_FLAGS & _cpu_flags())


@cache
def _cpu_flags(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    if not path.is_file():
        return frozenset()
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, flags = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(flags.split())
    return frozenset()
