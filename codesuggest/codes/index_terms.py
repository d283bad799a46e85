"""From the Alphabetic Index and its tables to the codes of a system: completion in the tabular, and words for codes.

The Index alone does not code: a term is located in the Index and the code verified in the Tabular List (I.B.1, ICD-10-CM
Guidelines FY2026). A row that ends in "-" or names a header is completed by walking down the tabular: at each header the
children that alone hold words of the row are kept ("Fracture, clavicle, shaft (displaced)" keeps the displaced ones),
and among them the one that a header means when nothing more is said (`concepts.default_of`: unspecified, without
complication, first encounter). Where that leaves a choice, the row stays at the last header.

Measured, the FY2025 Index CSV against ICD-10-CM of April 2026 (`packages.icd10cm`): of 81,024 rows 62,721 print a code, 10
of these as "see category". Of the 62,711 left

- 48,607 print a billable code,
- 14,104 point at a header (13,939 did in FY2025, with the 10), 6,907 of them with a "-"; 13,577 are completed, 527 stay at
  the header, mostly a named finger or bone that has a code for each side and none without,
- 0 name a code that is gone.

59,653 rows give a phrase: 3,053 say "specified NEC" or "unspecified site" and no more, 6 are "see" rows. 55,480 phrases are
new to their code.

What they add to retrieval: of the codes of 150 cases of CodiEsp train (English), 56.0% have a term that the case holds in
full, 60.6% with the Index, 60.8% with the neoplasm table too; 70.5%, 73.5% and 74.0% are among the candidates. Of those of
the 127 visit notes of `visits/train.jsonl`, for which our idioms were written, 86.3%, 86.6%, 86.6% and 98.8%, 98.8%, 99.1%.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from codesuggest.codes import with_terms
from codesuggest.codes.readers.cm_index import IndexEntry, stem_of
from codesuggest.codes.readers.cm_tables import DRUG_COLUMNS, NEOPLASM_COLUMNS, DrugRow, NeoplasmRow
from codesuggest.codes.system import CodeSystem
from codesuggest.concepts import default_of, entries_of

#: What became of a row that prints a code.
OUTCOMES = ("billable", "completed", "header", "unknown")

# A sub-term that begins so is said after what stands above it: "diabetes / with / nephropathy", "anemia / due to".
_AFTER = re.compile(
    r"(?:due to or resulting from|(?:due|secondary|prior|subsequent) to|(?:associated|concurrent) with|resulting (?:from|in)|"
    r"caused by|complicating|causing|affecting|involving|following|without|with|during|before|after|from|of|in|by|at|on|"
    r"to|for|as)\b,?\s*",
    re.I,
)
# Says only that nothing more, or something not listed, is known: no word of it stands in a note.
_EMPTY = re.compile(
    r"(?:other )?specified\b.*"
    r"|(?:unspecified|not specified)(?: (?:site|type|degree|side|part|organ|cause|severity|disorder))?"
    r"|(?:type|site)? ?(?:NEC|NOS)",
    re.I,
)
#: Main terms whose words are the book's own, and what a note says.
_MAIN = {"Fracture, traumatic": "Fracture", "Findings, abnormal, inconclusive, without diagnosis": "Abnormal"}
_CLASS = re.compile(r",?\s*\b(?:specified )?(?:NEC|NOS)\b|, unspecified(?: site)?$")
#: What a cell of each column of the tables says of the row's site or substance, as titles and as notes put it.
_NEOPLASM_SAYS = {
    "malignant_primary": ("malignant neoplasm of {}", "cancer of {}"),
    "malignant_secondary": ("secondary malignant neoplasm of {}", "metastasis to {}"),
    "in_situ": ("carcinoma in situ of {}",),
    "benign": ("benign neoplasm of {}",),
    "uncertain": ("neoplasm of uncertain behavior of {}",),
    "unspecified": ("neoplasm of unspecified behavior of {}",),
}
_DRUG_SAYS = {
    "poisoning_accidental": ("poisoning by {}, accidental",),
    "poisoning_self_harm": ("poisoning by {}, intentional self-harm",),
    "poisoning_assault": ("poisoning by {}, assault",),
    "poisoning_undetermined": ("poisoning by {}, undetermined",),
    "adverse_effect": ("adverse effect of {}",),
    "underdosing": ("underdosing of {}",),
}
_MORPHOLOGY = re.compile(r"(?:carcinom|melanom|sarcom|blastom|lymphom|gliom)a\b")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_DENIES = re.compile(r"\bwithout\b|\bnot having achieved remission\b|\bnot intractable\b")
_SIDES = frozenset(("right", "left", "bilateral"))
_NEGATES = frozenset(("not", "without", "non", "no"))
_MINOR = frozenset(
    "a an and as at by due for from in into nec nos of on or other specified the to unspecified with".split()
)


@dataclass(frozen=True, slots=True)
class Completion:
    """Where a row of the Index leads. `code` is written with its dot and is billable unless `outcome` is "header"
    (the row stays there) or "unknown" (no code of this release; `code` is empty)."""

    entry: IndexEntry
    code: str
    outcome: str


class Completer:
    """Walks down the tabular, as it is on the day of the release, from a printed code to a billable one; see the top of
    this module."""

    def __init__(self, system: CodeSystem) -> None:
        self.system = system
        self._entries = entries_of(system)
        held, self._billable = system.exists_on(), system.billable_on()
        self._place = {entry.code: n for n, entry in enumerate(self._entries) if held[entry.position]}
        self._below: dict[int, list[int]] = defaultdict(list)
        for n, entry in enumerate(self._entries):
            if entry.parent >= 0 and held[entry.position]:
                self._below[entry.parent].append(n)

    def complete(self, stem: str, *said: str) -> tuple[str, str]:
        """(code, outcome) for the printed code `stem`, undotted. said: the words of the row, the surest first."""
        here, outcome = self._place.get(stem, -1), "billable"
        if here < 0:
            return "", "unknown"
        words = [_words(text) for text in said]
        while not self._billable[self._entries[here].position]:
            below: Sequence[int] = self._below[here]
            for group in words:
                below = self._named(below, group)
            found, outcome = self._heir(here, below, words), "completed"
            if found < 0:
                outcome = "header"
                break
            here = found
        return self.system.code(self._entries[here].position), outcome

    def _named(self, below: Sequence[int], said: frozenset[str]) -> Sequence[int]:
        """Those of `below` of the side that is `said`, and of them those whose titles hold the most of the words `said`
        that tell them apart, provided that these are over half of what the title tells; else all of them."""
        titles = {c: _words(self._entries[c].title) for c in below}
        if sides := said & _SIDES:
            titles = {c: title for c, title in titles.items() if title & _SIDES == sides} or titles
        if len(titles) < 2:
            return list(titles)
        common = frozenset.intersection(*titles.values())
        told = {c: title - common - _SIDES for c, title in titles.items()}
        best = max(len(words & said) for words in told.values())
        kept = [c for c, words in told.items() if len(words & said) == best and 2 * best > len(words)]
        return kept or list(titles)

    def _heir(self, here: int, below: Sequence[int], words: Sequence[frozenset[str]]) -> int:
        """Which of `below` the header `here` means, or -1: a child that took over its title when it was split, if no
        other shares more words with the row; else its default; else the only one that denies what the others affirm
        ("without renal involvement", "not having achieved remission"), for what is not documented is not coded."""
        same = [c for c in below if self._entries[c].title == self._entries[here].title]
        if len(same) == 1:
            shared = {c: len(_words(self._entries[c].title).intersection(*words[:1])) for c in below}
            return same[0] if shared[same[0]] == max(shared.values()) else -1
        if (found := default_of(below, self._entries)) >= 0:
            return found
        denying = [c for c in below if _DENIES.search(self._entries[c].title)]
        return denying[0] if len(denying) == 1 and len(below) > 1 else -1


@lru_cache(maxsize=1 << 16)
def _words(text: str) -> frozenset[str]:
    """Words that can tell siblings apart, plurals cut; "not intractable" and "without coma" are one word each."""
    out, negation = set(), ""
    for word in _WORD.findall(text.lower()):
        if word in _NEGATES:
            negation = "not "
        elif word not in _MINOR:
            out.add(negation + re.sub("y$", "i", word.rstrip("es")))
            negation = ""
    return frozenset(out)


def complete(entries: Iterable[IndexEntry], system: CodeSystem) -> tuple[Completion, ...]:
    """Where each row that prints a code leads in the tabular of `system`, in the order of the rows.

    A manifestation code stays in the entry: which of the pair is sequenced first is the tabular's to say (I.A.13).
    """
    completer = Completer(system)
    return tuple(
        Completion(entry, *completer.complete(entry.stem, " ".join(entry.path), entry.nonessential))
        for entry in entries
        if entry.code
    )


def outcomes(completions: Iterable[Completion]) -> dict[str, int]:
    """How many rows had each outcome, for a report."""
    counts = Counter(completion.outcome for completion in completions)
    return {outcome: counts[outcome] for outcome in OUTCOMES}


def phrase(path: Sequence[str]) -> str:
    """The titles of a row in reading order: ("Diabetes, diabetic", "type 2", "with", "nephropathy") is "type 2 diabetes
    with nephropathy". Empty when the row's own title says nothing that a note would ("specified NEC")."""
    if not path or _EMPTY.fullmatch(path[-1].strip()):
        return ""
    said = [_first_form(_CLASS.sub("", title)) for title in path if not _EMPTY.fullmatch(title.strip())]
    leads, groups = [""], [[said[0]] if said else []]
    for text in said[1:]:
        if (found := _AFTER.match(text)) is not None:
            leads.append(found.group().strip(" ,"))
            groups.append([])
            text = text[found.end() :]
        groups[-1].insert(0, text)
    main = groups[0][-1] if said else ""
    if len(groups[0]) > 1 and main[:2].istitle() and "'" not in main:
        groups[0][-1] = main[0].lower() + main[1:]
    words = [word for lead, group in zip(leads, groups, strict=True) for word in (lead, *group)]
    return " ".join(" ".join(words).split())


def _first_form(title: str) -> str:
    """Of "Diabetes, diabetic" or "thorax, thoracic" the first; "Gout, chronic" and "neck, uterus" whole."""
    if title in _MAIN:
        return _MAIN[title]
    first, *others = [part.strip() for part in title.split(",")]
    kept = [part for part in others if part[:4].lower() != first[:4].lower()]
    return ", ".join([first, *kept]) if first else title


def index_terms(entries: Iterable[IndexEntry], system: CodeSystem) -> Iterator[tuple[str, str]]:
    """(code, phrase) of every row that leads to a code of `system`; the code is a header where the row stays at one.

    "See" rows name another row, and a phrase without words of its own says no more than the row above it: left out.
    """
    for completion in complete(entries, system):
        text = phrase(completion.entry.path)
        if completion.code and text and not completion.entry.see:
            yield completion.code, text


def neoplasm_terms(rows: Iterable[NeoplasmRow], system: CodeSystem) -> Iterator[tuple[str, str]]:
    """(code, phrase) of every cell that leads to one billable code: "malignant neoplasm of lateral wall of bladder" and
    "cancer of ..." for the first column. A row that names a morphology ("basal cell carcinoma" of a skin) is its own
    phrase. A cell whose code is completed to no one code gives none: the header has its title already."""
    completer = Completer(system)
    for row in rows:
        site = phrase(row.path[1:])
        for column in NEOPLASM_COLUMNS:
            code = _billable(completer, getattr(row, column), row.path[1:], row.nonessential)
            if not code or (len(row.path) > 1 and not site):
                continue
            if column == "malignant_primary" and _MORPHOLOGY.search(site):
                yield code, site
                continue
            for says in _NEOPLASM_SAYS[column]:
                yield code, re.sub(" (?:of|to) $", "", says.format(site))


def drug_terms(rows: Iterable[DrugRow], system: CodeSystem) -> Iterator[tuple[str, str]]:
    """(code, phrase) of every cell that leads to one billable code, first encounter: "poisoning by X, accidental",
    "adverse effect of X", "underdosing of X".

    Mind what it does to a model: the name of a drug is the rare word of such a phrase, so that a list of medicines goes
    a long way towards matching it. It belongs into look-up, and into a model only once measured.
    """
    completer = Completer(system)
    for row in rows:
        substance = phrase(row.path)
        for column in DRUG_COLUMNS:
            code = _billable(completer, getattr(row, column), row.path, row.nonessential)
            if code and substance:
                yield from ((code, says.format(substance)) for says in _DRUG_SAYS[column])


def _billable(completer: Completer, printed: str, path: Sequence[str], nonessential: str) -> str:
    """The billable code a cell leads to, or ""."""
    code, outcome = completer.complete(stem_of(printed), " ".join(path), nonessential) if printed else ("", "")
    return code if outcome in ("billable", "completed") else ""


def system_with_terms(system: CodeSystem, terms: Iterable[tuple[str, str]]) -> CodeSystem:
    """A new system whose codes carry the (code, phrase) pairs as terms of kind "index", in the order given.

    What repeats the title or another term of the code, capitals aside, is left out. Raises KeyError on an unknown code.
    """
    known = {(i, text.lower()) for i, _, text in system.iter_terms()}
    new: list[tuple[int, str, str]] = []
    for code, text in terms:
        key = (system.index_of(code), text.lower())
        if key not in known:
            known.add(key)
            new.append((key[0], "index", text))
    arrays = with_terms(system.arrays(), new)
    return CodeSystem.from_arrays(arrays, name=system.name, release=system.release, source=system.source)


def system_with_index(system: CodeSystem, entries: Iterable[IndexEntry]) -> CodeSystem:
    """A new system whose codes are also found by the words of the Alphabetic Index. About 4 s for the whole Index."""
    return system_with_terms(system, index_terms(entries, system))
