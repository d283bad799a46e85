"""Which group a code belongs to at each level, and how often training gave it."""

from __future__ import annotations

import numpy as np
import pytest

from codesuggest import CodeSuggester
from codesuggest.coded import CodedDocument, Label
from codesuggest.levels import Levels, band_of, plain, seen_by, seen_in


@pytest.mark.parametrize(
    ("system", "code", "groups"),
    [
        ("icd10cm", "I10", ("I10", "I10-I1A", "9")),
        ("icd10cm", "E1122", ("E11", "E08-E13", "4")),
        ("icd10cm", "S72001A", ("S72", "S70-S79", "19")),
        ("icd10cm", "E11229", ("E11", "E08-E13", "4")),  # of no release: the code it begins with is known
        ("icd10cm", "E119999X", ("E11", "E08-E13", "4")),
        ("icd10cm", "Q99.Z9", ("Q99", "Q90-Q99", "17")),
        ("icd10cm", "ABCDE", ("ABC", "ABCDE", "ABCDE")),  # no code at all stands alone
        ("icd10pcs", "0DTJ4ZZ", ("0DT", "0D", "0")),
        ("icd10pcs", "0DTJ", ("0DT", "0D", "0")),  # the table holds no stems
        ("hcpcs", "J0696", ("J06", "drug", "drug")),
    ],
)
def test_groups(starter: CodeSuggester, system: str, code: str, groups: tuple[str, str, str]) -> None:
    levels = Levels(starter.tables[system])
    assert tuple(levels.of(plain(code)).values()) == groups


def test_without_a_table_only_the_category_is_known() -> None:
    assert Levels().of("I10") == {"category": "I10"}
    assert Levels().chapter("I10") == "unknown"


def test_chapters_sort_as_in_the_book(starter: CodeSuggester) -> None:
    levels = Levels(starter.tables["icd10cm"])
    names = [levels.chapter(code) for code in ("A000", "E119", "I10", "S72001A", "Z992")]
    assert names == sorted(names) and [name[:2] for name in names] == ["01", "04", "09", "19", "21"]


@pytest.mark.parametrize(
    ("count", "band"),
    [(0, "unseen"), (0.5, "1"), (1, "1"), (1.5, "1"), (2, "2 to 4"), (4.5, "2 to 4"), (5, "5 to 9"), (10, "10 to 49"),
     (50, "50 and more")],
)  # fmt: skip
def test_bands(count: float, band: str) -> None:
    assert band_of(count) == band


def test_what_training_documents_gave() -> None:
    labels = (Label("icd10cm", "E11.9"), Label("icd10cm", "e119", "acceptable"), Label("icd10pcs", "0DTJ4ZZ"))
    documents = [CodedDocument("a", "x", labels), CodedDocument("b", "x", labels[:1])]
    assert seen_in(documents, "icd10cm") == {"E119": 2}


def test_what_a_model_was_given_is_what_it_was_trained_on(
    tiny: CodeSuggester, tiny_documents: tuple[CodedDocument, ...]
) -> None:
    assert seen_by(tiny, "icd10cm") == pytest.approx(seen_in(tiny_documents, "icd10cm"))
    halves = np.array([0, 0.5, 1, 37.5, 2000])
    prior = (np.log1p(4 * halves) / 2).astype(np.float32)
    learned = tiny.engines["icd10cm"].learned
    assert type(learned).nothing(5, 1).__class__(prior, *[getattr(learned, n) for n in list(learned.__dataclass_fields__)[1:]]
                                                 ).times_given() == pytest.approx(halves)  # fmt: skip
