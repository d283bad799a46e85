"""Change of year: results of an earlier run carried over where no change of the code tables can touch them.

    run_batch(["notes/"], "2027.jsonl", since="2026.jsonl", options={"service_date": "2026-10-01"})

Every note is read again and its matches are found again; but only where a code that changed between the two days can be a
candidate are they ranked anew. The records are those of a run that codes all, byte for byte.
"""

from __future__ import annotations

import csv
import hashlib
import json
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from codesuggest.asked import Asked, by_lines
from codesuggest.codes.diff import changed_between
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import BatchError
from codesuggest.note import Reading, check_text
from codesuggest.records import NoteResult
from codesuggest.site_words import SiteList
from codesuggest.suggester import CodeSuggester
from codesuggest.withheld import overlap

#: Columns of the list of changes: a suggested code of one run that the other did not suggest, beside what took its words.
CHANGES = ("id", "system", "old_code", "old_confidence", "new_code", "new_confidence", "why")


class Results:
    """The records of a run, found by id: an index of 16 bytes a document is held, not the records."""

    def __init__(self, path: str | Path, index: Path | None = None) -> None:
        """index: the folder in which another process has kept it; else every record is read for it.

        Raises BatchError for a file that is none of a batch.
        """
        self.path = Path(path)
        try:
            self._handle: IO[bytes] = self.path.open("rb")
            if index is None:
                self._keys, self._places = self._read()
            else:
                self._keys, self._places = (
                    np.load(index / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ("keys", "places")
                )
        except OSError as error:
            raise BatchError(f"{self.path}: cannot be read ({error.strerror or type(error).__name__})") from None

    def _read(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        """(keys of the ids, ascending; the offset of the record of each), both (n documents,)."""
        keys, places, at = array("Q"), array("q"), 0
        for number, line in enumerate(self._handle, 1):
            keys.append(_key(_record(line, self.path, number)["id"]))
            places.append(at)
            at += len(line)
        made = np.frombuffer(keys, np.uint64) if keys else np.zeros(0, np.uint64)
        order = np.argsort(made, kind="stable")
        return made[order], np.frombuffer(places, np.int64)[order] if keys else np.zeros(0, np.int64)

    def keep(self, folder: Path) -> None:
        """The index as two files, for other processes to map. Raises BatchError."""
        try:
            np.save(folder / "keys.npy", self._keys, allow_pickle=False)
            np.save(folder / "places.npy", self._places, allow_pickle=False)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise BatchError(f"{folder}: cannot be written ({why}); make room there, or name another $TMPDIR") from None

    def close(self) -> None:
        self._handle.close()

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, id: str) -> dict[str, Any] | None:
        """The record of a document, None without one."""
        key = np.uint64(_key(id))
        for place in self._places[np.searchsorted(self._keys, key) : np.searchsorted(self._keys, key, "right")]:
            self._handle.seek(int(place))
            row: dict[str, Any] = json.loads(self._handle.readline())
            if row["id"] == id:
                return row
        return None


def _key(id: str) -> int:
    return int.from_bytes(hashlib.blake2b(id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _record(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict) or not {"id", "suggestions", "withheld", "error"} <= row.keys():
        raise BatchError(f"{path}, line {number}: is no record of a batch; the JSON lines of one are wanted")
    return row


class Since:
    """A suggester that knows what an earlier run said; it takes the place of the model in a batch."""

    def __init__(self, suggester: CodeSuggester, results: Results) -> None:
        self.suggester, self.results, self.name = suggester, results, suggester.name
        self._changed: dict[tuple[str, str, str], npt.NDArray[np.bool_]] = {}

    def suggest(
        self, note: str, *, id: str = "", limit: int | None = None, threshold: float | None = None, **options: Any
    ) -> NoteResult:
        """As `CodeSuggester.suggest`; limit and threshold are those of the earlier run."""
        old = self.results.get(id)
        if old is not None and old["error"] is None and old["model"] == self.name:
            carried = self._carry(note, NoteResult.from_dict(old), **options)
            if carried is not None:
                return carried
        return self.suggester.suggest(note, id=id, limit=limit, threshold=threshold, **options)

    def _carry(self, note: str, old: NoteResult, document_type: str | None = None, **options: Any) -> NoteResult | None:
        """What `suggest` would give, or None if it may differ from the old result.

        Its suggestions stand if no code that is valid on one of the two days only, or has another title, can be a
        candidate. Findings are made anew: they look at neighbours of a code, which may have come or gone.
        """
        text, model = check_text(note), self.suggester
        asked = Asked.checked(model.systems, model.release_day, document_type=document_type, **options)
        reading = model.reader.read(text, document_type)
        setting, systems = (
            asked.setting_for(reading.document_type),
            asked.systems_for(reading.document_type, model.systems),
        )
        if (old.setting, old.document_type, old.systems) != (setting, reading.document_type, systems):
            return None
        if not _of_this_note(old, reading) or any(
            self._may_differ(name, reading, old.service_date, asked.day) for name in systems
        ):
            return None
        release = {name: model.tables[name].release_on(asked.day) for name in systems}
        suggestions = tuple(replace(s, release=release[s.system]) for s in old.suggestions)
        findings = model.review(reading, suggestions, setting, asked)
        return replace(old, service_date=asked.day, suggestions=suggestions, findings=findings, text=text)

    def _may_differ(self, name: str, reading: Reading, one: str, other: str) -> bool:
        engine, config = self.suggester.engines[name], self.suggester.config
        key = (name, one, other)
        if key not in self._changed:
            if len(self._changed) >= 16:  # a run has few days, unless each document names its own
                self._changed.clear()
            self._changed[key] = changed_between(engine.system, one, other)
        changed = self._changed[key]
        if by_lines(reading.document_type, name) or engine.spoken is not None:  # whose candidates are not terms alone
            return bool(changed.any())
        return engine.touched(engine.hits(reading, top=config.terms_per_segment, floor=config.coverage_floor), changed)

    def write_changes(self, new: Iterable[Mapping[str, Any]], out: Path) -> int:
        """A CSV of `CHANGES` from the results to new records. Returns how many documents changed. Raises BatchError."""
        changed = set()
        try:
            with out.open("w", encoding="utf-8", newline="") as handle:
                writer = csv.writer(handle, lineterminator="\n")
                writer.writerow(CHANGES)
                for change in changes(self.results, new):
                    changed.add(change.id)
                    sides = [[s["code"], f"{s['confidence']:.3f}"] if s else ["", ""] for s in (change.old, change.new)]
                    system = (change.old or change.new or {})["system"]
                    writer.writerow([change.id, system, *sides[0], *sides[1], _why(change, self.suggester.tables)])
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise BatchError(f"{out}: cannot be written ({why}); make room and go on with --resume") from None
        return len(changed)


def _of_this_note(old: NoteResult, reading: Reading) -> bool:
    """Whether the phrases a result speaks of are those of the reading: a note that was edited since has others."""
    spans = {(start, end) for start, end, _ in reading.phrase.tolist()}
    withheld = {(w.start, w.end) for w in old.withheld}
    evident = overlap((e.start, e.end) for s in old.suggestions for e in s.evidence)
    return withheld <= spans and all(evident(a, b) for a, b in spans - withheld)


def _load(results: str, index: Path, words: SiteList | None, model: str | Path | None) -> Since:
    return Since(CodeSuggester.load(model, words=words), Results(results, index))


@contextmanager
def loading(results: str | Path, words: str | Path | None = None) -> Iterator[Callable[[str | Path | None], Since]]:
    """What opens, in any process, the model of a batch that goes on from the results of another. words: a site's list.

    The results are read once, here; the processes map the index from a folder that is there as long as the block runs.
    """
    with tempfile.TemporaryDirectory(prefix="codesuggest-since-", ignore_cleanup_errors=True) as folder:
        read = Results(results)
        read.keep(Path(folder))
        read.close()
        yield partial(_load, str(results), Path(folder), None if words is None else SiteList.read(words))


# ---- what changed


class Change(NamedTuple):
    id: str
    old: Mapping[str, Any] | None  #: the suggestion that is no longer made
    new: Mapping[str, Any] | None  #: the one that was not made before
    days: tuple[str, str]  #: of service, in the old record and in the new one


def changes(old: Results, new: Iterable[Mapping[str, Any]]) -> Iterator[Change]:
    """The suggested codes in which the records of two runs differ, old beside new where they rest on the same words."""
    for row in new:
        before = old.get(row["id"])
        if before is not None and before["error"] is None and row["error"] is None:
            yield from _changes(row["id"], before, row)


def _changes(id: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    days = before["service_date"], after["service_date"]
    then, now = [{(s["system"], s["code"]): s for s in row["suggestions"] if s["suggested"]} for row in (before, after)]
    fresh = [now[key] for key in now if key not in then]
    for key in then:
        if key not in now:
            gone = then[key]
            beside = next((s for s in fresh if s["system"] == gone["system"] and _meet(s, gone)), None)
            if beside is not None:
                fresh.remove(beside)
            yield Change(id, gone, beside, days)
    for s in fresh:
        yield Change(id, None, s, days)


def _meet(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return any(a["start"] < b["end"] and b["start"] < a["end"] for a in one["evidence"] for b in other["evidence"])


def _why(change: Change, tables: Mapping[str, CodeSystem]) -> str:
    """What of the code table explains a change, else that the ranking does."""
    for s, day, says in (
        (change.old, change.days[1], "is not valid on"),
        (change.new, change.days[0], "was not valid on"),
    ):
        table = tables.get(s["system"]) if s is not None else None
        code = table.get(s["code"]) if s is not None and table is not None else None
        if code is not None and not code.valid_on(day):
            return f"{code.code} {says} {day}"
    return "ranked differently"
