"""What a document holds: entity clusters, relations and evidence."""

# First, since importing spaCy sets up the extension, which imports modules of this package: they
# must not be half imported by then.
import spacy  # noqa: F401
