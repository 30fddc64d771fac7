"""Facts about where a run takes place: versions, processor, memory, load.

Everything is a name and a JSON-able value, so that the store keeps them as rows. Nothing here
imports torch; versions are read from the installed distributions.
"""

from __future__ import annotations

import os
import platform
import sys
from ctypes import CDLL
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchsuite._version import __version__

PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "pillow",
    "pyarrow",
    "pandas",
    "pycocotools",
    "lvis",
    "cityscapesscripts",
    "pluggy",
    "cupy-cuda12x",
    "cupy-cuda13x",
)


def versions() -> dict[str, str | None]:
    """Distribution to version, ``None`` where it is not installed."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cpu_features() -> list[str]:
    """The vector extensions that matter to a detector's speed, of those this processor has."""
    telling = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return []
    for line in info.read_text(errors="replace").splitlines():
        if line.startswith(("flags", "Features")):
            flags = set(line.partition(":")[2].split())
            return [name for name in telling if name in flags]
    return []


def available_cores() -> int:
    """Cores this process may use: its affinity, and the container's quota where there is one."""
    cores = _allowed_cores()
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.is_file():
        limit, _, period = quota.read_text().partition(" ")
        if limit.strip().isdigit():
            cores = min(cores, max(1, int(limit) // int(period)))
    return cores


def _allowed_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    import psutil

    try:
        return len(psutil.Process().cpu_affinity())
    except (AttributeError, OSError):  # macOS has no affinity
        return os.cpu_count() or 1


def memory_mib() -> int:
    """The machine's memory in MiB."""
    # psutil can tell everywhere, but takes 20 ms to import.
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    import psutil

    return int(psutil.virtual_memory().total // 2**20)


def load_average() -> float:
    """Runnable processes over the last minute; -1 where the system does not tell."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return -1.0


def gpus() -> list[dict[str, Any]]:
    """NVIDIA GPUs: name, memory in MiB, driver. Empty where there is none."""
    if not _may_have_driver():
        return []
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        driver = pynvml.nvmlSystemGetDriverVersion()
        found = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle).total // 2**20
            name = pynvml.nvmlDeviceGetName(handle)
            found.append({"name": name, "memory_mib": memory, "driver": driver})
        return found
    finally:
        pynvml.nvmlShutdown()


def _may_have_driver() -> bool:
    """Whether pynvml, which takes 12 ms to import, could find NVIDIA's driver."""
    if sys.platform != "linux":
        return True
    try:
        CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


def facts() -> dict[str, Any]:
    """All of it, in one dict."""
    return {
        "benchsuite": __version__,
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": cpu_name(),
        "cpu_features": cpu_features(),
        "cores": available_cores(),
        "memory_mib": memory_mib(),
        "load_average": load_average(),
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "not set"),
        "gpus": gpus(),
        **{f"version/{name}": value for name, value in versions().items()},
    }
