"""Many documents: one record each, in the order of the input, whatever the number of processes.

    run_batch(["notes/"], "codes.jsonl", jobs=4)

A run that was killed, at any moment, goes on where OUT.partial ends (see `codesuggest.output`). Note text is in the
output only with `show_text`, and never in an error.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import wait
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesuggest import __version__
from codesuggest.asked import among
from codesuggest.config import TOGETHER
from codesuggest.documents import Document, read_documents
from codesuggest.errors import BatchError, OptionError
from codesuggest.inputs import check_inputs, fingerprint
from codesuggest.output import COLUMNS, Partial, check_output, finish, table_rows
from codesuggest.recorded import Load, Suggester, checked, describe, is_error, load_model, records, with_words
from codesuggest.spark import run_spark, suggest_spark

__all__ = [
    "COLUMNS",
    "BatchSummary",
    "Load",
    "Suggester",
    "describe",
    "records",
    "run_batch",
    "suggest_spark",
    "table_rows",
]

_CHUNK = 32  #: documents sent to a process at once, when all is under way
_CHUNK_CHARACTERS = 200_000  #: or fewer, if they are long: bounds what is in flight


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """What a run did. documents: records in `out`; resumed: how many of them were there already; errors: how many are
    error records; seconds: of this run, wall clock. All are 0 if it was `complete`."""

    out: Path
    documents: int
    resumed: int
    errors: int
    seconds: float
    changed: int | None = None  #: documents with other suggested codes than in the run given as `since`
    complete: bool = False  #: `out` was complete before the run, which therefore did nothing


@dataclass(frozen=True, slots=True)
class _Work:
    """What a process needs to know to make records; travels with every chunk."""

    model: str | None
    name: str
    options: dict[str, Any]
    show_text: bool
    load: Load


def run_batch(
    inputs: Iterable[str | Path],
    out: str | Path,
    *,
    model: str | Path | None = None,
    words: str | Path | None = None,
    since: str | Path | None = None,
    engine: str = "joblib",
    master: str | None = None,
    jobs: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    id_key: str = "id",
    text_key: str = "text",
    fallback: str | None = None,
    options: Mapping[str, Any] | None = None,
    limit: int | None = 50,
    threshold: float | None = None,
    show_text: bool = False,
    progress: Callable[[int, int], None] | None = None,
    load: Load | None = None,
) -> BatchSummary:
    """Suggest codes for every document of `inputs` (see `read_documents`) and write the records to `out`.

    out: ends in .jsonl (records by the contract of `NoteResult.to_dict`), .csv or .parquet (a row a suggestion, see
        `COLUMNS`; a document without suggestions, or with an error, has one row; withheld phrases are only in .jsonl).
    words: a site's word list (see `codesuggest.site_words`), read once and the same in all processes.
    since: the .jsonl of an earlier run of the same model and options on another day of service: a document whose codes
        cannot differ is carried over, and what changed is listed in OUT.changes.csv (see `codesuggest.since`).
    engine: "joblib" for processes of this machine, "spark" for a cluster at `master` (see `codesuggest.spark` for what is
        read and written there; without `jobs` and `resume`, as Spark spreads the work and repeats lost tasks itself).
    jobs: processes, each with the model's arrays memory-mapped; -1 is one a core. The output is the same bytes.
    resume: go on with OUT.partial if it is there and was made from the same inputs, model, options and version.
    overwrite: discard an existing OUT.partial, and replace OUT when done.
    options: keyword arguments of `CodeSuggester.suggest` for all documents; those beside a document go before.
    limit: suggestions a system. threshold: probability in [0, 1], None is the model's own.
    progress: called after each chunk with (records so far, error records so far).
    load: opens the model, by default `CodeSuggester.load`; with jobs a function of an importable module.

    A document that fails is an error record and the run goes on. Raises BatchError if the run cannot start, write, or
    go on; what is done then stays in OUT.partial. So it does on KeyboardInterrupt.
    """
    began = time.monotonic()
    among("engine", engine, ("joblib", "spark"))
    load = with_words(load, words)
    if engine == "spark":
        if jobs != 1 or resume or since or progress:
            raise OptionError(
                "Spark spreads and repeats work by itself: give no jobs, resume, since or progress with it"
            )
        done, errors = run_spark(
            [inputs] if isinstance(inputs, str | Path) else inputs,
            out,
            master=master,
            overwrite=overwrite,
            id_key=id_key,
            text_key=text_key,
            fallback=fallback,
            model=model,
            options=options,
            limit=limit,
            threshold=threshold,
            show_text=show_text,
            load=load,
        )
        return BatchSummary(Path(out), done, 0, errors, time.monotonic() - began)
    if master is not None:
        raise OptionError('master is the address of a Spark cluster: give it with engine="spark"')
    out, paths = Path(out), [Path(p) for p in ([inputs] if isinstance(inputs, str | Path) else inputs)]
    check_output(out)
    if any(out.resolve() == path.resolve() for path, _ in check_inputs(paths)):
        raise BatchError(f"{out} is an input of this run, and would be replaced")
    if isinstance(jobs, bool) or jobs == 0:
        raise OptionError(f"jobs must be a number of processes, or -1 for one a core, not {jobs!r}")
    if resume and overwrite:
        raise BatchError("resume continues what is there and overwrite discards it: choose one")
    documents = read_documents(paths, id_key=id_key, text_key=text_key, fallback=fallback)
    partial = out.with_name(out.name + ".partial")
    if partial.exists() and not (resume or overwrite):
        raise BatchError(f"{partial} is left from an interrupted run: --resume continues it, --overwrite discards it")
    if out.exists() and not (overwrite or partial.exists()):
        if resume:
            return BatchSummary(out, 0, 0, 0, 0.0, complete=True)
        raise BatchError(f"{out} exists: --overwrite replaces it")

    with ExitStack() as held:
        if since is not None:
            from codesuggest.since import loading as loading_since  # and with it the suggester, as in `load_model`

            if out.suffix.lower() != ".jsonl":
                raise BatchError(
                    f"{out}: a run that goes on from another gives JSON lines, and a list of changes beside them"
                )
            load = held.enter_context(loading_since(since, words))
        load = load or load_model
        suggester = load(model)
        chosen = checked(suggester, options, limit, threshold)
        run = {
            "version": __version__,
            "inputs": fingerprint(paths),
            "model": suggester.name,
            "options": json.loads(json.dumps(chosen, default=str)),
            "show_text": show_text,
            "id_key": id_key,
            "text_key": text_key,
            "fallback": fallback,
            "since": None if since is None else fingerprint([since]),
        }
        work = _Work(None if model is None else str(model), suggester.name, chosen, show_text, load)
        store = held.enter_context(Partial.open(partial, run, fresh=overwrite))
        resumed, errors = _skip(documents, store)
        done = resumed
        if progress:
            progress(done, errors)
        processes = _processes(jobs)
        results = _serial(documents, suggester, work) if processes == 1 else _parallel(documents, work, processes)
        with closing(results):  # an interrupt must end the processes at once, not when memory is tidied
            for lines in results:
                store.append(lines)
                done += len(lines)
                errors += sum(is_error(line) for line in lines)
                if progress:
                    progress(done, errors)
        changed = None
        if since is not None:
            from codesuggest.since import Since

            assert isinstance(suggester, Since)
            # before OUT, so that a run that fails here goes on here
            changed = suggester.write_changes(store.records(), out.with_name(out.name + ".changes.csv"))
        finish(store, out, show_text)
    return BatchSummary(out, done, resumed, errors, time.monotonic() - began, changed=changed)


def _skip(documents: Iterator[Document], store: Partial) -> tuple[int, int]:
    """Pass by the documents whose records are there. Returns (records, error records among them)."""
    done = errors = 0
    for row in store.records():
        document = next(documents, None)
        if document is None or document.id != row["id"]:
            raise BatchError(
                f"{store.path}: record {done + 1} is of {row['id']}, the inputs have "
                f"{'no more documents' if document is None else document.id} there; --overwrite starts anew"
            )
        done, errors = done + 1, errors + (row.get("error") is not None)
    return done, errors


def _processes(jobs: int) -> int:
    if jobs > 0:
        return jobs
    from joblib import effective_n_jobs

    return int(effective_n_jobs(jobs))


# ---- processes


def _chunks(documents: Iterable[Document], jobs: int) -> Iterator[list[Document]]:
    """Small chunks first, so that few documents occupy all processes. One process: as many as go together, written at once."""
    size, made, chunk, characters = (TOGETHER if jobs == 1 else 2), 0, list[Document](), 0
    for document in documents:
        chunk.append(document)
        characters += len(document.text or "")
        if len(chunk) >= size or characters >= _CHUNK_CHARACTERS:
            yield chunk
            chunk, characters, made = [], 0, made + 1
            if jobs > 1 and made % jobs == 0:
                size = min(_CHUNK, size * 2)
    if chunk:
        yield chunk


def _serial(documents: Iterable[Document], suggester: Suggester, work: _Work) -> Generator[list[str], None, None]:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    # One thread, as in a worker: the number of threads may change the last bit of a sum.
    with threadpool_limits(1):
        for chunk in _chunks(documents, 1):
            yield records(suggester, chunk, work.options, show_text=work.show_text)


_OPENED: dict[str | None, Suggester] = {}  #: in a worker: the model, opened once


def _in_worker(work: _Work, chunk: list[Document]) -> list[str]:
    suggester = _OPENED.get(work.model)
    if suggester is None:
        suggester = _OPENED[work.model] = work.load(work.model)
    if suggester.name != work.name:
        raise BatchError(f"the model {work.model} changed during the run, from {work.name} to {suggester.name}")
    return records(suggester, chunk, work.options, show_text=work.show_text)


def _start_worker(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent answers it

    def watch() -> None:
        # a worker whose parent was killed would wait for work for ever, with a model and notes in its memory
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _parallel(documents: Iterable[Document], work: _Work, jobs: int) -> Generator[list[str], None, None]:
    """Records of chunks in order, computed by loky processes, at most 2 * jobs + 2 chunks in flight.

    The executor of joblib is used directly. `joblib.Parallel(return_as="generator")` goes on dispatching behind a slow
    chunk, and keeps what comes back: one document of 5 MB, and the results of thousands of others are held in memory.
    """
    from joblib.externals.loky import ProcessPoolExecutor
    from joblib.externals.loky.process_executor import BrokenProcessPool

    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    pool = ProcessPoolExecutor(max_workers=jobs, initializer=_start_worker, initargs=(os.getpid(),), env=threads)
    flying: deque[tuple[list[Document], Any]] = deque()
    try:
        for chunk in _chunks(documents, jobs):
            flying.append((chunk, pool.submit(_in_worker, work, chunk)))
            if len(flying) >= 2 * jobs + 2:
                yield flying[0][1].result()
                flying.popleft()
        while flying:
            yield flying[0][1].result()
            flying.popleft()
    except BrokenProcessPool:
        lost = [chunk for chunk, future in flying if not (future.done() and future.exception() is None)]
        ids = [document.id for chunk in lost[:jobs] for document in chunk]  # chunks start in order: these had begun
        more = f" and {len(ids) - 20} more" if len(ids) > 20 else ""
        raise BatchError(
            f"a worker process was killed, perhaps for want of memory, while at one of: {', '.join(ids[:20])}{more}; "
            "what is done is kept: go on with --resume, perhaps with fewer --jobs"
        ) from None
    finally:
        if flying:
            # Not all was done: an interrupt, or an error. Killed through `shutdown` alone, the pool's thread may stumble
            # over work it has not yet handed out, and print a traceback; a pool that lost its workers tidies up well.
            for process in list(pool._processes.values()):
                process.terminate()
            wait([future for _, future in flying], timeout=30)
        pool.shutdown(wait=True, kill_workers=True)
