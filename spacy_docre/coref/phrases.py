"""Noun phrases, as far as the parser tells them."""

from spacy.tokens import Doc


class PhraseFinder:
    """Finds the noun phrase of a head.

    doc (Doc): The document.
    """

    def __init__(self, doc: Doc) -> None:
        self.doc = doc
        self.is_parsed = doc.has_annotation("DEP")
        # Not every language of spaCy has noun chunks.
        has_chunks = self.is_parsed and doc.vocab.get_noun_chunks is not None
        chunks = doc.noun_chunks if has_chunks else ()
        self.chunk_of = {chunk.root.i: (chunk.start, chunk.end) for chunk in chunks}

    def of_head(self, head: int) -> tuple[int, int]:
        """The noun phrase of a head: its noun chunk; if there is none, the head with what depends
        on it to its left; without a parse the head.

        head (int): The token.
        RETURNS (tuple[int, int]): Its first token and the token after its last.
        """
        start, end = self.chunk_of.get(head, (head, head + 1))
        if head not in self.chunk_of and self.is_parsed and self.doc[head].pos_ == "NOUN":
            start = self.doc[head].left_edge.i
        while start < head and self.doc[start].is_punct:
            start += 1
        return start, end
