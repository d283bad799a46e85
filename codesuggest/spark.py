"""Many documents on a Spark cluster: the same records as in a batch of processes, from a data frame or from files.

    suggest_spark(frame, model="models/mine").write.parquet("codes")

Spark plans, retries and spreads; here is only what one task does with its rows. A row is coded by itself and nothing is
kept between rows but the opened model, so a task that Spark runs again gives the same rows, and none twice.

The package is installed on the executors. A model folder is packed into an archive that Spark hands to each of them
(`SparkContext.addArchive`), or read from a path that all of them see; it is never pickled.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codesuggest.documents import OPTION_KEYS, Document, document_of
from codesuggest.errors import BatchError, CodeSuggestError, MissingExtraError, OptionError
from codesuggest.inputs import Row, Wanted, json_values
from codesuggest.output import COLUMNS, table_rows
from codesuggest.recorded import Load, Suggester, checked, is_error, load_model, records, with_words

if TYPE_CHECKING:
    from pandas import DataFrame as Pandas
    from pyspark.sql import DataFrame, SparkSession

#: Schema of one row a document. error: what went wrong with it, or null; record: its JSON line, as a batch writes it.
DOCUMENTS = "id string, error string, record string"
#: Bytes of a file that are one task, about 1,500 notes; Spark's own 128 MB would be a quarter of an hour.
_PART = 4 << 20
_WRITTEN = 64  #: documents whose records are handed back at once; a record takes about 60 kB


@dataclass(frozen=True, slots=True)
class _Task:
    """What a Python worker of an executor needs to know; goes with the plan, so it holds no model and no note."""

    model: str | None
    archive: bool  #: `model` is the name of an archive of this job, not a path
    name: str
    options: dict[str, Any]
    wanted: Wanted
    show_text: bool
    suggestions: bool  #: a row a suggestion
    lines: bool  #: a row is a line of a file of JSON lines, as bytes
    load: Load

    def __call__(self, frames: Iterable[Pandas]) -> Iterator[Pandas]:
        """Rows of documents -> rows of results, lazily."""
        from pandas import DataFrame as Pandas
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

        suggester = _opened(self)
        columns = _columns(self.show_text) if self.suggestions else ["id", "error", "record"]
        # one thread, as in a batch: the number of threads may change the last bit of a sum
        with threadpool_limits(1):
            for frame in frames:
                rows = frame.to_dict("records")
                for start in range(0, len(rows), _WRITTEN):
                    some = [document_of(self._row(row), self.wanted) for row in rows[start : start + _WRITTEN]]
                    lines = records(suggester, some, self.options, show_text=self.show_text)
                    made = [cells for own in zip(some, lines, strict=True) for cells in self._results(*own)]
                    yield Pandas(made, columns=columns, dtype=object)

    def _results(self, document: Document, line: str) -> Iterator[list[Any]]:
        if not self.suggestions:  # a record is long: not parsed only to be told what is known
            yield [document.id, json.loads(line)["error"]["code"] if is_error(line) else None, line]
            return
        for cells in table_rows(json.loads(line)):
            yield [cells[name] for name in _columns(self.show_text)]

    def _row(self, values: Mapping[Any, Any]) -> Row:
        where = "a row of the input"
        if not self.lines:
            return Row("", where, {key: _plain(value) for key, value in values.items()})
        try:
            return Row("", where, json_values(bytes(values["value"]), where, self.wanted))
        except CodeSuggestError as problem:
            return Row("", where, problem=problem)


_OPENED: dict[tuple[str | None, str], Suggester] = {}  #: in a worker of an executor: models, each opened once


def _opened(task: _Task) -> Suggester:
    suggester = _OPENED.get((task.model, task.name))
    if suggester is None:
        path = task.model
        if task.archive and path is not None:
            from pyspark import SparkFiles

            path = SparkFiles.get(path)
        suggester = task.load(path)
        if suggester.name != task.name:
            raise BatchError(f"the model of the executors is {suggester.name}, that of the driver {task.name}")
        _OPENED.clear()
        _OPENED[task.model, task.name] = suggester
    return suggester


def _plain(value: Any) -> Any:
    """A cell as a Parquet file read by a batch would give it: None where nothing is, a list for an array."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return None if value is None or (not isinstance(value, list) and value != value) else value


def _columns(show_text: bool) -> list[str]:
    return [name for name in COLUMNS if show_text or name != "text"]


def suggest_spark(
    frame: DataFrame,
    *,
    model: str | Path | None = None,
    ship: bool = True,
    id: str = "id",
    text: str = "text",
    suggestions: bool = False,
    words: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    limit: int | None = 50,
    threshold: float | None = None,
    show_text: bool = False,
    load: Load | None = None,
) -> DataFrame:
    """Suggest codes for every row of a Spark data frame, through `mapInPandas`.

    frame: with a column of ids (string or whole number), one of texts, and perhaps columns setting, service_date,
        document_type, systems, age, sex, which go before `options`.
    model: a folder, None is the starter that is installed with the package. ship: hand it to the executors as an
        archive; False if they see the same path.
    suggestions: one row a suggestion with the columns of a batch's table (`output.COLUMNS`); else one a document,
        `DOCUMENTS`, of which `record` is the very line of a batch.
    words: a site's word list: read here, and it travels with the plan.
    options, limit, threshold, show_text, load: as in `run_batch`.

    A document that fails is a row with an error. Nobody looks for an id that stands twice: that would need all ids in
    one place. Raises MissingExtraError without pyspark, OptionError for a column that is not there or of another type
    and for an impossible option, and what opening the model raises.
    """
    load = with_words(load, words)
    types = dict(frame.dtypes)
    for name, kinds in ((id, ("string", "bigint", "int", "smallint")), (text, ("string",))):
        if name not in types:
            raise OptionError(f"the data frame has no column {name!r}; it has {', '.join(sorted(types))}")
        if types[name] not in kinds:
            raise OptionError(f"the column {name!r} is of type {types[name]}, and must be {' or '.join(kinds[:2])}")
    keys = [key for key in OPTION_KEYS if key in types]
    chosen = frame.select(frame[id].cast("string").alias(id), frame[text], *(frame[key] for key in keys))
    wanted = Wanted(id, text, OPTION_KEYS, "utf-8", None)
    return _mapped(chosen, wanted, model, ship, options, limit, threshold, show_text, suggestions, False, load)


def _mapped(
    frame: DataFrame,
    wanted: Wanted,
    model: str | Path | None,
    ship: bool,
    options: Mapping[str, Any] | None,
    limit: int | None,
    threshold: float | None,
    show_text: bool,
    suggestions: bool,
    lines: bool,
    load: Load | None,
) -> DataFrame:
    load = load or load_model
    suggester = load(model)
    given = checked(suggester, options, limit, threshold)
    name = None if model is None else _shipped(frame, Path(model), suggester) if ship else str(model)
    task = _Task(name, ship and model is not None, suggester.name, given, wanted, show_text, suggestions, lines, load)
    schema = ", ".join(f"{c} {_SQL.get(COLUMNS[c], COLUMNS[c])}" for c in _columns(show_text))
    return frame.mapInPandas(task, schema if suggestions else DOCUMENTS)


_SQL = {"bool": "boolean", "int64": "bigint"}


def _shipped(frame: DataFrame, model: Path, suggester: Suggester) -> str:
    """Give the model folder to all executors; the name under which they find it."""
    name = "codesuggest-" + suggester.name.translate(str.maketrans("@+:", "---"))
    context = getattr(frame.sparkSession, "sparkContext", None)
    if context is None:
        raise OptionError("this session cannot ship a model: put it where all executors see it and give ship=False")
    if not any(archive.endswith("#" + name) for archive in context.listArchives):
        folder = tempfile.mkdtemp(prefix="codesuggest-")  # executors fetch it from here as long as the application runs
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        context.addArchive(shutil.make_archive(str(Path(folder) / name), "zip", model) + "#" + name)
    return name


# ---- files in, files out


def run_spark(
    inputs: Iterable[str | Path],
    out: str | Path,
    *,
    master: str | None = None,
    overwrite: bool = False,
    id_key: str = "id",
    text_key: str = "text",
    fallback: str | None = None,
    model: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    limit: int | None = 50,
    threshold: float | None = None,
    show_text: bool = False,
    load: Load | None = None,
) -> tuple[int, int]:
    """A batch whose tasks Spark runs; `run_batch` with `engine="spark"`. Returns (documents, errors among them).

    inputs: .jsonl (with ids) or .parquet, files or folders of such an ending, all of one kind, anywhere Spark can read.
    out: a folder of part files ending in .jsonl or .parquet.

    Raises BatchError for inputs or outputs Spark cannot read or write.
    """
    paths = [str(path) for path in inputs]
    kinds = sorted({path.rstrip("/").rsplit(".", 1)[-1].lower() for path in paths})
    if kinds not in (["jsonl"], ["parquet"]):
        raise BatchError("Spark reads .jsonl or .parquet, all of one kind; other inputs: without --engine spark")
    target = str(out)
    if not target.endswith((".jsonl", ".parquet")):
        raise BatchError(f"{target}: the output of Spark is a folder that ends in .jsonl or .parquet")
    table = target.endswith(".parquet")
    session = _session(master)
    from pyspark.errors import PySparkException
    from pyspark.sql.functions import col, count, count_if

    wanted = Wanted(id_key, text_key, OPTION_KEYS, "utf-8", fallback)
    how: dict[str, Any] = {
        "model": model,
        "options": options,
        "limit": limit,
        "threshold": threshold,
        "show_text": show_text,
    }
    try:
        if kinds == ["parquet"]:
            frame = _spread(session.read.parquet(*paths))
            results = suggest_spark(frame, id=id_key, text=text_key, suggestions=table, load=load, **how)
        else:
            # as bytes: Spark would replace what is no UTF-8, where a batch reports it
            read = session.read.option("lineSep", "\n").text(paths).where("trim(value) != ''")
            frame = _spread(read.select(col("value").cast("binary").alias("value")))
            results = _mapped(frame, wanted, model, True, options, limit, threshold, show_text, table, True, load)
        write = results if table else results.select("record")
        writer = write.write.mode("overwrite" if overwrite else "error")
        writer.parquet(target) if table else writer.text(target)
        if table:
            done = session.read.parquet(target).select("id", "error_code").distinct()
            failed = col("error_code").isNotNull()
        else:
            done, failed = session.read.text(target), ~col("value").contains('"error":null')
        rows, errors = done.agg(count("*"), count_if(failed)).collect()[0]  # all that was written is read, so once
        return rows, errors
    except PySparkException as error:
        # the condition only: what Spark says besides may be long, and may quote a row
        what = error.getCondition() or type(error).__name__
        if what == "PATH_ALREADY_EXISTS":
            raise BatchError(f"{target} exists: --overwrite replaces it") from None
        raise BatchError(f"Spark failed with {what}; its own log says where") from None


def _spread(frame: DataFrame) -> DataFrame:
    """The frame in enough parts for all cores: a megabyte of notes is seconds of work, and Spark counts bytes."""
    parallel = frame.sparkSession.sparkContext.defaultParallelism
    return frame if frame.rdd.getNumPartitions() >= 4 * parallel else frame.repartition(4 * parallel)


def _session(master: str | None) -> SparkSession:
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise MissingExtraError("pyspark", "spark", "Running on Spark") from None
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else whatever python3 the machine has
    builder = SparkSession.builder.appName("codesuggest").config("spark.sql.files.maxPartitionBytes", _PART)
    return (builder.master(master) if master else builder).getOrCreate()
