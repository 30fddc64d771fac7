"""``benchsuite doctor``: what is installed, found and in use, and what is wrong with it."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from benchsuite.cli.shared_options import echo_json, json_option


@click.command("doctor")
@json_option
def doctor(as_json: bool) -> None:
    """Say what is installed, found and in use: versions, devices, processor features, threads,
    kernels, where data, weights and results live, and which plugins failed and why.

    \b
    Example:
      benchsuite doctor --json
    """
    examined = examine()
    if as_json:
        echo_json(examined)
        return
    for section, found in examined.items():
        click.secho(section, bold=True)
        for name, value in found.items():
            click.echo(f"  {name:22} {value}")
        click.echo()


def examine() -> dict[str, dict[str, Any]]:
    """Section to name to what was found."""
    from benchsuite import environment

    facts = environment.facts()
    found_versions = {
        name.removeprefix("version/"): value or "not installed"
        for name, value in facts.items()
        if name.startswith("version/")
    }
    return {
        "versions": {
            "benchsuite": facts["benchsuite"],
            "python": facts["python"],
            "platform": facts["platform"],
            **found_versions,
        },
        "processor": {
            "name": facts["cpu"],
            "features": " ".join(facts["cpu_features"]) or "unknown",
            "cores": facts["cores"],
            "memory (MiB)": facts["memory_mib"],
            "load average": facts["load_average"],
        },
        "devices": _devices(facts["gpus"]),
        "kernels": _kernels(),
        "folders": _folders(),
        "plugins": _plugins(),
    }


def _devices(gpus: list[dict[str, Any]]) -> dict[str, Any]:
    import torch

    from benchsuite_kernels.cuda.availability import cupy_problem

    cuda = torch.version.cuda
    devices: dict[str, Any] = {
        "torch threads": torch.get_num_threads(),
        "torch was built for": f"CUDA {cuda}" if cuda else "the CPU alone",
        "CUDA devices": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "CuPy": cupy_problem() or "of torch's CUDA",
    }
    for index, gpu in enumerate(gpus):
        devices[f"GPU {index}"] = f"{gpu['name']}, {gpu['memory_mib']} MiB, driver {gpu['driver']}"
    return devices


def _kernels() -> dict[str, str]:
    """What serves each operator, on the CPU and on a GPU, and why nothing faster does."""
    import benchsuite_kernels
    from benchsuite_kernels.cuda.availability import cuda_problem
    from benchsuite_kernels.cuda.emulation.build import emulation_problem
    from benchsuite_kernels.cuda.nvrtc import nvrtc_problem

    found = dict(benchsuite_kernels.implementations())
    if cuda_problem() is None:
        import_module("benchsuite_kernels.ops")  # registers the operators
        registration = import_module("benchsuite_kernels.ops.registration")
        for operator, on_gpu in registration.cuda_implementations().items():
            on_cpu = found.get(operator)
            found[operator] = f"{on_cpu}, on a GPU {on_gpu}" if on_cpu else f"on a GPU {on_gpu}"
    if reason := benchsuite_kernels.why_reference():
        found["no C++, because"] = reason
    if reason := cuda_problem():
        found["no CUDA, because"] = reason
    found["compiling for GPUs"] = nvrtc_problem() or "by NVRTC"
    found["emulating a GPU"] = emulation_problem() or "by the C++ compiler"
    return found


def _folders() -> dict[str, str]:
    from benchsuite.paths import cache_folder, datasets_folder, weights_folder

    def told(folder: Path) -> str:
        state = "" if folder.is_dir() else "  (not there yet)"
        return f"{folder.absolute()}{state}"

    found = {
        "datasets": told(datasets_folder()),
        "cache": told(cache_folder()),
        "weights": told(weights_folder()),
        "results": told(Path("results")),
    }
    for variable in ("BENCHSUITE_DATASETS", "DETECTRON2_DATASETS", "BENCHSUITE_CACHE"):
        found[f"${variable}"] = os.environ.get(variable, "not set")
    return found


def _plugins() -> dict[str, str]:
    from benchsuite.plugins import registry

    found = {
        f"{plugin.distribution}:{plugin.name}": f"{plugin.version}, loaded"
        for plugin in registry().plugins
    }
    for number, failure in enumerate(registry().failures, start=1):
        found[f"failure {number}"] = str(failure)
    return found
