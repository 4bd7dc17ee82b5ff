"""Keep a pipeline's wheel in this folder, with its checksum and what made it.

    python wheels/keep.py packages/en_docre_sm-0.1.0/dist/en_docre_sm-0.1.0-py3-none-any.whl \\
        --command "python -m spacy project run model" --seed 66 --data corpus/train.spacy

The wheels of its other versions are removed.
"""

import argparse
import hashlib
import shutil
import subprocess
from pathlib import Path

import srsly

from spacy_docre.benchmark.machine import describe_run
from spacy_docre.files import replacing

FOLDER = Path(__file__).parent
# In bytes: what a repository can bear, and a clone wait for.
LARGEST = 30_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--command", required=True, help="what made it")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="what it learned from")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    keep(arguments.wheel, arguments.folder, arguments.command, arguments.seed, arguments.data)


def keep(wheel: Path, folder: Path, command: str, seed: int, data: list[Path]) -> None:
    size = wheel.stat().st_size
    if size > LARGEST:
        raise SystemExit(
            f"{wheel} has {size:,} bytes, more than {LARGEST:,}: compress its pipeline"
        )
    name = wheel.name.partition("-")[0]
    for other in folder.glob(f"{name}-*.whl"):
        other.unlink()
    shutil.copy2(wheel, folder)
    digest = sha256(wheel)
    run = {**describe_run(gpu_id=-1, seed=seed), "command": command, "revision": revision()}
    checksums = {str(path): sha256(path) for path in data}
    made = {"file": wheel.name, "bytes": size, "sha256": digest, "data": checksums, **run}
    with replacing(folder / f"{name}.json") as draft:
        srsly.write_json(draft, made)
    with replacing(folder / "requirements.txt") as draft:
        draft.write_text(f"./wheels/{wheel.name} --hash=sha256:{digest}\n", encoding="utf8")
    print(f"{folder / wheel.name}: {size:,} bytes, sha256 {digest}")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def revision() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, cwd=FOLDER).stdout.strip()


if __name__ == "__main__":
    main()
