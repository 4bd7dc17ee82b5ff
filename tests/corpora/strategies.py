"""What the fields of a file might hold."""

from hypothesis import strategies as st

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["h", "t", "r", "pos"]), inner, max_size=3)
    ),
    max_leaves=5,
)

WORDS = "Ann U.S. don't 𝒜 e\u0301 \u200d 👩\u200d🚀 - . ” \ufeff \u2028 ﬁ 日本語 's $5m \x00 \x1b"
PIECES = st.lists(
    st.sampled_from([*WORDS.split(" "), "\n", "\r\n", " ", "  ", "\t"]), max_size=25
).map("".join)
