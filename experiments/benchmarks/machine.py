"""What a number was measured on: hardware and versions, without names of hosts or people."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("sscl-geo", "torch", "torchgeo", "rasterio")


def describe_machine() -> str:
    """CPU model, usable cores, memory and GPUs, for example ``"AMD EPYC, 2 cores, 24 GiB"``."""
    parts = [_cpu_model(), f"{_cores()} cores"]
    memory = _memory_gib()
    if memory:
        parts.append(f"{memory:.0f} GiB")
    return ", ".join([*parts, *_gpus()])


def describe_versions() -> str:
    """Versions of Python, of what does the work, of GDAL, and the commit measured if known."""
    found = [f"python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    from rasterio import __gdal_version__

    found.append(f"GDAL {__gdal_version__}")
    commit = _output("git", "describe", "--always", "--dirty", "--exclude=*")
    return "; ".join([*found, f"commit {commit}"] if commit else found)


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return _output("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gib() -> float | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    except (AttributeError, ValueError, OSError):  # no such question on Windows
        return None


def _gpus() -> list[str]:
    names = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").splitlines()
    return [f"{names.count(name)} x {name}" for name in sorted(set(names))]


def _output(*command: str) -> str:
    """What a command prints, or nothing where it is missing or fails."""
    try:
        process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603 - fixed commands
    except (OSError, subprocess.SubprocessError):
        return ""
    return process.stdout.strip()
