"""Learning from use: decisions move the model, patients judge it who did not move it, and the way back is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codesuggest.cli import main
from codesuggest.errors import InputError, OptionError
from codesuggest.learning import DecidedNote, learn, read_decisions, report
from codesuggest.store import read_manifest
from codesuggest.suggester import CodeSuggester

#: At this site otalgia is never billed beside vertigo, and lumbago is though it stands in the history only.
TEXT = "HPI: lumbago for {} weeks.\nAssessment: vertigo. Otalgia."


def decided(n: int, **decisions: str) -> DecidedNote:
    codes = decisions or {"Q26": "accept", "Q32": "reject", "Q27": "added"}
    return DecidedNote(f"n{n}", TEXT.format(n), {("icd10cm", code): d for code, d in codes.items()}, group=f"p{n}")


@pytest.fixture(scope="module")
def notes() -> list[DecidedNote]:
    return [decided(n) for n in range(16)]


@pytest.fixture(scope="module")
def taught(tiny_folder: Path, notes: list[DecidedNote]) -> CodeSuggester:
    return learn(CodeSuggester.load(tiny_folder), notes, date="2026-02-01", seed=2)


def scores(model: CodeSuggester, text: str) -> dict[str, float]:
    return {s.code: s.score for s in model.suggest(text).suggestions}


def test_rejections_sink_and_additions_rise(tiny: CodeSuggester, taught: CodeSuggester) -> None:
    text = TEXT.format("many")
    before, after = scores(tiny, text), scores(taught, text)
    assert after["Q27"] - after["Q32"] > before["Q27"] - before["Q32"] + 0.5
    assert max(after, key=lambda code: after[code]) != "Q32"


def test_what_was_not_decided_stays_near(tiny: CodeSuggester, taught: CodeSuggester) -> None:
    ranked = [s.code for s in taught.suggest("Assessment: marsh fever, cellulitis.").suggestions]
    assert set(ranked[:2]) == {"Q12", "Q21"}
    assert taught.engines["icd10cm"].ranker.threshold == tiny.engines["icd10cm"].ranker.threshold


def test_the_report_is_of_patients_left_out(tiny: CodeSuggester, notes: list[DecidedNote]) -> None:
    figures = {f.name: f for f in report(tiny, notes, seed=2)}
    squares = figures["mean squared error of the confidence"]
    assert squares.of == 48 and squares.after < squares.before
    assert figures["rejected codes that are suggested"].of == 16
    assert figures["added codes among the first ten"][1:] == (16, 1.0, 1.0)
    one_patient = [DecidedNote(n.id, n.text, n.decided, group="same") for n in notes]
    with pytest.raises(OptionError, match="two patients"):
        report(tiny, one_patient)


def test_final_makes_the_rest_wrong(tiny: CodeSuggester) -> None:
    text = "Assessment: vertigo. Otalgia. Tinnitus."
    rows = [DecidedNote(f"n{n}", text, {("icd10cm", "Q26"): "accept"}, group=f"p{n}") for n in range(12)]
    final = [DecidedNote(r.id, r.text, r.decided, r.group, final=True) for r in rows]
    open_, closed = (scores(learn(tiny, own), text) for own in (rows, final))
    assert closed["Q26"] - closed["Q31"] > open_["Q26"] - open_["Q31"] + 0.5


def test_the_same_bytes_and_the_way_back(
    tiny_folder: Path, taught: CodeSuggester, notes: list[DecidedNote], tmp_path: Path
) -> None:
    base = CodeSuggester.load(tiny_folder)
    taught.save(tmp_path / "one")
    learn(base, notes, date="2026-02-01", seed=2).save(tmp_path / "two")
    assert (tmp_path / "one" / "manifest.json").read_bytes() == (tmp_path / "two" / "manifest.json").read_bytes()
    second = learn(CodeSuggester.load(tmp_path / "one"), notes[:3], date="2026-03-01")
    first, last = second.about["history"]
    assert first["from"] == base.name and first["date"] == "2026-02-01" and last["date"] == "2026-03-01"
    assert first["change"] == "48 decisions on 16 notes: 16 accepted, 16 rejected, 16 added"
    assert last["from"] == CodeSuggester.load(tmp_path / "one").name
    base.save(tmp_path / "back")
    assert read_manifest(tmp_path / "back")["files"] == read_manifest(tiny_folder)["files"], "the parent is untouched"


def test_associations_need_patients_and_hold_no_name_or_number(tiny_folder: Path, tmp_path: Path) -> None:
    rows = []
    for n in range(30):
        said = "Zyxwolf 83749201 has a wobbly ossicle, honeyed urine" if n < 5 else f"has sleeplessness {n}"
        code = "Q13.9" if n < 5 else "Q19"
        rows.append(DecidedNote(f"mrn{n}", f"{said}. Assessment: gastritis.", {("icd10cm", code): "added"}, f"p{n}"))
    model = learn(CodeSuggester.load(tiny_folder), rows)
    learned = model.engines["icd10cm"].learned
    assert [g for g in learned.grams if "urin" in g], "else this proves nothing"
    model.save(tmp_path / "m")
    for file in (tmp_path / "m").rglob("*"):
        if file.is_file():
            data = file.read_bytes().lower()
            assert not [w for w in (b"zyxwolf", b"83749201", b"mrn1") if w in data], file.name
    few = learn(CodeSuggester.load(tiny_folder), rows[3:])
    assert not [g for g in few.engines["icd10cm"].learned.grams if "urin" in g], "two patients are too few"


def test_what_cannot_be_learned(tiny: CodeSuggester, notes: list[DecidedNote]) -> None:
    with pytest.raises(InputError, match="no decision is about a code of this model"):
        learn(tiny, [])
    with pytest.raises(InputError, match="no decision is about a code of this model"):
        learn(tiny, [decided(1, **{"X99": "accept"}), DecidedNote("a", "x", {("cpt", "99999"): "accept"})])
    with pytest.raises(OptionError, match="date"):
        learn(tiny, notes, date="yesterday")
    with pytest.raises(OptionError, match="min_groups"):
        learn(tiny, notes, min_groups=0)
    told: list[str] = []
    learn(tiny, [*notes, decided(99, **{"X99": "added"})], progress=told.append)
    assert told[0] == "1 decisions are about codes of no table of this model: left out"


def test_a_note_without_a_candidate_changes_no_weight(tiny: CodeSuggester) -> None:
    empty = DecidedNote("a", "Well.", {("icd10cm", "Q26"): "added"})
    made = learn(tiny, [empty])
    assert made.engines["icd10cm"].ranker.weights.tolist() == tiny.engines["icd10cm"].ranker.weights.tolist()


# ---- the file


def written(path: Path, *rows: Any) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


LINE = {"id": "a", "text": "Zyxwolf: gout.", "code": "Q11", "decision": "accept"}


def test_lines_of_one_note_are_joined(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "code": "Q11", "decision": "accept"},
        {"id": 7, "text": "Asthma.", "system": "icd10cm", "code": "Q15", "decision": "reject", "group": 3},
        {**LINE, "code": "Q12", "decision": "added", "group": "p1", "setting": "inpatient", "final": True},
        {"id": "a", "code": "Q11", "decision": "reject"},
    ]
    first, second = read_decisions(written(tmp_path / "d.jsonl", *rows))
    assert first == DecidedNote(
        "a",
        "Zyxwolf: gout.",
        {("icd10cm", "Q11"): "reject", ("icd10cm", "Q12"): "added"},
        "p1",
        final=True,
        setting="inpatient",
    )
    assert (second.id, second.group, second.final) == ("7", "3", False)


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ("{Zyxwolf", "line 2: is no JSON"),
        ('"Zyxwolf"', "line 2: is no JSON object"),
        ({**LINE, "id": None}, "line 2: the key id"),
        ({**LINE, "code": 3}, "line 2: the key code"),
        ({**LINE, "system": ""}, "line 2: the key system"),
        ({**LINE, "decision": "Zyxwolf"}, "line 2: the key decision must be one of accept, reject, added"),
        ({**LINE, "text": ["Zyxwolf"]}, "line 2: the key text must be a text"),
        ({**LINE, "text": "Zyxwolf: asthma."}, "line 2: the key text is not what an earlier line"),
        ({**LINE, "final": "yes"}, "line 2: the key final"),
        ({"id": "b", "code": "Q11", "decision": "accept"}, "line 2: the key text is in no line of this note"),
    ],
)
def test_lines_that_are_wrong(tmp_path: Path, row: Any, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        read_decisions(written(tmp_path / "d.jsonl", LINE, row))
    assert "d.jsonl" in str(caught.value) and "Zyxwolf" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no decision"):
        read_decisions(written(tmp_path / "d.jsonl", " "))
    with pytest.raises(InputError, match="cannot be read"):
        read_decisions(tmp_path / "nowhere.jsonl")


# ---- the command


def test_the_command(
    tiny_folder: Path, notes: list[DecidedNote], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"id": n.id, "text": n.text, "system": s, "code": c, "decision": d, "group": n.group}
        for n in notes
        for (s, c), d in n.decided.items()
    ]
    file = written(tmp_path / "d.jsonl", *rows)

    def run(*argv: str) -> tuple[int, str, str]:
        try:
            main(argv)
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, *capsys.readouterr()

    out = tmp_path / "v2"
    code, shown, err = run("learn", str(file), "--model", str(tiny_folder), "--out", str(out), "--date", "2026-02-01")
    assert code == 0 and "read 16 notes with 48 decisions" in err
    assert "rejected codes that are suggested" in shown and "tiny: " in shown
    code, shown, _ = run("model", "log", str(out))
    assert code == 0 and "2026-02-01  48 decisions on 16 notes" in shown and "from tiny@" in shown
    assert "no version before it" in run("model", "log", str(tiny_folder))[1]
    code, _, err = run("learn", str(file), "--model", str(out), "--out", str(out))
    assert code == 2 and "name another --out" in err
    code, _, err = run("learn", str(tmp_path / "none.jsonl"), "--model", str(tiny_folder), "--out", str(tmp_path / "x"))
    assert code == 2 and "error[input]" in err and not (tmp_path / "x").exists()
