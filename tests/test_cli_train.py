"""`codesuggest train` as a user meets it: what it writes, what it says, and how it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TINY_CODES, TINY_NOTES

from codesuggest.cli import main
from codesuggest.suggester import CodeSuggester

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in the folder of the test: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def call(*argv: str) -> tuple[int, str, str]:
        try:
            main(argv)
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    rows = [f'{code},"{title}",{"|".join(terms)}\n' for code, title, terms in TINY_CODES]
    (tmp_path / "codes.csv").write_text("code,title,terms\n" + "".join(rows))
    lines = [
        {"id": f"d{n}", "text": text, "codes": [{"system": "icd10cm", "code": c} for c in codes], "group": f"p{n}"}
        for n, (codes, text) in enumerate(TINY_NOTES)
    ]
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_model_from_lines_and_a_table(run: Run, tmp_path: Path) -> None:
    code, out, err = run("train", "docs.jsonl", "--codes", "codes.csv", "--out", "mine", "--name", "ward")
    assert code == 0 and out.startswith("ward: mine")
    assert "icd10cm file:" in err and "read 12 documents" in err and "icd10cm: threshold" in err
    model = CodeSuggester.load(tmp_path / "mine")
    assert model.systems == ("icd10cm",) and model.name.startswith("ward@")
    assert model.about["made_from"][0] == "12 documents of the user's"
    assert model.suggest("Assessment: gouty arthritis.").suggestions[0].code == "Q11"
    assert {s.release for s in model.suggest("Asthma.").suggestions} == {model.tables["icd10cm"].release}


def test_the_same_bytes_under_two_hash_seeds(tmp_path: Path) -> None:
    made = []
    for seed in ("1", "424242"):
        argv = ["train", "docs.jsonl", "--codes", "codes.csv", "--min-groups", "1", "--seed", "5", "--out", f"m{seed}"]
        subprocess.run(
            [sys.executable, "-m", "codesuggest", *argv],
            check=True,
            cwd=tmp_path,
            capture_output=True,
            timeout=120,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parent.parent)},
        )
        made.append((tmp_path / f"m{seed}" / "manifest.json").read_bytes())
    assert made[0] == made[1], "the manifest holds the digest of every other file"


def test_a_table_alone(run: Run, tmp_path: Path) -> None:
    code, _, err = run("train", "--codes", "local=codes.csv", "--out", "bare")
    assert code == 0 and "local: too little coded to fit on" in err and "not calibrated" in err
    model = CodeSuggester.load(tmp_path / "bare")
    result = model.suggest("Assessment:\n1. Gouty arthritis\n2. Hypertension\nDenies vertigo.")
    assert {s.code for s in result.suggestions[:2]} == {"Q11", "Q17"}
    assert all(s.suggested for s in result.suggestions[:2])
    assert [s.suggested for s in result.suggestions if s.code == "Q26"] in ([], [False])
    assert "Not calibrated: local" in (tmp_path / "bare" / "README.md").read_text()
    assert "not calibrated" in run("model", "show", "bare")[1]
    for codes, text in TINY_NOTES:
        best = [s.code for s in model.suggest(text).suggestions[: len(codes) + 2]]
        assert set(codes) <= set(best), "its own words find every code"


def test_a_base_is_adapted(run: Run, tmp_path: Path) -> None:
    assert run("train", "docs.jsonl", "--codes", "codes.csv", "--out", "base", "--name", "ward")[0] == 0
    code, out, err = run("train", "docs.jsonl", "--base", "base", "--out", "mine")
    assert code == 0 and out.startswith("ward-adapted: mine") and "read 12 documents" in err
    assert CodeSuggester.load(tmp_path / "mine").about["parent"]["name"].startswith("ward@")
    assert "adapted to 12 documents" in run("model", "show", "mine")[1]


def test_a_table_of_texts_and_a_bundle(run: Run, tmp_path: Path) -> None:
    import base64

    rows = [f'"{text}",{";".join(codes)}\n' for codes, text in TINY_NOTES]
    (tmp_path / "notes.csv").write_text("text,codes\n" + "".join(rows))
    assert run("train", "notes.csv", "--codes", "codes.csv", "--out", "a")[0] == 0
    entries = []
    for n, (codes, text) in enumerate(TINY_NOTES):
        where = {"reference": f"Encounter/e{n}"}
        data = base64.b64encode(text.encode()).decode()
        content = [{"attachment": {"contentType": "text/plain", "data": data}}]
        entries.append({"resourceType": "DocumentReference", "context": {"encounter": [where]}, "content": content})
        for one in codes:
            coding = [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": one}]
            entries.append({"resourceType": "Condition", "encounter": where, "code": {"coding": coding}})
    bundle = {"resourceType": "Bundle", "entry": [{"resource": entry} for entry in entries]}
    (tmp_path / "b.json").write_text(json.dumps(bundle))
    assert run("train", "b.json", "--codes", "codes.csv", "--out", "b")[0] == 0
    first, second = (CodeSuggester.load(tmp_path / name).engines["icd10cm"] for name in "ab")
    assert first.learned.code_prior.tolist() == second.learned.code_prior.tolist()


def test_codes_that_no_table_holds(run: Run, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("Assessment: lost appetite today.")
    lines = []
    for n in range(24):
        codes = [{"system": "icd10cm", "code": "Q15" if n % 2 else "Q14"}]
        text = f"Assessment: {'asthma' if n % 2 else 'migraine'}."
        if n % 3 == 0:
            codes.append({"system": "icd10cm", "code": "ZZ9.1"})
            text += " Also sleeplessness, corpulence."
        lines.append({"id": f"s{n}", "text": text, "codes": codes, "group": f"p{n}"})
    (tmp_path / "site.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run("train", "site.jsonl", "--codes", "codes.csv", "--out", "m", "--name", "ward")[0] == 0
    model = CodeSuggester.load(tmp_path / "m")
    found = {s.code: s for s in model.suggest("Asthma. Also sleeplessness, corpulence.").suggestions}
    assert found["ZZ9.1"].release == "site:ward" and found["ZZ9.1"].suggested
    assert found["ZZ9.1"].evidence, "the words it stood beside"
    assert found["Q15"].release == model.tables["icd10cm"].release
    shown = run("codes", "show", "ZZ9.1", "--model", "m")[1]
    assert "site:ward" in shown and "in no table that is loaded" in shown
    findings = {f.rule: f for f in model.check_claim(["ZZ9.1", "Q15"])}
    assert findings["not_billable"].severity == "warning" and "site:ward" in findings["not_billable"].message
    assert [f.severity for f in model.check_claim(["ZZ9.2"]) if f.rule == "not_billable"] == ["error"]


def test_a_system_without_a_table(run: Run, tmp_path: Path) -> None:
    words = [("chest pain", "CARD-1"), ("headache", "NEUR-1"), ("knee swelling", "ORTH-2"), ("cough", "PULM-3")]
    lines = [
        {
            "id": f"s{n}",
            "text": f"Seen for {words[n % 4][0]} since {n} days.",
            "codes": [{"system": "ward", "code": words[n % 4][1]}],
        }
        for n in range(32)
    ]
    (tmp_path / "site.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, _, err = run("train", "site.jsonl", "--out", "m", "--name", "north")
    assert code == 0 and "ward: 4 codes of the documents, without a table" in err
    best = CodeSuggester.load(tmp_path / "m").suggest("Headache.").suggestions[0]
    assert (best.system, best.code, best.release) == ("ward", "NEUR-1", "site:north")


def test_evaluation_documents_are_left_out(run: Run, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (tmp_path / "docs.jsonl").read_text().splitlines()]
    lines[0]["split"] = "evaluation"
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, _, err = run("train", "docs.jsonl", "--codes", "codes.csv", "--out", "m")
    assert code == 0 and "1 documents are marked for evaluation: left out" in err and "read 11 documents" in err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--out", "m"], "error[option]: give coded documents, a code table"),
        (["nowhere.jsonl", "--out", "m"], "error[input]: nowhere.jsonl: no such file"),
        (
            ["docs.jsonl", "docs.jsonl", "--codes", "codes.csv", "--out", "m"],
            "error[input]: documents of two files have one id",
        ),
        (
            ["docs.jsonl", "--codes", "codes.csv", "--system", "icd10pcs", "--out", "m"],
            "error[option]: the system icd10pcs",
        ),
        (
            ["docs.jsonl", "--codes", "codes.csv", "--base", "starter", "--out", "m"],
            "error[option]: --base keeps the tables",
        ),
        (["docs.jsonl", "--base", "nowhere", "--out", "m"], "error[model_not_found]: nowhere"),
        (["docs.jsonl", "--codes", "nowhere.csv", "--out", "m"], "error[code_file]: nowhere.csv"),
        (["docs.jsonl", "--layout", "word", "--out", "m"], "error[option]: the layout must be one of"),
        (["docs.jsonl", "--language", "tlh", "--out", "m"], "error[option]: --language"),
        (["empty.jsonl", "--codes", "codes.csv", "--out", "m"], "error[input]: empty.jsonl: no document to train on"),
        (["uncoded.jsonl", "--out", "m"], "error[option]: no document has a code"),
        (
            ["bad.jsonl", "--codes", "codes.csv", "--out", "m"],
            "error[input]: bad.jsonl, line 13: the key codes[0].code",
        ),
        (["docs.jsonl", "--codes", "codes.csv", "--min-groups", "0", "--out", "m"], "Invalid value for '--min-groups'"),
    ],
)
def test_refusals(run: Run, tmp_path: Path, argv: list[str], told: str) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "uncoded.jsonl").write_text('{"id": "a", "text": "Zyxwolf", "codes": []}\n')
    bad = (tmp_path / "docs.jsonl").read_text() + '{"id": "b", "text": "Zyxwolf", "codes": [{"code": 7}]}\n'
    (tmp_path / "bad.jsonl").write_text(bad)
    code, out, err = run("train", *argv)
    assert code == 2 and not out and told in err and "Zyxwolf" not in err
    assert not (tmp_path / "m").exists()


def test_a_model_is_not_written_over_its_base(run: Run, tmp_path: Path) -> None:
    assert run("train", "docs.jsonl", "--codes", "codes.csv", "--out", "base")[0] == 0
    before = (tmp_path / "base" / "manifest.json").read_bytes()
    code, _, err = run("train", "docs.jsonl", "--base", "base", "--out", "base")
    assert code == 2 and "name another --out" in err
    assert (tmp_path / "base" / "manifest.json").read_bytes() == before


def test_one_document_is_too_few_and_a_model_all_the_same(run: Run, tmp_path: Path) -> None:
    first = (tmp_path / "docs.jsonl").read_text().splitlines()[0]
    (tmp_path / "one.jsonl").write_text(first + "\n")
    code, _, err = run("train", "one.jsonl", "--codes", "codes.csv", "--out", "m")
    assert code == 0 and "not calibrated" in err


def test_a_model_is_measured_on_the_same_layouts(run: Run, tmp_path: Path) -> None:
    rows = [f'"{text}",{";".join(codes)}\n' for codes, text in TINY_NOTES]
    (tmp_path / "notes.csv").write_text("text,codes\n" + "".join(rows))
    assert run("train", "docs.jsonl", "--codes", "codes.csv", "--out", "m")[0] == 0
    figures = [
        json.loads(run("evaluate", name, "--model", "m", "--json")[1])["figures"]
        for name in ("docs.jsonl", "notes.csv")
    ]
    assert figures[0] == figures[1] and figures[0]["MAP"] > 0.9
    code, _, err = run("evaluate", "docs.jsonl", "--model", "m", "--layout", "word")
    assert code == 2 and "the layout must be one of" in err


def test_help_says_what_a_line_is(run: Run) -> None:
    code, out, _ = run("train", "--help")
    assert code == 0
    for word in ("--codes", "--base", "--min-groups", "--seed", "--layout", "--split-file", "evidence", "mentions"):
        assert word in out
