"""The five invariants of the design, over notes put together from fragments and over whatever else lands in a text field."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from conftest import NOTES, ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codesuggest.errors import CodeSuggestError
from codesuggest.records import ASSERTIONS, WITHHELD_REASONS, NoteResult
from codesuggest.suggester import CodeSuggester

NAME = "Zyxwolf"

CLINICAL = [
    "CC: left knee pain",
    "HPI: 64 yo woman with T2DM, HTN and CKD 3a, c/o SOB x3d.",
    "Denies chest pain, palpitations or syncope.",
    "No fever. No chills, no rash",
    "Possible pneumonia; rule out PE.",
    "Likely viral URI",
    "s/p CABG in 2012, hx of stroke",
    "PMH: gout, asthma, h/o breast cancer",
    "FAMILY HISTORY",
    "Mother: diabetes. Father had an MI at 52.",
    "FH: colon cancer",
    "Her roommate has influenza.",
    "Return if chest pain or fever.",
    "Discharge instructions:",
    "K 6.1 mmol/L (3.5-5.1) H",
    "Hgb 7.9 L",
    "Na 139",
    "BP 150/95, T 38.4",
    "Meds: metformin 500 mg BID, ASA 81",
    "ASSESSMENT",
    "Assessment/Plan:",
    "1. Type 2 diabetes with nephropathy",
    "2. Fracture of right wrist, healing",
    "- Sprain of left ankle",
    "Impression: bilateral pleural effusions.",
    "PLAN",
    "DISCHARGE SUMMARY",
    "Sjögren’s syndrome, Ménière's disease",
    "Me\u0301nie\u0300re",
    "I reviewed the chart of " + NAME + " today.",
    "Heart failure w/o edema, n/v/d",
    "Laceration of right hand 3 cm, sutured",
    "Open fracture of the tibia",
]
ODD = [
    "\r\n", "\n", "\n\n", "\t", " ", "  ", "\u00a0", "\u2028", "\u0085", "\x0b", "\x0c", "\r",
    "😀", "👩🏽\u200d⚕️", "e\u0301\u0323", "\u200f", "\u202e", "\u202c", "\ufeff", "\u200b", "\x00", "\x1b[31m", "\x7f",
    "ﬁ", "ß", "İ", "ǅ", "Ω", "µ", "½", "痛み", "боль в груди", "ألم في الصدر", "कष्ट", "．", "，", "•", "—", "___", "====", "|",
    "<b>", "&amp;", "{{x}}", "%s", "\\n", "'", '"', "(", "]]", "//", "s/", "/p", "w/", "@", "1.", "a)", "^", "°C", "±",
]  # fmt: skip
BROKEN = ["\ud800", "\udfff", "\udc80pain", "pain\ud83d"]

pieces = st.one_of(st.sampled_from(CLINICAL), st.sampled_from(CLINICAL), st.sampled_from(ODD), st.text(max_size=6))
notes = st.lists(pieces, max_size=14).flatmap(
    lambda parts: st.sampled_from(["\n", "\r\n", " ", "", ". ", "\t"]).map(lambda glue: glue.join(parts))
)
broken_notes = st.lists(st.one_of(pieces, st.sampled_from(BROKEN)), max_size=8).map("\n".join)
options = st.fixed_dictionaries(
    {},
    optional={
        "setting": st.sampled_from(["inpatient", "outpatient"]),
        "service_date": st.sampled_from(["2025-09-30", "2026-04-01", "2026-10-01"]),
        "systems": st.sampled_from([["icd10cm"], ["icd10pcs"], ["icd10cm", "icd10pcs"]]),
        "limit": st.sampled_from([1, 5, 50]),
        "document_type": st.sampled_from(["visit_note", "discharge_summary", "lab_report"]),
        "threshold": st.sampled_from([0.0, 0.3, 1.0]),
    },
)
quick = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def touches(a: int, b: int, c: int, d: int) -> bool:
    return a < d and c < b


def check(suggester: CodeSuggester, text: str, result: NoteResult) -> None:
    """Invariants 1 to 3 of one result, and the contract of its line."""
    reading = suggester.reader.read(text, result.document_type)
    spans = [(e.start, e.end) for s in result.suggestions for e in s.evidence]
    # 1. raw offsets are sacred
    for a, b in [*spans, *((w.start, w.end) for w in result.withheld)]:
        assert 0 <= a < b <= len(text)
        assert not text[a].isspace() and not text[b - 1].isspace()
    for f in result.findings:
        assert all(0 <= a < b <= len(text) for a, b in f.evidence)
    words = {int(a) for a in reading.words.start}, {int(b) for b in reading.words.end}
    assert all(a in words[0] and b in words[1] for a, b in spans), "evidence begins and ends with a word"
    # 2. nothing vanishes
    held = [(w.start, w.end) for w in result.withheld]
    assert len(set(held)) == len(held), "one reason a phrase"
    for p in reading.phrases:
        is_evidence = any(touches(p.start, p.end, a, b) for a, b in spans)
        assert is_evidence != ((p.start, p.end) in held), "evidence, or withheld with one reason"
    assert set(held) <= {(p.start, p.end) for p in reading.phrases}
    assert all(w.reason in WITHHELD_REASONS for w in result.withheld)
    # 3. every code has a release and an owner
    for s in result.suggestions:
        code = suggester.tables[s.system][s.code]
        assert code.code == s.code and code.billable and code.valid_on(result.service_date)
        assert s.release == suggester.tables[s.system].release_on(result.service_date)
        assert s.display == (code.title_on(result.service_date) or code.code)
        assert 0 <= s.confidence <= 1 and s.evidence
        assert all(e.assertion in ASSERTIONS and e.basis in ("text", "result") and e.term for e in s.evidence)
        if s.suggested:
            assert any(e.basis == "text" for e in s.evidence)
        assert abs(s.intercept + sum(s.why.values()) - s.score) < 1e-6
    listed = [(s.system, s.code) for s in result.suggestions]
    assert len(set(listed)) == len(listed)
    # evidence is never what somebody denies or another person has, but for codes of the family's history and of I.C.21.c.1, 2, 5
    # and 6 (rules/routes.tsv), which are for a screening, a vaccine, a contact or a negative test
    for s in result.suggestions:
        for e in s.evidence:
            if e.assertion == "hypothetical":
                assert s.code[:3] in ("Z11", "Z12", "Z13", "Z23", "Z36")
            if e.assertion == "negated":
                assert s.code[:3] == "Z03" or s.code == "Z32.02"
            if e.assertion == "other_person":
                assert s.code[:3] in ("Z20", "Z77")
            if e.assertion == "family":
                assert "Z80" <= s.code < "Z85" or s.code[:3] in ("Z20", "Z77")
            if e.assertion == "uncertain":
                assert result.setting == "inpatient"
    # the line
    line = result.to_json()
    assert "\n" not in line and line.isascii()
    assert NoteResult.from_dict(json.loads(line)) == result


@quick
@given(text=notes, told=options)
def test_invariants(starter: CodeSuggester, text: str, told: dict[str, object]) -> None:
    result = starter.suggest(text, **told)  # type: ignore[arg-type]
    check(starter, text, result)
    assert starter.suggest(text, **told).to_json() == result.to_json()  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text(st.characters(), max_size=300))
def test_invariants_of_any_text(starter: CodeSuggester, text: str) -> None:
    check(starter, text, starter.suggest(text))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=broken_notes)
def test_lone_surrogates(starter: CodeSuggester, text: str) -> None:
    check(starter, text, starter.suggest(text))


@settings(max_examples=25, deadline=None)
@given(text=notes, before=st.sampled_from(["😀 ", "\r\n", "\ufeff", "e\u0301\n", "\u00a0\t", "\x00\n"]))
def test_offsets_move_with_the_text(starter: CodeSuggester, text: str, before: str) -> None:
    """Characters of more than one byte or code unit in front move every offset by as many code points."""
    first, second = (
        starter.suggest(text, document_type="visit_note"),
        starter.suggest(before + text, document_type="visit_note"),
    )
    check(starter, before + text, second)
    if not text or text[0].isspace() or not text[0].isascii():
        return
    mine = {(s.code, text[e.start : e.end]) for s in first.suggestions[:3] for e in s.evidence[:1]}
    theirs = {(s.code, (before + text)[e.start : e.end]) for s in second.suggestions for e in s.evidence}
    assert mine <= theirs or not before.isspace()


@pytest.mark.parametrize("file", sorted(NOTES.glob("*.txt"))[::7], ids=lambda p: p.stem)
def test_invariants_of_real_looking_notes(starter: CodeSuggester, file: Path) -> None:
    text = file.read_bytes().decode("utf-8")
    check(starter, text, starter.suggest(text))
    crlf = text.replace("\n", "\r\n")
    check(starter, crlf, starter.suggest(crlf))
    # line ends are no content
    assert [s.code for s in starter.suggest(crlf)] == [s.code for s in starter.suggest(text)]


# ---- 4. same in, same out

PROGRAM = """
import hashlib, sys
from pathlib import Path
from codesuggest import CodeSuggester
s = CodeSuggester.load()
files = sorted(Path(sys.argv[1]).glob("*.txt"))[::int(sys.argv[2])]
for r in s.suggest_many([f.read_bytes().decode() for f in files], setting="inpatient", limit=20):
    print(r.to_json())
"""


def test_the_same_bytes_in_every_process() -> None:
    out = []
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", PROGRAM, str(NOTES), "18"]
        out.append(subprocess.run(command, capture_output=True, check=True, env=environment, timeout=120).stdout)
    assert out[0].count(b"\n") > 8
    assert out[0] == out[1] == out[2]


def test_a_note_leaves_no_trace_in_the_next(starter: CodeSuggester) -> None:
    texts = [f.read_bytes().decode("utf-8") for f in sorted(NOTES.glob("*.txt"))[:6]]
    fresh = CodeSuggester.load()
    alone = [fresh.suggest(t).to_json() for t in texts]
    assert [starter.suggest(t).to_json() for t in reversed(texts)] == alone[::-1]


def test_threads_share_a_suggester() -> None:
    """The class says "safe to share between threads that only call `suggest`".

    spaCy's memory zone and the stemmer both keep state; in a process of its own, for it may die of it.
    """
    program = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from codesuggest import CodeSuggester\n"
        "s = CodeSuggester.load()\n"
        "texts = [f.read_bytes().decode() for f in sorted(Path(sys.argv[1]).glob('*.txt'))[:12]]\n"
        "want = [s.suggest(t).to_json() for t in texts]\n"
        "sys.setswitchinterval(1e-5)\n"
        "right = []\n"
        "def go(k):\n"
        "    for i in range(len(texts)):\n"
        "        j = (i + 3 * k) % len(texts)\n"
        "        right.append(s.suggest(texts[j]).to_json() == want[j])\n"
        "threads = [threading.Thread(target=go, args=(k,)) for k in range(4)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "print(sum(right))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, str(NOTES)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.stdout.strip() == "48", done.stderr[-300:]


# ---- 5. patient text stays in the call


def strings_of(suggester: CodeSuggester) -> set[str]:
    return {str(s) for s in suggester.reader.nlp.vocab.strings}


def test_the_vocabulary_forgets_the_note(starter: CodeSuggester) -> None:
    starter.suggest("warm up")
    before = strings_of(starter)
    starter.suggest(f"{NAME} Quellmann-O'{NAME}, MRN 83749201, has gout.\nAssessment: gout in {NAME.upper()}")
    after = strings_of(starter)
    assert not [s for s in after if NAME.lower() in s.lower() or "Quellmann" in s or "83749201" in s]
    assert after - before == set()


def test_no_part_of_the_suggester_keeps_the_note() -> None:
    """Everything reachable from a used suggester, but for the modules' own code."""
    import gc

    suggester = CodeSuggester.load()
    suggester.suggest("warm up")
    suggester.suggest(f"Assessment: gout in {NAME}qq, left knee pain")
    gc.collect()
    found, seen, todo = [], set(), [suggester]
    while todo:
        thing = todo.pop()
        if id(thing) in seen or type(thing).__name__ in ("module", "function", "builtin_function_or_method", "type"):
            continue
        seen.add(id(thing))
        if isinstance(thing, str) and f"{NAME}qq".lower() in thing.lower():
            found.append(thing)
        todo += gc.get_referents(thing)
    assert found == []


@pytest.mark.parametrize("text", [f"{NAME} has gout", f"{NAME}\ud800 gout", f"{NAME}\x00", f"{NAME} " * 40])
def test_nothing_is_logged_or_warned_or_printed(
    starter: CodeSuggester, text: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(CodeSuggestError):
            starter.suggest(text)
            starter.explain(text, "M10.9")
            starter.search(text)
    printed = capfd.readouterr()
    said = caplog.text + out.getvalue() + printed.out + printed.err + "".join(str(w.message) for w in caught)
    assert NAME not in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (NAME, {"setting": NAME}),
        (NAME, {"service_date": NAME}),
        (NAME, {"systems": [NAME]}),
        (NAME, {"document_type": NAME}),
        (NAME, {"sex": NAME}),
        ([NAME], {}),
        (NAME.encode(), {}),
        ({NAME: 1}, {}),
    ],
)
def test_no_error_repeats_what_it_was_given(starter: CodeSuggester, text: object, told: dict[str, object]) -> None:
    """A name in the wrong column is still a name; nor does the traceback show a cause that quotes it."""
    import traceback

    with pytest.raises(CodeSuggestError) as caught:
        starter.suggest(text, **told)  # type: ignore[arg-type]
    shown = traceback.format_exception_only(caught.value)
    assert NAME not in "".join(shown)
    assert caught.value.__cause__ is None and (caught.value.__context__ is None or caught.value.__suppress_context__)


def test_the_result_shows_no_text_unless_asked(starter: CodeSuggester) -> None:
    text = f"Assessment: gout in {NAME}"
    result = starter.suggest(text)
    assert result.text == text
    assert NAME not in result.to_json() and NAME not in repr(result) and NAME not in str(result)
    assert NAME in result.to_json(show_text=True)


# ---- whatever lands in a text field

LONG = 200_000
ONE_LINE = {
    "letters": "a" * LONG,
    "blanks": " " * LONG,
    "figures": "7" * LONG,
    "no": ("no " * LONG)[:LONG],
    "clauses": ("denies chest pain but has left knee pain, " * LONG)[:LONG],
    "findings": ("pain, " * LONG)[:LONG],
    "unbroken": ("chest pain left knee pain diabetes hypertension " * LONG)[:LONG],
    "results": ("K 6.1 mmol/L (3.5-5.1) H " * LONG)[:LONG],
    "cues": ("possible family history of " * LONG)[:LONG],
    "colons": ("a: " * LONG)[:LONG],
    "slashes": ("s/" * LONG)[:LONG],
    "zero": "\0" * LONG,
    "combining": "e" + "\u0301" * LONG,
    "line ends": "\n" * LONG,
    "bullets": ("- knee pain\n" * LONG)[:LONG],
    "equal signs": "=" * LONG,
    "emoji": "😀" * LONG,
    "stars": "*" * LONG,
    "brackets": "(" * LONG,
    "underscores": "_" * LONG,
}

MEGABYTE = "The patient has type 2 diabetes and left knee pain. Denies chest pain.\n" * 14_500
BARS = {name: (6, 500) for name in ONE_LINE} | {"a megabyte": (30, 1500)}  #: CPU seconds, MB; the bar is 10 s a MB

GUARD = """
import json, os, resource, sys
sys.path.insert(0, sys.argv[1])
from test_invariants import BARS, MEGABYTE, ONE_LINE
from codesuggest import CodeSuggester
s = CodeSuggester.load()
s.suggest("knee pain")

def start(name):
    out, into = os.pipe()
    child = os.fork()
    if not child:
        # a text that needs far more is stopped by the kernel instead of hanging the tests
        resource.setrlimit(resource.RLIMIT_CPU, (BARS[name][0],) * 2)
        resource.setrlimit(resource.RLIMIT_AS, (6 << 30,) * 2)
        r = s.suggest(MEGABYTE if name == "a megabyte" else ONE_LINE[name])
        os.write(into, f"{len(r.suggestions)} {len(r.withheld)}".encode())
        os._exit(0)
    os.close(into)
    return child, (name, out)

running, todo = {}, list(BARS)
while todo or running:
    while todo and len(running) < 2:
        child, about = start(todo.pop())
        running[child] = about
    child, status, used = os.wait3(0)
    name, out = running.pop(child)
    found = os.read(out, 100).decode().split() if status == 0 else []
    print(json.dumps([name, status, found, round(used.ru_utime + used.ru_stime, 2), used.ru_maxrss // 1024]), flush=True)
"""


@pytest.fixture(scope="module")
def measured() -> dict[str, tuple[int, list[str], float, int]]:
    """name -> (exit status, [suggestions, withheld], CPU seconds, peak MB), each text in a process that cannot run away."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", GUARD, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-500:]
    rows = (json.loads(line) for line in done.stdout.splitlines())
    return {name: (status, found, seconds, megabytes) for name, status, found, seconds, megabytes in rows}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and resource limits")
@pytest.mark.parametrize("what", sorted(BARS))
def test_no_text_hangs_or_eats_the_machine(what: str, measured: dict[str, tuple[int, list[str], float, int]]) -> None:
    status, found, _, megabytes = measured[what]
    assert status == 0, f"stopped: more than {BARS[what][0]} s of CPU, or out of memory ({megabytes} MB)"
    assert found and megabytes <= BARS[what][1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\n\n",
        "\x00\x01\x02\x03PNG\r\n\x1a\n\x00\x00IHDR",
        bytes(range(256)).decode("latin-1"),
        b"Knie\xffschmerz".decode("utf-8", "surrogateescape"),
        "%PDF-1.7\n%âãÏÓ\n1 0 obj<</Type/Catalog>>",
        '{"resourceType":"Bundle"}',
        "Der Patient klagt über Brustschmerzen und Atemnot seit drei Tagen.",
        "El paciente niega dolor torácico; refiere disnea.",
        "患者は胸痛を訴える。",
        "الم في الصدر",
        "🩺🫀🫁",
        "<script>alert(1)</script>",
        "\u202eniap eenk\u202c",
        "knee pain" + "\u0300" * 500,
    ],
    ids=lambda t: repr(t[:12]),
)
def test_odd_texts_give_a_result(starter: CodeSuggester, text: str) -> None:
    check(starter, text, starter.suggest(text))
