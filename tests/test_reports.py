"""Features that are repeated for reports of an operation."""

from __future__ import annotations

import numpy as np
import pytest

from codesuggest.company import COMPANY_FEATURES
from codesuggest.features import COLUMN, FEATURES
from codesuggest.reports import REPORT_FEATURES, REPORTED
from codesuggest.suggester import CodeSuggester

TEXT = "Postop diagnosis: left inguinal hernia\nFindings: direct hernia, no femoral hernia\nProcedure: open repair with mesh\n"


def columns(starter: CodeSuggester, system: str, document_type: str) -> np.ndarray:
    engine = starter.engines[system]
    reading = starter.reader.read(TEXT, document_type)
    allowed = engine.system.suggestible_on(engine.system.release)
    _, table = engine.candidates(reading, allowed, inpatient=False, top=30, floor=0.45)
    return table.x


def test_they_repeat_what_the_document_says_where_it_is_such_a_report(starter: CodeSuggester) -> None:
    x = columns(starter, "icd10cm", "operative_report")
    assert len(x) and (x[:, COLUMN["report:document"]] == 1).all()
    for name in REPORTED:
        assert (x[:, COLUMN[f"report:{name}"]] == x[:, COLUMN[name]]).all()
    assert x[:, COLUMN["report:full:assessment"]].any()


@pytest.mark.parametrize(
    ("system", "document_type"),
    [("icd10cm", "visit_note"), ("icd10pcs", "operative_report"), ("hcpcs", "operative_report")],
)
def test_they_are_silent_elsewhere(starter: CodeSuggester, system: str, document_type: str) -> None:
    assert not columns(starter, system, document_type)[:, [COLUMN[name] for name in REPORT_FEATURES]].any()


def test_none_is_filled_in_or_overwritten_later() -> None:
    """Training replaces the priors and `rivals` fills in what compares candidates: a copy made before would be stale."""
    assert set(REPORTED) <= set(FEATURES)
    assert not [name for name in REPORTED if name.startswith(("rival:", "learned:")) or name in COMPANY_FEATURES]
