"""The command line: what it prints at any width, and that no error shows a note, a local variable or a traceback."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from codesuggest import __version__, cli
from codesuggest.batch import run_batch
from codesuggest.records import Cue, Evidence, Finding, NoteResult, Suggestion, Withheld
from codesuggest.terminal import progress

SECRET = "Quillfeather"
NOTE = f"{SECRET} denies chest pain, fever.\r\nAssessment: low back pain; back pain \x1b[31m\u202eHTN. Brother has asthma. K 6.1 H"


def spans(words: str) -> tuple[int, int]:
    at = NOTE.index(words)
    return at, at + len(words)


def suggestion(code: str, confidence: float, *words: str, system: str = "icd10cm", basis: str = "text") -> Suggestion:
    seen = tuple(Evidence(*spans(w), "assessment_plan", "affirmed", "term", basis) for w in words)
    title = f"Title of {code}, which goes on for as long as the titles of a code system do"
    return Suggestion(system, "2026-04-01", code, title, confidence, confidence > 0.4, 0.1, 0.1, {}, seen)


def result_of(**changes: Any) -> NoteResult:
    denies = Cue(*spans("denies"), "negated", "denies")
    made: dict[str, Any] = {
        "model": "fake@0123456789ab",
        "setting": "outpatient",
        "service_date": "2026-04-01",
        "document_type": "visit_note",
        "systems": ("icd10cm", "icd10pcs"),
        "suggestions": (
            suggestion("M54.50", 0.92, "low back pain", "back pain", "pain", "Assessment", "HTN"),
            suggestion("E87.5", 0.31, "K 6.1 H", basis="result"),
            *[suggestion(f"Z{i}", 0.2, "HTN") for i in range(20)],
            suggestion("Z99", 0.41, "\x1b[31m\u202eHTN"),
            suggestion("0DTJ4ZZ", 0.01, "HTN", system="icd10pcs"),
        ),
        "withheld": (
            Withheld(*spans("asthma"), "family", None, Cue(*spans("Brother"), "family", "brother")),
            Withheld(*spans("chest pain"), "negated", "hpi", denies),
            Withheld(*spans("fever"), "negated", "hpi", denies),
            Withheld(*spans("H"), "no_match", None),
        ),
        "findings": (Finding("unspecified_side", "warning", "M54.50 could say more.", ("M54.50",), "I.B.13, FY2026"),),
        "id": "visit",
        "text": NOTE,
    }
    return NoteResult(**{**made, **changes})


class Fake:
    name, path, systems = "fake@0123456789ab", Path("models/fake"), ("icd10cm",)
    asked: dict[str, Any]

    def __init__(self, answer: Callable[[str], NoteResult] = lambda note: result_of(text=note)) -> None:
        self.answer = answer

    def suggest(self, note: str, **options: Any) -> NoteResult:
        Fake.asked = options
        return self.answer(note)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_open", lambda model: Fake())


@pytest.fixture
def visit(tmp_path: Path) -> str:
    path = tmp_path / "visit.txt"
    path.write_bytes(NOTE.encode())
    return str(path)


def invoke(*args: str, width: int = 120, **how: Any) -> str:
    done = CliRunner().invoke(
        cli.app, args, env={"COLUMNS": str(width), "NO_COLOR": "1"}, catch_exceptions=False, **how
    )
    assert done.exit_code == 0, done.output
    return done.stdout


def failing(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    """(exit code, stderr) of a command that must print nothing else."""
    with pytest.raises(SystemExit) as caught:
        cli.main(args)
    out, err = capsys.readouterr()
    assert out == "" and SECRET not in err and "Traceback" not in err
    return int(str(caught.value.code)), err


# ---- suggest


@pytest.mark.parametrize("width", [80, 120, 160])
def test_a_result_at_any_width(width: int, fake: None, visit: str) -> None:
    shown = invoke("suggest", visit, width=width)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= width and all(line == line.rstrip() for line in lines)
    assert "\x1b" not in shown and "\u202e" not in shown  # neither our colours nor the note's own escapes
    flat = " ".join(shown.split())
    assert (
        "visit.txt \u00b7 visit note \u00b7 outpatient \u00b7 service date 2026-04-01 \u00b7 model fake@0123456789ab"
        in flat
    )
    assert re.search(r"^ *\u2713 +ICD-10-CM +M54\.50 .*0\.92 +low back pain", shown, re.MULTILINE)
    assert re.search(r"^ +ICD-10-CM +E87\.5 ", shown, re.MULTILINE)
    assert re.search(r"^ *\u2713 +ICD-10-CM +Z99 ", shown, re.MULTILINE)  # suggested, though far down
    assert "Z15" not in shown and "0DTJ4ZZ" not in shown and "13 more are less likely" in flat
    assert re.search(r"^warning +unspecified_side +M54\.50 could say more\.", shown, re.MULTILINE)
    assert re.search(r"^negated \(denies\) +chest pain, fever$", shown, re.MULTILINE)
    assert shown.index("negated (denies)") < shown.index("family (brother)") < shown.index("no match")


def test_evidence_is_grouped_by_section_each_word_once(fake: None, visit: str) -> None:
    flat = " ".join(invoke("suggest", visit, width=400).split())
    assert "low back pain, back pain, pain (assessment plan) +2" in flat
    assert "K 6.1 H (assessment plan, laboratory value)" in flat


def test_limit_shows_all_that_was_asked_for(fake: None, visit: str) -> None:
    shown = invoke("suggest", visit, "--limit", "30")
    assert Fake.asked["limit"] == 30 and "Z15" in shown and "0DTJ4ZZ" in shown and "less likely" not in shown


def test_without_words_there_are_offsets(fake: None, visit: str) -> None:
    shown = invoke("suggest", visit, "--no-show-text")
    a, b = spans("chest pain")
    assert not {"chest", "HTN", "asthma", "denies"} & set(re.findall(r"\w+", shown))
    assert f"{a}-{b}" in shown


def test_nothing_found(monkeypatch: pytest.MonkeyPatch, visit: str) -> None:
    empty = result_of(suggestions=(), withheld=(), findings=(), document_type=None)
    monkeypatch.setattr(cli, "_open", lambda model: Fake(lambda note: empty))
    assert "No code suggested." in invoke("suggest", visit)


def test_json_is_the_contract_and_holds_words_only_on_request(fake: None, visit: str) -> None:
    row = json.loads(invoke("suggest", visit, "--json"))
    assert row["id"] == "visit" and row["error"] is None and SECRET not in json.dumps(row)
    row = json.loads(invoke("suggest", visit, "--json", "--show-text"))
    assert row["text"] == NOTE and row["suggestions"][0]["evidence"][0]["text"] == "low back pain"


def test_html(fake: None, visit: str, tmp_path: Path) -> None:
    invoke("suggest", visit, "--html", str(tmp_path / "o.html"))
    assert SECRET in (tmp_path / "o.html").read_text(encoding="utf-8")


def test_flags_reach_the_model_as_columns_do(fake: None, visit: str) -> None:
    invoke("suggest", visit, "--setting", "Inpatient", "--sex", "F", "--age", "64", "--system", "icd10cm", "--system",
           "hcpcs", "--service-date", "2026-03-02", "--document-type", "ed note", "--threshold", "0.3")  # fmt: skip
    expected = {"setting": "inpatient", "sex": "female", "age": 64, "systems": ["icd10cm", "hcpcs"]}
    more = {"service_date": "2026-03-02", "document_type": "ed_note", "threshold": 0.3, "limit": None, "id": "visit"}
    assert Fake.asked == {**expected, **more}


@pytest.mark.parametrize(
    ("raw", "args", "text"),
    [
        (b"a\r\nb\x00c and more than twenty characters", [], "a\r\nb\x00c and more than twenty characters"),
        (b"38\xb0", ["--fallback-encoding", "cp1252"], "38\u00b0"),
        (b"\xef\xbb\xbfmark", [], "mark"),
    ],
)
def test_standard_input_is_read_as_bytes(
    raw: bytes, args: list[str], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    def answer(note: str) -> NoteResult:
        heard.append(note)
        return result_of()

    monkeypatch.setattr(cli, "_open", lambda model: Fake(answer))
    assert "standard input" in invoke("suggest", "-", *args, input=raw)
    assert heard == [text]


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["suggest", "{dir}/gone.txt"], 2, r"error\[input\]: .*gone.txt: cannot be read"),
        (["suggest", "{dir}"], 2, r"error\[input\]: .*codesuggest batch"),
        (["suggest", "{dir}/n.csv"], 2, r"error\[input\]: .*codesuggest batch"),
        (["suggest", "{dir}/latin.txt"], 2, r"error\[not_utf8\]: .*latin.txt: is not utf-8 \(byte 2\)"),
        (["suggest", "{dir}/visit.txt", "--fallback-encoding", "klingon"], 2, r"error\[option\]: .*klingon"),
        (["suggest", "{dir}/visit.txt", "--setting", "ward"], 2, r"error\[option\]: options: setting must be"),
        (["suggest", "{dir}/visit.txt", "--service-date", "tomorrow"], 2, r"error\[option\]: .*service_date must be"),
        (
            ["suggest", "{dir}/visit.txt", "--html", "{dir}/no/o.html"],
            2,
            r"error\[option\]: .*o.html: cannot be written",
        ),
        (["suggest", "{dir}/visit.txt", "--html", "o", "--no-show-text"], 2, r"error\[option\]: --html shows the note"),
        (["batch", "{dir}/gone.jsonl", "--out", "{dir}/o.jsonl"], 2, r"error\[batch\]: .*gone.jsonl"),
        (["batch", "{dir}/visit.txt", "--out", "{dir}/o.doc"], 2, r"error\[batch\]: .*must end in"),
        (["batch", "{dir}/visit.txt"], 2, "--out"),
        (["suggest"], 2, "FILE"),
        (["nonsense"], 2, "nonsense"),
        (["model", "verify", "{dir}/gone"], 2, r"error\[model_not_found\]"),
        (["model", "verify", "{dir}"], 2, r"error\[model_format\]"),
        (
            ["batch", "{dir}/visit.txt", "--out", "{dir}/o.jsonl", "--model", "{dir}/gone"],
            2,
            r"error\[model_not_found\]",
        ),
    ],
)
def test_an_error_is_one_line(
    args: list[str], code: int, says: str, fake: None, visit: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "latin.txt").write_bytes(b"38\xb0 " + SECRET.encode())
    got, err = failing(capsys, *(a.replace("{dir}", str(tmp_path)) for a in args))
    assert got == code and re.search(says, err), err
    if "error[" in says.replace("\\", ""):
        assert err.count("\n") == 1


def test_the_unforeseen_is_named_by_type_and_place(
    monkeypatch: pytest.MonkeyPatch, visit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(note: str) -> NoteResult:
        raise KeyError(note)

    monkeypatch.setattr(cli, "_open", lambda model: Fake(answer))
    code, err = failing(capsys, "suggest", visit)
    assert code == 70
    assert re.fullmatch(r"error\[internal\]: KeyError at codesuggest\.cli:\d+; please report this line\n", err)


def test_words_that_the_terminal_lacks(fake: None, tmp_path: Path) -> None:
    """On an ASCII terminal, and with a lone surrogate in the note, it prints what it can."""
    code = (
        f"import sys; sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}\n"
        "import test_cli; from codesuggest import cli\n"
        "from dataclasses import replace\n"
        "cli._open = lambda model: test_cli.Fake(lambda note: test_cli.result_of(text=test_cli.NOTE.replace('HTN', '\\udcffTN')))\n"
        "cli.main(['suggest', '-'])"
    )
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", code], input=b"x", capture_output=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    assert b"\\udcffTN" in done.stdout


# ---- batch


def test_batch_and_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import test_batch

    monkeypatch.setattr("codesuggest.batch.load_model", test_batch.load)
    notes = test_batch.write_jsonl(tmp_path / "n.jsonl", [f"{SECRET} cough", None, "fever"])
    out = tmp_path / "o.jsonl"
    args = ["batch", str(notes), "--out", str(out)]
    done = CliRunner().invoke(cli.app, args, catch_exceptions=False)
    assert done.exit_code == 0 and done.stdout == ""
    assert re.fullmatch(r"3 documents, 1 errors, \d+\.\d s, \d+\.\d notes/s: .*o\.jsonl\n", done.stderr)
    assert len(out.read_text().splitlines()) == 3
    done = CliRunner().invoke(cli.app, [*args, "--resume"], catch_exceptions=False)
    assert done.exit_code == 0 and done.stderr == f"{out} is complete, nothing to resume\n"

    def interrupt(*args: Any, progress: Callable[[int, int], None], **how: Any) -> None:
        progress(7, 1)
        raise KeyboardInterrupt

    monkeypatch.setattr("codesuggest.batch.run_batch", interrupt)
    for flag, says in (("--resume", "with --resume goes on"), ("--overwrite", "with --resume in place of --overwrite")):
        done = CliRunner().invoke(cli.app, [*args, flag], catch_exceptions=False)
        assert done.exit_code == 130 and "7 records are kept in" in done.stderr and says in done.stderr


def test_every_flag_of_batch_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: dict[str, Any] = {}

    def listen(inputs: Any, out: Any, **how: Any) -> Any:
        heard.update(how, inputs=inputs, out=out)
        raise KeyboardInterrupt

    monkeypatch.setattr("codesuggest.batch.run_batch", listen)
    args = "--id-key v --text-key n --jobs 3 --resume --model m --setting inpatient --age 3 --limit 7 --threshold 0.1"
    more = "--since s.jsonl --show-text --fallback-encoding cp1252 --system icd10cm"
    CliRunner().invoke(cli.app, ["batch", "a", "b", "--out", "o.csv", *args.split(), *more.split()])
    del heard["progress"]
    assert heard == {
        "inputs": ["a", "b"], "out": "o.csv", "since": Path("s.jsonl"), "engine": "joblib", "master": None,
        "id_key": "v", "text_key": "n", "jobs": 3, "resume": True, "overwrite": False, "model": Path("m"), "limit": 7, "threshold": 0.1, "show_text": True,
        "fallback": "cp1252", "options": {"setting": "inpatient", "age": 3, "systems": ["icd10cm"]},
    }  # fmt: skip
    assert set(heard) - {"inputs", "out"} <= set(run_batch.__kwdefaults__ or {})


def test_a_progress_bar_on_a_terminal_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("x")
    with progress([tmp_path]) as show:
        assert show is None

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for name, value in {"TERM": "xterm", "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)
    with progress([tmp_path]) as show:
        assert show is not None
        show(0, 0)
        show(1, 1)
    assert "1/1" in terminal.getvalue() and "1 errors" in terminal.getvalue()


# ---- the rest, with the starter model


def test_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert "M54.5" in invoke("codes", "search", "low", "back", "pain")
    shown = invoke("codes", "show", "e1122")
    parts = (
        "E11.22  Type 2 diabetes",
        "billable",
        "E08-E13",
        "E11.2  ",
        "Excludes1",
        "valid from 2015-10-01",
        "beside",
    )
    for part in (*parts, "E11.21"):
        assert part in shown
    assert "not billable" in invoke("codes", "show", "E11") and "below" in invoke("codes", "show", "E11")
    assert failing(capsys, "codes", "show", "Q99.999")[1].startswith("error[option]: no code Q99.999")
    assert failing(capsys, "codes", "show", "I10", "--system", "x")[0] == 2


def test_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    from codesuggest.suggester import starter_path

    assert "all as listed" in invoke("model", "verify")
    assert "ICD-10-CM" in invoke("model", "show") and "74,719" in invoke("model", "show")
    copy = Path(shutil.copytree(starter_path(), tmp_path / "m"))
    (copy / "words.txt").write_text("changed")
    done = CliRunner().invoke(cli.app, ["model", "verify", str(copy)])
    assert done.exit_code == 1 and "words.txt" in done.stderr and "1 not as listed" in done.stdout
    code, err = failing(capsys, "suggest", __file__, "--model", str(copy))
    assert code == 2 and err.startswith("error[model_damaged]") and "words.txt" in err


def test_a_note_from_end_to_end(tmp_path: Path) -> None:
    path = tmp_path / "visit.txt"
    path.write_text("ASSESSMENT:\n1. Essential hypertension.\n2. Denies chest pain.\n")
    shown = invoke("suggest", str(path))
    assert re.search(r"\u2713 +ICD-10-CM +I10 ", shown) and "negated (denies)" in shown


def test_version_and_help_are_quick() -> None:
    assert invoke("--version") == f"codesuggest {__version__}\n"
    heavy = {"spacy", "sklearn", "scipy", "numpy", "joblib", "pyarrow"}
    code = f"import sys, codesuggest.cli; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    assert done.stdout == "[]\n"
    for command in (["--help"], ["suggest", "--help"], ["batch", "--help"], ["codes", "--help"], ["model", "--help"]):
        assert "Usage" in invoke(*command)


def test_python_dash_m() -> None:
    done = subprocess.run([sys.executable, "-m", "codesuggest", "--version"], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    assert done.stdout == f"codesuggest {__version__}\n"


# ---- an encounter, with the starter model


@pytest.fixture
def chart(tmp_path: Path) -> list[str]:
    folder = tmp_path / "stay"
    folder.mkdir()
    texts = {
        "dc": f"DISCHARGE SUMMARY\n{SECRET}\nDISCHARGE DIAGNOSES\n1. Community-acquired pneumonia, present on admission\n"
        "2. Type 2 diabetes mellitus\nHOSPITAL COURSE: Denies chest pain.\n",
        "clinic": "CLINIC NOTE\nASSESSMENT\n1. Type 2 diabetes with diabetic chronic kidney disease, CKD stage 3b\n",
    }
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return [str(folder / "dc.txt"), str(folder / "clinic.txt")]


def test_encounter_prints_the_claim(chart: list[str]) -> None:
    shown = invoke("encounter", *chart)
    assert shown.startswith("stay \u00b7 inpatient \u00b7 ")
    assert re.search(r"^ +1 +J18\.9 .* Y +0\.\d\d ", shown, re.MULTILINE), shown
    assert "principal: J18.9" in shown and "superseded by E11.22" in shown and "chest pain" in shown
    assert max(map(len, shown.split("\n"))) <= 200


def test_encounter_as_json_holds_no_text_unless_asked(chart: list[str], tmp_path: Path) -> None:
    row = json.loads(invoke("encounter", "--json", *chart))
    assert [d["id"] for d in row["documents"]] == ["dc", "clinic"] and row["id"] == "stay"
    assert next(c for c in row["codes"] if c["code"] == "J18.9")["position"] == 1
    assert SECRET not in json.dumps(row) and SECRET in invoke("encounter", "--json", "--show-text", *chart)
    lines = tmp_path / "stay.jsonl"
    rows = [{"id": Path(f).stem, "text": Path(f).read_text(encoding="utf-8")} for f in chart]
    lines.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    again = json.loads(invoke("encounter", "--json", str(lines)))
    assert again["codes"] == row["codes"]


def test_encounter_writes_a_page(chart: list[str], tmp_path: Path) -> None:
    page = tmp_path / "stay.html"
    invoke("encounter", "--html", str(page), *chart)
    assert "principal" in page.read_text(encoding="utf-8")


def test_encounter_stops_at_a_document_it_cannot_read(tmp_path: Path) -> None:
    lines = tmp_path / "stay.jsonl"
    lines.write_text(f'{{"id": "a", "text": "{SECRET}"}}\n{{"id": "b", "text": 7}}\n', encoding="utf-8")
    done = CliRunner().invoke(cli.app, ["encounter", str(lines)])
    assert done.exit_code and SECRET not in done.output
