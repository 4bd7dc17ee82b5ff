"""The markup, read back by a parser."""

import subprocess
import sys
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from spacy.vocab import Vocab

import spacy_docre
from spacy_docre import DocreError, render
from spacy_docre.visual.document import DocumentView, visible
from spacy_docre.visual.page import TEMPLATES

from ..util import make_doc
from .docs import ATTACKS, HOSTILE_TITLE, hostile_doc, overlapping_doc

VOID = {"meta", "link", "input", "img", "br"}
ELEMENTS = {
    *("html", "head", "meta", "link", "title", "style", "script", "body", "header", "main"),
    *("template", "div", "span", "small", "bdi", "h1", "h2", "p", "label", "select", "option"),
    *("input", "output", "button", "table", "thead", "tbody", "tr", "th", "td"),
    *("svg", "g", "path", "polygon", "circle", "rect", "text"),
}
ATTRIBUTES = {
    *(
        "charset",
        "http-equiv",
        "content",
        "name",
        "rel",
        "href",
        "lang",
        "class",
        "dir",
        "title",
        "type",
    ),
    *("value", "min", "max", "step", "scope", "hidden", "role", "aria-label", "aria-hidden"),
    *("style", "data-cluster", "data-mention", "data-evidence", "data-relation", "data-relations"),
    *("data-head", "data-tail", "data-label", "data-score"),
    *("viewbox", "width", "height", "preserveaspectratio", "d", "points", "x", "y", "cx", "cy"),
    *("r", "fill", "stroke", "stroke-width", "paint-order", "text-anchor"),
    *("font-family", "font-size"),
}


class Reader(HTMLParser):
    """Collects the elements of a page and the text in those of each class."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open, self.text = [], [], {}
        self.feed(html)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.elements.append((tag, values))
        if tag not in VOID:
            self.open.append((tag, values.get("class", tag) or tag))
            self.text.setdefault(self.open[-1][1], []).append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        opened, _ = self.open.pop()
        assert opened == tag

    def handle_data(self, data):
        for _, name in self.open:
            self.text[name][-1] += data

    def having(self, name):
        return [(tag, values) for tag, values in self.elements if name in values]


def letters(html):
    return "".join(Reader(html).text.get("docre-letters", []))


@pytest.mark.parametrize("page", [True, False])
def test_hostile_documents_add_no_element_and_no_attribute(page):
    docs = [hostile_doc(Vocab()), hostile_doc(Vocab())]
    reader = Reader(render(docs, page=page, options={"title": ATTACKS[0]} if page else None))
    assert {tag for tag, _ in reader.elements} <= ELEMENTS
    assert {name for _, values in reader.elements for name in values} <= ATTRIBUTES
    assert [tag for tag, _ in reader.elements].count("script") == 1
    assert reader.text["script"] == [(TEMPLATES / "script.js").read_text()]
    assert [v["href"] for _, v in reader.having("href")] == ["data:,"] * page
    assert not reader.having("src")
    titles = [text for text in reader.text["docre-title"] if text]
    assert titles == [HOSTILE_TITLE] * 2, "shown as it is"
    names = {values["title"] for _, values in reader.having("title")}
    assert any("</script>" in name for name in names)


def test_hostile_text_is_shown_whole():
    doc = hostile_doc(Vocab())
    assert letters(render(doc)) == visible(doc.text)
    assert "\u202e" not in render(doc)
    assert "\x00" not in render(doc, page=True)


@pytest.mark.parametrize("page", [True, False])
def test_nothing_is_loaded_from_elsewhere(page):
    html = render([overlapping_doc(Vocab()), hostile_doc(Vocab())], page=page)
    assert "http:" not in html
    assert "https:" not in html
    assert "@import" not in html
    assert "url(" not in html


def test_policy_allows_the_pages_own_script_and_style_only():
    reader = Reader(render(overlapping_doc(Vocab()), page=True))
    [policy] = [v["content"] for _, v in reader.elements if "http-equiv" in v]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert not reader.having("style"), "the policy would refuse them"


def test_mentions_cover_what_they_should():
    doc = overlapping_doc(Vocab())
    view = DocumentView.from_doc(doc)
    assert "".join(piece.text for piece in view.pieces) == doc.text
    covered = {}
    offset = 0
    for piece in view.pieces:
        for mark in piece.marks:
            covered.setdefault((mark.cluster.number, mark.mention), []).append(piece.text)
        assert [m.lane for m in piece.marks] == sorted((m.lane for m in piece.marks), reverse=True)
        offset += len(piece.text)
    found = sorted((cluster, "".join(parts)) for (cluster, _), parts in covered.items())
    expected = sorted(
        (int(key.rsplit("_")[-1]) - 1, span.text) for key in doc.spans for span in doc.spans[key]
    )
    assert found == expected


def test_relations_are_sorted_by_score_and_name_their_evidence():
    view = DocumentView.from_doc(overlapping_doc(Vocab()))
    assert [r.score for r in view.relations] == [0.91, 0.8, 0.6, 0.4, 0.25, 0.1]
    assert view.labels == [("founded by", 1), ("located in", 2), ("part of", 1), ("sibling", 2)]
    assert [r.evidence for r in view.relations[:3]] == [(0, 1), (2,), (3,)]


@pytest.mark.parametrize(
    ("words", "clusters"),
    [([], []), (["a"], []), (["a", "b"], [[(0, 1)]]), (["a"], [[], [(0, 1)]])],
)
def test_documents_with_little_in_them(words, clusters):
    doc = make_doc(Vocab(), words, clusters)
    for page in (True, False):
        assert letters(render(doc, page=page)) == doc.text
        assert "No relations." in render(doc, page=page)


def test_unicode_and_line_breaks_stay():
    doc = make_doc(Vocab(), ["Łódź", "\n", "北京", "👩‍🔬", "שלום"], [[(0, 1)], [(2, 4)]])
    assert letters(render(doc)) == doc.text


def test_titles_that_cannot_be_encoded_are_shown_as_far_as_they_can():
    doc = overlapping_doc(Vocab())
    doc.user_data["title"] = "half \ud83d of it"
    html = render(doc, page=True, options={"title": "file\udcff"})
    assert Reader(html.encode().decode()).text["docre-title"] == ["half \ufffd of it"]


def test_a_relation_of_a_cluster_that_is_not_there_is_an_error():
    doc = overlapping_doc(Vocab())
    del doc.spans["entity_clusters_6"]
    with pytest.raises(DocreError, match=r"the document 'The bank' names .*entity_clusters_6"):
        render(doc)


def test_renders_on_one_page_do_not_clash():
    html = render(overlapping_doc(Vocab()))
    assert not Reader(html).having("id")
    assert html == render(overlapping_doc(Vocab())), "nothing random in it"
    names = {name for _, v in Reader(html).having("class") for name in v["class"].split()}
    assert all(name.startswith("docre") for name in names)
    rules = Reader(html).text["style"][0]
    assert not [line for line in rules.splitlines() if line[:1].isalpha() and "docre" not in line]


def test_fragment_is_readable_without_style_and_script():
    reader = Reader(render(overlapping_doc(Vocab())))
    marks = [v for _, v in reader.having("data-mention")]
    assert marks
    assert all(v["style"].startswith("background:#") for v in marks)
    assert next(text.split() for text in reader.text["docre-relation"])[-1] == "0.91"


def test_options():
    doc = overlapping_doc(Vocab())
    assert "<svg viewBox" not in render(doc, options={"graph": False})
    assert "<title>A &amp; B</title>" in render(doc, page=True, options={"title": "A & B"})
    with pytest.raises(
        DocreError, match=r"no option 'colours'\. Its options are: prefix, attr, graph"
    ):
        render(doc, options={"colours": {}})


def test_notebooks_display(monkeypatch):
    shown = []
    fake = SimpleNamespace(HTML=str, display=shown.append)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(display=fake))
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    doc = overlapping_doc(Vocab())
    assert render(doc, jupyter=True) is None
    assert shown == [f'<div class="tex2jax_ignore mathjax_ignore">{render(doc)}</div>']


def test_other_names_are_still_no_attributes():
    with pytest.raises(AttributeError, match="no attribute 'rendre'"):
        _ = spacy_docre.rendre


@pytest.mark.slow
def test_importing_the_package_does_not_import_templates():
    script = "import sys, spacy_docre; assert 'spacy_docre.visual' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_clusters_and_relations_of_other_names():
    spacy_docre.install_extension("facts")
    doc = make_doc(Vocab(), ["a", "b"], [[(0, 1)], [(1, 2)]], prefix="coref")
    doc._.facts = [{"head": "coref_1", "label": "likes", "tail": "coref_2"}]
    html = render(doc, options={"prefix": "coref", "attr": "facts"})
    assert "likes" in Reader(html).text["docre-choose"]
