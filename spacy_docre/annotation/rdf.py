"""Rows as RDF, in vocabularies that others know: NIF for the texts, RDF reification for the
relations, PROV for where they come from, ITS for scores and entities.

All resources have names, so that files can be joined without blank nodes running together."""

from collections.abc import Generator, Iterator
from decimal import Decimal
from typing import Any

from rdflib import DCTERMS, PROV, RDF, RDFS, XSD, Graph, Literal, Namespace, URIRef
from rdflib.namespace import NamespaceManager, split_uri
from rdflib.term import Node

from .naming import entity_path, path_segment

NIF = Namespace("http://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core#")
ITSRDF = Namespace("http://www.w3.org/2005/11/its/rdf#")

Triple = tuple[Node, Node, Node]


class RdfWriter:
    """Writes rows as RDF.

    base_uri (str): What the names of documents, entities, types and relations start with.
    model (str): The name and version of the pipeline.
    rdf_format (str): "turtle" or "nt".
    """

    def __init__(self, base_uri: str, model: str, rdf_format: str) -> None:
        self.base = base_uri
        self.model = model
        self.format = rdf_format

    def __call__(self, row: dict[str, Any]) -> str:
        """row (dict[str, Any]): The row of a document.
        RETURNS (str): Its triples.
        """
        graph = Graph()
        graph.namespace_manager = _Prefixes(graph, bind_namespaces="none")
        for prefix, namespace in (
            ("dcterms", DCTERMS),
            ("itsrdf", ITSRDF),
            ("nif", NIF),
            ("prov", PROV),
            ("rdf", RDF),
            ("rdfs", RDFS),
            ("xsd", XSD),
            ("relation", f"{self.base}relation/"),
        ):
            graph.bind(prefix, namespace)
        for triple in self.triples(row):
            graph.add(triple)
        text = graph.serialize(format=self.format)
        if self.format == "turtle":
            return text
        # Not `splitlines`: literals hold line separators of other kinds.
        return "".join(f"{line}\n" for line in sorted(text.split("\n")) if line)

    def triples(self, row: dict[str, Any]) -> Iterator[Triple]:
        """row (dict[str, Any]): The row of a document.
        YIELDS (Triple): Its triples.
        """
        document = self._uri(f"document/{path_segment(row['id'])}")
        yield from self._document(document, row)
        entities = [self._uri(entity_path(cluster)) for cluster in row["clusters"]]
        for entity, cluster in zip(entities, row["clusters"], strict=True):
            yield from self._entity(entity, cluster)
            for mention in cluster["mentions"]:
                offsets = mention["start"], mention["end"]
                span = yield from self._span(document, offsets, row["text"])
                yield span, ITSRDF.taIdentRef, entity
        for number, relation in enumerate(row.get("relations", ()), start=1):
            head, tail = entities[relation["head"]], entities[relation["tail"]]
            yield from self._relation(document, number, relation, head, tail, row["text"])

    def _uri(self, path: str) -> URIRef:
        return URIRef(self.base + path)

    def _document(self, document: URIRef, row: dict[str, Any]) -> Iterator[Triple]:
        yield document, RDF.type, NIF.Context
        yield document, RDF.type, NIF.RFC5147String
        yield document, NIF.isString, Literal(row["text"])
        yield document, NIF.beginIndex, _index(0)
        yield document, NIF.endIndex, _index(len(row["text"]))
        yield document, DCTERMS.identifier, Literal(row["id"])
        yield document, DCTERMS.source, Literal(row["source"])
        if row["title"]:
            yield document, DCTERMS.title, Literal(row["title"])

    def _entity(self, entity: URIRef, cluster: dict[str, Any]) -> Iterator[Triple]:
        yield entity, RDFS.label, Literal(cluster["name"])
        if cluster["type"]:
            entity_type = self._uri(f"type/{path_segment(cluster['type'])}")
            yield entity, RDF.type, entity_type
            yield entity_type, RDF.type, RDFS.Class
            yield entity_type, RDFS.label, Literal(cluster["type"])
        if cluster["kb_id"]:
            yield entity, DCTERMS.identifier, Literal(cluster["kb_id"])

    def _span(
        self, document: URIRef, offsets: tuple[int, int], text: str
    ) -> Generator[Triple, None, URIRef]:
        start, end = offsets
        span = URIRef(f"{document}#char={start},{end}")
        yield span, RDF.type, NIF.Phrase
        yield span, RDF.type, NIF.RFC5147String
        yield span, NIF.referenceContext, document
        yield span, NIF.anchorOf, Literal(text[start:end])
        yield span, NIF.beginIndex, _index(start)
        yield span, NIF.endIndex, _index(end)
        return span

    def _relation(
        self,
        document: URIRef,
        number: int,
        relation: dict[str, Any],
        head: URIRef,
        tail: URIRef,
        text: str,
    ) -> Iterator[Triple]:
        predicate = self._uri(f"relation/{path_segment(relation['label'])}")
        statement = URIRef(f"{document}#relation={number}")
        model = self._uri(f"model/{path_segment(self.model)}")
        yield head, predicate, tail
        yield predicate, RDF.type, RDF.Property
        yield predicate, RDFS.label, Literal(relation["label"])
        yield statement, RDF.type, RDF.Statement
        yield statement, RDF.subject, head
        yield statement, RDF.predicate, predicate
        yield statement, RDF.object, tail
        yield statement, ITSRDF.taConfidence, Literal(Decimal(str(relation["score"])))
        yield statement, PROV.wasDerivedFrom, document
        yield statement, PROV.wasAttributedTo, model
        yield model, RDF.type, PROV.SoftwareAgent
        yield model, RDFS.label, Literal(self.model)
        for offsets in relation["evidence"]:
            span = yield from self._span(document, tuple(offsets), text)
            yield statement, PROV.wasDerivedFrom, span


class _Prefixes(NamespaceManager):
    """Shortens names by the namespaces that were bound, and writes all others in full. rdflib's own
    keeps every name that it meets for a namespace, and compares each with all."""

    def compute_qname(self, uri: str, generate: bool = True) -> tuple[str, URIRef, str]:
        namespace, name = split_uri(uri)
        prefix = self.store.prefix(URIRef(namespace))
        if prefix is None:
            raise KeyError(namespace)
        return prefix, URIRef(namespace), name


def _index(number: int) -> Literal:
    return Literal(number, datatype=XSD.nonNegativeInteger)
