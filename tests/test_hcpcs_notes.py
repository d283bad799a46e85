"""HCPCS in notes: what was given, applied, dispensed or ordered is suggested; what is listed, refused or planned is not.

The model is trained here on the invented notes coded in HCPCS, of which these sentences are none.
"""

from __future__ import annotations

import pytest
from conftest import NOTES, ROOT

from codesuggest.coded import read_coded
from codesuggest.codes import packages
from codesuggest.records import NoteResult
from codesuggest.suggester import CodeSuggester
from codesuggest.training import train

HEAD = "CC: follow up\nHPI: Seen today for recheck.\n"


@pytest.fixture(scope="module")
def model() -> CodeSuggester:
    documents = [d for d in read_coded(NOTES) if "hcpcs" in d.systems]
    return train(documents, systems=[packages.hcpcs(ROOT / "corpora" / "codes" / "hcpcs.tsv")], min_groups=1, seed=0)


def suggested(model: CodeSuggester, text: str) -> NoteResult:
    return model.suggest(HEAD + text, document_type="visit_note", setting="outpatient", service_date="2026-03-02")


# (what the note says, the code a coder bills for it)
GIVEN = [
    ("Plan: ceftriaxone 1 g IM given in the office.", "J0696"),
    ("Plan: Depo-Medrol 40 mg injected into the left shoulder, tolerated well.", "J1010"),
    ("Plan: Kenalog 40 mg intra-articular injection given today.", "J3301"),
    ("Plan: ketorolac 60 mg IM in office.", "J1885"),
    ("Procedure: promethazine 25 mg IM given R deltoid.", "J2550"),
    ("Plan: B12 shot 1000 mcg IM given today.", "J3420"),
    ("Plan: albuterol 2.5 mg neb given x1 in clinic.", "J7613"),
    ("ED course: morphine 4 mg IV given.", "J2270"),
    ("ED course: 1 L NS bolus given.", "J7030"),
    ("Plan: high dose flu shot given left deltoid.", "G0008"),
    ("Plan: crutches dispensed and adjusted.", "E0114"),
    ("Plan: DME order: nebulizer machine.", "E0570"),
    ("Plan: sling applied.", "A4565"),
    ("Plan: walking boot dispensed today.", "L4387"),
    ("Plan: wheelchair ordered from DME.", "K0001"),
    ("Procedure: Mirena IUD inserted today, strings 3 cm.", "J7298"),
    ("Plan: short arm cast applied, fiberglass.", "Q4010"),
]
# (what the note says, the code that must not be billed for it)
LISTED = [
    ("Medications: ketorolac 10 mg tablet q6h prn, lisinopril 10 mg daily", "J1885"),
    ("Medications: sumatriptan 6 mg SQ prn at home, own supply", "J3030"),
    ("Plan: Toradol offered, declined.", "J1885"),
    ("Plan: flu shot declined.", "G0008"),
    ("HPI: had a Depo-Medrol injection last year at another clinic.", "J1010"),
    ("Medications: adalimumab 40 mg every 2 weeks, self-injected at home", "J0139"),
    ("Plan: ondansetron 4 mg ODT prescription sent to pharmacy.", "J2405"),
    ("Plan: will consider Botox at next visit.", "J0585"),
    ("Plan: Rx prednisone 40 mg daily x 5 days, sent to pharmacy.", "J7512"),
    ("HPI: He uses his own CPAP at home.", "E0601"),
    ("Plan: dexamethasone not given.", "J1100"),
    ("Allergies: ceftriaxone (hives)", "J0696"),
    ("Plan: wheelchair not needed.", "K0001"),
]


@pytest.mark.parametrize(("text", "code"), GIVEN)
def test_what_was_given_is_suggested(model: CodeSuggester, text: str, code: str) -> None:
    found = {s.code: s for s in suggested(model, text).suggestions}
    assert code in found and found[code].suggested, {c: round(s.confidence, 2) for c, s in found.items()}


@pytest.mark.parametrize(("text", "code"), LISTED)
def test_what_is_only_listed_is_not_suggested(model: CodeSuggester, text: str, code: str) -> None:
    found = {s.code: s for s in suggested(model, text).suggestions}
    assert code not in found or not found[code].suggested, round(found[code].confidence, 2)


@pytest.mark.parametrize(
    ("given", "listed", "code"),
    [
        ("ketorolac 30 mg IM given", "ketorolac 30 mg prn at home", "J1885"),
        ("medroxyprogesterone 150 mg IM given", "medroxyprogesterone 150 mg IM declined", "J1050"),
        ("ondansetron 4 mg IV given", "ondansetron 4 mg tablets sent to pharmacy", "J2405"),
        ("knee immobilizer dispensed", "knee immobilizer not needed", "L1830"),
    ],
)
def test_the_same_thing_given_is_surer_than_listed(model: CodeSuggester, given: str, listed: str, code: str) -> None:
    one, two = (
        next((s.score for s in suggested(model, f"Plan: {t}.").suggestions if s.code == code), -99.0)
        for t in (given, listed)
    )
    assert one > two


def test_the_reasons_name_the_cues(model: CodeSuggester) -> None:
    result = suggested(model, "Plan: ketorolac 60 mg IM given in office.")
    (best,) = [s for s in result.suggestions if s.code == "J1885"]
    assert {name for name in best.why if name.startswith("care:drug_")} >= {"care:drug_dose", "care:drug_provided"}
    evidence = best.evidence[0]
    assert "ketorolac" in (HEAD + "Plan: ketorolac 60 mg IM given in office.")[evidence.start : evidence.end]
