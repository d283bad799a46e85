"""What of a code system the features need, computed once at load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.care import is_drug
from codesuggest.codes.system import CodeSystem
from codesuggest.company import Company
from codesuggest.concepts import Concepts, categories_of, concept_of_codes
from codesuggest.routes import routes_of
from codesuggest.trimesters import trimesters

Ints = npt.NDArray[Any]  #: int32 unless said otherwise
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Static:
    """By concept (c,): category int32, dense id of the three-character category; letter int8, number of the first
    character; title_term int32, the concept's title, -1 if none; first int32, its first code; drug bool, in HCPCS only, else
    None. By code (k,): code_length int8; concept int32, -1 for headers.
    """

    category: Ints
    letter: npt.NDArray[np.int8]
    title_term: Ints
    code_length: npt.NDArray[np.int8]
    first: Ints
    concept: Ints
    drug: Bools | None = None
    sided: bool = True  #: whether any code names a side
    company: Company | None = None  #: of ICD-10-CM
    trimester: npt.NDArray[np.int8] | None = None  #: int8 (k,), part of a pregnancy a code is for, of ICD-10-CM
    route: npt.NDArray[np.uint8] | None = None  #: uint8 (c,), see `routes`, of ICD-10-CM
    habit: Bools | None = None  #: bool (c,), use, abuse or dependence that goes on, of ICD-10-CM

    @classmethod
    def of(cls, system: CodeSystem, concepts: Concepts) -> Static:
        first = concepts.member[concepts.member_indptr[:-1]]
        codes = np.asarray(system.codes)
        category = categories_of(system)
        raw = codes.view(np.uint8).reshape(len(codes), -1)[:, 0]
        # ICD-10-PCS has sections 0 to 9: they take the letters from I on, of which it uses none but X
        letter = np.where(raw >= 65, raw - 65, raw - 48 + 8).astype(np.int8)
        title = np.full(len(first), -1, np.int32)
        terms = np.flatnonzero(concepts.term_kind == 0)[::-1]
        title[concepts.term_concept[terms]] = terms
        drug = is_drug(codes[first]) if system.name == "hcpcs" else None
        return cls(
            category[first],
            letter[first],
            title,
            np.char.str_len(codes).astype(np.int8),
            first,
            concept_of_codes(concepts, len(codes)),
            drug,
            bool(concepts.side.any()),
            Company.of(system) if system.name.startswith("icd10cm") else None,
            trimesters(system) if system.name.startswith("icd10cm") else None,
            routes_of(codes[first]) if system.name.startswith("icd10cm") else None,
            _habits(codes[first]) if system.name.startswith("icd10cm") else None,
        )


def _habits(codes: npt.NDArray[Any]) -> Bools:
    """F10 to F19 but those in remission: what was given up is coded as in remission, tobacco as a personal history (I.C.5.b.1 and
    I.C.21.c.4, FY2026). codes: bytes (k,), undotted."""
    letters = codes.astype("S7").view(np.uint8).reshape(len(codes), 7).T  # however short the codes of a small table
    one, two, seven = b"127"
    nicotine = letters[2] == seven
    over = nicotine & (letters[3] == two) & (letters[5] == one)
    over |= ~nicotine & np.isin(letters[3], list(b"129")) & (letters[4] == one) & (letters[5] == 0)
    return np.asarray((letters[0] == ord("F")) & (letters[1] == one) & ~over)
