"""Look-up: a person types words or a code, and the codes of one system come ranked.

The same concepts and terms that read notes answer here, without the ranker, which judges what a note is billed for; so a
bare `CodeSystem` answers too, from an index over its titles and terms that is built at its first search.

What a look-up does that reading a note does not: the last word may be half typed, a word no table knows is read with one
letter mended, a small "af" may be the abbreviation AF, and every word asked for counts. With w(f) = idf(f)^2,

    asked  = sum of w over the words of the query that the code says / sum of w over all words of the query
    said   = sum of w over the forms of the term that the query says / sum of w over all forms of the term
    score  = asked^2 * (0.5 + 0.5 * said), times or plus the small habits below

A code says the forms of its best term and, of its title, side and encounter. Ties are broken by code.
"""

from __future__ import annotations

import datetime as dt
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from codesuggest.codes import normalise
from codesuggest.codes.system import Code, CodeSystem
from codesuggest.concepts import KINDS, ROUTES, SIDES, Concepts, build, entries_of
from codesuggest.errors import NotTextError, OptionError
from codesuggest.pipes.phrases import WordReader
from codesuggest.retrieve import TermIndex

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

#: Concepts whose codes are ranked in full; the term score alone chooses them.
CONCEPTS = 40
#: Characters of a query that are read: nobody types more, and a pasted note must not cost its length in memory.
LONGEST = 300
#: What a half-typed or mended word is worth beside the word itself.
GUESSED = 0.85
#: The habits of coders, small beside a word that fits: how everyday a concept is (0 to 3), how often its code was assigned.
COMMON, PRIOR = 0.015, 0.02
OTHER = 0.06  #: taken from "other ..." unless the query says other
#: What is left of the score when a relative's or a past condition (Z80-Z87) is not asked for, and of a drug's name.
ROUTE, DRUG = 0.6, 0.7
#: Encounters in the order in which a coder looks for them (I.C.19.a): initial, subsequent, sequela, then by letter.
_ENCOUNTERS = "ADSBCEFGHJKMNPQR"
_LATE = np.array([max(0, _ENCOUNTERS.find(chr(letter))) for letter in range(256)])
ENCOUNTERS = "initial subsequent sequela encounter closed open routine healing"
#: A side or an encounter chooses among the codes of a condition; it weighs little in choosing the condition.
CHOOSES = 0.35
OWN = (KINDS.index("idiom"), KINDS.index("abbreviation"))
FAMILY, PERSONAL = ROUTES.index("family"), ROUTES.index("personal")
UNSPECIFIED = SIDES.index("unspecified")
_TYPED = re.compile(r"(?=.*\d)[A-Z0-9]{3,7}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
#: What is written short in a search, and would be misread in a note.
_SHORT = {"r": "right", "l": "left", "fh": "family history", "fhx": "family history", "ph": "personal history"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One word of a query: the forms it may stand for, the weight it has, and how sure its reading is, in (0, 1]."""

    forms: tuple[int, ...]
    weight: float
    sure: tuple[float, ...]


class Lookup:
    """Ranked look-up in one system. Made by `of`, or over the parts of a model's engine; safe to share between threads."""

    def __init__(
        self,
        system: CodeSystem,
        concepts: Concepts,
        index: TermIndex,
        form_ids: Mapping[str, int],
        words: WordReader,
        prior: Floats | None = None,
    ) -> None:
        """prior: float32 (n codes,), how usual a code is, 0 upwards (`Learned.code_prior`)."""
        self.system, self.concepts, self.index = system, concepts, index
        self._words = words
        # encounters are no part of the terms of concepts, and need numbers behind those of the index
        more = dict.fromkeys(f for f in words.forms_of(f"{ENCOUNTERS} {' '.join(SIDES)}") if f not in form_ids)
        self._ids = {**form_ids, **{form: len(index.idf) + n for n, form in enumerate(more)}}
        self._prior = np.zeros(len(system), np.float32) if prior is None else prior
        self._encounters: dict[tuple[int, int], frozenset[int]] = {}

    @classmethod
    def of(cls, system: CodeSystem) -> Lookup:
        """Over the titles and terms of a bare system: 98,000 ICD-10-CM codes take about 6 s, once."""
        words, entries = WordReader(), entries_of(system)
        words.learn(sorted({w for e in entries for t in (e.title, *e.terms) for w in re.findall(r"[^\W_]+", t)}))
        concepts, terms = build(entries, words.forms_of)
        vocabulary = sorted({form for forms in terms for form in forms})
        ids = {form: i for i, form in enumerate(vocabulary)}
        return cls(system, concepts, _index(terms, ids), ids, words)

    # ---- the query

    def search(self, text: str, *, limit: int = 10, date: dt.date | str | int | None = None) -> list[Code]:
        """The billable codes that fit best, best first; a code that was typed comes first, be it a header.

        date: on which the codes are valid; by default the release's own. About 3 ms among 75,000 codes. Raises
        OptionError, NotTextError.
        """
        checked_limit(limit)
        if not isinstance(text, str):
            raise NotTextError(f"a search takes a str, not {type(text).__name__}")
        text = text[:LONGEST]
        if typed := self.typed(text, limit=limit, date=date):
            return typed
        allowed = self.system.billable_on(date)
        asked = self._read(text) or self._read(text.upper())  # "ms" is also a unit of time
        if not asked:
            return []
        scored = sorted(self._scored(asked, allowed))
        return [self.system.view(code) for _, code in scored[:limit]]

    def typed(self, text: str, *, limit: int = 10, date: dt.date | str | int | None = None) -> list[Code]:
        """The code that was typed, and the billable ones that begin with it: "e11.2", "0DTJ". Nothing for words."""
        key = normalise(self.system.name, text)
        if not (_TYPED.fullmatch(key) or text in self.system):
            return []
        allowed = self.system.billable_on(date)
        low, high = np.searchsorted(self.system.codes, (np.bytes_(key.encode()), np.bytes_(key.encode() + b"\x7f")))
        below = [int(i) for i in range(low, high) if allowed[i] or self.system.codes[i] == key.encode()]
        return [self.system.view(i) for i in below[:limit]]

    def _read(self, text: str) -> list[Asked]:
        """The words of a query that some term of the system knows, or that no table knows at all."""
        words, out = self._words.read(text), list[Asked]()
        for n, (start, end, forms) in enumerate(zip(words.start, words.end, words.forms, strict=True)):
            raw = text[start:end]
            last = n == len(words) - 1 and end == len(text)
            if raw.lower() in _SHORT:
                forms = self._words.forms_of(_SHORT[raw.lower()])
            elif forms or (last and len(raw) == 1 and n and words.forms[n - 1]):
                # nobody types capitals into a search: "ra" is RA, "flu a" is A
                capital = self._words.read(raw.upper()).forms
                forms = capital[0] if len(capital) == 1 and self._known(capital[0]) else forms
            out += self._asked(raw.lower(), forms, last)
        choosing = frozenset().union(*(forms for forms, _ in self._sided))
        chooses = [bool(word.forms) and word.forms[0] in choosing for word in out]
        if all(chooses):
            return out
        side = self._ids.get("side")  # "left sided": said already
        return [
            replace(word, weight=CHOOSES * word.weight) if chosen else word
            for word, chosen in zip(out, chooses, strict=True)
            if not (word.forms[:1] == (side,) and any(chooses))
        ]

    def _known(self, forms: tuple[str, ...]) -> bool:
        return any(form in self._ids for form in forms)

    def _asked(self, word: str, forms: tuple[str, ...], last: bool) -> Iterator[Asked]:
        whole = [self._ids[f] for f in forms if f in self._ids]
        if len(whole) > 1:  # an abbreviation: each of its words is asked for
            yield from (Asked((f,), self._weight(f), (1.0,)) for f in whole)
            return
        guessed = []
        if forms and last and len(word) >= 2:
            guessed = self._begins(word)
        if forms and not whole and not guessed and len(word) >= 5:
            near = (self._one_form.get(w, "") for w in _near(word))
            guessed = [self._ids[f] for f in near if f in self._ids]
        found = tuple(dict.fromkeys([*whole, *guessed]))
        if found:
            weight = self._weight(whole[0]) if whole else min(self._weight(f) for f in found)
            yield Asked(found, weight, tuple(1.0 if f in whole else GUESSED for f in found))
        elif forms:
            yield Asked((), self._weight(len(self.index.idf)), ())

    def _weight(self, form: int) -> float:
        """idf^2; of a word that no term has, that of the rarest."""
        return float(self.index.idf[form] if form < len(self.index.idf) else self.index.idf.max(initial=1.0)) ** 2

    @cached_property
    def _one_form(self) -> dict[str, str]:
        return self._words.known()

    @cached_property
    def _sorted_words(self) -> list[str]:
        return sorted(self._one_form)

    def _begins(self, start: str) -> list[int]:
        """Forms of the words of this system that begin so, as ids."""
        low, high = bisect_left(self._sorted_words, start), bisect_left(self._sorted_words, start + "\U0010ffff")
        forms = (self._one_form[w] for w in self._sorted_words[low:high])
        return [self._ids[f] for f in dict.fromkeys(forms) if f in self._ids]

    # ---- the answer

    def _scored(self, asked: list[Asked], allowed: npt.NDArray[np.bool_]) -> Iterator[tuple[float, int]]:
        """(-score, code position) of every allowed code of the best concepts."""
        said, hits = self._terms(asked)
        owner = self.concepts.term_concept
        total = sum(word.weight for word in asked)
        got = hits.sum(0, dtype=np.float64)
        near = np.flatnonzero(got > 0).astype(np.int32)
        factor, extra = self._habits(asked, near)
        factor *= 0.5 + 0.5 * said[near]
        whole = np.minimum(1, (got[near] + self._by_side(asked)[owner[near]]) / total)
        score = factor * whole**2 + extra
        best: dict[int, int] = {}
        for place in np.lexsort((near, -score)).tolist():
            best.setdefault(int(owner[near[place]]), place)
            if len(best) == CONCEPTS:
                break
        worths: dict[frozenset[int], list[float]] = {}
        for concept, place in best.items():
            hit = hits[:, near[place]]
            for share, habit, code in self._members(asked, concept, hit, total, allowed, worths):
                yield -(float(factor[place]) * share**2 + float(extra[place]) + habit), code

    def _terms(self, asked: list[Asked]) -> tuple[Floats, Floats]:
        """For every term: the share of it that the query says, (t,), and the weight of each word it says, (words, t)."""
        postings, n = self.index.postings, len(self.index)
        said, hits = np.zeros(n, np.float32), np.zeros((len(asked), n), np.float32)
        for row, word in zip(hits, asked, strict=True):
            most = np.zeros(n, np.float32)
            for form, sure in zip(word.forms, word.sure, strict=True):
                if form >= len(self.index.idf):
                    continue
                a, b = postings.indptr[form : form + 2]
                terms = postings.indices[a:b]
                most[terms] = np.maximum(most[terms], postings.data[a:b])
                row[terms] = np.maximum(row[terms], np.float32(sure * word.weight))
            said += most
        return np.minimum(said / self.index.mass, np.float32(1)), hits

    def _habits(self, asked: list[Asked], terms: Ints) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """What the score of each of these terms is multiplied by, and what is added to it, whatever the query's words."""
        concepts, concept = self.concepts, self.concepts.term_concept[terms]
        factor = np.ones(len(terms))
        factor[concepts.term_kind[terms] == KINDS.index("drug")] = DRUG
        for route, form in ((FAMILY, "famili"), (PERSONAL, "histori")):
            if not self._says(asked, form):
                factor[concepts.route[concept] == route] *= ROUTE
        extra = COMMON * concepts.common[concept].astype(np.float64)
        if not self._says(asked, "other"):  # our own lists name what a coder means, and mean it
            extra -= OTHER * (concepts.other[concept] & ~np.isin(concepts.term_kind[terms], OWN))
        return factor, extra

    def _says(self, asked: list[Asked], form: str) -> bool:
        number = self._ids.get(form)
        return any(number in word.forms[:1] for word in asked)

    def _by_side(self, asked: list[Asked]) -> npt.NDArray[np.float64]:
        """For every concept, the weight of the query's words that say a side or an encounter which it has."""
        out = np.zeros(len(self.concepts.route))
        for word in asked:
            for forms, concepts in self._sided:
                if word.forms and word.forms[0] in forms:
                    out[concepts] += word.weight
        return out

    @cached_property
    def _sided(self) -> list[tuple[frozenset[int], Ints]]:
        """Forms that name a side or an encounter, and the concepts that have members of it."""
        owner = np.repeat(np.arange(len(self.concepts.route), dtype=np.int32), np.diff(self.concepts.member_indptr))
        sides = [(self._side_forms[n], np.unique(owner[self.concepts.side == n])) for n in range(1, len(SIDES))]
        return [*sides, (self._ids_of(ENCOUNTERS), np.unique(owner[self.concepts.extension > 0]))]

    @cached_property
    def _side_forms(self) -> tuple[frozenset[int], ...]:
        return tuple(self._ids_of("" if side == "none" else side) for side in SIDES)

    def _ids_of(self, text: str) -> frozenset[int]:
        return frozenset(self._ids[f] for f in self._words.forms_of(text) if f in self._ids)

    def _members(
        self,
        asked: list[Asked],
        concept: int,
        hit: Floats,
        total: float,
        allowed: npt.NDArray[np.bool_],
        worths: dict[frozenset[int], list[float]],
    ) -> Iterator[tuple[float, float, int]]:
        """(share of the query said, habit, code position) of the allowed codes of one concept.

        hit: for each word of the query its weight in the concept's best term. A side is said by the code alone: the term
        "left knee oa" names the code of the right knee too. worths: of encounters, kept from concept to concept.
        """
        concepts = self.concepts
        members = slice(*concepts.member_indptr[concept : concept + 2].tolist())
        code, side, extension = concepts.member[members], concepts.side[members], concepts.extension[members]
        keep = allowed[code]
        if not keep.any():
            return
        code, side, extension = code[keep], side[keep], extension[keep]
        base = np.maximum(hit, _worths(asked, self._title_forms(concept)))
        named = frozenset().union(*self._side_forms)
        names_side = np.array([bool(word.forms) and word.forms[0] in named for word in asked])
        got = np.where((side > 0)[:, None] & names_side, 0, base)
        for n in np.unique(side).tolist():
            got[side == n] = np.maximum(got[side == n], _worths(asked, self._side_forms[n]))
        distinct, first = np.unique(extension, return_index=True)
        for letter, i in zip(distinct.tolist(), first.tolist(), strict=True):
            if letter:
                said = self._encounter(concept, letter, int(code[i]))
                worths[said] = worths.get(said) or _worths(asked, said)
                here = extension == letter
                got[here] = np.maximum(got[here], worths[said])
        habit = PRIOR * self._prior[code] - 0.004 * (side % UNSPECIFIED) - 0.02 * _LATE[extension]
        share = np.minimum(1, got.sum(1) / total)
        yield from zip(share.tolist(), habit.tolist(), code.tolist(), strict=True)

    def _title_forms(self, concept: int) -> frozenset[int]:
        term = int(self._title_term[concept])
        return (
            frozenset(self.index.forms[slice(*self.index.indptr[term : term + 2])].tolist())
            if term >= 0
            else frozenset()
        )

    @cached_property
    def _title_term(self) -> Ints:
        """The term that is the title of each concept, -1 for none. int32 (c,)."""
        out = np.full(len(self.concepts.route), -1, np.int32)
        titles = np.flatnonzero(self.concepts.term_kind == KINDS.index("title"))
        out[self.concepts.term_concept[titles]] = titles
        return out

    def _encounter(self, concept: int, letter: int, code: int) -> frozenset[int]:
        """Forms of what a title says of the encounter, behind the title of the code above: "initial encounter for ..."."""
        if (concept, letter) not in self._encounters:
            above = self.system.title(int(self.system.parent[code]))
            self._encounters[concept, letter] = self._ids_of(self.system.title(code).removeprefix(above))
        return self._encounters[concept, letter]


def _index(terms: Sequence[tuple[str, ...]], ids: Mapping[str, int]) -> TermIndex:
    """As `TermIndex.build`, without scikit-learn, whose import takes longer than to read a small table."""
    forms = [sorted(ids[form] for form in term) for term in terms]
    indptr = np.cumsum([0, *map(len, forms)]).astype(np.int32)
    flat = np.array([form for term in forms for form in term], np.int32)
    idf = np.log((1 + len(terms)) / (1 + np.bincount(flat, minlength=len(ids)))) + 1
    return TermIndex(idf.astype(np.float32), indptr, flat)


def _worths(asked: list[Asked], own: frozenset[int]) -> list[float]:
    """For every word of the query, the weight at which one of these forms says it, 0 if none does."""
    if not own:
        return [0.0] * len(asked)
    rows = (zip(word.forms, word.sure, strict=True) for word in asked)
    best = [max((sure for form, sure in row if form in own), default=0.0) for row in rows]
    return [word.weight * sure for word, sure in zip(asked, best, strict=True)]


def _near(word: str) -> Iterator[str]:
    """Every string one slip of the finger away: a letter left out, doubled, wrong, or two of them turned round."""
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        if tail:
            yield head + tail[1:]
            yield from (head + c + tail[1:] for c in _LETTERS)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        yield from (head + c + tail for c in _LETTERS)


def checked_limit(limit: object) -> int:
    """Raises OptionError for anything but a whole number from 1."""
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise OptionError("limit must be a whole number of at least 1")
    return limit
