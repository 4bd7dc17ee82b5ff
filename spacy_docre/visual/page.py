"""Documents as HTML: a page of their own, or markup for a notebook."""

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from spacy.tokens import Doc
from spacy.util import is_in_jupyter

from ..data.clusters import DEFAULT_PREFIX
from ..data.relation import DEFAULT_ATTR
from ..errors import DocreError, Errors
from .colours import INK, PAPER, TINT, cluster_colour, mix
from .document import DocumentView, visible
from .graph import lay_out

TEMPLATES = Path(__file__).parent / "templates"
OPTIONS: dict[str, Any] = {"prefix": DEFAULT_PREFIX, "attr": DEFAULT_ATTR, "graph": True}


def render(
    doc: Doc | Iterable[Doc],
    *,
    page: bool = False,
    jupyter: bool | None = None,
    options: Mapping[str, Any] | None = None,
) -> str | None:
    """Show the entity clusters and relations of documents, in the manner of `displacy.render`. In a
    notebook they are displayed; they can be read there without scripts and styles, too.

    doc (Union[Doc, Iterable[Doc]]): One or more documents.
    page (bool): Make a whole HTML page.
    jupyter (Optional[bool]): Display them in a notebook. None finds out whether this is one.
    options (Optional[Mapping[str, Any]]): "prefix", what the clusters' keys start with; "attr", the
        extension attribute that holds the relations; "graph", whether to draw the graph; "title",
        the title of a page.
    RETURNS (Optional[str]): The markup; None if it was displayed.
    RAISES (DocreError): If an option is unknown.
    """
    settings = dict(options or {})
    title = settings.pop("title", "Relations")
    unknown = sorted(set(settings) - set(OPTIONS))
    if unknown:
        known = ", ".join([*OPTIONS, "title"])
        raise DocreError(Errors.D042.format(options=", ".join(map(repr, unknown)), known=known))
    docs = [doc] if isinstance(doc, Doc) else doc
    html = to_page(docs, title, **settings) if page else to_fragment(docs, **settings)
    if jupyter or (jupyter is None and is_in_jupyter()):
        from IPython.display import HTML, display

        # MathJax would otherwise read dollar signs in the text as formulas.
        display(HTML(f'<div class="tex2jax_ignore mathjax_ignore">{html}</div>'))
        return None
    return html


def to_page(
    docs: Iterable[Doc],
    title: str,
    *,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
    graph: bool = True,
) -> str:
    """A page that needs nothing beside itself and loads nothing.

    docs (Iterable[Doc]): The documents.
    title (str): The page's title.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    graph (bool): Whether to draw the graph of each document.
    RETURNS (str): The page.
    """
    documents = _views(docs, prefix, attr, graph)
    return _render("page.html", documents, inline=False, title=visible(title))


def to_fragment(
    docs: Iterable[Doc],
    *,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
    graph: bool = True,
) -> str:
    """Markup for a place in somebody else's page. Its names all begin with "docre" and it has no
    ids, so that any number of them get along.

    docs (Iterable[Doc]): The documents.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    graph (bool): Whether to draw the graph of each document.
    RETURNS (str): The markup.
    """
    return _render("fragment.html", _views(docs, prefix, attr, graph), inline=True)


def _views(docs: Iterable[Doc], prefix: str, attr: str, graph: bool) -> list[tuple]:
    views = [DocumentView.from_doc(doc, prefix=prefix, attr=attr) for doc in docs]
    return [(view, lay_out(view) if graph else None) for view in views]


def _render(template: str, documents: list[tuple], **context: Any) -> str:
    n_clusters = 1 + max(
        (cluster.number for view, _ in documents for cluster in view.clusters), default=-1
    )
    return (
        environment()
        .get_template(template)
        .render(
            documents=documents,
            style=Markup(asset("style.css") + _cluster_rules(n_clusters)),
            script=Markup(asset("script.js")),
            ink=INK,
            paper=PAPER,
            **context,
        )
    )


def _cluster_rules(n_clusters: int) -> str:
    return "".join(
        f".docre-k{i} {{ --docre-k: {cluster_colour(i)}; }}\n" for i in range(n_clusters)
    )


@cache
def environment() -> Environment:
    """What the templates are rendered with: all that is put in is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["tint"] = lambda colour: mix(colour, PAPER, TINT)
    environment.filters["digest"] = _digest
    return environment


@cache
def asset(name: str) -> str:
    """A style or script among the templates."""
    return (TEMPLATES / name).read_text(encoding="utf8")


def _digest(source: str) -> str:
    """The hash by which a Content-Security-Policy allows one script or style, and no other."""
    return "sha256-" + b64encode(hashlib.sha256(str(source).encode()).digest()).decode()
