import pytest
from spacy.tokens import SpanGroup
from spacy.vocab import Vocab
from srsly import msgpack

from spacy_docre.data import msgpack_plugins

from ..util import birth_doc

REGISTRIES = [msgpack.msgpack_encoders, msgpack.msgpack_decoders]
Registry = type(msgpack.msgpack_encoders)


def test_no_package_is_looked_for_when_a_span_group_is_read_or_written(monkeypatch):
    doc = birth_doc(Vocab(), 0)

    def refuse(self):
        raise AssertionError("looked up again")

    monkeypatch.setattr(Registry, "get_entry_points", refuse)
    group = doc.spans["entity_clusters_1"]
    copied = SpanGroup(doc).from_bytes(group.to_bytes())
    assert [(s.start, s.end) for s in copied] == [(s.start, s.end) for s in group]


def test_what_packages_add_is_registered_and_what_is_registered_stays(monkeypatch):
    registry = Registry(("srsly", "for_this_test"), entry_points=True)
    registry.register("numpy", func=len)
    added = {"numpy": max, "theirs": min}
    monkeypatch.setattr(Registry, "get_entry_points", lambda self: dict(added))
    monkeypatch.setattr(msgpack_plugins, "msgpack_encoders", registry)
    monkeypatch.setattr(msgpack_plugins, "msgpack_decoders", registry)
    msgpack_plugins.look_up_once()
    added.clear()
    assert registry.get_all() == {"numpy": len, "theirs": min}


@pytest.mark.parametrize("registry", REGISTRIES)
def test_arrays_are_still_known(registry):
    assert "numpy" in registry.get_all()
