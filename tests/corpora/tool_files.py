"""Files of annotation tools, written for the tests."""

import json

import spacy
from spacy.tokens import DocBin

from spacy_docre.corpora.spacy_rel import REL

TEXT = "Ada Lovelace met Bo Ek. Lovelace liked Rome 🎉."
SPANS = {"ada": (0, 12), "bo": (17, 22), "lovelace": (24, 32), "rome": (39, 43)}
LABELS = {"ada": "PERSON", "bo": "PERSON", "lovelace": "PERSON", "rome": "GPE"}
RELATIONS = [("ada", "met", "bo"), ("lovelace", "liked", "rome")]


def prodigy():
    spans = {
        name: {"start": start, "end": end, "label": LABELS[name], "token_start": 0, "token_end": 0}
        for name, (start, end) in SPANS.items()
    }
    relations = [
        {"head": 1, "child": 4, "head_span": spans[h], "child_span": spans[t], "label": label}
        for h, label, t in RELATIONS
    ]
    row = {
        "text": TEXT,
        "tokens": [],
        "spans": list(spans.values()),
        "relations": relations,
        "answer": "accept",
        "meta": {"title": "7", "page": 1},
        "_input_hash": 1,
        "_task_hash": 2,
    }
    rejected = {**row, "answer": "reject"}
    return "\n".join(map(json.dumps, (row, rejected)))


def doccano():
    ids = {name: number for number, name in enumerate(SPANS, start=10)}
    entities = [
        {"id": ids[name], "label": LABELS[name], "start_offset": start, "end_offset": end}
        for name, (start, end) in SPANS.items()
    ]
    relations = [
        {"id": 5, "from_id": ids[h], "to_id": ids[t], "type": label} for h, label, t in RELATIONS
    ]
    row = {"id": 7, "text": TEXT, "entities": entities, "relations": relations, "Comments": []}
    return json.dumps(row)


def label_studio():
    regions = [
        {
            "id": name,
            "type": "labels",
            "from_name": "label",
            "to_name": "text",
            "value": {"start": s, "end": e, "text": TEXT[s:e], "labels": [LABELS[name]]},
        }
        for name, (s, e) in SPANS.items()
    ]
    (h, r, t), (h2, r2, t2) = RELATIONS
    relations = [
        {"type": "relation", "from_id": h, "to_id": t, "direction": "right", "labels": [r]},
        {"type": "relation", "from_id": t2, "to_id": h2, "direction": "left", "labels": [r2]},
    ]
    annotations = [
        {"result": [], "was_cancelled": True},
        {"result": [*regions, *relations], "was_cancelled": False},
    ]
    return json.dumps([{"id": 7, "data": {"text": TEXT}, "annotations": annotations}])


def spacy_rel(path):
    doc = spacy.blank("en")(TEXT)
    doc.ents = [doc.char_span(*SPANS[name], label=LABELS[name]) for name in SPANS]
    starts = {name: doc.char_span(*SPANS[name]).start for name in SPANS}
    table = {(starts[h], starts[t]): {"met": 0.0, "liked": 0.0} for h in SPANS for t in SPANS}
    for head, label, tail in RELATIONS:
        table[starts[head], starts[tail]][label] = 1.0
    doc.user_data[REL] = table
    doc.user_data["title"] = "7"
    DocBin(docs=[doc], store_user_data=True).to_disk(path)


def bioc_xml():
    annotations = "".join(
        f'<annotation id="{name}"><infon key="type">{LABELS[name]}</infon>'
        f'<location offset="{start + 10}" length="{end - start}"/><text>{TEXT[start:end]}</text>'
        "</annotation>"
        for name, (start, end) in SPANS.items()
    )
    relations = "".join(
        f'<relation id="{label}"><infon key="type">{label}</infon>'
        f'<node refid="{head}" role="a"/><node refid="{tail}" role="b"/></relation>'
        for head, label, tail in RELATIONS
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><collection><source/><date/><key/><document>'
        f"<id>7</id><passage><offset>10</offset><text>{TEXT}</text>{annotations}</passage>"
        f"{relations}</document></collection>"
    )


FILES = {"bioc": bioc_xml, "prodigy": prodigy, "doccano": doccano, "label-studio": label_studio}
