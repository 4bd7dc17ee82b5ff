"""The page as people use it, in Chromium without a window."""

import json

import pytest
from spacy.vocab import Vocab

from spacy_docre import render

from ..util import make_doc
from .browser import CHROMIUM, DRIVER, Browser
from .docs import HOSTILE_TITLE, hostile_doc, overlapping_doc

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver"),
]

# For each stretch of letters of the text that is shown: where it is, and in which roles.
ROLES = """
let offset = 0;
return Array.from(document.querySelectorAll(".docre:not([hidden]) .docre-letters")).map(letters => {
  const start = offset;
  offset += Array.from(letters.textContent).length;
  const roles = ["head", "tail", "chosen", "evidence"].filter(
    role => letters.closest(".docre-is-" + role));
  return [start, offset, roles];
});
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture
def show(browser, tmp_path):
    """Open a page; afterwards its console must be empty, and nothing but it must have been asked
    for."""
    paths = []

    def open_page(html, *, fragment="", width=1280, scheme="light"):
        path = tmp_path / f"page{len(paths)}.html"
        path.write_text(html, encoding="utf8")
        paths.append(path)
        browser.look(width, 900, scheme=scheme)
        browser.open(path, fragment=fragment)
        return browser

    yield open_page
    assert browser.alert() is None
    assert browser.log("browser") == []
    allowed = {"about:blank", "data:,", *(path.as_uri() for path in paths)}
    assert {address.partition("#")[0] for address in browser.requested()} <= allowed


def shown(browser, role):
    """The characters of the text that have a role."""
    return {
        character
        for start, end, roles in browser.run(ROLES)
        for character in range(start, end)
        if role in roles
    }


def covered(spans):
    return {character for span in spans for character in range(span.start_char, span.end_char)}


def assert_shows(browser, relation):
    assert shown(browser, "head") == covered(relation.head.mentions)
    assert shown(browser, "tail") == covered(relation.tail.mentions)
    assert shown(browser, "evidence") == covered(relation.evidence)


def assert_shows_nothing(browser):
    assert not any(roles for *_, roles in browser.run(ROLES))


def row(number):
    return f".docre:not([hidden]) .docre-relation:nth-child({number + 1})"


def ranked(doc):
    return sorted(doc._.relations, key=lambda relation: -relation.score)


def test_choosing_a_relation_highlights_exactly_its_spans(show):
    doc = overlapping_doc(Vocab())
    browser = show(render(doc, page=True))
    assert_shows_nothing(browser)
    for number, relation in enumerate(ranked(doc)):
        browser.click(row(number))
        browser.hover(".docre-top h1")
        assert_shows(browser, relation)
        pressed = browser.run(
            "return Array.from(document.querySelectorAll('.docre-choose'))"
            ".map(e => e.getAttribute('aria-pressed'))"
        )
        assert pressed == ["true" if i == number else "false" for i in range(6)]
    browser.press("Escape")
    assert_shows_nothing(browser)


def test_hovering_highlights_and_a_choice_comes_back(show):
    doc = overlapping_doc(Vocab())
    first, second = ranked(doc)[:2]
    browser = show(render(doc, page=True))
    browser.hover(row(0))
    assert_shows(browser, first)
    browser.click(row(1))
    browser.hover(row(0))
    assert_shows(browser, first)
    browser.hover(".docre-top h1")
    assert_shows(browser, second)
    browser.click(".docre-clear")
    assert_shows_nothing(browser)


def test_keyboard_alone(show):
    doc = overlapping_doc(Vocab())
    relations = ranked(doc)
    browser = show(render(doc, page=True))
    browser.hover(".docre-top h1")
    browser.run("document.querySelector('.docre-score').focus()")
    browser.press("Tab")
    assert_shows(browser, relations[0])
    browser.press("Down", "Down", "Enter")
    assert_shows(browser, relations[2])
    browser.press("End")
    assert_shows(browser, relations[-1])
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert browser.run(outline) == "solid"
    browser.press("Tab")
    assert browser.run("return document.activeElement.getAttribute('class')").startswith(
        "docre-node"
    ), "after the relations comes the picture"
    browser.press("Escape")
    browser.run("document.activeElement.blur()")
    assert_shows_nothing(browser)


def test_choosing_an_entity_shows_its_relations(show):
    doc = overlapping_doc(Vocab())
    browser = show(render(doc, page=True))
    visible = (
        "return Array.from(document.querySelectorAll('.docre-relation:not([hidden])'))"
        ".map(row => Number(row.dataset.relation))"
    )
    bob = next(i for i, r in enumerate(ranked(doc)) if r.label == "sibling")
    browser.run(
        "document.querySelector('.docre-node[data-cluster=\"5\"]')"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    assert browser.run(visible) == [bob, 3, 4]
    assert shown(browser, "chosen") == covered(ranked(doc)[bob].tail.mentions)
    status = browser.run("return document.querySelector('.docre-chosen').textContent")
    assert status.endswith("3 relations")
    browser.press("Escape")
    assert browser.run(visible) == list(range(6))


def test_clicking_goes_from_the_inner_mention_to_the_outer(show):
    doc = overlapping_doc(Vocab())
    browser = show(render(doc, page=True))
    chosen = []
    for _ in range(3):
        browser.click('.docre-m.docre-first[data-cluster="1"] .docre-letters')
        browser.hover(".docre-top h1")
        chosen.append(shown(browser, "chosen"))
    spans = [covered(doc.spans[f"entity_clusters_{number}"]) for number in (2, 1)]
    assert chosen == [*spans, set()]


def test_filters(show):
    browser = show(render(overlapping_doc(Vocab()), page=True))
    script = """
      const control = document.querySelector(arguments[0]);
      control.value = arguments[1];
      control.dispatchEvent(new Event(control.type === "range" ? "input" : "change"));
      return [
        Array.from(document.querySelectorAll(".docre-relation:not([hidden])"))
          .map(row => row.querySelector(".docre-choose").textContent),
        document.querySelectorAll(".docre-edge:not(.docre-hidden)").length,
        document.querySelector(".docre-count").textContent,
      ]
    """
    found = browser.run(script, ".docre-label", "1")
    assert found == [["located in"] * 2, 2, "2 of 6 shown"]
    assert browser.run(script, ".docre-score", "0.5") == [["located in"], 1, "1 of 6 shown"]
    found = browser.run(script, ".docre-label", "")
    assert found == [["located in", "sibling", "founded by"], 3, "3 of 6 shown"]
    browser.click(row(2))
    browser.run(script, ".docre-score", "0.7")
    assert_shows_nothing(browser)


def test_documents_are_made_when_they_are_chosen(show):
    docs = [overlapping_doc(Vocab()), make_doc(Vocab(), ["Nobody"], []), hostile_doc(Vocab())]
    browser = show(render(docs, page=True))
    state = """return [
      document.querySelectorAll(".docre").length,
      document.querySelector(".docre:not([hidden]) .docre-text").textContent.slice(0, 6),
      document.querySelector(".docre-document").value,
    ]"""
    assert browser.run(state) == [1, "The Ne", "0"]
    browser.click(".docre-next")
    browser.wait(state, [2, "Nobody", "1"])
    browser.click(".docre-previous")
    browser.wait(state, [2, "The Ne", "0"])
    browser.click(row(0))
    assert_shows(browser, ranked(docs[0])[0])
    browser.click(".docre-document option:nth-child(3)")
    browser.wait(state, [3, "Look: ", "2"])
    browser = show(render(docs, page=True), fragment="#2")
    browser.wait(state, [2, "Nobody", "1"])


@pytest.mark.parametrize("page", [True, False])
def test_hostile_documents_run_nothing(show, page):
    docs = [hostile_doc(Vocab()), hostile_doc(Vocab())]
    html = render(docs, page=page, options={"title": HOSTILE_TITLE} if page else None)
    browser = show(html if page else f"<!DOCTYPE html><meta charset=utf-8>{html}")
    if page:
        browser.click(".docre-next")
        browser.wait("return document.querySelector('.docre-document').value", "1")
        assert browser.run("return document.title") == HOSTILE_TITLE
    for number in range(10):
        browser.click(row(number))
    browser.run(
        "document.querySelectorAll('.docre *').forEach(e => {"
        "for (const kind of ['mouseover', 'focus', 'error', 'load', 'pointerenter'])"
        "  e.dispatchEvent(new Event(kind)); })"
    )
    assert browser.run("return typeof window.pwned") == "undefined"
    assert browser.alert() is None
    assert browser.run("return document.querySelectorAll('img, iframe, math').length") == 0
    assert browser.run("return document.scripts.length") == 1


def test_policy_stops_scripts_that_got_in_anyway(browser, tmp_path):
    path = tmp_path / "page.html"
    html = render(overlapping_doc(Vocab()), page=True)
    path.write_text(html.replace("</main>", "</main><script>window.pwned = 1</script>"))
    browser.open(path)
    assert browser.run("return typeof window.pwned") == "undefined"
    assert "Content Security Policy" in json.dumps(browser.log("browser"))


def test_renders_on_one_page_do_not_touch_each_other(show):
    doc = overlapping_doc(Vocab())
    browser = show(f"<!DOCTYPE html><meta charset=utf-8>{render(doc)}<hr>{render(doc)}")
    browser.run("document.querySelectorAll('.docre')[0].querySelector('.docre-choose').click()")
    counts = browser.run(
        "return Array.from(document.querySelectorAll('.docre'))"
        ".map(root => root.querySelectorAll('.docre-is-head').length)"
    )
    assert counts[0] > 0
    assert counts[1] == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_sideways_scroll_and_the_colours_that_people_prefer(show, width, scheme):
    docs = [overlapping_doc(Vocab()), hostile_doc(Vocab())]
    browser = show(render(docs, page=True), width=width, scheme=scheme)
    for number in range(2):
        browser.run("window.location.hash = arguments[0]", str(number + 1))
        browser.wait("return document.querySelector('.docre-document').value", str(number))
        browser.click(row(0))
        assert browser.run("return document.documentElement.scrollWidth") <= width
        assert browser.run("return window.innerWidth") == width
    paper = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 23, 28)"}[scheme]
