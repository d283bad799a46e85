"""Results for other eyes: nothing lost, nothing leaked, nothing a browser could run."""

from __future__ import annotations

import builtins
import dataclasses
import html
import json
import re
import time
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesuggest import export
from codesuggest.errors import MissingExtraError, OptionError
from codesuggest.export import COLUMNS, annotate, to_frame, to_html, to_json_lines, to_rows
from codesuggest.records import ASSERTIONS, WITHHELD_REASONS, Cue, Evidence, Finding, NoteResult, Suggestion, Withheld

NOTE = "CC: Left knee pain.\nT2DM with CKD 3a; denies chest pain. Mother: colon cancer."


def at(words: str) -> tuple[int, int]:
    start = NOTE.index(words)
    return start, start + len(words)


def words(text: str, assertion: str = "affirmed") -> Evidence:
    return Evidence(*at(text), "assessment_plan", assertion, text.lower())


def suggestion(code: str, display: str, confidence: float, suggested: bool, *evidence: Evidence) -> Suggestion:
    return Suggestion("icd10cm", "2026-04-01", code, display, confidence, suggested, 1.5, 1.5, {}, evidence)


RESULT = NoteResult(
    model="starter-1",
    setting="outpatient",
    service_date="2026-03-02",
    document_type="visit_note",
    systems=("icd10cm",),
    suggestions=(
        suggestion("E11.22", "Type 2 diabetes with CKD", 0.93, True, words("T2DM with CKD"), words("T2DM")),
        suggestion("N18.31", "CKD, stage 3a", 0.8, True, words("CKD 3a")),
        suggestion("M25.562", "Pain in left knee", 0.2, False, words("Left knee pain")),
        suggestion("M25.569", "Pain in unspecified knee", 0.1, False, words("knee pain")),
        suggestion("R52", "Pain, unspecified", 0.05, False),
    ),
    withheld=(
        Withheld(*at("chest pain"), "negated", "hpi", Cue(*at("denies"), "negated", "denies")),
        Withheld(*at("colon cancer"), "family", "family_history"),
    ),
    findings=(Finding("excludes1", "error", "A & B <are> apart.", ("A", "B"), "Guidelines I.A.12.a", (at("T2DM"),)),),
    id="demo",
    text=NOTE,
)

# ---- reading HTML back

VOID = {"meta", "br", "col"}


class Reader(HTMLParser):
    """Checks that every tag is closed in order, and collects the text of the note and its marks."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.tags: list[str] = []
        self.note = ""
        self.marked: dict[str, list[str]] = {}
        self.labels: list[tuple[int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")

    def handle_data(self, data: str) -> None:
        classes = [str(a.get("class")) for _, a in self.open]
        if "csg-text" not in classes:
            return
        if self.open[-1][0] == "sup":
            self.labels.append((len(self.note), data))
            return
        self.note += data
        for name in " ".join(classes).split():
            self.marked.setdefault(name, []).append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open, "a tag stays open"
    assert "script" not in reader.tags and "<script" not in page.lower()
    page.encode("utf-8")
    return reader


# ---- rows, frames, lines


def test_rows() -> None:
    rows = to_rows([RESULT])
    assert all(tuple(row) == COLUMNS for row in rows)
    assert [(r["rank"], r["code"], r["suggested"]) for r in rows][:3] == [
        (1, "E11.22", True),
        (2, "N18.31", True),
        (3, "M25.562", False),
    ]
    assert (rows[0]["start"], rows[0]["end"]) == at("T2DM with CKD")
    assert rows[0]["evidence_count"] == 2 and rows[0]["id"] == "demo" and rows[0]["release"] == "2026-04-01"
    assert rows[-1]["start"] is None and rows[-1]["section"] is None
    assert to_rows(RESULT) == rows  # one result alone is not taken for its suggestions
    assert to_rows([]) == []


def test_text_only_on_request() -> None:
    assert "knee" not in json.dumps([{**r, "display": ""} for r in to_rows(RESULT)])
    shown = to_rows(RESULT, show_text=True)
    assert [r["evidence_text"] for r in shown] == ["T2DM with CKD", "CKD 3a", "Left knee pain", "knee pain", None]
    bare = dataclasses.replace(RESULT, text=None)
    assert {r["evidence_text"] for r in to_rows(bare, show_text=True)} == {None}


def test_json_lines() -> None:
    lines = list(to_json_lines(iter([RESULT, RESULT])))
    assert len(lines) == 2 and all(line.endswith("}\n") and line.count("\n") == 1 for line in lines)
    assert NoteResult.from_dict(json.loads(lines[0])) == RESULT
    assert "text" not in json.loads(lines[0])
    assert json.loads(next(to_json_lines(RESULT, show_text=True)))["text"] == NOTE


def test_frame() -> None:
    pytest.importorskip("pandas", reason="the extra pandas is not installed")
    frame = to_frame([RESULT, RESULT], show_text=True)
    assert frame.shape == (10, len(COLUMNS) + 1)
    assert str(frame["start"].dtype) == "Int64" and frame["start"].isna().sum() == 2
    assert frame["suggested"].sum() == 4
    empty = to_frame([])
    assert tuple(empty.columns) == COLUMNS and len(empty) == 0 and str(empty["confidence"].dtype) == "float64"


def test_frame_without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: object, **kwargs: object) -> object:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"codesuggest\[pandas\]"):
        to_frame([RESULT])


# ---- spans


def test_annotate() -> None:
    spacy = pytest.importorskip("spacy")
    doc = annotate(spacy.blank("en")(NOTE), RESULT)
    spans = [(s.label_, s.kb_id_, s.text) for s in doc.spans["codesuggest"]]
    assert spans == [
        ("E11.22", "icd10cm", "T2DM"),
        ("E11.22", "icd10cm", "T2DM with CKD"),
        ("N18.31", "icd10cm", "CKD 3a"),
    ]
    assert len(annotate(doc, RESULT, listed=True).spans["codesuggest"]) == 5
    assert len(annotate(doc, RESULT).spans["codesuggest"]) == 3  # again: replaced, not added


def test_annotate_widens_to_tokens_once() -> None:
    spacy = pytest.importorskip("spacy")
    inside = [
        Evidence(5, 7, None, "affirmed", "x"),
        Evidence(6, 8, None, "affirmed", "x"),
        Evidence(4, 4, None, "", ""),
    ]
    result = dataclasses.replace(RESULT, suggestions=(suggestion("A", "", 0.9, True, *inside),), text=None)
    doc = annotate(spacy.blank("en")(NOTE), result)
    assert [s.text for s in doc.spans["codesuggest"]] == ["Left"]


def test_annotate_refuses_another_note() -> None:
    nlp = pytest.importorskip("spacy").blank("en")
    with pytest.raises(OptionError) as caught:
        annotate(nlp(NOTE + "!"), RESULT)
    assert "knee" not in str(caught.value)
    with pytest.raises(OptionError, match="outside"):
        annotate(nlp("Short."), dataclasses.replace(RESULT, text=None))


# ---- HTML


def test_the_note_is_shown_whole_with_its_marks() -> None:
    page = to_html(RESULT)
    reader = read(page)
    assert reader.note == NOTE
    assert "".join(reader.marked["csg-yes"]) == "T2DM with CKD 3a"
    assert "".join(reader.marked["csg-no"]) == "Left knee pain"
    assert reader.marked["csg-negated"] == ["chest pain"] and reader.marked["csg-family"] == ["colon cancer"]
    ends = [at("T2DM")[1], at("T2DM with CKD")[1], at("CKD 3a")[1]]
    assert reader.labels == list(zip(ends, ["E11.22", "E11.22", "N18.31"], strict=True))
    assert 'title="not coded: negated, by the cue: denies"' in page
    assert "A &amp; B &lt;are&gt; apart." in page and "Guidelines I.A.12.a" in page
    assert RESULT._repr_html_() == page and not page.startswith("<!DOCTYPE")


def test_full_page() -> None:
    page = to_html(RESULT, full_page=True)
    assert page.startswith("<!DOCTYPE html>") and '<meta charset="utf-8">' in page
    assert read(page).note == NOTE


def test_no_outside_resource_and_only_our_class_names() -> None:
    page = to_html(RESULT, full_page=True)
    assert not re.search(r"https?:|url\(|@import|src=|href=", page)
    names = {name for value in re.findall(r'class="([^"]*)"', page) for name in value.split()}
    assert all(name == "codesuggest" or name.startswith("csg-") for name in names)
    selectors = re.findall(r"(?m)^([^\n{}]+)\{|,\s*([^\n{},]+)\{|\}([^\n{}]+)\{", export._CSS)
    assert all(s.strip().startswith(".codesuggest") for group in selectors for s in group if s)


def test_without_text_there_are_offsets() -> None:
    page = to_html(dataclasses.replace(RESULT, text=None))
    read(page)
    start, end = at("T2DM with CKD")
    assert f"{start}&#8211;{end}" in page and "not kept" in page and "T2DM" not in page and "<pre" not in page


def test_more_than_ten_listed_are_folded() -> None:
    many = [suggestion(f"Z{i}", "Listed", 0.1, False, words("knee pain")) for i in range(10, 35)]
    page = to_html(dataclasses.replace(RESULT, suggestions=(*RESULT.suggestions[:2], *many)))
    read(page)
    above, _, below = page.partition("<details")
    assert "15 more listed" in below and "Z19" in above and "Z20" in below and "Z19" not in below.partition("</det")[0]
    assert "<details" not in to_html(dataclasses.replace(RESULT, suggestions=tuple(many[:10])))


def test_nothing_found() -> None:
    empty = dataclasses.replace(RESULT, suggestions=(), withheld=(), findings=(), text="")
    assert read(to_html(empty)).note == ""
    assert "No code was found" in to_html(empty)


HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)></pre></style><!--"


def test_everything_is_escaped() -> None:
    cue = Cue(0, 1, "negated", HOSTILE)
    finding = Finding(HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), HOSTILE)
    one = Suggestion(HOSTILE, HOSTILE, HOSTILE, HOSTILE, 0.5, True, 0, 0, {},
                     (Evidence(0, 9, HOSTILE, HOSTILE, HOSTILE, HOSTILE),))  # fmt: skip
    other = dataclasses.replace(one, system="icd10cm", suggested=False)
    result = NoteResult(HOSTILE, HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), (one, other),
                        (Withheld(3, 12, HOSTILE, HOSTILE, cue),), (finding,), HOSTILE, HOSTILE)  # fmt: skip
    reader = read(to_html(result, full_page=True))
    assert reader.note == HOSTILE and "img" not in reader.tags


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b\x07c\x1b[0m", "a␀b␇c␛[0m"),
        ("a\x7f\x85\x9f", "a␡��"),
        ("lone \ud83d half \udc00", "lone � half �"),
        ("\n\nleading", "\n\nleading"),
        ("win\r\ndows\r\n", "win\r\ndows\r\n"),
        ("old\rmac\r\r\nmix", "old\rmac\r\r\nmix"),
        ("tab\tnbsp\u00a0 \u200f\u202eemoji 👩‍⚕️ e\u0301", "tab\tnbsp\u00a0 \u200f\u202eemoji 👩‍⚕️ e\u0301"),
        ("&amp; &lt; &#13; &notin", "&amp; &lt; &#13; &notin"),
    ],
)
def test_odd_characters(text: str, shown: str) -> None:
    spans = (Evidence(0, 3, None, "affirmed", "x"), Evidence(2, 4, None, "affirmed", "x"))
    result = dataclasses.replace(RESULT, suggestions=(suggestion("A", "", 0.9, True, *spans),), text=text)
    page = to_html(result)
    assert read(page).note == shown and len(shown) == len(text)
    assert read(page).labels == [(min(3, len(text)), "A"), (min(4, len(text)), "A")][: 2 if len(text) > 3 else 1]


def test_an_old_line_end_breaks_the_line() -> None:
    def body(text: str, *spans: Evidence) -> str:
        on = (suggestion("A", "", 0.9, True, *spans),)
        page = to_html(dataclasses.replace(RESULT, suggestions=on, withheld=(), text=text))
        return page.partition('class="csg-text">')[2].partition("</span></pre>")[0]

    assert body("a\rb\r\nc") == "a&#13;<br>b&#13;\nc"
    assert "<br>" not in body("a\r\nb", Evidence(0, 2, None, "affirmed", "x"))  # a mark ends between CR and LF


@pytest.mark.parametrize("place", [(-3, -1), (-3, 2), (5, 900), (900, 950), (4, 4), (9, 2)])
def test_offsets_outside_the_note_neither_lose_nor_double_text(place: tuple[int, int]) -> None:
    one = suggestion("A", "", 0.9, True, Evidence(*place, None, "affirmed", "x"))
    result = dataclasses.replace(RESULT, suggestions=(one,), withheld=(Withheld(*place, "negated", None),))
    assert read(to_html(result)).note == NOTE


def slow_over(marks: list[tuple[int, int]], position: int) -> set[int]:
    return {i for i, (start, end) in enumerate(marks) if start <= position < end}


spans = st.tuples(st.integers(-3, 45), st.integers(-3, 45))


@given(st.lists(spans, max_size=12), st.integers(0, 40))
def test_segments_equal_the_slow_reference(places: list[tuple[int, int]], length: int) -> None:
    inside = [(max(0, a), min(length, b)) for a, b in places if max(0, a) < min(length, b)]
    marks = [export._Mark(a, b, "yes", str(i)) for i, (a, b) in enumerate(inside)]
    cut = list(export._segments(marks, length))
    assert [p for a, b, _ in cut for p in range(a, b)] == list(range(length))
    assert all(a < b for a, b, _ in cut) and all(x[1] == y[0] for x, y in pairwise(cut))
    for a, b, over in cut:
        for position in range(a, b):
            assert [int(m.tip) for m in over] == sorted(slow_over(inside, position))


any_text = st.text(st.characters(codec=None), max_size=40) | st.sampled_from([HOSTILE, "\r\n\r", "\ud800&#x41;"])
evidence = st.builds(
    lambda span, section, assertion, term: Evidence(*span, section, assertion, term),
    spans,
    st.none() | any_text,
    st.sampled_from(ASSERTIONS),
    any_text,
)
suggestions = st.builds(
    lambda code, display, confidence, on, ev: suggestion(code, display, confidence, on, *ev),
    any_text,
    any_text,
    st.floats(0, 1),
    st.booleans(),
    st.lists(evidence, max_size=3),
)
withheld = st.builds(
    lambda span, reason, section: Withheld(*span, reason, section),
    spans,
    st.sampled_from(WITHHELD_REASONS),
    st.none() | any_text,
)
results = st.builds(
    lambda text, s, w, name: dataclasses.replace(RESULT, text=text, suggestions=tuple(s), withheld=tuple(w), id=name),
    any_text,
    st.lists(suggestions, max_size=14),
    st.lists(withheld, max_size=6),
    any_text,
)


@settings(deadline=None)
@given(results)
def test_any_result_is_a_balanced_page_with_the_whole_note(result: NoteResult) -> None:
    reader = read(to_html(result, full_page=True))
    text = result.text or ""
    assert reader.note == "".join(export._UNSEEN.sub(export._picture, c) for c in text)
    assert len(reader.note) == len(text)
    assert to_html(result) == to_html(result)
    read(to_html(dataclasses.replace(result, text=None)))


@settings(deadline=None)
@given(results, st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), max_size=60))
def test_tags_stripped_and_unescaped_is_the_note(result: NoteResult, text: str) -> None:
    page = to_html(dataclasses.replace(result, text=text))
    inner = page.partition('<span class="csg-text">')[2].partition("</span></pre>")[0]
    bare = re.sub(r"<[^>]*>", "", re.sub(r"<sup>.*?</sup>", "", inner, flags=re.DOTALL))
    assert html.unescape(bare) == text


def test_a_long_note_takes_linear_time() -> None:
    def took(n: int) -> float:
        text = "patient denies pain. " * n
        held = tuple(Withheld(21 * i + 15, 21 * i + 19, "negated", None) for i in range(n))
        result = dataclasses.replace(RESULT, text=text, withheld=held)
        best = []
        for _ in range(3):
            start = time.perf_counter()
            to_html(result)
            best.append(time.perf_counter() - start)
        return min(best)

    small, large = took(4_000), took(32_000)  # 84 kB and 672 kB
    assert large < 24 * max(small, 0.005)
    assert large < 3
