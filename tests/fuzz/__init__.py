"""Random and broken input for everything that reads documents: see `docs/explanation/fuzzing.md`.

All generators draw from a `random.Random`. The tests give them Hypothesis's `st.randoms`, through
which it records each draw and so can make a failing input smaller.
"""

import os
from typing import Any

from hypothesis import HealthCheck, settings

# How many times as many examples: `DOCRE_FUZZ=100 python -m pytest tests/fuzz -n 2`. Then they are
# others each time, unless `--hypothesis-seed` says which, and Hypothesis keeps what has failed.
TIMES = int(os.environ.get("DOCRE_FUZZ", "1"))


def examples(number: int) -> Any:
    """Settings of a test.

    number (int): How many examples, where there is no campaign.
    RETURNS (settings): The settings.
    """
    return settings(
        max_examples=number * TIMES,
        derandomize=TIMES == 1,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
