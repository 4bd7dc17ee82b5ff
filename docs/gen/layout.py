"""What a `Doc` holds, shown by one."""

import spacy
import srsly
import text
from spacy.tokens import Doc, Span

import spacy_docre
from lookup import find

RELATION = find("spacy_docre.data.relation:Relation", "spacy_docre.relation:Relation")
CLUSTER = find("spacy_docre.data.clusters:EntityCluster", "spacy_docre.clusters:EntityCluster")
EXCLUDED = find(
    "spacy_docre.data.relation:EXCLUDED_PAIRS", "spacy_docre.relation:EXCLUDED_PAIRS"
)
PREFIX = find("spacy_docre.data.clusters:DEFAULT_PREFIX", "spacy_docre.clusters:DEFAULT_PREFIX")
ATTR = find("spacy_docre.data.relation:DEFAULT_ATTR", "spacy_docre.relation:DEFAULT_ATTR")


def page() -> str:
    """The page."""
    doc = example()
    shown = doc.to_json(underscore=[ATTR])
    return f"""# Layout of a `Doc`

Entities are clusters of mentions in `doc.spans`, relations an extension attribute. Both are made of
plain values, and survive `DocBin(store_user_data=True)`, `Doc.to_bytes`, `Doc.to_json`, pickling
and `nlp.pipe(n_process=2)`.

| Where | What |
| --- | --- |
| `doc.spans["{PREFIX}_1"]`, ... | The mentions of each entity; the label of the spans is its type, their `kb_id_` its identifier. `{PREFIX}` is the setting `prefix` |
| `doc.spans["{PREFIX}_1"].attrs` | Optional: `name`, `kb_id`, and `names`, the spelling of each mention in the source |
| `doc._.{ATTR}` | A tuple of `Relation`s, best first; the setting `attr` |
| `doc.user_data["title"]` | Optional: how messages, pages and exports name the document |
| `doc.user_data["{EXCLUDED}"]` | Optional: pairs of keys that are neither right nor wrong, in training and in scores |

A document on which relations were never set is not annotated, which is something else than having
none: it takes part neither in training nor in scores. `spacy_docre.has_relations(doc)` tells them
apart.

## An example

```text
{doc.text}
```

```json
{_json({"spans": shown["spans"], "_": shown["_"]})}
```

## `Relation`

{_properties(RELATION)}

## `EntityCluster`

{_properties(CLUSTER)}
"""


def example() -> Doc:
    """A document with two entities and a relation."""
    words = "Ada Okafor was born in Norvale . She left at twenty .".split()
    doc = Doc(spacy.blank("en").vocab, words=words, sent_starts=[i in (0, 7) for i in range(12)])
    people = [Span(doc, 0, 2, "PERSON"), Span(doc, 7, 8, "PERSON")]
    spacy_docre.set_clusters(doc, [people, [Span(doc, 5, 6, "LOC")]])
    spacy_docre.install_extension()
    head, tail = f"{PREFIX}_1", f"{PREFIX}_2"
    relation = {"head": head, "label": "born_in", "tail": tail, "score": 0.97, "evidence": [(0, 7)]}
    doc._.set(ATTR, [relation])
    return doc


def _json(value: object) -> str:
    return srsly.json_dumps(value, indent=2)


def _properties(kind: type) -> str:
    rows = [
        (text.code(name), text.doc_of(value).text)
        for name, value in vars(kind).items()
        if isinstance(value, property)
    ]
    return text.table(["Attribute", "What"], rows)
