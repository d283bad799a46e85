"""Spark gives the records of a batch, whatever becomes of its workers; and what cannot run says so before it starts."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codesuggest.batch import run_batch, suggest_spark
from codesuggest.errors import BatchError, OptionError
from codesuggest.output import COLUMNS
from codesuggest.suggester import CodeSuggester, starter_path

NOTES = sorted((Path(__file__).parent.parent / "corpora" / "notes").glob("visit_*.txt"))[:20]
SECRET = "Quillfeather"  #: stands in a bad row; may be in no output

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason='needs pip install "codesuggest[spark]"'),
    pytest.mark.skipif(not (shutil.which("java") or os.environ.get("JAVA_HOME")), reason="Spark needs a Java runtime"),
    # pyspark warns of the newest pandas; what is used here of it is tested here
    pytest.mark.filterwarnings("ignore::FutureWarning:pyspark", "ignore::UserWarning:pyspark"),
]


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    from pyspark import cloudpickle
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the executors cannot import a test
    builder = SparkSession.builder.master("local[2, 4]")  # two cores, four attempts at a task
    quiet = builder.config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2")
    made = quiet.getOrCreate()
    made.sparkContext.setLogLevel("OFF")
    yield made
    made.stop()


def rows(notes: list[Path]) -> list[dict[str, Any]]:
    """Documents with options of their own, and one that cannot be coded."""
    out: list[dict[str, Any]] = [{"id": n.stem, "text": n.read_text(encoding="utf-8")} for n in notes]
    out[0] |= {"setting": "inpatient", "age": 71}
    out[1] |= {"service_date": "2026-02-03"}
    out[2] |= {"setting": f"in {SECRET}"}
    return out


def lines(path: Path) -> list[str]:
    files = sorted(path.glob("part-*")) if path.is_dir() else [path]
    return sorted(line for file in files for line in file.read_text(encoding="ascii").splitlines())


def parquet(path: Path, documents: list[dict[str, Any]]) -> Path:
    import pandas as pd

    pd.DataFrame(documents).to_parquet(path)
    return path


def test_a_frame_gives_the_lines_and_the_table_of_a_batch(session: Any, tmp_path: Path) -> None:
    source = parquet(tmp_path / "notes.parquet", rows(NOTES))
    run_batch([source], tmp_path / "a.jsonl", limit=8)
    run_batch([source], tmp_path / "a.parquet", limit=8)
    frame = session.read.parquet(str(source)).repartition(3)

    found = suggest_spark(frame, limit=8).collect()
    bad = {row.id: row for row in found if row.error}
    assert {id: row.error for id, row in bad.items()} == {NOTES[2].stem: "option"}
    assert SECRET not in bad[NOTES[2].stem].record
    good = sorted(row.record for row in found if not row.error)
    assert good == [line for line in lines(tmp_path / "a.jsonl") if '"error":null' in line]

    table = suggest_spark(frame, limit=8, suggestions=True).toPandas()
    import pandas as pd

    expected = pd.read_parquet(tmp_path / "a.parquet")
    order = ["id", "system", "confidence", "code"]
    kept = [name for name in COLUMNS if name not in ("text", "error_message")]
    assert list(table.columns) == [name for name in COLUMNS if name != "text"]
    pd.testing.assert_frame_equal(
        table.sort_values(order)[kept].reset_index(drop=True),
        expected.sort_values(order)[kept].reset_index(drop=True),
        check_dtype=False,
    )


def test_a_worker_that_dies_doubles_and_loses_nothing(session: Any, tmp_path: Path) -> None:
    marker = str(tmp_path / "died")
    frame = session.createDataFrame([(str(i), "Acute cystitis.") for i in range(40)], "id string, text string")

    class Dying:
        name = "dying@0"

        def suggest(self, note: Any, *, id: str = "", **options: Any) -> Any:
            import os

            if id == "33" and not os.path.exists(marker):
                open(marker, "w").close()
                os._exit(9)
            from codesuggest.records import NoteResult

            return NoteResult(self.name, "outpatient", "2026-04-01", None, ("icd10cm",), (), (), (), id, note)

    found = suggest_spark(frame.repartition(4), load=lambda _: Dying()).collect()
    assert Path(marker).exists()
    assert sorted(int(row.id) for row in found) == list(range(40))


def test_a_model_folder_is_shipped_as_an_archive(session: Any, tmp_path: Path) -> None:
    model = tmp_path / "mine"
    shutil.copytree(starter_path(), model)
    frame = session.createDataFrame([(7, "Acute cystitis.")], "id bigint, text string")
    results = suggest_spark(frame, model=model, limit=3)
    shutil.rmtree(model)  # the executors have it
    assert json.loads(results.first().record)["id"] == "7"
    name = CodeSuggester.load().name.replace("@", "-")
    assert [a for a in session.sparkContext.listArchives if a.endswith(f"#codesuggest-{name}")]


def test_every_task_knows_the_sites_words(session: Any, tmp_path: Path) -> None:
    site = tmp_path / "site.tsv"
    _again(site)
    frame = session.createDataFrame([(1, "Assessment: king toe.")], "id bigint, text string")
    results = suggest_spark(frame, words=site)
    site.unlink()  # the plan holds the list
    alone = CodeSuggester.load(words=_again(site)).suggest("Assessment: king toe.", id="1", limit=50)
    assert results.first().record == alone.to_json() and alone.suggested[0].code == "M10.9"
    with pytest.raises(OptionError, match="words"):
        suggest_spark(frame, words=_again(site), load=lambda _: None)


def _again(site: Path) -> Path:
    site.write_text("kind\tphrase\tcode_or_expansion\tsystem\tsource\nidiom\tking toe\tM10.9\t\tme\n")
    return site


def test_files_in_and_files_out(session: Any, tmp_path: Path) -> None:
    source = tmp_path / "notes.jsonl"
    texts = [json.dumps(row) for row in rows(NOTES[:8])]
    source.write_bytes("\n".join([*texts, "", f"no {SECRET}"]).encode() + b'\n{"id": "x", "text": "\xff"}\n')
    run_batch([source], tmp_path / "a.jsonl", limit=5)
    summary = run_batch([source], tmp_path / "b.jsonl", limit=5, engine="spark")
    assert (summary.documents, summary.errors) == (10, 3)
    good = [line for line in lines(tmp_path / "a.jsonl") if '"error":null' in line]
    assert [line for line in lines(tmp_path / "b.jsonl") if '"error":null' in line] == good
    errors = [json.loads(line)["error"]["code"] for line in lines(tmp_path / "b.jsonl") if '"error":null' not in line]
    assert sorted(errors) == ["input", "not_utf8", "option"]
    assert SECRET not in "".join(lines(tmp_path / "b.jsonl"))

    with pytest.raises(BatchError, match="exists: --overwrite"):
        run_batch([source], tmp_path / "b.jsonl", engine="spark")
    summary = run_batch([source], tmp_path / "b.parquet", limit=5, engine="spark")
    assert (summary.documents, summary.errors) == (10, 3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"text": "note"}, "no column 'note'; it has id, text"),
        ({"id": "text", "text": "id"}, "'id' is of type bigint"),
        ({"options": {"setting": "ward"}}, "setting must be"),
    ],
)
def test_what_cannot_run_says_so_before_it_starts(change: dict[str, Any], says: str, session: Any) -> None:
    frame = session.createDataFrame([(7, "Acute cystitis.")], "id bigint, text string")
    with pytest.raises(OptionError, match=says):
        suggest_spark(frame, **change)


def test_options_of_the_other_engine_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    for how in ({"engine": "dask"}, {"engine": "spark", "jobs": 2}, {"engine": "spark", "resume": True}):
        with pytest.raises(OptionError):
            run_batch(["notes.jsonl"], out, **how)
    with pytest.raises(OptionError, match='engine="spark"'):
        run_batch(["notes.jsonl"], out, master="local[2]")
    with pytest.raises(BatchError, match=r"Spark reads \.jsonl or \.parquet"):
        run_batch(["notes.csv"], out, engine="spark")
    with pytest.raises(BatchError, match="folder that ends"):
        run_batch(["notes.jsonl"], tmp_path / "o.csv", engine="spark")
