"""HeterGSAN's graph and its paths, one node and one walk at a time."""

META_PATHS = [
    ["mention_entity", "mention_mention", "mention_entity"],
    ["mention_entity", "mention_mention", "coreference", "mention_mention", "mention_entity"],
    ["entity_sentence", "sentence_sentence", "entity_sentence"],
]


class SlowGraph:
    """The nodes of a document by name, and the kinds of their edges."""

    def __init__(self, index, doc):
        every = range(index.n_mentions)
        self.owner, self.sentence, self.start, self.end = (
            x.tolist()
            for x in (
                *(index.mention_entity, index.mention_sentence),
                *(index.mention_start, index.mention_end),
            )
        )
        self.mentions = [m for m in every if index.mention_doc[m] == doc]
        self.entities = [e for e in range(index.n_entities) if index.entity_doc[e] == doc]
        self.sentences = [s for s in range(index.n_sentences) if index.sentence_doc[s] == doc]
        self.nodes = [
            *(("entity", e) for e in self.entities),
            *(("mention", m) for m in self.mentions),
            *(("sentence", s) for s in self.sentences),
        ]
        self.kind = {
            (one, other): kind
            for one in self.nodes
            for other in self.nodes
            if one != other and (kind := self.kind_of(one, other) or self.kind_of(other, one))
        }

    def kind_of(self, one, other):
        (is_a, i), (is_b, j) = one, other
        both = (is_a, is_b)
        if both == ("mention", "mention"):
            if self.owner[i] == self.owner[j]:
                return "coreference"
            return "mention_mention" if self.sentence[i] == self.sentence[j] else None
        if both == ("mention", "entity"):
            return "mention_entity" if self.owner[i] == j else None
        if both == ("mention", "sentence"):
            return "mention_sentence" if self.sentence[i] == j else None
        if both == ("entity", "sentence"):
            found = any(self.owner[m] == i and self.sentence[m] == j for m in self.mentions)
            return "entity_sentence" if found else None
        return "sentence_sentence" if both == ("sentence", "sentence") else None

    def neighbours(self, node):
        return [other for other in self.nodes if (node, other) in self.kind]

    def walks(self, head, tail, meta_path):
        """All paths along a meta-path, as the authors' code finds them."""
        found = [[("entity", head)]]
        for kind in meta_path:
            found = [
                [*path, node]
                for path in found
                for node in self.nodes
                if node not in path and self.kind.get((path[-1], node)) == kind
            ]
        return [path for path in found if path[-1] == ("entity", tail)]

    def order(self, m):
        return self.start[m], self.end[m], m

    def first_mention(self, e, s):
        own = [m for m in self.mentions if self.owner[m] == e and self.sentence[m] == s]
        return ("mention", min(own, key=self.order))

    def of_entity(self, e):
        return {self.sentence[m] for m in self.mentions if self.owner[m] == e}

    def path(self, h, t):
        ends = ("entity", h), ("entity", t)
        if shared := self.of_entity(h) & self.of_entity(t):
            s = min(shared)
            return [ends[0], self.first_mention(h, s), self.first_mention(t, s), ends[1]]
        thirds = [
            o
            for o in self.entities
            if self.of_entity(o) & self.of_entity(h) and self.of_entity(o) & self.of_entity(t)
        ]
        if thirds:
            own = {o: [m for m in self.mentions if self.owner[m] == o] for o in thirds}
            o = min(thirds, key=lambda o: min(map(self.order, own[o])))
            s_h = min(self.of_entity(o) & self.of_entity(h))
            s_t = min(self.of_entity(o) & self.of_entity(t))
            middle = [(h, s_h), (o, s_h), (o, s_t), (t, s_t)]
            return [ends[0], *(self.first_mention(*x) for x in middle), ends[1]]
        middle = [("sentence", min(self.of_entity(e))) for e in (h, t)]
        return [ends[0], *middle, ends[1]]
