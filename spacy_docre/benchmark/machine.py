"""On what a benchmark ran."""

import os
import platform
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("torch", "spacy", "thinc", "transformers", "spacy-transformers", "numpy", "cupy")


def describe_run(*, gpu_id: int, seed: int) -> dict[str, Any]:
    """The machine, the versions and the command: what a figure has to stand beside.

    gpu_id (int): The GPU in use, -1 for none.
    seed (int): The seed of documents and weights.
    RETURNS (dict[str, Any]): Plain values. `load` is the number of processes that were running or
        waiting, on average over the minute before; None where the system does not count them.
    """
    # Our own version is that of the code that runs, not of what is installed.
    from ..about import __version__

    versions = {name: _version(name) for name in PACKAGES}
    return {
        "command": shlex.join(["python", "-m", "spacy_docre", *sys.argv[1:]]),
        "machine": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name(gpu_id) if gpu_id >= 0 else None,
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "seed": seed,
        "versions": {
            "python": platform.python_version(),
            "spacy-docre": __version__,
            **{name: found for name, found in versions.items() if found},
        },
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
