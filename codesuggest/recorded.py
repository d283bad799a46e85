"""One document -> one record, whatever happens: what every way of reading many documents writes of each."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from codesuggest.config import TOGETHER
from codesuggest.documents import Document
from codesuggest.errors import CodeSuggestError, InputError, OptionError
from codesuggest.records import SCHEMA, NoteResult

if TYPE_CHECKING:
    from codesuggest.site_words import SiteList


class Suggester(Protocol):
    """What a batch needs of a model; `CodeSuggester` is one."""

    @property
    def name(self) -> str: ...

    @property
    def suggest(self) -> Callable[..., NoteResult]: ...


Load = Callable[["str | Path | None"], Suggester]


def load_model(path: str | Path | None, words: SiteList | None = None) -> Suggester:
    from codesuggest.suggester import CodeSuggester  # spaCy and scipy: a second that --help need not wait for

    return CodeSuggester.load(path, words=words)


def with_words(load: Load | None, words: str | Path | None) -> Load | None:
    """What opens, in any process, a model with a site's word list: it is read here, once, and travels along.

    Raises OptionError for a list beside a `load` of the user's, LexiconError for a list that is none.
    """
    if words is None:
        return load
    if load is not None:
        raise OptionError("words are for the models that this library opens; let load take care of them")
    from codesuggest.site_words import SiteList

    return partial(_load_with, SiteList.read(words))


def _load_with(words: SiteList, path: str | Path | None) -> Suggester:
    return load_model(path, words)


def checked(
    suggester: Suggester, options: Mapping[str, Any] | None, limit: int | None, threshold: float | None
) -> dict[str, Any]:
    """The options of all documents of a run; an impossible one is raised now, instead of standing in every record."""
    given = {**(options or {}), "limit": limit, "threshold": threshold}
    given = {key: value for key, value in given.items() if value is not None}
    with suppress(InputError):
        suggester.suggest("", **given)
    return given


def records(
    suggester: Suggester, documents: Sequence[Document], options: Mapping[str, Any], *, show_text: bool = False
) -> list[str]:
    """The JSON line of each document, whatever happens: an error is a record too."""
    out = []
    for start in range(0, len(documents), TOGETHER):
        some = documents[start : start + TOGETHER]
        notes = [{"note": d.text, "id": d.id, **options, **d.options} for d in some if d.problem is None]
        results = iter(_results(suggester, notes))
        out += [_record(suggester, d, d.problem or next(results), show_text) for d in some]
    return out


def _results(suggester: Suggester, notes: Sequence[Mapping[str, Any]]) -> list[NoteResult | Exception]:
    """Of each note what the model says, or why it says nothing."""
    together = getattr(suggester, "suggest_together", None)
    if together is not None:
        try:
            return list(together(notes))
        except Exception:  # which of them it was shows when they are taken one by one
            pass
    out: list[NoteResult | Exception] = []
    for note in notes:
        text, options = note["note"], {key: value for key, value in note.items() if key != "note"}
        try:
            out.append(suggester.suggest(text, **options))
        except Exception as error:
            out.append(error)
    return out


def _record(suggester: Suggester, document: Document, result: NoteResult | Exception, show_text: bool) -> str:
    try:
        if isinstance(result, Exception):
            raise result
        return result.to_json(show_text=show_text)
    except CodeSuggestError as error:
        return error_record(suggester, document, error.code, str(error))
    except Exception as error:  # one document must not end a run of thousands; what it was is kept, without its text
        return error_record(suggester, document, "internal", f"{describe(error)}; the other documents are not affected")


def describe(error: BaseException) -> str:
    """Type of an unexpected error and the line of this package it came from; not its text, which may quote a note."""
    where = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module.split(".")[0] == "codesuggest":
            where = f" at {module}:{line}"
    return type(error).__qualname__ + where


def error_record(suggester: Suggester, document: Document, code: str, message: str) -> str:
    row = {
        "schema": SCHEMA,
        "id": document.id,
        "model": suggester.name,
        "suggestions": [],
        "withheld": [],
        "findings": [],
        "cautions": [],
        "error": {"code": code, "message": message},
    }
    return json.dumps(row, ensure_ascii=True, separators=(",", ":"))


def is_error(line: str) -> bool:
    return '"error":null' not in line  # inside a string its quotes would be escaped
