"""Drop PyTorch, and what only its builds for GPUs need, from pinned requirements.

`python .ci/without_torch.py < ALL > REST`. A machine without a GPU has a build of its own, from
another index and with another hash than that of PyPI, and needs no libraries of NVIDIA. So PyTorch
is installed as the index has it."""

import re
import sys

REQUIREMENT = re.compile(r"\n(?=\S)")
FOR_TORCH = re.compile(r"(torch|triton|nvidia-|cuda-)")


def without_torch(text: str) -> str:
    """text (str): The requirements, with hashes on lines that are indented.
    RETURNS (str): The others.
    """
    kept = [part for part in REQUIREMENT.split(text.strip()) if not FOR_TORCH.match(part)]
    return "\n".join(kept) + "\n"


if __name__ == "__main__":
    sys.stdout.write(without_torch(sys.stdin.read()))
