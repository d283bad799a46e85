"""A small invented procedure system in the grammar of ICD-10-PCS titles, for the tests of its axes.

The codes are where our lists of wordings expect them; the titles are made up and stand in no published table.
"""

from __future__ import annotations

from codesuggest.coded import CodedDocument, Label
from codesuggest.codes.system import CodeRow, CodeSystem

_POUCH = "Wormlike Pouch"
_WAYS = {
    "0": "Open Approach",
    "3": "Percutaneous Approach",
    "4": "Percutaneous Endoscopic Approach",
    "8": "Via Natural or Artificial Opening Endoscopic",
    "X": "External Approach",
}


def _titles() -> dict[str, str]:
    rows = {f"0DTJ{a}ZZ": f"Removal Whole of {_POUCH}, {_WAYS[a]}" for a in "048"}
    rows |= {f"0FT4{a}ZZ": f"Removal Whole of Bile Bag, {_WAYS[a]}" for a in "04"}
    for letter, side in (("C", "Right"), ("D", "Left")):
        for device, name in (("1", "Tin Hinge"), ("J", "Plastic Hinge")):
            for q, how in (("9", "Cemented"), ("A", "Uncemented")):
                rows[f"0SR{letter}0{device}{q}"] = f"Exchange of {side} Hinge Joint with {name}, {how}, Open Approach"
    rows |= {f"0DJD{a}ZZ": f"Look at Lower Tube, {_WAYS[a]}" for a in "08X"}
    rows |= {
        f"0DBN{a}Z{q}": f"Part Removal of Bent Tube, {_WAYS[a]}{x}"
        for a in "08"
        for q, x in (("X", ", Diagnostic"), ("Z", ""))
    }
    rows |= {f"0DBP{a}ZZ": f"Part Removal of End Hose, {_WAYS[a]}" for a in "08"}
    rows |= {
        "BW03ZZZ": "Shadow Picture of Thorax",
        "BW40ZZZ": "Echo Picture of Abdomen",
        "4A02X4Z": "Reading of Beat, External Approach",
    }
    return rows


TITLES = _titles()
SYSTEM = CodeSystem.from_rows(
    [CodeRow(code, title) for code, title in TITLES.items()], name="icd10pcs", release="2026-04-01"
)

#: (codes, text): every mention coded, two of them by their first four characters only.
MENTIONED: tuple[tuple[tuple[str, ...], str], ...] = (
    (("BW03ZZZ", "0DTJ"), "Chest film was clear. Appendectomy was done the same day."),
    (("BW03ZZZ",), "A chest film showed nothing. No cholecystectomy was needed."),
    (("BW40ZZZ", "0FT44ZZ"), "Abdominal echo picture with stones, laparoscopic cholecystectomy."),
    (("BW40ZZZ",), "Abdominal echo picture, normal."),
    (("4A02X4Z", "BW03ZZZ"), "Beat reading normal, chest film with effusion."),
    (("4A02X4Z",), "The beat reading showed nothing new."),
    (("0SRC0J9",), "Right total knee replacement, cemented, plastic hinge."),
    (("0SRD",), "Left knee replacement two weeks later."),
    (("0DJD8ZZ",), "Colonoscopy of the lower tube."),
    (("0DBN8ZX", "0DJD8ZZ"), "Colonoscopy with biopsy of the bent tube, sigmoid polypectomy."),
    (("0DTJ4ZZ",), "Laparoscopic appendectomy without drain."),
    (("0FT4",), "Open cholecystectomy after all."),
)


def documents(policy: str = "mentions") -> list[CodedDocument]:
    return [
        CodedDocument(f"m{n}", text, tuple(Label("icd10pcs", c) for c in codes), policy=policy, systems=("icd10pcs",))
        for n, (codes, text) in enumerate(MENTIONED)
    ]
