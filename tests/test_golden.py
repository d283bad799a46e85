"""Eight notes as a coder reviewed them: suggested codes, what became of the denied and the uncertain, findings.

No confidences and no order, so that training may move them. After a change that is meant to show:

    python -m pytest tests/test_golden.py --update-golden

and read the difference before committing it: every line is a claim about a note.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import NOTES

from codesuggest.records import NoteResult
from codesuggest.suggester import CodeSuggester

GOLDEN = Path(__file__).parent / "golden"
CHOSEN = (
    "discharge_copd_01",
    "ed_ankle_injury_01",
    "lab_bmp_01",
    "operative_lap_chole_01",
    "radiology_chest_xray_01",
    "visit_cardiology_01",
    "visit_endocrinology_01",
    "visit_pediatrics_01",
)


def seen(name: str, result: NoteResult) -> dict[str, Any]:
    """What the golden file holds of a result. Spans with their words, so that a person can read it."""
    text = (NOTES / f"{name}.txt").read_bytes().decode("utf-8")
    gold = json.loads((NOTES / f"{name}.json").read_bytes())
    marked = sorted((a["start"], a["end"]) for a in gold["assertions"] if a["assertion"] != "affirmed")
    held = []
    for start, end in marked:
        reasons = sorted({w.reason for w in result.withheld if w.start < end and start < w.end})
        evidence = sorted({s.code for s in result.suggested for e in s.evidence if e.start < end and start < e.end})
        held.append({"start": start, "end": end, "words": text[start:end], "withheld": reasons, "suggested": evidence})
    return {
        "note": name,
        "document_type": result.document_type,
        "setting": result.setting,
        "suggested": {
            f"{s.system} {s.code}": s.display for s in sorted(result.suggested, key=lambda s: (s.system, s.code))
        },
        "asserted": held,
        "findings": sorted({f"{f.rule} {' '.join(f.codes)}" for f in result.findings if f.rule != "result_only"}),
        "results_only": sorted({c for f in result.findings if f.rule == "result_only" for c in f.codes}),
    }


def result_of(starter: CodeSuggester, name: str) -> NoteResult:
    gold = json.loads((NOTES / f"{name}.json").read_bytes())
    text = (NOTES / f"{name}.txt").read_bytes().decode("utf-8")
    told = {key: gold[key] for key in ("setting", "service_date", "age", "sex", "document_type")}
    return starter.suggest(text, id=name, **told)


@pytest.mark.parametrize("name", CHOSEN)
def test_golden(starter: CodeSuggester, name: str, request: pytest.FixtureRequest) -> None:
    file = GOLDEN / f"{name}.json"
    found = seen(name, result_of(starter, name))
    if request.config.getoption("--update-golden"):
        file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        pytest.skip(f"wrote {file.name}: read the difference")
    assert found == json.loads(file.read_bytes())


def test_no_golden_file_is_forgotten() -> None:
    assert sorted(p.stem for p in GOLDEN.glob("*.json")) == sorted(CHOSEN)
