"""What travels through the library: small frozen records, each with `to_dict`, the outer ones with `from_dict`.

Offsets are code points of the very string handed in, end exclusive: `note[e.start:e.end]` is the evidence.
`score` is any real number; `confidence` is a calibrated probability in [0, 1].
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, make_dataclass
from functools import cache
from itertools import starmap
from json.encoder import encode_basestring_ascii as _string
from math import isfinite
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

_Record = TypeVar("_Record")
SCHEMA = 1  #: version of the JSON contract; keys are added, never renamed

#: What a statement in a note says about the patient. The order is that of `pipes.assertion`, which decides it.
ASSERTIONS = ("affirmed", "negated", "uncertain", "family", "historical", "hypothetical", "other_person")

#: Why a phrase stands behind no suggestion, exactly one a phrase.
WITHHELD_REASONS = (
    "negated",  # the note denies it
    "family",  # it is a relative's
    "other_person",  # it is somebody else's
    "hypothetical",  # instructions, risks, what-ifs
    "uncertain",  # not established, and the setting does not code it (IV.H)
    "historical",  # of the past, and no history code was found for it
    "no_match",  # no term of the loaded code systems is near
    "ranked_low",  # its codes came after the limit, or below the floor
)


# ensure_ascii keeps lone surrogates of a damaged note writable, and the line one line
_written = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


def _string_or_null(value: str | None) -> str:
    return "null" if value is None else _string(value)


def _number(value: float) -> str:
    return repr(value) if type(value) is float and isfinite(value) else _written(value)


@cache
def _unfrozen(record: Any) -> type[Any]:
    """A class with the fields and slots of a frozen record that is not frozen: an object of it becomes one of the record's by its
    `__class__`. To set fields there takes a fifth of the time of the record's own constructor, which makes a call for each."""
    own = [(f.name, f.type) for f in fields(record)]
    return make_dataclass(f"_{record.__name__}", own, bases=record.__bases__, slots=True, eq=False, repr=False)


def all_of(record: type[_Record], rows: Iterable[tuple[Any, ...]]) -> list[_Record]:
    """A frozen record of each row, which has all of its fields in order: what `starmap(record, rows)` gives, but sooner."""
    whole: Any = record  # to mypy a class whose objects have no hash has none itself
    made = list(starmap(_unfrozen(whole), rows))
    for one in made:
        one.__class__ = record
    return made


@dataclass(frozen=True, slots=True)
class Cue:
    """The words that decided an assertion."""

    start: int
    end: int
    status: str
    rule: str  #: the cue as it stands in the word list

    def to_dict(self) -> dict[str, Any]:
        return {"start": self.start, "end": self.end, "status": self.status, "rule": self.rule}

    def to_json(self) -> str:
        return f'{{"start":{self.start},"end":{self.end},"status":{_string(self.status)},"rule":{_string(self.rule)}}}'


@dataclass(frozen=True, slots=True)
class Phrase:
    """A stretch of the note that may name something codeable."""

    start: int
    end: int
    section: str | None
    assertion: str
    cue: Cue | None = None
    derived: str | None = None  #: for a laboratory result out of range: the finding it stands for


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words a suggestion rests on. `basis` is "text", or "result" for a bare laboratory value."""

    start: int
    end: int
    section: str | None
    assertion: str
    term: str  #: the term of the code set (or word list) that these words matched
    basis: str = "text"
    cue: Cue | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "start": self.start,
            "end": self.end,
            "section": self.section,
            "assertion": self.assertion,
            "term": self.term,
            "basis": self.basis,
            "cue": self.cue.to_dict() if self.cue else None,
        }

    def to_json(self) -> str:
        return _evidence_json(self.start, self.end, self.section, self.assertion, self.term, self.basis, self.cue)


#: The fields of an `Evidence`.
EvidenceRow = tuple[int, int, str | None, str, str, str, Cue | None]


def _evidence_json(
    start: int, end: int, section: str | None, assertion: str, term: str, basis: str, cue: Cue | None
) -> str:
    return (
        f'{{"start":{start},"end":{end},"section":{_string_or_null(section)},"assertion":{_string(assertion)},'
        f'"term":{_string(term)},"basis":{_string(basis)},"cue":{cue.to_json() if cue else "null"}}}'
    )


class Places:
    """The evidence of a suggestion, which all codes of its concept share: rows, until somebody reads the records."""

    __slots__ = ("_held",)

    def __init__(self, held: list[EvidenceRow] | tuple[Evidence, ...]) -> None:
        self._held = held

    def records(self) -> tuple[Evidence, ...]:
        held = self._held
        if isinstance(held, list):
            held = self._held = tuple(all_of(Evidence, held))
        return held

    def bare(self) -> bool:
        """Whether the first of them is a bare laboratory value."""
        held = self._held
        return bool(held) and (held[0][5] if isinstance(held, list) else held[0].basis) == "result"

    def said(self) -> bool:
        """Whether one of them is said in words, no bare laboratory value."""
        return bool(self._held) and (not self.bare() or any(e.basis == "text" for e in self.records()))

    def to_json(self) -> str:
        held = self._held
        own = starmap(_evidence_json, held) if isinstance(held, list) else map(Evidence.to_json, held)
        return f"[{','.join(own)}]"


class Whys(Protocol):
    """The contributions of the suggestions of a note, by row (`contributions.Contributions`)."""

    def __getitem__(self, row: int, /) -> Mapping[str, float]: ...

    def written(self, row: int) -> str: ...  # as JSON


class _ToldLater:
    """A suggestion without `why` and `evidence` until somebody asks for them, as few do."""

    __slots__ = ("_places", "_row", "_whys")
    if TYPE_CHECKING:
        _places: Places
        _row: int
        _whys: Whys | None
    else:  # to mypy it would allow every attribute

        def __getattr__(self, name: str) -> Any:
            if name == "evidence":
                object.__setattr__(self, name, self._places.records())
            elif name != "why":
                raise AttributeError(f"a {type(self).__name__} has no {name}", name=name, obj=self)
            elif (whys := self._whys) is not None:
                object.__setattr__(self, name, whys[self._row])
                object.__setattr__(self, "_whys", None)  # last: another thread may ask at the same time
            return object.__getattribute__(self, name)


@dataclass(frozen=True, slots=True)
class Suggestion(_ToldLater):
    """One code for one note. `intercept` plus the sum of the values of `why` is `score`."""

    system: str
    release: str
    code: str
    display: str
    confidence: float
    suggested: bool
    score: float
    intercept: float
    why: Mapping[str, float]
    evidence: tuple[Evidence, ...]
    #: of ICD-10-PCS: axes whose value the note does not tell ("side", "approach", "device", "qualifier")
    undocumented: tuple[str, ...] = ()

    @classmethod
    def told_later(
        cls,
        system: str,
        release: str,
        code: str,
        display: str,
        confidence: float,
        suggested: bool,
        score: float,
        intercept: float,
        whys: Whys,
        row: int,
        places: Places,
        undocumented: tuple[str, ...],
    ) -> Suggestion:
        """The same with `why=whys[row]` and `evidence=places.records()`, made when somebody reads them. A note has 50 and more."""
        whole: Any = cls
        made: Any = object.__new__(_unfrozen(whole))
        made.system = system
        made.release = release
        made.code = code
        made.display = display
        made.confidence = confidence
        made.suggested = suggested
        made.score = score
        made.intercept = intercept
        made._whys = whys
        made._row = row
        made._places = places
        made.undocumented = undocumented
        made.__class__ = cls
        told: Suggestion = made
        return told

    @property
    def places(self) -> Places:
        """Its evidence, to be asked without making it."""
        held: Places | None = getattr(self, "_places", None)
        return Places(self.evidence) if held is None else held

    def to_dict(self) -> dict[str, Any]:
        return {
            "system": self.system,
            "release": self.release,
            "code": self.code,
            "display": self.display,
            "confidence": self.confidence,
            "suggested": self.suggested,
            "score": self.score,
            "intercept": self.intercept,
            "why": dict(self.why),
            "evidence": [e.to_dict() for e in self.evidence],
            **({"undocumented": list(self.undocumented)} if self.undocumented else {}),
        }

    def to_json(self) -> str:
        told: Whys | None = getattr(self, "_whys", None)
        why = _written(dict(self.why)) if told is None else told.written(self._row)
        more = f',"undocumented":{_written(self.undocumented)}' if self.undocumented else ""
        return (
            f'{{"system":{_string(self.system)},"release":{_string(self.release)},"code":{_string(self.code)},'
            f'"display":{_string(self.display)},"confidence":{_number(self.confidence)},'
            f'"suggested":{"true" if self.suggested else "false"},"score":{_number(self.score)},'
            f'"intercept":{_number(self.intercept)},'
            f'"why":{why},"evidence":{self.places.to_json()}{more}}}'
        )


@dataclass(frozen=True, slots=True)
class Withheld:
    """A phrase that stands behind no suggestion, and the one reason (see `WITHHELD_REASONS`)."""

    start: int
    end: int
    reason: str
    section: str | None
    cue: Cue | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "start": self.start,
            "end": self.end,
            "reason": self.reason,
            "section": self.section,
            "cue": self.cue.to_dict() if self.cue else None,
        }

    def to_json(self) -> str:
        return (
            f'{{"start":{self.start},"end":{self.end},"reason":{_string(self.reason)},'
            f'"section":{_string_or_null(self.section)},"cue":{self.cue.to_json() if self.cue else "null"}}}'
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """What a payer or an auditor would ask. Speaks about suggestions, never removes one."""

    rule: str  #: stable id, e.g. "excludes1"
    severity: str  #: "error", "warning" or "info"
    message: str  #: one sentence in our words; no text of the note
    codes: tuple[str, ...]
    source: str  #: the authority in words: "ICD-10-CM Official Guidelines I.B.13, FY2026"
    evidence: tuple[tuple[int, int], ...] = ()
    section: str = ""  #: of the source: "I.B.13"
    fiscal_year: str = ""  #: of the guidelines, "2026"; empty for a law or a payer's table

    def to_dict(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "severity": self.severity,
            "message": self.message,
            "codes": list(self.codes),
            "source": self.source,
            "section": self.section,
            "fiscal_year": self.fiscal_year,
            "evidence": [{"start": a, "end": b} for a, b in self.evidence],
        }


@dataclass(frozen=True, slots=True)
class Caution:
    """A reason not to trust a result: the note is unlike what the model was trained on (`cautions.py` has the cut-offs)."""

    kind: str  #: "language", "nothing_found", "length", "document_type", "unknown_words"
    message: str  #: a clause in our words; no text of the note
    value: float  #: what was measured of the note
    bound: float  #: from where on it is said

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "message": self.message, "value": self.value, "bound": self.bound}


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """One line of a claim that a person, or an encounter, put together; lines stand in claim order."""

    system: str  #: "icd10cm", "icd10pcs", "hcpcs", "cpt"
    code: str  #: with or without dot
    units: int | None = None  #: of a procedure or drug; None where nobody counted
    modifiers: tuple[str, ...] = ()  #: "LT", "59"
    poa: str | None = None  #: present on admission: Y, N, U, W; "" or "1" for exempt; None where nobody said


@dataclass(frozen=True, slots=True)
class NoteResult:
    """All that was made of one note. Equal inputs give equal results, byte for byte in `to_json`."""

    model: str
    setting: str
    service_date: str
    document_type: str | None
    systems: tuple[str, ...]
    suggestions: tuple[Suggestion, ...]
    withheld: tuple[Withheld, ...]
    findings: tuple[Finding, ...]
    id: str = ""
    text: str | None = field(default=None, repr=False, compare=False)  #: kept for display; leaves only on request
    cautions: tuple[Caution, ...] = ()  #: why not to trust it, empty where nothing speaks against it

    def __iter__(self) -> Iterator[Suggestion]:
        return iter(self.suggestions)

    @property
    def suggested(self) -> tuple[Suggestion, ...]:
        """The suggestions at or above the operating threshold."""
        return tuple(s for s in self.suggestions if s.suggested)

    def to_dict(self, *, show_text: bool = False) -> dict[str, Any]:
        """The JSON contract of a batch line. Note text is in it only with `show_text`."""
        before, after = self._around()
        own = [s.to_dict() for s in self.suggestions], [w.to_dict() for w in self.withheld]
        out: dict[str, Any] = {**before, "suggestions": own[0], "withheld": own[1], **after}
        if show_text:
            out["text"] = self.text
            for row in out["suggestions"]:
                for e in row["evidence"]:
                    e["text"] = (self.text or "")[e["start"] : e["end"]]
        return out

    def _around(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What stands before and after the suggestions and what is withheld."""
        before = {
            "schema": SCHEMA,
            "id": self.id,
            "model": self.model,
            "setting": self.setting,
            "service_date": self.service_date,
            "document_type": self.document_type,
            "systems": list(self.systems),
        }
        findings, cautions = [f.to_dict() for f in self.findings], [c.to_dict() for c in self.cautions]
        return before, {"findings": findings, "cautions": cautions, "error": None}

    def to_json(self, *, show_text: bool = False) -> str:
        """`to_dict` as one line of ASCII. A batch asks it of every note: suggestions and what is withheld, all but some of the
        line, write themselves, in half of the time."""
        if show_text:
            return _written(self.to_dict(show_text=True))
        before, after = self._around()
        suggestions = ",".join([s.to_json() for s in self.suggestions])
        withheld = ",".join([w.to_json() for w in self.withheld])
        return f'{_written(before)[:-1]},"suggestions":[{suggestions}],"withheld":[{withheld}],{_written(after)[1:]}'

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> NoteResult:
        """The result a batch line holds (`error` lines hold none: ValueError)."""
        if row.get("error") is not None:
            raise ValueError(f"this record is an error: {row['error'].get('code')}")
        return cls(
            model=row["model"],
            setting=row["setting"],
            service_date=row["service_date"],
            document_type=row["document_type"],
            systems=tuple(row["systems"]),
            suggestions=tuple(
                Suggestion(
                    **{
                        **s,
                        "evidence": tuple(_evidence(e) for e in s["evidence"]),
                        "undocumented": tuple(s.get("undocumented", ())),
                    }
                )
                for s in row["suggestions"]
            ),
            withheld=tuple(Withheld(**{**w, "cue": _cue(w["cue"])}) for w in row["withheld"]),
            findings=tuple(_finding(f) for f in row["findings"]),
            id=row["id"],
            text=row.get("text"),
            cautions=tuple(Caution(**c) for c in row.get("cautions", ())),  # lines of older versions have none
        )

    def _repr_html_(self) -> str:
        from codesuggest.export import to_html  # the one import upwards: only a notebook asks for it

        return to_html(self)


def _cue(d: Mapping[str, Any] | None) -> Cue | None:
    return Cue(**d) if d else None


def _evidence(d: Mapping[str, Any]) -> Evidence:
    kept = {k: d[k] for k in ("start", "end", "section", "assertion", "term", "basis")}
    return Evidence(**kept, cue=_cue(d["cue"]))


def _finding(d: Mapping[str, Any]) -> Finding:
    spans = tuple((e["start"], e["end"]) for e in d["evidence"])
    return Finding(**{**d, "codes": tuple(d["codes"]), "evidence": spans})


# ---- an encounter


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of one document of an encounter: `text_of[document][start:end]`, in code points, end exclusive."""

    document: str
    start: int
    end: int

    def to_dict(self) -> dict[str, Any]:
        return {"document": self.document, "start": self.start, "end": self.end}


@dataclass(frozen=True, slots=True)
class DocumentEvidence:
    """Evidence in one document of an encounter."""

    document: str
    evidence: Evidence

    @property
    def place(self) -> Place:
        return Place(self.document, self.evidence.start, self.evidence.end)

    def to_dict(self) -> dict[str, Any]:
        return {"document": self.document, **self.evidence.to_dict()}


#: What can be proposed about a code of an encounter.
PROPOSALS = ("principal", "first_listed", "sequence", "poa", "modifier", "units")


@dataclass(frozen=True, slots=True)
class Proposal:
    """One thing the record says about a code besides the code itself; a coder decides."""

    kind: str  #: one of `PROPOSALS`
    value: str  #: the code, its place, the indicator (Y, N, U, W, exempt), the modifier, or the number of units
    reason: str  #: one sentence in our words; no text of a document
    source: str  #: guideline section and fiscal year, or another authority
    places: tuple[Place, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        places = [p.to_dict() for p in self.places]
        return {"kind": self.kind, "value": self.value, "reason": self.reason, "source": self.source, "places": places}


@dataclass(frozen=True, slots=True)
class EncounterCode:
    """One code of an encounter, once, with its evidence in every document that speaks of it."""

    system: str
    release: str
    code: str
    display: str
    confidence: float  #: the highest of `by_document`
    suggested: bool  #: by at least one document
    by_document: Mapping[str, float]  #: document -> confidence there, in the order of the documents
    evidence: tuple[DocumentEvidence, ...]
    position: int | None = None  #: proposed place on the claim among the codes of its kind, from 1; None: not on it
    superseded_by: str | None = None  #: a more specific suggested code that says the same
    proposals: tuple[Proposal, ...] = ()

    @property
    def poa(self) -> str | None:
        """The present-on-admission indicator that is proposed, if any."""
        return next((p.value for p in self.proposals if p.kind == "poa"), None)

    @property
    def modifiers(self) -> tuple[str, ...]:
        return tuple(p.value for p in self.proposals if p.kind == "modifier")

    @property
    def units(self) -> str | None:
        return next((p.value for p in self.proposals if p.kind == "units"), None)

    def to_dict(self) -> dict[str, Any]:
        return {
            "system": self.system,
            "release": self.release,
            "code": self.code,
            "display": self.display,
            "confidence": self.confidence,
            "suggested": self.suggested,
            "by_document": dict(self.by_document),
            "evidence": [e.to_dict() for e in self.evidence],
            "position": self.position,
            "superseded_by": self.superseded_by,
            "proposals": [p.to_dict() for p in self.proposals],
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> EncounterCode:
        evidence = tuple(DocumentEvidence(e["document"], _evidence(e)) for e in row["evidence"])
        proposals = tuple(
            Proposal(**{**p, "places": tuple(Place(**place) for place in p["places"])}) for p in row["proposals"]
        )
        return cls(**{**row, "evidence": evidence, "proposals": proposals})


@dataclass(frozen=True, slots=True)
class EncounterResult:
    """All that was made of the documents of one encounter: the claim's codes in proposed order, then the others."""

    model: str
    setting: str
    service_date: str
    documents: tuple[NoteResult, ...]
    codes: tuple[EncounterCode, ...]
    findings: tuple[Finding, ...]  #: over the whole; their evidence is that of their codes
    id: str = ""

    def __iter__(self) -> Iterator[EncounterCode]:
        return iter(self.codes)

    @property
    def claim(self) -> tuple[EncounterCode, ...]:
        """The suggested codes that no other supersedes, in proposed order, diagnoses first."""
        return tuple(c for c in self.codes if c.position is not None)

    @property
    def withheld(self) -> Mapping[str, tuple[Withheld, ...]]:
        """By document: the phrases behind no suggestion there."""
        return {d.id: d.withheld for d in self.documents}

    def to_dict(self, *, show_text: bool = False) -> dict[str, Any]:
        """Text of the documents is in it only with `show_text`."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "model": self.model,
            "setting": self.setting,
            "service_date": self.service_date,
            "codes": [c.to_dict() for c in self.codes],
            "findings": [f.to_dict() for f in self.findings],
            "documents": [d.to_dict(show_text=show_text) for d in self.documents],
            "error": None,
        }

    def to_json(self, *, show_text: bool = False) -> str:
        return _written(self.to_dict(show_text=show_text))

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> EncounterResult:
        return cls(
            model=row["model"],
            setting=row["setting"],
            service_date=row["service_date"],
            documents=tuple(NoteResult.from_dict(d) for d in row["documents"]),
            codes=tuple(EncounterCode.from_dict(c) for c in row["codes"]),
            findings=tuple(_finding(f) for f in row["findings"]),
            id=row["id"],
        )

    def _repr_html_(self) -> str:
        from codesuggest.export import encounter_to_html  # the import upwards, as in `NoteResult`

        return encounter_to_html(self)
