"""What a caller asks of a note or a claim: options checked once, and what they mean when nobody says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from codesuggest.errors import OptionError
from codesuggest.guideline import MAY_BE_ABSENT, SETTINGS
from codesuggest.pipes.structure import DOCUMENT_TYPES
from codesuggest.records import ClaimLine

CHARGE_LINE = "charge_line"
#: Where a document type comes from when nobody says (II, IV: the setting decides how uncertain diagnoses are coded).
_SETTING_OF = {"discharge_summary": "inpatient"}
#: Systems asked when nobody says, of those the model holds: by document type, else by setting. Procedures of inpatients are
#: coded in ICD-10-PCS, services and supplies of outpatients in HCPCS and CPT; an operative report alone may be either.
_SYSTEMS = {"inpatient": ("icd10cm", "icd10pcs"), "outpatient": ("icd10cm", "hcpcs", "cpt")}
_SYSTEMS_OF_TYPE = {CHARGE_LINE: ("hcpcs", "cpt"), "operative_report": ("icd10cm", "icd10pcs", "hcpcs")}


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of one call, checked. `day` is the ISO date of service; what nobody said is None."""

    day: str
    setting: str | None = None
    document_type: str | None = None
    systems: tuple[str, ...] | None = None
    age: int | None = None
    sex: str | None = None
    limit: int | None = None
    threshold: float | None = None

    @classmethod
    def checked(
        cls,
        held: Sequence[str],
        release_day: str,
        *,
        service_date: str | dt.date | None = None,
        setting: str | None = None,
        document_type: str | None = None,
        systems: Sequence[str] | None = None,
        age: int | None = None,
        sex: str | None = None,
        limit: int | None = None,
        threshold: float | None = None,
    ) -> Asked:
        """held: the model's systems. release_day: the service date when nobody gives one. Raises OptionError."""
        if isinstance(service_date, dt.date):
            service_date = service_date.isoformat()[:10]
        day = service_date if service_date is not None else release_day
        try:
            if not isinstance(day, str) or dt.date.fromisoformat(day).isoformat() != day:
                raise ValueError
        except ValueError:
            raise OptionError("service_date must be a day as YYYY-MM-DD, or a datetime.date") from None
        among("setting", setting, SETTINGS)
        among("document_type", document_type, DOCUMENT_TYPES)
        among("sex", sex, ("female", "male"))
        if systems is not None and (isinstance(systems, str) or not isinstance(systems, Iterable)):
            raise OptionError("systems must be a list of names")
        named = None if systems is None else list(systems)
        if named is not None and not all(isinstance(name, str) for name in named):
            raise OptionError("systems must be a list of names")
        for name in named or ():
            among("systems", name, held)
        if age is not None and (not isinstance(age, int) or isinstance(age, bool) or not 0 <= age <= 130):
            raise OptionError("age must be a whole number of years from 0 to 130")
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            raise OptionError("limit must be a whole number of at least 1")
        number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
        if threshold is not None and not (number and 0 <= threshold <= 1):
            raise OptionError("threshold must lie in [0, 1]")
        return cls(
            day, setting, document_type, tuple(dict.fromkeys(named)) if named else None, age, sex, limit, threshold
        )

    def setting_for(self, document_type: str | None, *, otherwise: str = "outpatient") -> str:
        """The setting given, else that of the document type, else `otherwise`."""
        return self.setting or _SETTING_OF.get(document_type or "", otherwise)

    def systems_for(self, document_type: str | None, held: Sequence[str]) -> tuple[str, ...]:
        """The systems given, else those of the document type or the setting that the model holds, else all it holds.

        A setting the caller gave decides for an operative report, but not for a charge line.
        """
        if self.systems:
            return self.systems
        wanted = _SYSTEMS[self.setting_for(document_type)]
        if document_type == CHARGE_LINE or self.setting is None:
            wanted = _SYSTEMS_OF_TYPE.get(document_type or "", wanted)
        return tuple(s for s in wanted if s in held) or tuple(held)


def by_lines(document_type: str | None, system: str) -> bool:
    """Whether a document is a list of charges to this system: diagnoses are read as in any note."""
    return document_type == CHARGE_LINE and not system.startswith("icd")


def claim_lines(codes: object, held: Sequence[str]) -> list[ClaimLine]:
    """The codes of a claim as lines. Raises OptionError for what is none, without repeating it."""
    if isinstance(codes, str) or not isinstance(codes, Iterable):
        raise OptionError('codes must be a list such as ["E11.9", ("icd10pcs", "0DTJ4ZZ")]')
    lines = []
    for given in codes:
        if isinstance(given, str):
            given = ClaimLine("icd10cm", given)
        elif isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(part, str) for part in given):
            given = ClaimLine(*given)
        if not isinstance(given, ClaimLine) or not all(
            isinstance(part, str) for part in (given.system, given.code, given.poa or "", *given.modifiers)
        ):
            raise OptionError('a code of a claim is "E11.9", ("icd10pcs", "0DTJ4ZZ") or a ClaimLine')
        among("system", given.system, (*held, *(s for s in MAY_BE_ABSENT if s not in held)))
        if given.units is not None and (not isinstance(given.units, int) or given.units < 1):
            raise OptionError("units must be a whole number of at least 1")
        lines.append(given)
    return lines


def among(what: str, value: str | None, allowed: Sequence[str]) -> None:
    """Raises OptionError for a value that is none of the allowed ones."""
    if value is not None and value not in allowed:
        raise OptionError(f"{what} must be one of {', '.join(allowed)}")
