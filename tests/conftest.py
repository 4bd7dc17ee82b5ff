from pathlib import Path

import pytest
import torch
from hypothesis import settings
from spacy.language import Language

from .saved import save_pipelines
from .util import PUBLIC_CORPORA, make_tiny_transformer

# The same examples on every machine, however busy: what fails, fails again.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--gpu", action="store_true", help="run the tests that need a CUDA device")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--gpu"):
        skip = pytest.mark.skip(reason="needs a CUDA device: run with --gpu on a machine with one")
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(skip)
    for item in items:
        for marker in item.iter_markers("corpora"):
            missing = [
                str(PUBLIC_CORPORA / name)
                for name in marker.args
                if not (PUBLIC_CORPORA / name).exists()
            ]
            if missing:
                reason = f"{', '.join(missing)}: not there; DOCRE_DATA names the folder of corpora"
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_configure() -> None:
    # The tests' tensors are tiny: more threads would only wait for each other.
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("spacy_transformers")
    return make_tiny_transformer(tmp_path_factory.mktemp("transformers") / "bert")


@pytest.fixture(scope="session")
def saved(
    tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Language, Path]]:
    """Pipelines, and the folders that they are saved in."""
    return save_pipelines(tmp_path_factory.mktemp("saved"), tiny_bert)
