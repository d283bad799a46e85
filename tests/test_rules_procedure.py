"""What the table allows for one axis: the codes that differ there only, billable on the day."""

from __future__ import annotations

import pytest
from pcs_system import SYSTEM

from codesuggest.codes.system import CodeRow, CodeSystem
from codesuggest.guideline import check
from codesuggest.records import Evidence, Suggestion
from codesuggest.rules.procedure import AXES, allowed

DAY = 20260501


@pytest.mark.parametrize(
    ("code", "axis", "others"),
    [
        (
            "0DTJ0ZZ",
            "approach",
            {"0DTJ4ZZ": "Percutaneous Endoscopic", "0DTJ8ZZ": "Via Natural or Artificial Opening Endoscopic"},
        ),
        ("0SRC0J9", "side", {"0SRD0J9": "Left"}),
        ("0SRC0J9", "device", {"0SRC019": "Tin"}),
        ("0SRC0J9", "qualifier", {"0SRC0JA": "Uncemented"}),
        ("0DBN8ZX", "qualifier", {"0DBN8ZZ": "none"}),
        ("BW03ZZZ", "approach", {}),
        ("0DTJ0ZZ", "side", {}),
    ],
)
def test_what_else_the_table_allows(code: str, axis: str, others: dict[str, str]) -> None:
    assert dict(allowed(SYSTEM, SYSTEM.index_of(code), axis, DAY)) == others


def test_as_a_slow_look_through_the_whole_table() -> None:
    for index in range(len(SYSTEM)):
        code = SYSTEM.code(index)
        for axis, (place, _) in AXES.items():
            if axis == "side":
                continue
            differ = [
                c.decode()
                for c in SYSTEM.codes
                if c.decode()[:place] + c.decode()[place + 1 :] == code[:place] + code[place + 1 :]
            ]
            assert [c for c, _ in allowed(SYSTEM, index, axis, DAY)] == sorted(set(differ) - {code})


def test_a_code_that_is_gone_on_the_day_is_not_offered() -> None:
    rows = [
        CodeRow("0DTJ0ZZ", "Removal of Pouch, Open Approach"),
        CodeRow("0DTJ4ZZ", "Removal of Pouch, Percutaneous Endoscopic Approach", valid_to=20250930),
    ]
    system = CodeSystem.from_rows(rows, name="icd10pcs", release="2026-04-01")
    assert allowed(system, system.index_of("0DTJ0ZZ"), "approach", DAY) == []
    assert [c for c, _ in allowed(system, system.index_of("0DTJ0ZZ"), "approach", 20250901)] == ["0DTJ4ZZ"]


def suggestion(code: str, *undocumented: str, suggested: bool = True) -> Suggestion:
    return Suggestion(
        system="icd10pcs", release="2026-04-01", code=code, display=SYSTEM.title(SYSTEM.index_of(code)), confidence=0.5,
        suggested=suggested, score=0.0, intercept=0.0, why={}, evidence=(Evidence(3, 9, None, "affirmed", "words"),),
        undocumented=undocumented,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fires", "suggestions"),
    [
        # appendectomy, nobody says how
        (["approach"], [suggestion("0DTJ0ZZ", "approach")]),
        # knee replacement without side, kind of hinge or cement
        (["side", "device", "qualifier"], [suggestion("0SRC0J9", "side", "device", "qualifier")]),
        # of two codes for one operation the better one speaks
        (["approach"], [suggestion("0DTJ4ZZ", "approach"), suggestion("0DTJ0ZZ", "approach")]),
        ([], [suggestion("0DTJ4ZZ")]),  # all documented
        ([], [suggestion("0DTJ4ZZ", "approach", suggested=False)]),  # merely listed
        ([], [suggestion("BW03ZZZ", "device")]),  # the table leaves no choice
        ([], []),
    ],
)
def test_when_the_finding_speaks(fires: list[str], suggestions: list[Suggestion]) -> None:
    found = check(suggestions, {"icd10pcs": SYSTEM}, setting="inpatient", service_date="2026-05-01")
    assert {f.rule for f in found} == ({"pcs_axis_undocumented"} if fires else set())
    assert sorted(a for f in found for a in AXES if AXES[a][1] in f.message) == sorted(fires)
    assert all(f.codes == (suggestions[0].code,) and f.evidence == ((3, 9),) and f.severity == "info" for f in found)
