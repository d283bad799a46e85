"""Documents of every format, whole and damaged; nothing is lost, nothing is garbled, no message holds a note."""

from __future__ import annotations

import builtins
import codecs
import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from codesuggest import inputs
from codesuggest.documents import Document, check_inputs, count_documents, decode, fingerprint, read_documents
from codesuggest.errors import BatchError, InputError, MissingExtraError, NotTextError, NotUtf8Error, OptionError

SECRET = "Quillfeather"  #: a name that stands in notes below, and must stand in no message


def read(*paths: Path, **how: Any) -> list[Document]:
    found = list(read_documents(paths, **how))
    assert len({d.id for d in found}) == len(found)
    for d in found:
        assert (d.text is None) == (d.problem is not None)
        assert SECRET not in str(d.problem)
    return found


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def codes(found: list[Document]) -> list[tuple[str, str | None]]:
    return [(d.id, d.problem.code if d.problem else None) for d in found]


# ---- text files


def test_a_folder_is_read_in_order_of_names_with_paths_as_ids(tmp_path: Path) -> None:
    for name in ("b.txt", "a/2.txt", "a/10.TXT", "c/d/e.txt", "a.md", "z/x.jsonl"):
        write(tmp_path / name, f"note {name}")
    assert [(d.id, d.text) for d in read(tmp_path)] == [
        ("a/10", "note a/10.TXT"),
        ("a/2", "note a/2.txt"),
        ("b", "note b.txt"),
        ("c/d/e", "note c/d/e.txt"),
    ]
    assert count_documents([tmp_path]) == 4


@pytest.mark.parametrize(
    ("raw", "fallback", "text"),
    [
        (b"", None, ""),
        (b"plain", None, "plain"),
        (b"a\r\nb\rc\n\x0bd\xe2\x80\xa8e", None, "a\r\nb\rc\n\x0bd\u2028e"),  # no newline is translated
        (b"\xef\xbb\xbfwith a mark", None, "with a mark"),
        (b"\xef\xbb\xbf\xef\xbb\xbftwo", None, "two"),
        (b"temp 38\xc2\xb0", None, "temp 38\u00b0"),
        (b"temp 38\xb0", "cp1252", "temp 38\u00b0"),
        (b"temp 38\xc2\xb0", "cp1252", "temp 38\u00b0"),  # UTF-8 comes first
        ("caf\u00e9".encode("utf-16"), "utf-16", "caf\u00e9"),
        (
            b"one \x00 in a line of more than twenty characters",
            None,
            "one \x00 in a line of more than twenty characters",
        ),
        (b"e\xcc\x81 \xf0\x9f\xa9\xba", None, "e\u0301 \U0001fa7a"),
    ],
)
def test_bytes_become_the_text_they_are(raw: bytes, fallback: str | None, text: str, tmp_path: Path) -> None:
    [document] = read(write(tmp_path / "n.txt", raw), fallback=fallback)
    assert document == Document("n", text)


@pytest.mark.parametrize(
    ("raw", "fallback", "says"),
    [
        (SECRET.encode() + b" 38\xb0", None, "byte 15"),
        (b"\xff\xfea\x00b\x00", None, "byte 0"),
        (b"a\x81b", "cp1252", "utf-8 (byte 1) nor cp1252 (byte 1)"),
        (b"\x00" * 40 + SECRET.encode(), None, "is binary"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(range(256)) * 4, "latin-1", "is binary"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, None, "looks binary"),
        (b"a", "utf-16", None),
    ],
)
def test_what_is_no_text_is_a_problem_naming_file_and_byte(
    raw: bytes, fallback: str | None, says: str | None, tmp_path: Path
) -> None:
    path = write(tmp_path / "n.txt", raw)
    [document] = read(path, fallback=fallback)
    if says is None:
        assert document.text == "a"
        return
    assert isinstance(document.problem, NotUtf8Error)
    assert str(path) in str(document.problem) and says in str(document.problem)


def test_a_file_that_cannot_be_read_is_a_problem_and_the_others_go_on(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "first")
    (tmp_path / "b.txt").symlink_to(tmp_path / "nowhere")
    write(tmp_path / "c.txt", "last")
    assert codes(read(tmp_path)) == [("a", None), ("b", "input"), ("c", None)]
    assert fingerprint([tmp_path])[0]["files"] == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_does_not_wait_for_ever(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.txt")
    assert codes(read(tmp_path)) == [("p", "input")]
    with pytest.raises(BatchError, match="no regular file"):
        check_inputs([tmp_path / "p.txt"])


def test_links_that_go_in_a_circle_end(tmp_path: Path) -> None:
    write(tmp_path / "d" / "a.txt", "x")
    (tmp_path / "d" / "round").symlink_to(tmp_path)
    assert [d.id for d in read(tmp_path)] == ["d/a"]


def test_an_oversized_file_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MAX_BYTES", 100)
    write(tmp_path / "a.txt", "x" * 101)
    lines = write(tmp_path / "l.jsonl", '{"text": "ok"}\n' + json.dumps({"text": "y" * 300}) + '\n{"text": "ok"}\n')
    assert codes(read(tmp_path)) == [("a", "text_too_long")]
    assert codes(read(lines)) == [("l.jsonl:1", None), ("l.jsonl:2", "text_too_long"), ("l.jsonl:3", None)]


# ---- JSON lines


@pytest.mark.parametrize(
    ("line", "id", "code"),
    [
        (b'{"id": "a", "text": "ok"}', "a", None),
        (b'{"id": 7, "text": "ok"}', "7", None),
        (b'{"text": "ok"}', "n.jsonl:2", None),
        (b'{"id": "", "text": "ok"}', "n.jsonl:2", None),
        (b'{"id": null, "text": ""}', "n.jsonl:2", None),
        (b'\xef\xbb\xbf{"id": "a", "text": "ok"}\r', "a", None),
        (b'{"id": "a", "text": "Quillfeather', "n.jsonl:2", "input"),
        (b"Quillfeather", "n.jsonl:2", "input"),
        (b'["Quillfeather"]', "n.jsonl:2", "input"),
        (b'"Quillfeather"', "n.jsonl:2", "input"),
        (b'{"id": "a"}', "a", "input"),
        (b'{"id": "a", "note": "Quillfeather"}', "a", "input"),
        (b'{"id": "a", "text": null}', "a", "not_text"),
        (b'{"id": "a", "text": 5}', "a", "not_text"),
        (b'{"id": "a", "text": ["Quillfeather"]}', "a", "not_text"),
        (b'{"id": true, "text": "Quillfeather"}', "n.jsonl:2", "input"),
        (b'{"id": 1.5, "text": "Quillfeather"}', "n.jsonl:2", "input"),
        (b'{"id": "Quillfeather\\nwas seen", "text": "x"}', "n.jsonl:2", "input"),
        (b'{"id": "a", "text": "38\xb0 Quillfeather"}', "n.jsonl:2", "not_utf8"),
        (b"[" * 100_000, "n.jsonl:2", "input"),
        (b'{"id": ' + b"9" * 5000 + b', "text": "x"}', "n.jsonl:2", "input"),
        (b"\x00" * 30, "n.jsonl:2", "not_utf8"),
        (b'{"id": "a", "text": "x", "age": "Quillfeather"}', "a", "option"),
        (b'{"id": "a", "text": "x", "service_date": "Quillfeather"}', "a", "option"),
    ],
)
def test_one_bad_line_is_one_problem(line: bytes, id: str, code: str | None, tmp_path: Path) -> None:
    good = b'{"id": "first", "text": "one"}\n'
    path = write(tmp_path / "n.jsonl", good + line + b'\n\n  \n{"id": "last", "text": "two"}')
    found = read(path)
    assert codes(found) == [("first", None), (id, code), ("last", None)]
    assert count_documents([path]) == 3
    if code:
        assert "line 2" in str(found[1].problem)


def test_text_of_json_is_not_touched(tmp_path: Path) -> None:
    text = "a\r\nb\u2028c\x85d\x1e\ud800\u200f\x00e"
    [document] = read(write(tmp_path / "n.jsonl", json.dumps({"id": "a", "text": text}) + "\n"))
    assert document.text == text


def test_a_line_in_the_fallback_encoding(tmp_path: Path) -> None:
    path = write(tmp_path / "n.jsonl", b'{"id": "a", "text": "38\xb0"}\n{"id": "b", "text": "38\xc2\xb0"}\n')
    assert [d.text for d in read(path, fallback="cp1252")] == ["38\u00b0", "38\u00b0"]


def test_keys_can_be_named_and_a_named_id_must_be_there(tmp_path: Path) -> None:
    path = write(tmp_path / "n.jsonl", '{"visit": 1, "note": "x"}\n{"note": "y"}\n')
    assert codes(read(path, id_key="visit", text_key="note")) == [("1", None), ("n.jsonl:2", "input")]


# ---- options beside a document

OPTIONS: list[tuple[dict[str, Any], dict[str, Any] | None]] = [
    ({}, {}),
    ({"setting": "Inpatient", "sex": "F", "age": 64}, {"setting": "inpatient", "sex": "female", "age": 64}),
    ({"age": "64"}, {"age": 64}),
    ({"age": "64.0"}, {"age": 64}),
    ({"age": 64.0}, {"age": 64}),
    ({"age": 0}, {"age": 0}),
    ({"age": float("nan")}, {}),
    ({"age": "", "sex": None, "systems": []}, {}),
    ({"age": -1}, None),
    ({"age": 131}, None),
    ({"age": 6.5}, None),
    ({"age": True}, None),
    ({"age": "sixty"}, None),
    ({"age": float("inf")}, None),
    ({"systems": ["icd10cm"]}, {"systems": ["icd10cm"]}),
    ({"systems": "icd10cm;icd10pcs"}, {"systems": ["icd10cm", "icd10pcs"]}),
    ({"systems": " icd10cm, icd10pcs "}, {"systems": ["icd10cm", "icd10pcs"]}),
    ({"systems": [1]}, None),
    ({"systems": 3}, None),
    ({"service_date": "2026-03-02"}, {"service_date": "2026-03-02"}),
    ({"service_date": "2026-03-02T10:30:00"}, {"service_date": "2026-03-02"}),
    ({"service_date": "03/02/2026"}, None),
    ({"service_date": 20260302}, None),
    ({"setting": "ward"}, None),
    ({"setting": 1}, None),
    ({"sex": "male"}, {"sex": "male"}),
    ({"sex": "Unknown"}, {}),
    ({"sex": "yes"}, None),
    ({"document_type": "Discharge Summary"}, {"document_type": "discharge_summary"}),
    ({"document_type": 4}, None),
]


@pytest.mark.parametrize(("given_", "expected"), OPTIONS)
def test_options_of_a_document(given_: dict[str, Any], expected: dict[str, Any] | None, tmp_path: Path) -> None:
    [document] = read(write(tmp_path / "n.jsonl", json.dumps({"id": "a", "text": "x", **given_})))
    if expected is None:
        assert isinstance(document.problem, OptionError)
    else:
        assert document == Document("a", "x", expected)


# ---- CSV


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_as_programs_write_it(delimiter: str, end: str, mark: str, tmp_path: Path) -> None:
    notes = ["a, b; c\td", 'he said "no"', "two\r\nlines\rand\nmore", "", "x" * 300_000]
    path = tmp_path / "n.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        handle.write(mark)
        writer = csv.writer(handle, delimiter=delimiter, lineterminator=end)
        writer.writerow(["id", "age", "text"])
        writer.writerows([f"v{i}", 60 + i, note] for i, note in enumerate(notes))
    assert read(path) == [Document(f"v{i}", note, {"age": 60 + i}) for i, note in enumerate(notes)]
    assert count_documents([path]) == len(notes)


def test_csv_rows_that_will_not_do(tmp_path: Path) -> None:
    rows = b'id,text\n1,fine\n2,Quillfeather,more\n3\n\n4,38\xb0 Quillfeather\n5,"caf\xc3\xa9\n\nx"\n6,last\n'
    path = write(tmp_path / "n.csv", rows)
    found = read(path)
    assert codes(found) == [
        ("1", None), ("n.csv:3", "input"), ("n.csv:4", "input"), ("n.csv:6", "not_utf8"), ("5", None), ("6", None),
    ]  # fmt: skip
    assert "line 3" in str(found[1].problem) and "3 columns" in str(found[1].problem)
    assert found[4].text == "caf\u00e9\n\nx"
    assert read(path, fallback="latin-1")[3] == Document("4", "38\u00b0 Quillfeather")


@pytest.mark.parametrize("broken", ['2,"Quillfeather" said,x\n', '2,"Quillfeather\n3,b,c\n'])
def test_after_broken_quoting_the_rest_is_one_problem(broken: str, tmp_path: Path) -> None:
    # going on would take lines of a note for rows, and words of it for ids
    path = write(tmp_path / "n.csv", "id,text,age\n1,fine,3\n" + broken + "4,d,3\n")
    more = write(tmp_path / "m.txt", "next input")
    found = read(path, more)
    assert codes(found) == [("1", None), ("n.csv:3", "input"), ("m", None)]
    assert "line 3" in str(found[1].problem)


@pytest.mark.parametrize(
    ("name", "content", "how", "says"),
    [
        ("n.csv", "1,Quillfeather was seen\n", {}, "no column named 'text'"),
        ("n.csv", "", {}, "no column named 'text'"),
        ("n.csv", "id,text,text\n", {}, "several columns are named 'text'"),
        ("n.csv", "id,text,age,age\n", {}, "several columns are named 'age'"),
        ("n.csv", "id,text\n", {"id_key": "visit"}, "no column named 'visit'"),
        ("n.csv", "id,text\n".encode("utf-16"), {}, "UTF-16"),
        ("n.jsonl", "{}\n".encode("utf-16"), {}, "UTF-16"),
        ("n.parquet", "nonsense", {}, "no Parquet"),
        ("n.docx", "x", {}, "unknown ending"),
        ("n", "x", {}, "unknown ending"),
        ("n.jsonl.gz", "x", {}, "unknown ending"),
        ("folder/n.md", "x", {}, "unknown ending"),
    ],
)
def test_a_spoilt_input_is_refused_at_once(
    name: str, content: str | bytes, how: dict[str, Any], says: str, tmp_path: Path
) -> None:
    good, bad = write(tmp_path / "good.txt", "x"), write(tmp_path / name, content)
    with pytest.raises(BatchError, match=says) as caught:
        read_documents([good, bad], **how)  # not even started
    assert SECRET not in str(caught.value) and str(bad) in str(caught.value)


def test_missing_and_empty_inputs(tmp_path: Path) -> None:
    for paths, says in (([tmp_path / "no.txt"], "No such file"), ([tmp_path], "no .txt"), ([], "no input")):
        with pytest.raises(BatchError, match=says):
            read_documents(paths)
    with pytest.raises(OptionError, match="no text encoding"):
        read_documents([write(tmp_path / "a.txt", "x")], fallback="klingon")
    with pytest.raises(OptionError, match="no text encoding"):
        read_documents([tmp_path / "a.txt"], fallback="base64")


# ---- Parquet


def test_parquet(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    import datetime as dt

    rows = [{"visit": i, "note": f"note {i}\r\n", "systems": ["icd10cm"], "age": 60.0, "when": dt.date(2026, 3, 2)}
            for i in range(150)]  # fmt: skip
    rows[70]["note"] = None
    rows[71]["age"] = None
    path = tmp_path / "n.parquet"
    table = pa.Table.from_pylist(rows).rename_columns({"when": "service_date"})
    pq.write_table(table, path, row_group_size=40)
    found = read(path, id_key="visit", text_key="note")
    assert len(found) == count_documents([path]) == 150
    options = {"systems": ["icd10cm"], "age": 60, "service_date": "2026-03-02"}
    assert found[3] == Document("3", "note 3\r\n", options)
    assert isinstance(found[70].problem, NotTextError) and found[70].id == "70"
    assert "age" not in found[71].options
    with pytest.raises(BatchError, match="'text'"):
        read_documents([path])


def test_parquet_that_holds_bytes_or_is_damaged(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    raw = pa.array([b"fine", b"38\xb0 Quillfeather", b"last"])
    strings = pa.StringArray.from_buffers(3, raw.buffers()[1], raw.buffers()[2])
    pq.write_table(pa.table({"text": strings}), tmp_path / "s.parquet")
    assert codes(read(tmp_path / "s.parquet")) == [
        ("s.parquet:1", None), ("s.parquet:2", "not_utf8"), ("s.parquet:3", None)
    ]  # fmt: skip
    pq.write_table(pa.table({"text": raw}), tmp_path / "b.parquet")
    assert [d.problem.code for d in read(tmp_path / "b.parquet") if d.problem] == ["not_text"] * 3

    path = tmp_path / "d.parquet"
    pq.write_table(pa.table({"text": [f"{i} " + "x" * 2000 for i in range(400)]}), path, row_group_size=100,
                   use_dictionary=False, compression="zstd")  # fmt: skip
    data = bytearray(path.read_bytes())
    second = pq.ParquetFile(path).metadata.row_group(1).column(0)
    at = second.data_page_offset
    data[at : at + 200] = b"\xff" * 200
    path.write_bytes(data)
    found = read(path)  # the damaged group is one problem, the other three are whole
    assert [d.id for d in found if d.problem] == ["d.parquet:101"]
    assert "row 101" in str(found[100].problem) and "up to row 200" in str(found[100].problem)
    assert len(found) == 301 and found[101].text == "200 " + "x" * 2000


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r'pip install "codesuggest\[parquet\]"'):
        read_documents([write(tmp_path / "n.parquet", b"PAR1")])


# ---- ids, laziness, fingerprint


def test_a_doubled_id_is_a_problem_under_another_id_and_nothing_is_lost(tmp_path: Path) -> None:
    rows = ["a", "b", "a", "a#2", "a", None]
    first = write(tmp_path / "n.jsonl", "".join(json.dumps({"id": r, "text": SECRET}) + "\n" for r in rows))
    again = write(tmp_path / "again" / "n.jsonl", "nonsense\n" * 5 + '{"text": "fine"}\n')
    found = read(first, again)
    assert codes(found) == [
        ("a", None), ("b", None), ("a#2", "input"), ("a#2#2", "input"), ("a#3", "input"), ("n.jsonl:6", None),
        *[(f"n.jsonl:{i}", "input") for i in range(1, 6)], ("n.jsonl:6#2", None),
    ]  # fmt: skip
    assert "line 3" in str(found[2].problem)


def test_reading_is_lazy(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        write(tmp_path / name, "before")
    documents_ = read_documents([tmp_path])
    assert next(documents_).text == "before"
    write(tmp_path / "b.txt", "after")
    assert next(documents_).text == "after"


def test_the_fingerprint_sees_what_changes_and_not_where_it_lies(tmp_path: Path) -> None:
    write(tmp_path / "d" / "a.txt", "x")
    write(tmp_path / "d" / "s" / "b.txt", "y")
    before = fingerprint([tmp_path / "d"])
    assert before == fingerprint([tmp_path / "d"]) and before[0]["files"] == 2
    (tmp_path / "e").mkdir()
    (tmp_path / "d").rename(tmp_path / "e" / "d")
    assert fingerprint([tmp_path / "e" / "d"]) == before
    os.utime(tmp_path / "e" / "d" / "a.txt", ns=(1, 1))
    assert fingerprint([tmp_path / "e" / "d"]) != before


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([None, "cp1252", "utf-16", "latin-1"]))
def test_any_bytes_give_text_or_the_named_error(raw: bytes, fallback: str | None) -> None:
    try:
        text = decode(raw, "somewhere", fallback=fallback)
    except NotUtf8Error as error:
        assert "somewhere" in str(error)
    else:
        assert isinstance(text, str)
        if fallback is None:
            assert text.encode() == raw.removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xef\xbb\xbf")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(max_size=60).map(lambda b: b.replace(b"\n", b" ")), max_size=8))
def test_every_line_of_any_jsonl_is_one_document(tmp_path_factory: Any, lines: list[bytes]) -> None:
    content = b"\n".join(lines)
    assume(content[:2] not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # refused as a whole
    path = write(tmp_path_factory.mktemp("any") / "n.jsonl", content)
    found = read(path)
    assert len(found) == sum(1 for line in lines if line.strip(b" \t\r\n\xef\xbb\xbf"))
    assert all(isinstance(d.problem, InputError) for d in found if d.problem)
