import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus

from spacy_docre import DocreError
from spacy_docre.corpora.distillation import DistillationCorpus
from spacy_docre.data.relation import SOFT_ATTR, get_relations, has_relations
from spacy_docre.evaluation.teaching import Opinion, vote
from spacy_docre.extractor.decoding import PairScores

from ..commands import run
from ..configs import FOLDER
from ..methods import add_extractor, overfitted
from ..util import birth_doc, birth_examples

N_LABELLED, N_DOCS = 2, 6


def opinion(labels, scores, evidence, keys=("entity_1", "entity_2")):
    pairs = PairScores(
        list(keys), np.array([0, 1]), np.array([1, 0]), np.array(scores, np.float32), evidence
    )
    return Opinion("somebody", pairs, labels)


def test_a_vote_is_a_mean_of_those_who_know_the_type():
    opinions = [
        opinion(["born", "died"], [[0.9, 0.1], [0.0, 0.2]], {(0, 0): [(0, 3)]}),
        opinion(["died", "born"], [[0.3, 0.5], [0.0, 0.0]], {(0, 1): [(3, 5)], (0, 0): [(5, 7)]}),
        opinion(["born", "wed"], [[0.7, 0.04], [0.0, 0.06]], {}),
    ]
    doc = Doc(spacy.blank("xx").vocab, ["x"])
    found = {r.triple: (r.score, r["evidence"]) for r in vote(opinions, doc, floor=0.05)}
    assert {triple: evidence for triple, (_, evidence) in found.items()} == {
        ("entity_1", "born", "entity_2"): [[0, 3]],
        ("entity_1", "died", "entity_2"): [[5, 7]],
        ("entity_2", "died", "entity_1"): [],
        ("entity_2", "wed", "entity_1"): [],
    }
    assert [score for score, _ in found.values()] == pytest.approx([0.7, 0.2, 0.1, 0.06])


def test_teachers_of_other_entities_are_refused():
    opinions = [opinion(["a"], [[0], [0]], {}), opinion(["a"], [[0], [0]], {}, ("entity_1", "x"))]
    with pytest.raises(DocreError, match="D191"):
        vote(opinions, Doc(spacy.blank("xx").vocab, ["x"]), floor=0.1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two teachers, and documents most of which nobody has labelled."""
    path = tmp_path_factory.mktemp("teaching")
    nlp = overfitted()
    nlp.to_disk(path / "first")
    torch.manual_seed(0)
    second = spacy.blank("xx")
    add_extractor(second, "atlop", "cnn")
    examples = birth_examples(second.vocab)
    optimizer = second.initialize(lambda: examples)
    for _ in range(20):
        second.update(examples, sgd=optimizer)
    second.to_disk(path / "second")
    docs = [birth_doc(nlp.vocab, n) for n in range(N_DOCS)]
    for doc in docs[N_LABELLED:]:
        doc.user_data.clear()
    DocBin(docs=docs, store_user_data=True).to_disk(path / "data.spacy")
    teachers = ("--teacher", path / "first", "--teacher", path / "second")
    run("teach", path / "data.spacy", path / "taught.spacy", *teachers, "--floor", 0.001)
    return path


def test_taught_documents_keep_what_they_had(folder):
    nlp = spacy.blank("xx")
    before, after = (list(Corpus(folder / f"{name}.spacy")(nlp)) for name in ("data", "taught"))
    for old, new in zip(before, after, strict=True):
        assert new.reference.text == old.reference.text
        assert get_relations(new.reference) == get_relations(old.reference)
        assert get_relations(new.reference, attr=SOFT_ATTR)


def test_relations_of_a_model_are_taken_away(folder, tmp_path):
    data = (folder / "data.spacy", tmp_path / "out.spacy")
    run("teach", *data, "--teacher", folder / "first", "--unlabelled")
    for eg in Corpus(tmp_path / "out.spacy")(spacy.blank("xx")):
        assert not has_relations(eg.reference)
        assert eg.reference._.soft_relations


def test_the_teachers_scores_are_averaged(folder):
    nlp = spacy.blank("xx")
    [taught, *_] = Corpus(folder / "taught.spacy")(nlp)
    soft = {r.triple: r.score for r in get_relations(taught.reference, attr=SOFT_ATTR)}
    means = np.zeros(())
    for name in ("first", "second"):
        extractor = spacy.load(folder / name).get_pipe("doc_relation_extractor")
        [scores] = extractor.predict([taught.reference])
        means = means + scores.scores / 2
    keys = [scores.keys[i] for i in range(len(scores.keys))]
    expected = {
        (keys[scores.pair_head[pair]], extractor.labels[label], keys[scores.pair_tail[pair]]): mean
        for (pair, label), mean in np.ndenumerate(means)
        if mean >= 0.001
    }
    assert soft == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("head", ["atlop", "rsman"])
def test_a_student_learns_what_its_teachers_say(folder, head):
    torch.manual_seed(0)
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, head, "cnn")
    examples = list(DistillationCorpus(folder / "taught.spacy", weight=1.0)(nlp))
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(120):
        nlp.update(examples, sgd=optimizer)
    for eg in examples[N_LABELLED:]:
        [found] = extractor.predict([eg.predicted])
        expected = np.zeros_like(found.scores)
        pairs = list(zip(found.pair_head, found.pair_tail, strict=True))
        for relation in get_relations(eg.reference, attr=SOFT_ATTR):
            cell = found.keys.index(relation["head"]), found.keys.index(relation["tail"])
            expected[pairs.index(cell), extractor.labels.index(relation.label)] = relation.score
        assert np.abs(found.scores - expected).max() < 0.15


def test_gold_relations_and_evidence_are_learned_beside(folder):
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, "atlop", "cnn")
    read = DistillationCorpus(folder / "taught.spacy", weight=0.25, temperature=2.0)
    examples = list(read(nlp))
    nlp.initialize(lambda: examples)
    clusters = extractor.reader.clusters([eg.predicted for eg in examples])
    targets, soft = extractor.supervision.targets(
        examples, clusters, device=torch.device("cpu"), with_evidence=True
    )
    is_labelled = torch.from_numpy(clusters.pair_doc) < N_LABELLED
    assert soft.mask.all()
    assert (targets.mask == is_labelled).all()
    assert targets.labels.sum() == 4 * N_LABELLED
    assert (soft.loss.weight, soft.loss.temperature) == (0.25, 2.0)
    # Of labelled documents the evidence is gold, and here there is none.
    assert targets.evidence.shape[1]
    assert not is_labelled[targets.evidence[0]].any()


def test_a_pipeline_learns_on_from_its_teachers(folder, tmp_path):
    data = folder / "taught.spacy"
    settings = {
        "--source": folder / "first",
        "--output": tmp_path / "out",
        "--paths.train": data,
        "--paths.dev": data,
        "--corpora.train.@readers": "spacy-docre.DistillationCorpus.v1",
        "--corpora.train.weight": 0.75,
        "--training.max_steps": 2,
        "--training.eval_frequency": 1,
    }
    options = [part for option in settings.items() for part in option]
    run("train", FOLDER / "cnn.cfg", *options)
    trained = spacy.load(tmp_path / "out" / "model-last")
    assert trained.get_pipe("doc_relation_extractor").labels == ("born", "died")
    said = run(
        "train", FOLDER / "cnn.cfg", *options, "--components.doc_relation_extractor.x", 1, code=2
    )
    assert "leave out" in said


def test_documents_that_nobody_has_taught_about(folder):
    with pytest.raises(DocreError, match="D190"):
        list(DistillationCorpus(folder / "data.spacy")(spacy.blank("xx")))
