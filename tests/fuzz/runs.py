"""What is done with random documents, and what comes out of it."""

import json
from collections import Counter
from collections.abc import Sequence
from random import Random

from spacy.language import Language
from spacy.tokens import Doc

from spacy_docre import DocreError
from spacy_docre.annotation.engine import annotate
from spacy_docre.annotation.records import Failure, Record
from spacy_docre.data.relation import get_relations
from spacy_docre.extractor.pipeline import find_extractor
from spacy_docre.visual.page import to_page

from .checks import check, check_relations, check_same_scores, content, error_code, strict_warnings
from .documents import Plan, has_empty_mentions
from .file_runs import write_all

Outcomes = Counter[str]
UNCHANGED = ("text", "tokens", "starts", "ents", "groups", "attrs", "title")
# In what share of the batches documents are scored alone as well, and how many; one of them is
# written in all formats.
SAMPLED_SHARE = 0.4
SAMPLE = 3


def run_documents(nlp: Language, plans: Sequence[Plan], rng: Random) -> Outcomes:
    """Send documents through a pipeline together, and some of them alone as well.

    nlp (Language): A pipeline that reads clusters.
    plans (Sequence[Plan]): The documents.
    rng (Random): Chooses the sample.
    RETURNS (Counter[str]): The outcomes.
    RAISES: Whatever is a finding.
    """
    _, extractor = find_extractor(nlp)
    failed: list[tuple[Doc, Exception]] = []
    extractor.set_error_handler(lambda _, __, docs, error: failed.append((docs[0], error)))
    outcomes: Outcomes = Counter()
    with strict_warnings():
        docs = [plan.build(nlp.vocab) for plan in plans]
        before = [content(doc) for doc in docs]
        annotated = list(nlp.pipe(docs, batch_size=len(docs)))
        for doc, error in failed:
            if not isinstance(error, DocreError):
                raise error
            check(has_empty_mentions(doc), f"refused without a reason: {error}")
            outcomes[error_code(error)] += 1
        refused = {id(doc) for doc, _ in failed}
        expected = [id(doc) for doc in docs if id(doc) not in refused]
        check([id(doc) for doc in annotated] == expected, "documents are lost or out of order")
        for doc, old in zip(docs, before, strict=True):
            if id(doc) in refused:
                continue
            check(not has_empty_mentions(doc), "a mention without tokens passed in silence")
            check_relations(doc, extractor.labels)
            new = content(doc)
            check(all(new[name] == old[name] for name in UNCHANGED), "the document was changed")
            outcomes["relations" if get_relations(doc) else "no relations"] += 1
        if annotated and rng.random() < SAMPLED_SHARE:
            sample = rng.sample(range(len(annotated)), min(len(annotated), SAMPLE))
            together = extractor.predict(annotated)
            for i in sample:
                check_same_scores(together[i], extractor.predict([annotated[i]])[0])
            show_and_write(annotated[sample[0]])
    return outcomes


def run_texts(nlp: Language, texts: Sequence[str], rng: Random) -> Outcomes:
    """Annotate texts as the command `annotate` does.

    nlp (Language): A pipeline that finds its entities by itself.
    texts (Sequence[str]): The texts.
    rng (Random): Chooses one to be written in all formats.
    RETURNS (Counter[str]): The outcomes.
    RAISES: Whatever is a finding.
    """
    _, extractor = find_extractor(nlp)
    outcomes: Outcomes = Counter()
    chosen = rng.randrange(len(texts)) if rng.random() < SAMPLED_SHARE else None
    records = [Record("fuzz", i, str(i), text) for i, text in enumerate(texts)]
    with strict_warnings():
        for item, record in zip(annotate(nlp, records), records, strict=True):
            if isinstance(item, Failure):
                check(False, f"set aside: {item.reason}")
                continue
            check(item.doc.text == record.text, "another text, or the order is lost")
            check_relations(item.doc, extractor.labels)
            json.dumps(item.row, allow_nan=False, ensure_ascii=False).encode("utf8")
            outcomes["relations" if item.row["relations"] else "no relations"] += 1
            if record.number == chosen:
                show_and_write(item.doc)
    return outcomes


def show_and_write(doc: Doc) -> None:
    """A document as a page, whose markup is the package's alone, and in all formats."""
    page = to_page([doc], doc.user_data.get("title", ""), graph=len(doc.spans) < 12)
    check(page.count("<script") == 1, "markup of the document is markup of the page")
    for code in write_all(doc):
        check(code != "D117", "attributes of the package's own are called damaged")
