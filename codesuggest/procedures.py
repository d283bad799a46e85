"""Concepts of ICD-10-PCS: an operation on a body part, the ways surgeons name it, and the axes a member differs in.

An ICD-10-PCS code is seven axes. The first four (section, body system, operation, body part) say what was done to what,
and a note says them in a word ("appendectomy") that no title holds; approach, device and qualifier stand elsewhere in the
note, or nowhere. So a *concept* here is the first four characters without the side that some of them hold; its terms come
from the titles, from `procedures.tsv` (how surgeons write) and from `body_parts.tsv`; and its members are told apart
by their `Axes`, which `axes.py` reads a note for.

Nothing but titles and our own lists is needed: what the titles of the codes below four characters have in common names
operation and body part, and what is left of a title after the approach names device and qualifier. Axes and their values:
ICD-10-PCS Reference Manual (CMS, public domain).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from codesuggest.codes.system import CodeSystem
from codesuggest.concepts import KINDS, SIDES, Concepts, Entry
from codesuggest.pipes.lexicon import ENGLISH, read_lexicon

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
FormsOf = Callable[[str], tuple[str, ...]]

STEM = 4  #: characters that name operation and body part
#: Values of the fifth axis in the sections that have an approach, in the order of `approaches.tsv`.
APPROACHES = ("0", "3", "4", "7", "8", "F", "X")
WITH_APPROACH = "0123478X9"  #: sections whose fifth character is an approach
#: Characters of a code, in the order of `Axes.letter`.
ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_APPROACH = re.compile(
    r",? (?:Open|Percutaneous Endoscopic|Percutaneous|External"
    r"|Via Natural or Artificial Opening(?: Endoscopic| with Percutaneous Endoscopic Assistance)?)(?: Approach)?\b"
)
_SIDE = re.compile(r"\b(right|left|bilateral)\b", re.I)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9']*")
_HOLLOW = frozenset("of with to from into in for on using and at the by a".split())
_PATTERN = re.compile(r"(?:[0-9A-HJ-NP-Z.]|\[[0-9A-HJ-NP-Z]+\]){3,7}")
_LISTED = ("procedure", "operation", "act")
#: A wording that stands for more operations than this names none of them: "closed reduction" needs its bone beside it.
FEW_CONCEPTS = 12


@dataclass(frozen=True, slots=True)
class Wording:
    """A way of writing. codes: one string a character class of each axis, of 3 to 7 axes ("0", "S", "R", "CD").

    kind: "procedure" names the whole ("appendectomy"), "operation" needs a body part beside it ("CT", "biopsy"), "act" tells
    a step by which surgeons know the operation ("mesoappendix divided"). place (as long as codes): which meaning of the
    phrase each belongs to, 0 the usual one; codes of one place are coded together ("TAH BSO").
    """

    phrase: str
    codes: tuple[tuple[str, ...], ...]
    kind: str
    common: int
    place: tuple[int, ...] = ()

    def meanings(self) -> list[tuple[int, tuple[str, ...]]]:
        """Place and axes of each code; without places, each code is a meaning of its own."""
        return list(zip(self.place or range(len(self.codes)), self.codes, strict=True))


def has_axes(system: CodeSystem) -> bool:
    """Whether the codes of a system are seven axes (ICD-10-PCS)."""
    return system.name.startswith("icd10pcs")


def read_procedures(path: Path = ENGLISH / "procedures.tsv") -> tuple[Wording, ...]:
    """The list of ways of writing. A code is a prefix of a code, `.` any character, `[CD]` one of these; `+` joins what is
    coded together.

    Raises LexiconError naming the line.
    """
    out = []
    for row in read_lexicon(path, ("phrase", "codes", "kind", "common", "source"), unique=("phrase", "kind")):
        patterns, places = [], []
        for place, joined in enumerate(row.items("codes")):
            for text in joined.split("+"):
                if not _PATTERN.fullmatch(text):
                    raise row.error(f"column 'codes': {text!r} is no beginning of an ICD-10-PCS code")
                parts = re.findall(r"\[[^\]]*\]|.", text)
                patterns.append(tuple(ALPHABET if p == "." else p.strip("[]") for p in parts))
                places.append(place)
        kind = row.choice("kind", _LISTED)
        common = row.number("common")
        out.append(Wording(row["phrase"], tuple(patterns), kind, int(common or 0), tuple(places)))
    return tuple(out)


def read_body_parts(path: Path = ENGLISH / "body_parts.tsv") -> dict[str, list[str]]:
    """Body part as titles write it -> other words for it. Raises LexiconError."""
    out: dict[str, list[str]] = defaultdict(list)
    for row in read_lexicon(path, ("body_part", "phrase", "source"), unique=("body_part", "phrase")):
        out[row["body_part"]].append(row["phrase"])
    return dict(out)


def read_approaches(path: Path = ENGLISH / "approaches.tsv") -> list[tuple[str, str]]:
    """Words that tell an approach: (word, value of the fifth axis). Raises LexiconError."""
    rows = read_lexicon(path, ("word", "approach", "source"), unique=("word", "approach"))
    return [(row["word"], row.choice("approach", APPROACHES)) for row in rows]


@dataclass(frozen=True, slots=True)
class Axes:
    """What tells the members of a concept apart.

    letter: uint8 (k, 7), index in the alphabet of codes of each character, 34 for none. rest (k,): int32, number of what a
    title says besides operation, body part and approach (0: nothing). rest_indptr (r+1,), rest_form: its word forms.
    allow: uint64 (p, 7), bit a character of an axis for each pattern of the list. term_pattern (t,): int32, the pattern of
    a term, -1 none; term_place (t,): int8, its place among the meanings of its wording, 0 the usual one; term_verb (t,):
    int32, the form of it that names the operation, -1 where the whole term does. cue_form, cue_approach (q,): word forms
    that tell an approach, index in APPROACHES.
    """

    letter: npt.NDArray[np.uint8]
    rest: Ints
    rest_indptr: Ints
    rest_form: Ints
    allow: npt.NDArray[np.uint64]
    term_pattern: Ints
    term_place: npt.NDArray[np.int8]
    term_verb: Ints
    cue_form: Ints
    cue_approach: npt.NDArray[np.int8]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def fit_in(self, codes: int, terms: int, forms: int) -> bool:
        """Whether every index points inside the array it is for."""
        n = len(self.rest_indptr) - 1
        return bool(
            self.letter.shape == (codes, 7)
            and len(self.rest) == codes
            and len(self.term_pattern) == len(self.term_place) == len(self.term_verb) == terms
            and -1 <= int(self.term_verb.min(initial=-1)) <= int(self.term_verb.max(initial=-1)) < forms
            and self.allow.shape[1:] == (7,)
            and int(self.letter.max(initial=0)) <= len(ALPHABET)
            and 0 <= int(self.rest.min(initial=0)) <= int(self.rest.max(initial=0)) < n
            and int(self.rest_indptr[0]) == 0
            and int(self.rest_indptr[-1]) == len(self.rest_form)
            and bool((np.diff(self.rest_indptr) >= 0).all())
            and -1 <= int(self.term_pattern.min(initial=-1)) <= int(self.term_pattern.max(initial=-1)) < len(self.allow)
            and min(int(self.rest_form.min(initial=0)), int(self.cue_form.min(initial=0))) >= 0
            and max(int(self.rest_form.max(initial=0)), int(self.cue_form.max(initial=0))) < forms
            and len(self.cue_form) == len(self.cue_approach)
            and 0 <= int(self.cue_approach.min(initial=0)) <= int(self.cue_approach.max(initial=0)) < len(APPROACHES)
        )

    def with_terms(self, more: int) -> Axes:
        """The axes with so many more terms at the end, which name no value of an axis."""
        return replace(
            self,
            term_pattern=np.append(self.term_pattern, np.full(more, -1)).astype(np.int32),
            term_place=np.append(self.term_place, np.zeros(more)).astype(np.int8),
            term_verb=np.append(self.term_verb, np.full(more, -1)).astype(np.int32),
        )

    def fits(self, pattern: Ints, code: Ints) -> Bools:
        """Whether each pattern allows the code beside it. bool, shape of `code`."""
        masks = self.allow.take(pattern, 0)
        masks &= np.left_shift(np.uint64(1), self.letter.take(code, 0), dtype=np.uint64)
        return np.asarray((masks == 0) @ np.ones(7) == 0)  # `all` takes many times as long along rows of seven


@dataclass(frozen=True, slots=True)
class Stem:
    """The codes of four characters. label: what their titles share, the side left out. members: places in the entries."""

    code: str
    label: str
    side: int
    members: tuple[int, ...]


def stems_of(entries: Sequence[Entry]) -> list[Stem]:
    """The billable codes by their first four characters, in order."""
    below: dict[str, list[int]] = defaultdict(list)
    for i, e in enumerate(entries):
        if e.billable and len(e.code) == 7:
            below[e.code[:STEM]].append(i)
    out = []
    for code, members in sorted(below.items()):
        label = " ".join(_shared([_WORD.findall(_APPROACH.sub("", entries[i].title)) for i in members]))
        found = _SIDE.findall(label)
        side = SIDES.index(found[0].lower()) if len(set(found)) == 1 else 0
        out.append(Stem(code, label, side, tuple(members)))
    return out


def _shared(titles: Sequence[Sequence[str]]) -> list[str]:
    """Words that all titles hold, in the order of the first."""
    rest = [set(words) for words in titles[1:]]
    return [w for w in titles[0] if all(w in words for words in rest)]


def build(
    entries: Sequence[Entry],
    forms_of: FormsOf,
    wordings: Iterable[Wording],
    body_parts: Mapping[str, Sequence[str]],
) -> tuple[Concepts, list[tuple[str, ...]], list[Meaning], list[tuple[str, ...]]]:
    """Concepts, the normal forms of their terms, the meaning of each term, and the patterns."""
    stems = stems_of(entries)
    concepts = _join_sides(stems, forms_of)
    concept_of = {stem.code: c for c, own in enumerate(concepts) for stem in own}
    operation = _operation_words(stems)
    patterns: dict[tuple[str, ...], int] = {}
    rows: list[_Row] = []
    site_of: list[str] = []
    listed = "".join(f"{stem.code}\n" for stem in stems)
    other_words = {forms_of(part): tuple(words) for part, words in body_parts.items()}
    for c, own in enumerate(concepts):
        label = _SIDE.sub(" ", own[0].label)
        spoken = operation[own[0].code[0] + own[0].code[2]]
        site = " ".join(w for w in label.split() if w not in spoken and w.lower() not in _HOLLOW)
        site_of.append(site)
        verb = " ".join(spoken)
        rows.append(_Row(c, "title", " ".join(label.split()), verb=verb))
        rows += [_Row(c, "operation", f"{verb} {word}", verb=verb) for word in other_words.get(forms_of(site), ())]
    common = np.zeros(len(concepts), np.int8)
    for wording in wordings:
        begun = []
        for place, axes in wording.meanings():
            begin = "".join(f"[{allowed}]" for allowed in axes[:STEM])
            found = dict.fromkeys(concept_of[m.group()] for m in re.finditer(f"^{begin}.*", listed, re.M))
            begun.append((place, axes, found))
        meant = len({c for *_, found in begun for c in found})
        whole = wording.kind == "procedure" and meant <= FEW_CONCEPTS
        spelt = spellings(wording.phrase, forms_of)
        for place, axes, found in begun:
            number = patterns.setdefault(axes, len(patterns))
            for c in found:
                if wording.kind == "act" or whole:
                    kind = "act" if wording.kind == "act" else "idiom"
                    rows += [_Row(c, kind, text, number, min(place, 9)) for text in spelt]
                if whole:
                    common[c] = max(common[c], wording.common)
                elif wording.kind != "act" and site_of[c]:
                    texts = (site_of[c], *other_words.get(forms_of(site_of[c]), ()))
                    rows += [
                        _Row(c, "operation", f"{wording.phrase} {text}", number, verb=wording.phrase) for text in texts
                    ]
    made, forms, meaning = _assembled(entries, concepts, rows, forms_of, common)
    return made, forms, meaning, list(patterns)


def spellings(phrase: str, forms_of: FormsOf) -> list[str]:
    """The phrase, and with the abbreviations that read otherwise in capitals: "DES to LAD" is read by its expansion."""
    raised = [w.upper() if forms_of(w.upper()) != forms_of(w) else w for w in phrase.split()]
    return list(dict.fromkeys((phrase, " ".join(raised))))


class Meaning(NamedTuple):
    """What a term means: its pattern, -1 none; its place among the meanings of its wording; the rarest form of the words
    that name the operation, "" where the whole term does."""

    pattern: int
    place: int
    verb: str


class _Row(NamedTuple):
    """A term before its words are numbered. pattern: its number, -1 none. place: of this meaning of the wording. verb: the
    words of it that name the operation, without which the rest names only a body part."""

    concept: int
    kind: str
    text: str
    pattern: int = -1
    place: int = 0
    verb: str = ""


def _join_sides(stems: Sequence[Stem], forms_of: FormsOf) -> list[list[Stem]]:
    """Stems that differ only in side together, where right and left both exist."""
    grouped: dict[tuple[str, tuple[str, ...]], list[Stem]] = defaultdict(list)
    for stem in stems:
        grouped[stem.code[:3], forms_of(_SIDE.sub(" ", stem.label))].append(stem)
    out = []
    for own in grouped.values():
        sided = [s for s in own if s.side]
        if {1, 2} <= {s.side for s in sided}:
            out.append(sided)
            out += [[s] for s in own if not s.side]
        else:
            out += [[s] for s in own]
    return sorted(out, key=lambda own: own[0].code)


def _operation_words(stems: Sequence[Stem]) -> dict[str, list[str]]:
    """By section and operation (first and third character): the words of all its labels."""
    labels: dict[str, list[list[str]]] = defaultdict(list)
    for stem in stems:
        labels[stem.code[0] + stem.code[2]].append(stem.label.split())
    return {key: _shared(found) if len(found) > 1 else [] for key, found in labels.items()}


def _assembled(
    entries: Sequence[Entry],
    concepts: Sequence[Sequence[Stem]],
    rows: Sequence[_Row],
    forms_of: FormsOf,
    common: npt.NDArray[np.int8],
) -> tuple[Concepts, list[tuple[str, ...]], list[Meaning]]:
    seen: set[tuple[int, tuple[str, ...], int]] = set()
    forms: list[tuple[str, ...]] = []
    kept: list[_Row] = []
    order = ("title", "idiom", "operation", "act")
    for row in sorted(rows, key=lambda r: (r.concept, order.index(r.kind), r.text, r.place, r.pattern)):
        found = forms_of(row.text)
        key = (row.concept, tuple(sorted(found)), -2 if row.kind == "act" else row.pattern)
        if found and key not in seen:
            seen.add(key)
            forms.append(found)
            kept.append(row)
    flat = [(i, stem.side) for own in concepts for stem in own for i in stem.members]
    size = [sum(len(stem.members) for stem in own) for own in concepts]
    n = len(concepts)
    texts = [row.text.encode() for row in kept]
    made = Concepts(
        member_indptr=np.concatenate([[0], np.cumsum(size)]).astype(np.int32),
        member=np.array([entries[i].position for i, _ in flat], np.int32),
        side=np.array([side for _, side in flat], np.int8),
        extension=np.zeros(len(flat), np.uint8),
        route=np.zeros(n, np.int8),
        other=np.array([bool(re.search(r"\bother\b", own[0].label, re.I)) for own in concepts], bool),
        vague=np.zeros(n, bool),
        term_concept=np.array([row.concept for row in kept], np.int32),
        term_kind=np.array([KINDS.index(row.kind) for row in kept], np.int8),
        common=common,
        text_offset=np.concatenate([[0], np.cumsum([len(t) for t in texts])]).astype(np.int64),
        text_blob=np.frombuffer(b"".join(texts), np.uint8),
    )
    count = Counter(form for own in forms for form in own)
    verbs = [min(forms_of(row.verb), key=lambda f: (count[f], f), default="") for row in kept]
    return made, forms, [Meaning(row.pattern, row.place, verb) for row, verb in zip(kept, verbs, strict=True)]


def rests_of(entries: Sequence[Entry], codes: int, forms_of: FormsOf) -> tuple[Ints, list[tuple[str, ...]]]:
    """What each title says besides label and approach: its number by position (k,), and the forms of each, the first
    none."""
    rest = np.zeros(codes, np.int32)
    number: dict[tuple[str, ...], int] = {(): 0}
    for stem in stems_of(entries):
        label = set(forms_of(stem.label))
        for i in stem.members:
            own = tuple(sorted(set(forms_of(_APPROACH.sub("", entries[i].title))) - label))
            rest[entries[i].position] = number.setdefault(own, len(number))
    return rest, list(number)


def axes_of(
    codes: npt.NDArray[np.bytes_],
    rest: Ints,
    rests: Sequence[tuple[str, ...]],
    meaning: Sequence[Meaning],
    patterns: Sequence[tuple[str, ...]],
    form_ids: Mapping[str, int],
    forms_of: FormsOf,
) -> Axes:
    """The arrays of `Axes`. codes (k,): all codes of the system, S7. form_ids: number of each word form."""
    raw = np.zeros((len(codes), 7), np.uint8)
    own = np.asarray(codes).astype("S7").view(np.uint8).reshape(len(codes), 7)
    table = np.full(256, len(ALPHABET), np.uint8)
    for i, character in enumerate(ALPHABET):
        table[ord(character)] = i
    raw[:] = table[own]
    allow = np.full((max(1, len(patterns)), 7), np.uint64(2**64 - 1), np.uint64)
    for p, axes in enumerate(patterns):
        for a, allowed in enumerate(axes):
            allow[p, a] = sum(1 << ALPHABET.index(character) for character in allowed)
    ids = [[form_ids[f] for f in forms if f in form_ids] for forms in rests]
    cues = sorted(
        {
            (form_ids[f[0]], APPROACHES.index(value))
            for word, value in read_approaches()
            for f in [forms_of(word)]
            if len(f) == 1 and f[0] in form_ids
        }
    )
    return Axes(
        letter=raw,
        rest=rest,
        rest_indptr=np.concatenate([[0], np.cumsum([len(i) for i in ids])]).astype(np.int32),
        rest_form=np.array([f for own_ids in ids for f in own_ids], np.int32),
        allow=allow,
        term_pattern=np.array([m.pattern for m in meaning], np.int32),
        term_place=np.array([m.place for m in meaning], np.int8),
        term_verb=np.array([form_ids.get(m.verb, -1) for m in meaning], np.int32),
        cue_form=np.array([f for f, _ in cues], np.int32),
        cue_approach=np.array([a for _, a in cues], np.int8),
    )
