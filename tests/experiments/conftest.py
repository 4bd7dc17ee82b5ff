"""What the tests of experiments share."""

import pytest

from ..configs import save_births


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Ten small annotated documents, as a file."""
    return save_births(tmp_path_factory.mktemp("corpus") / "births.spacy", 10)
