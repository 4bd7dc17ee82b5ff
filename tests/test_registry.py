"""Every name that the package registers can be found without importing the package."""

from importlib.metadata import distribution

import pytest
from spacy.util import registry

OURS = list(distribution("spacy-docre").entry_points)


def test_there_are_entry_points():
    assert {"doc_relation_extractor", "entity_clusters"} <= {point.name for point in OURS}


@pytest.mark.parametrize("point", OURS, ids=lambda point: f"{point.group}:{point.name}")
def test_name_resolves(point):
    assert point.load() is not None
    if point.group not in ("spacy_factories", "spacy_cli"):
        registry_name = point.group.partition("_")[2]
        assert registry.get(registry_name, point.name) is point.load()
        assert point.name.startswith("spacy-docre.")
        assert point.name.endswith(".v1")
