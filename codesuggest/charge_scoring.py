"""Charge lines against the codes of one system: candidates, named features, suggestions with evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.charges import (
    COLUMN,
    LINE_FEATURES,
    ChargeLines,
    Line,
    columns_of,
    forms_said,
    is_one_maker,
    is_unlisted,
)
from codesuggest.codes.system import CodeSystem
from codesuggest.records import Evidence, Suggestion
from codesuggest.units import billing_unit, doses

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ChargeTable:
    """What of a code system the scoring of charge lines needs, computed once: chapters and families of the codes, what their
    titles say, and the columns of the matrices. All arrays (k,)."""

    chapter: Ints
    family: Ints
    columns: int
    unlisted: Floats
    one_maker: Floats
    forms: tuple[frozenset[str], ...]
    unit: tuple[tuple[Any, str] | None, ...]

    @classmethod
    def of(cls, system: CodeSystem) -> ChargeTable:
        titles = [system.title(i) for i in range(len(system))]
        return cls(
            *columns_of(system),
            np.array([is_unlisted(t) for t in titles], np.float32),
            np.array([is_one_maker(t) for t in titles], np.float32),
            tuple(forms_said(t) for t in titles),
            tuple(_unit(t) for t in titles),
        )


def _unit(title: str) -> tuple[Any, str] | None:
    unit = billing_unit(title)
    found = doses(unit) if unit else []
    return (found[0].amount, found[0].dimension) if found else None


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidates of one line: code (n,) int32 ascending, x (n, F) float32."""

    code: Ints
    x: Floats


class ChargeScorer:
    """Scores lines against the codes of one system. Made once a model and kept: the matrices are built at the first line."""

    def __init__(self, lines: ChargeLines, system: CodeSystem) -> None:
        self.lines, self.system, self.table = lines, system, ChargeTable.of(system)
        self._k = len(system)
        self._weight = lines.matrix("weight", self.table.columns)
        self._like = lines.matrix("like", self._k)
        self._vote = lines.matrix("vote", self._k)
        self._known = self._like.copy()
        self._known.data = np.ones_like(self._known.data)
        self._text = lines.matrix("text", len(lines.text_code))
        self._square = lines.idf.astype(np.float32) ** 2
        self._of_words = np.array([g[0] == "=" for g in lines.grams], np.float32)
        self._is_word = np.array([g[0] == "=" and " " not in g for g in lines.grams], np.float32)
        from scipy import sparse

        self._said = sparse.diags_array(self._square * self._is_word) @ self._text.sign()
        order = np.argsort(lines.text_code, kind="stable")
        self._order, self._code_of = order, lines.text_code[order]
        self._starts = np.flatnonzero(np.r_[True, self._code_of[1:] != self._code_of[:-1]]) if len(order) else order

    def candidates(self, lines: Sequence[Line], allowed: npt.NDArray[np.bool_]) -> list[Scored]:
        """The codes each line may mean, with their features. allowed: bool (k,)."""
        out: list[Scored] = []
        for low in range(0, len(lines), 64):
            out += self._some(lines[low : low + 64], allowed)
        return out

    def _by_code(self, values: Any) -> Floats:
        """Largest value of each code's texts: (n, t) -> (n, k)."""
        out = np.zeros((values.shape[0], self._k), np.float32)
        if len(self._order):
            out[:, self._code_of[self._starts]] = np.maximum.reduceat(values[:, self._order], self._starts, axis=1)
        return out

    def _some(self, lines: Sequence[Line], allowed: npt.NDArray[np.bool_]) -> list[Scored]:
        words = [[word for word, _, _ in line.words] for line in lines]
        q = self.lines.vectors(words)
        k, n = self._k, len(lines)
        learned = (q @ self._weight).toarray()
        code, like = learned[:, :k], (q @ self._like).toarray()
        present = q.sign()
        by_word, by_gram = present * (self._square * self._is_word)[None, :], present * self._square[None, :]
        whole_word = np.maximum(np.asarray(by_word.sum(1)).reshape(n, 1), 1e-6)
        whole_gram = np.maximum(np.asarray(by_gram.sum(1)).reshape(n, 1), 1e-6)
        words_known = (by_word @ self._known).toarray() / whole_word
        ngrams_known = (by_gram @ self._known).toarray() / whole_gram
        of_words = present * self._of_words[None, :]
        vote = (of_words @ self._vote).toarray() / np.maximum(np.asarray(of_words.sum(1)).reshape(n, 1), 1)
        cosine = self._by_code((q @ self._text).toarray())
        held = (present @ self._said).toarray()
        said, explained = held / np.maximum(self.lines.text_mass, 1e-6)[None, :], held / whole_word
        both = self._by_code(np.sqrt(said * explained))
        said, explained = self._by_code(said), self._by_code(explained)
        out = []
        barred = np.where(allowed, 0, -np.inf).astype(np.float32)
        for i, line in enumerate(lines):
            columns = (code[i], like[i], cosine[i], both[i], said[i], vote[i])
            chosen = sorted(
                {c for v, size in zip(columns, (20, 20, 30, 20, 10, 10), strict=True) for c in _top(v + barred, size)}
            )
            at = np.array(chosen, np.int32)
            x = np.zeros((len(at), len(LINE_FEATURES)), np.float32)
            prior = self.lines.prior[at]
            unseen = prior == 0
            put = {
                "learned:code": code[i, at],
                "learned:code_square": code[i, at] ** 2,
                "learned:code_best": (code[i, at] >= code[i].max(initial=0) - 1e-9) & (code[i, at] > 0),
                "learned:chapter": learned[i, self.table.chapter[at]],
                "learned:family": learned[i, self.table.family[at]],
                "learned:like": like[i, at],
                "learned:like_best": (like[i, at] >= like[i].max(initial=0) - 1e-9) & (like[i, at] > 0),
                "learned:vote": vote[i, at],
                "learned:vote_best": (vote[i, at] >= vote[i].max(initial=0) - 1e-9) & (vote[i, at] > 0),
                "learned:words_known": words_known[i, at],
                "learned:ngrams_known": ngrams_known[i, at],
                "learned:prior": prior,
                "learned:seen": ~unseen,
                "table:like": cosine[i, at],
                "table:like_best": (cosine[i, at] >= cosine[i].max(initial=0) - 1e-9) & (cosine[i, at] > 0),
                "table:like_unseen": cosine[i, at] * unseen,
                "table:term_said": said[i, at],
                "table:line_explained": explained[i, at],
                "table:both": both[i, at],
                "table:both_unseen": both[i, at] * unseen,
                "code:unlisted": self.table.unlisted[at],
                "code:unlisted_though_named": self.table.unlisted[at] * both[i].max(initial=0),
                "code:one_maker": self.table.one_maker[at],
            }
            for name, values in put.items():
                x[:, COLUMN[name]] = values
            self._forms_and_units(line.text, at, x)
            out.append(Scored(at, x))
        return out

    def _forms_and_units(self, text: str, at: Ints, x: Floats) -> None:
        forms = forms_said(text)
        amounts = {(d.amount, d.dimension) for d in doses(text)}
        dimensions = {dimension for _, dimension in amounts}
        for row, i in enumerate(at.tolist()):
            own, unit = self.table.forms[i], self.table.unit[i]
            if forms and own:
                x[row, COLUMN["form:agrees" if forms & own else "form:differs"]] = 1
            if unit is not None:
                x[row, COLUMN["unit:said"]] = unit in amounts
                x[row, COLUMN["unit:countable"]] = unit[1] in dimensions

    # -- suggestions -------------------------------------------------------------------------------------------------

    def suggest(
        self,
        lines: Sequence[Line],
        allowed: npt.NDArray[np.bool_],
        *,
        limit: int,
        floor: float,
        threshold: float | None,
        places: int,
    ) -> list[Suggestion]:
        """The best codes of a list of charges, best first: of each line its candidates, a code of several lines with all of them.

        limit: suggestions listed. floor: confidence from which one is listed. threshold: from which it counts as suggested, by
        default the model's. places: evidence a suggestion.
        """
        known = self.lines
        best: dict[int, tuple[float, Any, list[tuple[bool, float, Line]]]] = {}
        for line, scored in zip(lines, self.candidates(lines, allowed), strict=True):
            score = known.score(scored.x)
            for rank, row in enumerate(np.lexsort((scored.code, -score))[:limit].tolist()):
                code, value = int(scored.code[row]), float(score[row])
                top, x, found = best.get(code, (-np.inf, None, []))
                found.append((rank == 0, value, line))
                best[code] = (value, scored.x[row], found) if value > top else (top, x, found)
        bar = known.threshold if threshold is None else threshold
        out: list[Suggestion] = []
        for code, (value, x, found) in sorted(best.items(), key=lambda item: (-item[1][0], item[0])):
            confidence = float(known.confidence(np.array(value)))
            if confidence < floor or len(out) == limit:
                continue
            found.sort(key=lambda place: (-place[1], place[2].start))
            code_of = self.system.view(code)
            out.append(
                Suggestion(
                    system=self.system.name,
                    release=self.system.release,
                    code=code_of.code,
                    display=code_of.display,
                    confidence=confidence,
                    suggested=confidence >= bar,
                    score=value,
                    intercept=known.intercept,
                    why=known.why(x),
                    evidence=tuple(
                        self._evidence(line, code) for leads, own, line in found[:places] if leads or own == value
                    ),
                )
            )
        return out

    def _evidence(self, line: Line, code: int) -> Evidence:
        start, end = self.spans(line, code)
        title = self.system.view(code).display
        return Evidence(start=start, end=end, section=None, assertion="affirmed", term=title, basis="text", cue=None)

    def spans(self, line: Line, code: int) -> tuple[int, int]:
        """From the first to the last word of the line that speaks for the code, else the whole line."""
        told = [(a, b) for word, a, b in line.words if word != "#" and self._speaks(word, code)]
        return (told[0][0], told[-1][1]) if told else (line.start, line.end)

    def _speaks(self, word: str, code: int) -> bool:
        i = self.lines.number.get(f"={word}", -1)
        if i < 0:
            return False
        a, b = self.lines.text_indptr[i : i + 2]
        if (self.lines.text_code[self.lines.text_column[a:b]] == code).any():
            return True
        a, b = self.lines.weight_indptr[i : i + 2]
        own = self.lines.weight_column[a:b] == code
        return bool((self.lines.weight_value[a:b][own] > 0).any())


def _top(values: Floats, size: int) -> Iterable[int]:
    """Positions of the largest positive values, at most `size`, ties by position."""
    above = np.flatnonzero(values > 1e-6)
    if len(above) > size:
        least = np.partition(values[above], len(above) - size)[len(above) - size]
        above = above[values[above] >= least]
        above = above[np.lexsort((above, -values[above]))][:size]
    return above.tolist()
