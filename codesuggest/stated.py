"""Statements that stand for a code without one of its terms (`pipes/effects.py`), as matches of the code's title."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from codesuggest.codes.system import CodeSystem
from codesuggest.note import Reading
from codesuggest.retrieve import Hits, TermIndex
from codesuggest.static import Static


def with_stated(hits: Hits, reading: Reading, index: TermIndex, system: CodeSystem, static: Static) -> Hits:
    """The matches and one more of each statement: the whole title of the first code it begins, as compact as it is sure.

    Statements have segments of their own behind all other, so that the order of the matches holds.
    """
    codes = np.asarray(system.codes)
    rows = []
    for begin, word, sure in reading.stated:
        at = int(np.searchsorted(codes, begin.encode()))
        while at < len(codes) and codes[at].startswith(begin.encode()) and static.concept[at] < 0:
            at += 1  # headers
        if at == len(codes) or not codes[at].startswith(begin.encode()):
            continue  # no such intent: nobody takes heroin as prescribed
        term = int(static.title_term[static.concept[at]])
        if term >= 0:
            rows.append((term, reading.segment_of_word[word], 1.0, sure, word, word, sure**4, index.size[term], 1))
    if not rows:
        return hits
    more = np.array(rows, np.float64).T
    columns = [np.append(getattr(hits, f.name), own) for f, own in zip(fields(Hits), more, strict=True)]
    kinds = [getattr(hits, f.name).dtype for f in fields(Hits)]
    # of one note they are the last as it is; of several that are read together each belongs behind its own note's
    order = columns[1].argsort(kind="stable")
    return Hits(*(column.take(order).astype(kind) for column, kind in zip(columns, kinds, strict=True)))
