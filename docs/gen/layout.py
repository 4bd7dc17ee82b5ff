"""What a `Doc` holds, shown by one."""

import spacy
import srsly
import text
from spacy.tokens import Doc, Span

import spacy_docre
from spacy_docre import EntityCluster, Relation
from spacy_docre.data.clusters import DEFAULT_PREFIX as PREFIX
from spacy_docre.data.relation import DEFAULT_ATTR as ATTR
from spacy_docre.data.relation import EXCLUDED_PAIRS, SOFT_ATTR

PLACES = {
    f'`doc.spans["{PREFIX}_1"]`, ...': "The mentions of each entity. The label of the spans is its "
    f"type, their `kb_id_` its identifier. `{PREFIX}` is the setting `prefix`.",
    f'`doc.spans["{PREFIX}_1"].attrs`': "Optional: `name`, `kb_id`, and `names`, the spelling of "
    "each mention in the source.",
    f"`doc._.{ATTR}`": "A tuple of `Relation`s, best first. The name is the setting `attr`.",
    '`doc.user_data["title"]`': "Optional: how messages, pages and exports name the document.",
    f'`doc.user_data["{EXCLUDED_PAIRS}"]`': "Optional: pairs of keys that are neither right "
    "nor wrong, in training and in scores.",
    f"`doc._.{SOFT_ATTR}`": "Optional, in training documents: what other models say, with scores, "
    "see [Learn from other models](../how-to/distillation.md).",
}


def page() -> str:
    """The page."""
    doc = example()
    shown = {key: doc.to_json(underscore=[ATTR])[key] for key in ("spans", "_")}
    return "\n\n".join(
        [
            "# Layout of a `Doc`",
            "Entities are clusters of mentions in `doc.spans`, relations an extension attribute. "
            "Both are made of plain values, and survive `DocBin(store_user_data=True)`, "
            "`Doc.to_bytes`, `Doc.to_json`, pickling and `nlp.pipe(n_process=2)`.",
            text.table(["Where", "What"], PLACES.items()),
            "A document on which relations were never set is not annotated, which is not the same "
            "as having none: it takes part neither in training nor in scores. "
            "`spacy_docre.has_relations(doc)` tells them apart.",
            "## An example",
            f"```text\n{doc.text}\n```",
            f"```json\n{srsly.json_dumps(shown, indent=2)}\n```",
            "## `Relation`",
            _properties(Relation),
            "## `EntityCluster`",
            _properties(EntityCluster),
        ]
    )


def example() -> Doc:
    """A document with two entities and a relation."""
    words = ["Ada", "was", "born", "in", "Norvale", ".", "She", "left", "."]
    spaces = [word not in ("Norvale", "left") for word in words]
    vocab = spacy.blank("en").vocab
    doc = Doc(vocab, words=words, spaces=spaces, sent_starts=[i in (0, 6) for i in range(9)])
    ada = [Span(doc, 0, 1, "PERSON"), Span(doc, 6, 7, "PERSON")]
    spacy_docre.set_clusters(doc, [ada, [Span(doc, 4, 5, "LOC")]])
    spacy_docre.install_extension()
    head, tail = f"{PREFIX}_1", f"{PREFIX}_2"
    relation = {"head": head, "label": "born_in", "tail": tail, "score": 0.97, "evidence": [(0, 6)]}
    doc._.set(ATTR, [relation])
    return doc


def _properties(kind: type) -> str:
    rows = [
        (text.code(name), text.doc_of(value).text)
        for name, value in vars(kind).items()
        if isinstance(value, property)
    ]
    return text.table(["Attribute", "What"], rows)
