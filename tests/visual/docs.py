"""Documents to look at: one with every kind of overlap, one whose every string is an attack."""

from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_docre import set_clusters

from ..util import make_doc

HOSTILE_TITLE = "<img src=x onerror=alert(1)>"
ATTACKS = [
    "</script><script>window.pwned=1;alert(2)</script>",
    '" onmouseover="window.pwned=1" x="',
    "' autofocus onfocus='window.pwned=1",
    "javascript:window.pwned=1",
    "</style><svg/onload=window.pwned=1>",
    "</template></textarea></title></select><iframe srcdoc='<script>parent.pwned=1</script>'>",
    "{{ 7 * 7 }}${alert(3)}<!--<script>",
    "\u202egnp.exe\u2066\u0000\x1b[31m",
    "</text></svg><math><mtext></p><style><img src onerror=window.pwned=1>",
    "&lt;b&gt;&#x3c;script&#x3e;window.pwned=1",
]


def overlapping_doc(vocab: Vocab) -> Doc:
    """Nested, crossing and identical mentions; relations with evidence, both ways between two
    entities, and of an entity to itself."""
    text = "The New York Bank of Ada Example in New York hired her brother Bob ."
    words = text.split()
    mentions = [
        [(1, 4), (1, 7)],
        [(1, 3), (9, 11)],
        [(5, 7), (12, 13)],
        [(5, 7)],
        [(3, 6)],
        [(12, 15)],
    ]
    doc = make_doc(
        vocab,
        words,
        mentions,
        types=["ORG", "LOC", "PERSON", "CHARACTER", "", "PERSON"],
        relations=[],
        sent_starts=(0, 11),
    )
    rows = [
        (0, "located in", 1, 0.91, [(0, 5), (8, 11)]),
        (2, "sibling", 5, 0.8, [(11, 16)]),
        (5, "sibling", 2, 0.25, []),
        (0, "founded by", 2, 0.6, [(4, 7)]),
        (0, "located in", 5, 0.4, []),
        (1, "part of", 1, 0.1, []),
    ]
    doc._.relations = [
        {
            "head": f"entity_clusters_{head + 1}",
            "label": label,
            "tail": f"entity_clusters_{tail + 1}",
            "score": score,
            "evidence": evidence,
        }
        for head, label, tail, score, evidence in rows
    ]
    doc.user_data["title"] = "The bank"
    return doc


def hostile_doc(vocab: Vocab) -> Doc:
    """Title, text, names, types and relation labels are attacks."""
    doc = Doc(vocab, words=["Look:", *ATTACKS, "."])
    doc.user_data["title"] = HOSTILE_TITLE
    groups = set_clusters(
        doc, [[Span(doc, i, i + 1, label=attack)] for i, attack in enumerate(ATTACKS, start=1)]
    )
    for group, attack in zip(groups, reversed(ATTACKS), strict=True):
        group.attrs["name"] = attack
    doc._.relations = [
        {
            "head": f"entity_clusters_{i}",
            "label": attack,
            "tail": f"entity_clusters_{i % len(ATTACKS) + 1}",
            "score": 1 - i / 100,
            "evidence": [(i, i + 1)],
        }
        for i, attack in enumerate(ATTACKS, start=1)
    ]
    return doc
