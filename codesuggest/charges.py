"""Charge lines: one short description of something billed -> codes, as a chargemaster or a superbill writes it.

"HC CATH DRAIN PIGTAIL 10FR", "ceftriaxone 250 mg solution for injection", "ECHG EMS BLS NON-EMERGENT" are no sentences: words are
cut short, the maker's catalogue number stands beside the size, and there is no section or negation to mind. So a line is read
as a bag of words, word pairs and character n-grams (2 to 5, within a word), every number as one sign, and a (line, code) pair is
scored by a logistic regression over the named features of LINE_FEATURES:

* learned:* from lines that were coded: a ridge regression of the code, of its first character and of its first three on the
  n-grams; likeness to the mean of the code's lines; how much of the line any line of the code has held; how frequent it is.
* table:* from the code table, titles and terms each for itself: cosine of n-grams, share of the term's words in the line and of
  the line's words in the term (weighted by idf squared).
* code:*, form:*, unit:* what the title says: no code of its own ("unclassified"), one maker's version, given by mouth or injected,
  and whether the line states the very amount that is one unit of the code.

Nothing but weights over n-grams is kept of the training lines, and no number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.codes.system import CodeSystem
from codesuggest.concepts import trimmed

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

LINE_FEATURES = (
    "learned:code",
    "learned:code_square",
    "learned:code_best",
    "learned:chapter",
    "learned:family",
    "learned:like",
    "learned:like_best",
    "learned:vote",
    "learned:vote_best",
    "learned:words_known",
    "learned:ngrams_known",
    "learned:prior",
    "learned:seen",
    "table:like",
    "table:like_best",
    "table:like_unseen",
    "table:term_said",
    "table:line_explained",
    "table:both",
    "table:both_unseen",
    "code:unlisted",
    "code:unlisted_though_named",
    "code:one_maker",
    "form:agrees",
    "form:differs",
    "unit:said",
    "unit:countable",
)
COLUMN = {name: i for i, name in enumerate(LINE_FEATURES)}
#: Weights of a model that was shown no charge line: by hand, not fitted to any.
TABLE_ONLY = {
    "table:like": 4.0,
    "table:like_best": 0.5,
    "table:term_said": 1.0,
    "table:line_explained": 1.0,
    "table:both": 4.0,
    "code:unlisted": -0.5,
    "code:one_maker": -1.0,
    "form:agrees": 0.5,
    "form:differs": -1.0,
    "unit:said": 0.3,
}
TABLE_ONLY_INTERCEPT = -5.0

_TOKEN = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*|%")
WORDS, CHARACTERS = (
    0.6,
    0.8,
)  #: lengths of the two parts of a line's vector: there are ten times as many n-grams of characters
LONGEST = 5  #: characters of an n-gram, the blank around a word included
_UNLISTED = re.compile(
    r"\bunclassified\b|not otherwise (?:classified|specified)|not elsewhere|\bnot listed\b|\bmiscellaneous\b|without a code",
    re.I,
)
_ONE_MAKER = re.compile(r"not therapeutically equivalent|compounded product", re.I)
#: How a thing is given, as lines and titles say it.
_FORMS = {
    "oral": re.compile(
        r"\b(?:tab(?:let)?s?|cap(?:sule)?s?|oral(?:ly)?|p\.?o|syrup|elixir|lozenge|mouthwash|chew(?:able)?)\b", re.I
    ),
    "injected": re.compile(
        r"\b(?:inj(?:ection|ectable)?|iv|im|sq|intravenous|intramuscular|subcutaneous|infusion|vial|syringe|syr|ivpb|premix|intrathec\w*)\b",
        re.I,
    ),
    "inhaled": re.compile(r"\b(?:inh(?:al\w*)?|neb(?:ul\w*)?|inhaler|hfa)\b", re.I),
    "local": re.compile(
        r"\b(?:cream|oint(?:ment)?|topical|lotion|ophthalmic|eye drops?|otic|suppository|patch|gel|rectal|nasal)\b", re.I
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A charge line as it is scored. start, end: code points of the document; words: with the place of each."""

    text: str
    start: int
    end: int
    words: tuple[tuple[str, int, int], ...]


def lines_of(text: str) -> list[Line]:
    """The lines of a document that hold a word; a list of charges is a line each."""
    out, at = [], 0
    for raw in text.split("\n"):
        words = tuple((word_of(m.group()), at + m.start(), at + m.end()) for m in _TOKEN.finditer(raw))
        if any(word != "#" for word, _, _ in words):
            start = at + len(raw) - len(raw.lstrip())
            out.append(Line(raw.strip(), start, start + len(raw.strip()), words))
        at += len(raw) + 1
    return out


def word_of(token: str) -> str:
    """A word in lower case; any number is one sign: no size, catalogue or account number is ever learned."""
    return "#" if token[0].isdigit() else token.lower()


def ngrams(words: Sequence[str]) -> list[str]:
    """The n-grams of a line: "=word", "=two words" and character n-grams of each word with the blanks around it."""
    out = [f"={w}" for w in words]
    out += [f"={a} {b}" for a, b in pairwise(words)]
    for word in words:
        padded = f" {word} "
        for size in range(2, LONGEST + 1):
            out += [padded[i : i + size] for i in range(max(1, len(padded) - size + 1))]
            if len(padded) <= size:
                break
    return out


def words_in(text: str) -> list[str]:
    return [word_of(m.group()) for m in _TOKEN.finditer(text)]


def forms_said(text: str) -> frozenset[str]:
    return frozenset(name for name, pattern in _FORMS.items() if pattern.search(text))


def is_unlisted(title: str) -> bool:
    """A code for what has no code of its own."""
    return bool(_UNLISTED.search(title))


def is_one_maker(title: str) -> bool:
    """One maker's version of a drug that has a general code."""
    return bool(_ONE_MAKER.search(title))


@dataclass(frozen=True)
class ChargeLines:
    """What is known of how charge lines are coded in one system (g n-grams, k codes, t texts of the table).

    grams, idf (g,). weight_*: CSR (g, k + chapters + families) of the ridge regression. like_*: CSR (g, k), mean line of each
    code, unit length. vote_*: CSR (g, k), P(code | word or word pair), shrunk. text_*: CSR (g, t), the titles and terms, unit
    length. text_code (t,), text_mass (t,): code and sum of idf^2 of the words of each text. prior (k,): ln(1 + lines).
    weights (F,), knots_*, threshold: see `rank.Ranker`.
    """

    grams: tuple[str, ...]
    idf: Floats
    weight_indptr: Ints
    weight_column: Ints
    weight_value: Floats
    like_indptr: Ints
    like_column: Ints
    like_value: Floats
    vote_indptr: Ints
    vote_column: Ints
    vote_value: Floats
    text_indptr: Ints
    text_column: Ints
    text_value: Floats
    text_code: Ints
    text_mass: Floats
    prior: Floats
    weights: npt.NDArray[np.float64]
    intercept: float
    knots_score: npt.NDArray[np.float64]
    knots_confidence: npt.NDArray[np.float64]
    threshold: float

    # -- scoring -----------------------------------------------------------------------------------------------------

    def score(self, x: Floats) -> npt.NDArray[np.float64]:
        return np.asarray(self.intercept + (x.astype(np.float64) * self.weights).sum(1))

    def confidence(self, score: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.interp(score, self.knots_score, self.knots_confidence))

    def why(self, x: Floats) -> Mapping[str, float]:
        """Contributions of one candidate, largest first; with the intercept they sum to the score."""
        parts = x.astype(np.float64) * self.weights
        shown = np.flatnonzero(parts)
        return {LINE_FEATURES[i]: float(parts[i]) for i in shown[np.lexsort((shown, -np.abs(parts[shown])))]}

    # -- arrays ------------------------------------------------------------------------------------------------------

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NOT_ARRAYS}

    def settings(self) -> dict[str, Any]:
        """What stands in lines/ranker.json."""
        return {
            "weights": {f: float(w) for f, w in zip(LINE_FEATURES, self.weights, strict=True) if w},
            "intercept": self.intercept,
            "knots_score": self.knots_score.tolist(),
            "knots_confidence": self.knots_confidence.tolist(),
            "threshold": self.threshold,
        }

    @classmethod
    def from_parts(
        cls, arrays: Mapping[str, npt.NDArray[Any]], grams: Sequence[str], settings: Mapping[str, Any]
    ) -> ChargeLines:
        """The lines that gave these parts. Raises KeyError, TypeError, ValueError where they are no such parts."""
        unknown = sorted(set(settings["weights"]) - set(LINE_FEATURES))
        if unknown:
            raise ValueError(f"weights for unknown features {unknown}")
        return cls(
            grams=tuple(grams),
            weights=np.array([settings["weights"].get(f, 0.0) for f in LINE_FEATURES]),
            intercept=float(settings["intercept"]),
            knots_score=np.array(settings["knots_score"], np.float64),
            knots_confidence=np.array(settings["knots_confidence"], np.float64),
            threshold=float(settings["threshold"]),
            **arrays,
        )

    def fits(self, system: CodeSystem) -> bool:
        """Whether every index points inside the array it is for."""
        g, t, codes = len(self.grams), len(self.text_code), len(system)
        columns = columns_of(system)[2]
        parts = (
            (self.weight_indptr, self.weight_column, self.weight_value, columns),
            (self.like_indptr, self.like_column, self.like_value, codes),
            (self.vote_indptr, self.vote_column, self.vote_value, codes),
            (self.text_indptr, self.text_column, self.text_value, t),
        )
        whole = all(
            len(indptr) == g + 1
            and int(indptr[0]) == 0
            and int(indptr[-1]) == len(column) == len(value)
            and not bool((np.diff(indptr) < 0).any())
            and (not len(column) or 0 <= int(column.min()) <= int(column.max()) < bound)
            for indptr, column, value, bound in parts
        )
        inside = not t or 0 <= int(self.text_code.min()) <= int(self.text_code.max()) < codes
        return whole and inside and len(self.idf) == g and len(self.text_mass) == t and len(self.prior) == codes

    def moved(self, old: CodeSystem, new: CodeSystem) -> ChargeLines:
        """The same over another table of the system: what lines taught stays with its codes, the texts are the new table's.

        What was learned of a code that is gone is left out. n-grams that only the new table holds come to the end, as rare
        as the rarest, for no line was seen with them.
        """
        place = _places(np.asarray(old.codes), np.asarray(new.codes))
        column = np.concatenate([place, *_regions(old, new)])
        parts: dict[str, Any] = {}
        for part, at in (("weight", column), ("like", place), ("vote", place)):
            indptr, old_column, value = (getattr(self, f"{part}_{name}") for name in ("indptr", "column", "value"))
            parts |= _renumbered(part, indptr, old_column, value, at)
        prior = np.zeros(len(new), np.float32)
        prior[place[place >= 0]] = self.prior[place >= 0]
        texts = texts_of(new)
        words = [words_in(text) for _, text in texts]
        more = [gram for gram in _vocabulary((), (), words, 1)[0] if gram not in self.number]
        for part in ("weight", "like", "vote"):
            indptr = parts[f"{part}_indptr"]
            parts[f"{part}_indptr"] = np.append(indptr, np.full(len(more), indptr[-1])).astype(np.int32)
        idf = np.append(self.idf, np.full(len(more), self.idf.max(initial=1.0))).astype(np.float32)
        return _with_texts(replace(self, grams=(*self.grams, *more), idf=idf, prior=prior, **parts), texts)

    @cached_property
    def number(self) -> dict[str, int]:
        return {gram: i for i, gram in enumerate(self.grams)}

    def vectors(self, lines: Sequence[Sequence[str]]) -> Any:
        """(n, g) CSR: (1 + ln count) * idf of each line's n-grams; those of words have length WORDS, of characters CHARACTERS."""
        from scipy import sparse

        indptr, columns, values = [0], [], []
        for words in lines:
            counts: dict[int, int] = {}
            for gram in ngrams(words):
                i = self.number.get(gram, -1)
                if i >= 0:
                    counts[i] = counts.get(i, 0) + 1
            own = sorted(counts)
            weight = np.array([1.0 + math.log(counts[i]) for i in own]) * self.idf[own]
            of_words = np.array([self.grams[i][0] == "=" for i in own], bool)
            for block, size in ((of_words, WORDS), (~of_words, CHARACTERS)):
                weight[block] *= size / max(float(np.sqrt((weight[block] ** 2).sum())), 1e-9)
            columns += own
            values += weight.tolist()
            indptr.append(len(columns))
        arrays = (np.array(values, np.float32), np.array(columns, np.int32), np.array(indptr, np.int32))
        return sparse.csr_array(arrays, shape=(len(lines), len(self.grams)))

    def matrix(self, part: str, columns: int) -> Any:
        from scipy import sparse

        data = (getattr(self, f"{part}_{name}") for name in ("value", "column", "indptr"))
        return sparse.csr_array(tuple(data), shape=(len(self.grams), columns))


_NOT_ARRAYS = ("grams", "weights", "intercept", "knots_score", "knots_confidence", "threshold")


def texts_of(system: CodeSystem) -> list[tuple[int, str]]:
    """(position, text) of what names the billable codes: title, title without what it says by default, terms."""
    out: list[tuple[int, str]] = []
    for i in np.flatnonzero(system.billable).tolist():
        title = system.title(i)
        own = [title, trimmed(title), *(text for _, text in system.terms_of(i))]
        out += [(i, text) for text in dict.fromkeys(own) if text]
    return out


def from_table(
    system: CodeSystem, rows: Sequence[Sequence[str]] = (), groups: Sequence[str] = (), *, min_groups: int = 1
) -> ChargeLines:
    """What the table alone tells, ranked by the weights of TABLE_ONLY; for a model that was shown no charge line.

    rows, groups: words and group of the lines that shall be learned from next: they widen the vocabulary. min_groups: an
    n-gram that the table does not hold is kept only if lines of so many groups do (invariant 5).
    """
    texts = texts_of(system)
    words = [words_in(text) for _, text in texts]
    grams, idf = _vocabulary(rows, groups, words, min_groups)
    none, empty = np.zeros(0, np.float32), np.zeros(0, np.int32)
    blank = np.zeros(len(grams) + 1, np.int32)
    base = ChargeLines(
        grams, idf, blank, empty, none, blank, empty, none, blank, empty, none, blank, empty, none,
        np.array([i for i, _ in texts], np.int32), none,
        np.zeros(len(system), np.float32),
        np.array([TABLE_ONLY.get(f, 0.0) for f in LINE_FEATURES]), TABLE_ONLY_INTERCEPT,
        np.array([-6.0, 0.0, 4.0]), np.array([0.01, 0.5, 0.9]), 0.5,
    )  # fmt: skip
    return _with_texts(base, texts)


def _with_texts(lines: ChargeLines, texts: Sequence[tuple[int, str]]) -> ChargeLines:
    """The lines with these texts of codes, (position, text), in place of those they have."""
    words = [words_in(text) for _, text in texts]
    own = [{lines.number[f"={w}"] for w in text if f"={w}" in lines.number} for text in words]
    mass = [sum(float(lines.idf[g]) ** 2 for g in sorted(numbers)) for numbers in own]
    return replace(
        lines,
        **csr_of("text", lines.vectors(words).T.tocsr()),
        text_code=np.array([i for i, _ in texts], np.int32),
        text_mass=np.array(mass, np.float32),
    )


def _places(old: npt.NDArray[np.bytes_], new: npt.NDArray[np.bytes_]) -> npt.NDArray[np.int64]:
    """Where each of the old keys stands among the new, both ascending; -1 where it does not."""
    at = np.minimum(np.searchsorted(new, old), max(0, len(new) - 1))
    return np.asarray(np.where(new[at] == old, at, -1))


def _regions(old: CodeSystem, new: CodeSystem) -> list[npt.NDArray[np.int64]]:
    """Where the columns of chapters and of families of one table stand among those of another; see `columns_of`."""
    out, first = [], len(new)
    for size in ("S1", "S3"):
        before, after = (np.unique(np.asarray(table.codes).astype(size)) for table in (old, new))
        at = _places(before, after)
        out.append(np.where(at >= 0, at + first, -1))
        first += len(after)
    return out


def _renumbered(part: str, indptr: Ints, column: Ints, value: Floats, at: npt.NDArray[np.int64]) -> dict[str, Any]:
    """A sparse matrix with its columns at other places, those at -1 left out, under the names of ChargeLines."""
    row = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    moved = at[column]
    keep = moved >= 0
    order = np.lexsort((moved[keep], row[keep]))
    count = np.bincount(row[keep], minlength=len(indptr) - 1)
    return {
        f"{part}_indptr": np.concatenate([[0], np.cumsum(count)]).astype(np.int32),
        f"{part}_column": moved[keep][order].astype(np.int32),
        f"{part}_value": value[keep][order],
    }


def _vocabulary(
    rows: Sequence[Sequence[str]], groups: Sequence[str], texts: Sequence[Sequence[str]], min_groups: int
) -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
    """N-grams of the table and of the lines of enough groups, and their idf; of characters only those that stand twice."""
    count: dict[str, int] = {}
    held: dict[str, set[str]] = {}
    for words, group in zip(rows, groups, strict=True):
        for gram in set(ngrams(words)):
            count[gram] = count.get(gram, 0) + 1
            seen = held.setdefault(gram, set())
            if len(seen) < min_groups:
                seen.add(group)
    of_table: dict[str, int] = {}
    for words in texts:
        for gram in set(ngrams(words)):
            of_table[gram] = of_table.get(gram, 0) + 1
    every = {**of_table, **count}
    kept = sorted(
        gram
        for gram in every
        if (gram in of_table or len(held[gram]) >= min_groups)
        and (gram[0] == "=" or of_table.get(gram, 0) + count.get(gram, 0) >= 2)
    )
    total = len(rows) + len(texts)
    df = np.array([count.get(g, 0) + of_table.get(g, 0) for g in kept], np.float64)
    return tuple(kept), (np.log((1 + total) / (1 + df)) + 1).astype(np.float32)


def csr_of(part: str, matrix: Any) -> dict[str, Any]:
    """The three arrays of a sparse matrix, under the names they have in ChargeLines."""
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return {
        f"{part}_indptr": matrix.indptr.astype(np.int32),
        f"{part}_column": matrix.indices.astype(np.int32),
        f"{part}_value": matrix.data.astype(np.float32),
    }


def columns_of(system: CodeSystem) -> tuple[Ints, Ints, int]:
    """Columns of the regression: of the chapter (first character) and family (first three) of each code, and how many in all.

    The codes themselves come first.
    """
    codes = np.asarray(system.codes)
    chapter = np.unique(codes.astype("S1"), return_inverse=True)[1].astype(np.int32) + len(codes)
    family = (
        np.unique(codes.astype("S3"), return_inverse=True)[1].astype(np.int32)
        + int(chapter.max(initial=len(codes)))
        + 1
    )
    return chapter, family, int(family.max(initial=len(codes))) + 1
