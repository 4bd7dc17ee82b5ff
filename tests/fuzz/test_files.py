"""Broken files of every format."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from . import examples
from .checks import limited
from .file_runs import run_case
from .files import FORMATS
from .mutations import mutate

randoms = st.randoms(use_true_random=False)


def run(case):
    note(str(case))
    with limited(), tempfile.TemporaryDirectory() as folder:
        return run_case(case, Path(folder))


@pytest.mark.parametrize("name", FORMATS)
@examples(5)
@given(rng=randoms)
def test_valid_files_are_read_with_all_they_hold_and_written_again(name, rng):
    case = FORMATS[name](rng)
    assert run(case) == {"read": 1} or name == "records"


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@examples(25)
@given(rng=randoms)
def test_more_valid_files(name, rng):
    case = FORMATS[name](rng)
    assert run(case) == {"read": 1} or name == "records"


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@examples(60)
@given(rng=randoms)
def test_broken_files_are_read_or_refused_with_an_error_of_the_package(name, rng):
    assert run(mutate(rng, FORMATS[name](rng))).total() == 1
