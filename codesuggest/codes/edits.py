"""Payers' edit tables that a user may add: each part is None until its file is loaded.

None of them is shipped. A rule that needs a missing part says so once (`not_checked`) instead of passing in silence.
The parts are what the readers of the published files give; the protocols say what the rules ask of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Edits", "Mce", "Mue", "MueLimit", "Ptp", "PtpEdit"]


class Mce(Protocol):
    """Diagnosis lists of the Medicare Code Editor; codes without dot."""

    @property
    def manifestation(self) -> frozenset[str]: ...  #: never principal, an underlying disease goes before
    @property
    def unacceptable_principal(self) -> frozenset[str]: ...
    @property
    def unacceptable_unless_secondary(self) -> frozenset[str] | None: ...  #: principal only with another diagnosis
    @property
    def newborn(self) -> frozenset[str]: ...  #: age 0
    @property
    def pediatric(self) -> frozenset[str]: ...  #: ages 0 to 17
    @property
    def maternity(self) -> frozenset[str]: ...  #: ages 9 to 64
    @property
    def adult(self) -> frozenset[str]: ...  #: ages 15 to 124


class PtpEdit(Protocol):
    """An NCCI procedure-to-procedure edit in force on a day."""

    @property
    def column1(self) -> str: ...  #: the code that is paid
    @property
    def column2(self) -> str: ...
    @property
    def modifier(self) -> int: ...  #: 0 no modifier helps, 1 one may, 9 not applicable


class Ptp(Protocol):
    def edit(self, first: str, second: str, day: int) -> PtpEdit | None:
        """The edit over two codes, in either order, in force on `day` (YYYYMMDD); None for none."""
        ...


class MueLimit(Protocol):
    """The most units of a code that are medically likely."""

    @property
    def units(self) -> int: ...
    @property
    def adjudication(self) -> int: ...  #: 1 a claim line, 2 a day by policy, 3 a day by clinical benchmarks


class Mue(Protocol):
    def limit(self, code: str) -> MueLimit | None: ...


@dataclass(frozen=True, slots=True)
class Edits:
    """What the user has loaded of payers' tables."""

    poa_exempt: frozenset[str] | None = None  #: ICD-10-CM codes without dot that take no present-on-admission indicator
    mce: Mce | None = None
    ptp: Ptp | None = None
    mue: Mue | None = None
