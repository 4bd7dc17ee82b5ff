"""The recipe for Spark does what its page says."""

import re
import shutil
import sys
from pathlib import Path

import pytest
import srsly

from spacy_docre.annotation import annotate_rows

from ..annotating import HOSTILE_NAMES, make_pipeline, make_records, make_texts

pytest.importorskip("pandas", reason="needs pandas")
pytest.importorskip("pyarrow", reason="needs pyarrow")
pyspark = pytest.importorskip("pyspark.sql", reason="needs pyspark")

ROOT = Path(__file__).parents[2]


def recipe() -> str:
    text = (ROOT / "docs" / "how-to" / "scaling.md").read_text(encoding="utf8")
    (block,) = re.findall(r"```python\n((?:(?!```).)*mapInPandas.*?)```", text, flags=re.DOTALL)
    return block


@pytest.fixture
def spark(monkeypatch, tmp_path):
    if shutil.which("java") is None:
        pytest.skip("needs Java")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    builder = pyspark.SparkSession.builder.master("local[2]")
    session = builder.config("spark.ui.enabled", "false").getOrCreate()
    yield session
    session.stop()


@pytest.mark.slow
def test_the_recipe_gives_the_rows_of_this_process(spark, tmp_path):
    nlp = make_pipeline()
    model = tmp_path / "training" / "own" / "model-best"
    model.mkdir(parents=True)
    nlp.to_disk(model)
    texts = [*make_texts(20), "", *HOSTILE_NAMES, "Ada saw Oslo. " * 100_000]
    data = [{"id": f"d{n}", "title": "T", "text": text} for n, text in enumerate(texts)]
    srsly.write_jsonl(tmp_path / "articles.jsonl", data)
    exec(compile(recipe(), "docs/how-to/scaling.md", "exec"), {"__name__": "__main__"})
    found = {row["id"]: row for row in map(as_dict, spark.read.parquet("annotated").collect())}
    assert set(found) == {row["id"] for row in data}
    assert found.pop("d33")["reason"].startswith("ValueError: [E088]")
    nlp = make_pipeline()
    for number, row in enumerate(annotate_rows(nlp, make_records(texts[:-1]))):
        other = found[f"d{number}"]
        assert other["text"] == row["text"]
        assert other["reason"] is None
        assert other["clusters"] == row["clusters"]
        assert [plain(relation) for relation in other["relations"]] == [
            plain(relation) for relation in row["relations"]
        ]


def as_dict(row):
    return row.asDict(recursive=True)


def plain(relation):
    """A relation whose score may round the other way in another batch."""
    score = pytest.approx(relation["score"], abs=1.1e-4)
    return {**relation, "score": score}
