import pytest
import srsly

from spacy_docre.benchmark.results import Results
from spacy_docre.benchmark.tables import fill_page, growth_tables, method_tables, to_markdown
from spacy_docre.errors import DocreError

from .results import make_results


def test_all_methods_stand_in_one_table():
    overview, inference, training = method_tables(make_results().methods)
    assert overview.header == ["Method", "`predict`", "training step"]
    assert list(overview.rows) == [
        ["atlop", "1.500 (1.500 to 1.500)", "1.500 (1.500 to 1.500)"],
        ["kmgre", "1250.000 (1250.000 to 1250.000)", ""],
    ]
    assert inference.rows[0] == ["atlop", "1.00", "1.50", "1.33", "400", "9", "10"]
    assert inference.rows[1][2] == "1,250"
    assert [row[0] for row in training.rows] == ["atlop"]


def test_no_methods_are_no_tables():
    assert method_tables({}) == []


def test_growth_is_shown_with_its_exponent():
    beside, total, memory = growth_tables(make_results().growth)
    assert beside.title == "Entities, `predict`: milliseconds a document beside the encoder"
    assert beside.header == ["Method", "10", "20", "50", "Exponent (points)"]
    assert beside.rows == [
        ["atlop", "5.00", "20.0", "125", "2.00 (3)"],
        ["kmgre", "250", "n/a", "n/a", "-"],
    ]
    assert total.rows[0][:4] == ["atlop", "505", "520", "625"]
    assert memory.rows[0] == ["atlop", "10.0", "20.0", "50.0", "1.00 (3)"]


def test_the_file_keeps_everything(tmp_path):
    results = make_results()
    results.save(tmp_path / "new" / "results.json")
    assert Results.load(tmp_path / "new" / "results.json") == results


@pytest.mark.parametrize("content", [[], {}, {"run": {}, "settings": {}, "methods": [1]}])
def test_other_files_are_refused(content, tmp_path):
    srsly.write_json(tmp_path / "other.json", content)
    with pytest.raises(DocreError, match=r"D015.*other\.json"):
        Results.load(tmp_path / "other.json")


def test_markdown_says_how_it_was_measured():
    text = to_markdown(make_results())
    assert text.startswith("```bash\npython -m spacy_docre benchmark\n```\n")
    assert "A CPU, 2 cores; Linux; load before: 0.2. python 3.11, torch 2.13." in text
    assert "Settings: repeats 3, encoder -, threads 1, seed 7." in text
    assert "| `atlop` | 5.00 | 20.0 | 125 | 2.00 (3) |" in text
    assert "- kmgre, `predict`, entities 20: takes more than 5 s\n" in text


def test_pages_are_filled_again_and_again(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "Before\n<!-- tables: a -->\n<!-- end of tables -->\nBetween\n"
        "<!-- tables: b -->\nold\n<!-- end of tables -->\nAfter\n",
        encoding="utf8",
    )
    fill_page(page, "b", r"new \1 ü")
    fill_page(page, "a", "first")
    once = page.read_text("utf8")
    assert once == (
        "Before\n<!-- tables: a -->\n\nfirst\n\n<!-- end of tables -->\nBetween\n"
        "<!-- tables: b -->\n\nnew \\1 ü\n\n<!-- end of tables -->\nAfter\n"
    )
    fill_page(page, "a", "first")
    assert page.read_text("utf8") == once
    with pytest.raises(DocreError, match="D063"):
        fill_page(page, "c", "text")
    assert page.read_text("utf8") == once
