"""The names of relation types."""

# How corpora and other tools call what is no relation, without case, spaces and punctuation.
NO_RELATION = {"na", "nil", "none", "noneoftheabove", "norel", "norelation", "nota", "nothing"}
NO_RELATION |= {"null", "other", "unrelated"}


def means_no_relation(label: str) -> bool:
    """Whether a relation type is called what stands for no relation in other data, such as "NA" or
    "no_relation".

    label (str): The relation type.
    RETURNS (bool): Whether it is.
    """
    return "".join(filter(str.isalnum, label.casefold())) in NO_RELATION
