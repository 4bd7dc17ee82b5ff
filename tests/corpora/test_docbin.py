"""`.spacy` files that spaCy would read, or stumble over, though they are damaged."""

import struct
import zlib

import numpy as np
import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_docre import DocreError, get_clusters
from spacy_docre.annotation.records import Failure
from spacy_docre.annotation.sources import read_records
from spacy_docre.corpora.dwie import to_dwie
from spacy_docre.corpora.jsonl import to_jsonl
from spacy_docre.corpora.readers import GoldClusterCorpus, read_docs

from ..util import birth_doc, make_doc

SPAN = ">QQQllll"
RELATIONS = ("._.", "relations", None, None)


def content():
    docs = [birth_doc(Vocab(), n) for n in range(2)]
    data = DocBin(docs=docs, store_user_data=True).to_bytes()
    return srsly.msgpack_loads(zlib.decompress(data))


def write(path, values):
    path.write_bytes(zlib.compress(srsly.msgpack_dumps(values)))
    return path


def with_span(values, **changes):
    """Change the first mention of the second document."""
    groups = srsly.msgpack_loads(values["span_groups"][1])
    group_bytes, keys = next(iter(groups.items()))
    group = srsly.msgpack_loads(group_bytes)
    names = ["id", "kb_id", "label", "start", "end", "start_char", "end_char"]
    fields = dict(zip(names, struct.unpack(SPAN, group["spans"][0]), strict=True))
    group["spans"][0] = struct.pack(SPAN, *{**fields, **changes}.values())
    values["span_groups"][1] = srsly.msgpack_dumps({srsly.msgpack_dumps(group): keys})


def with_key(values, key):
    """Give the span groups of the second document another key."""
    groups = srsly.msgpack_loads(values["span_groups"][1])
    values["span_groups"][1] = srsly.msgpack_dumps({group: [key] for group in groups})


def with_attr(values, name, value):
    """Change an attribute of the last token."""
    tokens = (
        np.frombuffer(values["tokens"], dtype="uint64").reshape(-1, len(values["attrs"])).copy()
    )
    tokens[-1, values["attrs"].index(spacy.symbols.IDS[name])] = value
    values["tokens"] = tokens.tobytes()


def with_user_data(values, key, value):
    data = srsly.msgpack_loads(values["user_data"][1], use_list=False)
    values["user_data"][1] = srsly.msgpack_dumps({**data, key: value})


def test_what_is_not_damaged_is_read(tmp_path):
    path = write(tmp_path / "in.spacy", content())
    docs = list(read_docs(path, Vocab()))
    assert [len(get_clusters(doc)) for doc in docs] == [5, 5]
    assert [len(doc._.relations) for doc in docs] == [4, 4]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda values: values.pop("attrs"), "KeyError: 'attrs'"),
        (lambda values: values["attrs"].append(1), "ValueError"),
        (lambda values: values["attrs"].__setitem__(1, values["attrs"][0]), "attributes"),
        (lambda values: values["attrs"].__setitem__(1, 10**9), "attributes"),
        (lambda values: values.update(strings=[["x"]]), "unhashable"),
        (lambda values: values.update(lengths=b"123"), "ValueError"),
        (lambda values: values.update(user_data=7), "TypeError"),
    ],
)
def test_damaged_files_are_named(tmp_path, damage, message):
    values = content()
    damage(values)
    path = write(tmp_path / "in.spacy", values)
    for read in (lambda: list(read_docs(path, Vocab())), lambda: training(path)):
        with pytest.raises(DocreError, match=rf"D015.*in\.spacy: .*damaged: .*{message}"):
            read()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda values: with_span(values, start=0, end=10**6), "E035.* end 1000000"),
        (lambda values: with_span(values, start=-3), "E035.* start -3"),
        (lambda values: with_span(values, start=2**30, end=2**30 + 1), "E035.* start 1073741824"),
        (lambda values: with_span(values, start=2, end=1), "E035.* start 2 and end 1"),
        (lambda values: with_span(values, end_char=9**9), r"its characters are not those"),
        (lambda values: with_span(values, label=12345), r"no string of the number 12345"),
        (lambda values: with_span(values, kb_id=12345), r"no string of the number 12345"),
        (lambda values: with_attr(values, "ENT_TYPE", 12345), "no string of the number 12345"),
        (lambda values: with_attr(values, "LEMMA", 12345), "no string of the number 12345"),
        (lambda values: with_attr(values, "POS", 12345), "no part of speech 12345"),
        (lambda values: with_attr(values, "ENT_IOB", 12345), "E982"),
        (lambda values: with_attr(values, "ENT_IOB", 1), "E093"),
        (lambda values: with_attr(values, "HEAD", 12345), "E190"),
        (lambda values: values["span_groups"].pop(), "IndexError"),
        (lambda values: with_key(values, 1.5), r"the key 1\.5 is no string"),
        (lambda values: values["span_groups"].__setitem__(1, b"\x81"), "ValueError"),
        (lambda values: values["user_data"].__setitem__(1, b"\xa1\xff"), "UnicodeDecodeError"),
        (lambda values: with_user_data(values, "title", 1.5), "it is no string"),
    ],
)
def test_damaged_documents_are_named_and_those_before_are_read(tmp_path, damage, message):
    values = content()
    damage(values)
    path = write(tmp_path / "in.spacy", values)
    docs = read_docs(path, Vocab())
    assert len(next(docs)) == 24
    with pytest.raises(DocreError, match=rf"D014.*in\.spacy: document 1 .*({message})"):
        next(docs)
    with pytest.raises(DocreError, match=message):
        training(path)
    first, failure = read_records([str(path)])
    assert not isinstance(first, Failure)
    assert isinstance(failure, Failure)
    assert failure.number == 2
    assert "DocreError" in failure.reason


def training(path):
    return list(GoldClusterCorpus(path)(spacy.blank("xx")))


def test_what_is_only_unusual_is_read(tmp_path):
    values = content()
    with_span(values, id=12345)
    with_user_data(values, "title", None)
    _, doc = read_docs(write(tmp_path / "in.spacy", values), Vocab())
    assert next(iter(doc.spans.values()))[0].id == 12345


def test_training_reads_up_to_the_limit_through_all_files(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.spacy", content())
    for limit, expected in ((0, 4), (1, 1), (3, 3), (9, 4)):
        corpus = GoldClusterCorpus(tmp_path, limit=limit)
        assert len(list(corpus(spacy.blank("xx")))) == expected


@pytest.mark.parametrize(
    "rows",
    [
        7,
        [7],
        [{"head": "entity_clusters_1"}],
        [{"head": "entity_clusters_1", "label": "x", "tail": "entity_clusters_2", "scoze": 1}],
        [{"head": ["entity_clusters_1"], "label": "x", "tail": "entity_clusters_2"}],
        [{"head": "entity_clusters_1", "label": 3, "tail": "entity_clusters_2"}],
        [{"head": "a", "label": "x", "tail": "b", "score": float("nan")}],
        [{"head": "a", "label": "x", "tail": "b", "score": 1.5}],
        [{"head": "a", "label": "x", "tail": "b", "score": "much"}],
        [{"head": "a", "label": "x", "tail": "b", "evidence": [[1]]}],
        [{"head": "a", "label": "x", "tail": "b", "evidence": 5}],
    ],
)
def test_what_is_no_relation_is_an_error_of_the_document(tmp_path, rows):
    values = content()
    with_user_data(values, RELATIONS, rows)
    path = write(tmp_path / "in.spacy", values)
    _, doc = read_docs(path, Vocab())
    with pytest.raises(DocreError, match=r"D116.*the document 'Bela was born"):
        _ = doc._.relations


def test_relations_of_clusters_that_are_not_there_are_not_written():
    doc = make_doc(Vocab(), ["a", "b"], [[(0, 1)], [(1, 2)]], relations=[(0, "x", 1)])
    del doc.spans["entity_clusters_2"]
    with pytest.raises(DocreError, match=r"D046.*entity_clusters_2"):
        to_jsonl(doc)


@pytest.mark.parametrize(
    ("attrs", "user_data"),
    [({"offsets": [7]}, {}), ({"tags": 7}, {}), ({}, {"dwie": "x"}), ({}, {"dwie": {"tags": 7}})],
)
def test_damaged_attributes_of_a_format_are_an_error_that_names_it(attrs, user_data):
    doc = make_doc(Vocab(), ["a", "b"], [[(0, 1)], [(1, 2)]], relations=[])
    doc.spans["entity_clusters_1"].attrs.update(attrs)
    doc.user_data.update(user_data)
    with pytest.raises(DocreError, match=r"D117.*the document 'a b' cannot be written as DWIE"):
        to_dwie(doc)
