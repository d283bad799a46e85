"""Results of other systems, in invented examples of their published layouts, come out as rows that can be scored."""

from __future__ import annotations

import importlib
import json
import random
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesuggest.adapters import forgiving, read_results
from codesuggest.coded import CodedDocument, Label, read_codiesp
from codesuggest.errors import CodeSuggestError, InputError, OptionError
from codesuggest.evaluation import score

NOTE = "Assessment: hypertension and knee pain. Denies asthma. Mother had gout."


def entity(words: str, *concepts: tuple[str, float], traits: tuple[str, ...] = ()) -> dict[str, Any]:
    at = NOTE.index(words)
    return {
        "Id": 0,
        "Text": words,
        "Category": "MEDICAL_CONDITION",
        "Type": "DX_NAME",
        "Score": 0.98,
        "BeginOffset": at,
        "EndOffset": at + len(words),
        "Attributes": [],
        "Traits": [{"Name": t, "Score": 0.9} for t in traits],
        "ICD10CMConcepts": [{"Description": "...", "Code": c, "Score": s} for c, s in concepts],
    }


ANSWER = {
    "Entities": [
        entity("hypertension", ("I10", 0.8), ("I16.9", 0.3), traits=("DIAGNOSIS",)),
        entity("knee pain", ("M25.569", 0.6), ("M25.561", 0.61), traits=("SYMPTOM",)),
        entity("asthma", ("J45.909", 0.9), traits=("NEGATION",)),
        entity("gout", ("M10.9", 0.9), traits=("DIAGNOSIS", "PERTAINS_TO_FAMILY")),
        entity("pain", ("M25.569", 0.7), ("R52", 0.2)),
        {**entity("Denies"), "ICD10CMConcepts": []},
    ],
    "ModelVersion": "2.4.0",
}


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, Any], Path]:
    def write(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


def test_comprehend_lists_all_concepts_and_suggests_the_best_of_each_entity(written: Any) -> None:
    (row,) = read_results(written("a.json", ANSWER), ids=["a"])
    assert [(s["code"], s["confidence"], s["suggested"]) for s in row["suggestions"]] == [
        ("I10", 0.8, True),
        ("M25.569", 0.7, True),
        ("M25.561", 0.61, True),
        ("I16.9", 0.3, False),
        ("R52", 0.2, False),
    ]
    assert [NOTE[e["start"] : e["end"]] for e in row["suggestions"][1]["evidence"]] == ["knee pain", "pain"]
    assert [(NOTE[w["start"] : w["end"]], w["reason"]) for w in row["withheld"]] == [
        ("asthma", "negated"),
        ("gout", "family"),
    ]


def test_comprehend_is_scored_on_the_same_documents(written: Any) -> None:
    at = NOTE.index("hypertension")
    gold = [CodedDocument("a", NOTE, (Label("icd10cm", "I10", evidence=((at, at + 12),)), Label("icd10cm", "M25.569")))]
    found = score(gold, read_results(written("a.json", ANSWER), ids=["a"])).figures
    assert (found["P"], found["R"], found["MAP"], found["evidence"]) == (pytest.approx(2 / 3), 1, 1, 1)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("all.jsonl", "\n".join(json.dumps({"id": i, **ANSWER}) for i in ("a", "b")) + "\n"),
        ("all.jsonl", "\n".join(json.dumps({"id": i, "answer": ANSWER}) for i in ("a", "b"))),
    ],
)
def test_comprehend_as_lines(written: Any, name: str, content: str) -> None:
    assert [row["id"] for row in read_results(written(name, content), ids=["a"])] == ["a", "b"]


def test_comprehend_as_a_folder_of_answers(written: Any) -> None:
    for name in ("answers/a.json", "answers/b.txt.out", "answers/readme.md"):
        path = written(name, ANSWER)
    assert [row["id"] for row in read_results(path.parent, adapter="comprehend", ids=["a", "b"])] == ["a", "b"]


def test_a_table_of_codes(written: Any) -> None:
    path = written("codes.csv", "id,code,confidence\na,I10,0.2\na,M25569,0.7\nb,R05.9,0.5\n")
    rows = read_results(path, ids=["a", "b", "c"])
    assert {r["id"]: [s["code"] for s in r["suggestions"]] for r in rows} == {
        "a": ["M25569", "I10"],
        "b": ["R05.9"],
        "c": [],
    }
    gold = [CodedDocument(i, "x", (Label("icd10cm", "M25.569"),)) for i in "abc"]
    assert score(gold, rows).figures["R"] == pytest.approx(1 / 3)
    assert score(gold, rows, threshold=0.6).figures["P"] == 1


def test_a_table_of_bare_codes_keeps_its_order_and_has_no_confidence(written: Any) -> None:
    rows = read_results(written("codes.tsv", "id\tcode\na\tR05.9\na\tI10\n"), ids=["a"])
    assert [(s["code"], s["confidence"], s["suggested"]) for s in rows[0]["suggestions"]] == [
        ("R05.9", None, True),
        ("I10", None, True),
    ]
    assert "ECE" not in score([CodedDocument("a", "x", (Label("icd10cm", "I10"),))], rows).figures


def test_a_table_with_marks_spans_and_systems(written: Any) -> None:
    text = "id,code,suggested,system,start,end\na,I10,no,ICD-10-CM,12,24\na,0DTJ4ZZ,1,icd10pcs,,\n"
    (row,) = read_results(written("codes.csv", text), ids=["a"])
    assert row["suggestions"][0] == {
        "system": "icd10cm",
        "code": "I10",
        "confidence": None,
        "suggested": False,
        "evidence": [{"start": 12, "end": 24}],
    }
    assert (row["suggestions"][1]["system"], row["suggestions"][1]["suggested"]) == ("icd10pcs", True)


def test_lines_of_a_batch_are_known_by_their_keys(written: Any) -> None:
    rows = [{"id": "a", "suggestions": [], "error": None}, {"id": "b", "error": {"code": "input", "message": "..."}}]
    path = written("codes.jsonl", "\n".join(map(json.dumps, rows)))
    assert read_results(path, ids=["a"]) == rows


@pytest.mark.parametrize(
    ("name", "content", "adapter", "message"),
    [
        ("a.json", "{", None, "is no JSON"),
        ("a.json", "[]", None, "no JSON object"),
        ("a.jsonl", "", None, "holds no result"),
        ("a.jsonl", '{"id": "a", "suggestions": []}\nnot json', None, "line 2: is no JSON"),
        ("a.json", {"id": "a"}, "comprehend", "no Entities"),
        ("a.json", {"Entities": [{"BeginOffset": 0}]}, None, r"KeyError"),
        ("a.json", {"Entities": [entity("gout", ("M10.9", "high"))]}, None, "ValueError"),  # type: ignore[arg-type]
        ("a.json", {"id": "a", "suggestions": "I10"}, None, "no line of a batch"),
        ("a.json", {"id": "a", "suggestions": [{}]}, None, "key code"),
        ("a.csv", "id,code\na,\n", None, "line 2: a row needs an id and a code"),
        ("a.csv", "id,code,confidence\na,I10,high\n", None, "hold numbers"),
        ("a.csv", "id,code,suggested\na,I10,perhaps\n", None, "neither true nor false"),
        ("a.csv", "id,diagnosis\na,I10\n", None, "code"),
        ("a.csv", "id,code\nz,I10\n", None, None),
        ("b.json", ANSWER, None, "none of its ids"),
        ("a.json", ANSWER, "rival", "adapter must be one of"),
    ],
)
def test_what_cannot_be_read_is_named(written: Any, name: str, content: Any, adapter: str | None, message: str) -> None:
    path = written(name, content)
    if message is None:  # a table that names none of the documents says that none has a code
        assert [r["id"] for r in read_results(path, ids=["a"])] == ["a", "z"]
        return
    with pytest.raises(CodeSuggestError, match=message):
        read_results(path, adapter=adapter, ids=["a"])


def test_comprehend_knows_diagnoses_only(written: Any) -> None:
    with pytest.raises(OptionError, match="ICD-10-CM only"):
        read_results(written("a.json", ANSWER), ids=["a"], system="icd10pcs")
    with pytest.raises(InputError, match="cannot be read"):
        read_results(Path("nowhere.jsonl"), ids=["a"])


# ---- forgiving


@pytest.mark.parametrize("system", ["icd10cm", "icd10pcs"])
def test_forgiving_figures_equal_the_loose_ones_of_the_task(DATA: Path, system: str) -> None:
    scorer_folder = DATA.parent / "score"
    if not (scorer_folder / "codiesp.py").is_file() or not (DATA / "codiesp" / "dev").is_dir():
        pytest.skip("the reference scorer or CodiEsp is not here")
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(scorer_folder))
    try:
        theirs = importlib.import_module("codiesp")
        documents = read_codiesp(DATA / "codiesp", "dev")
        lines, gold, old = invented_results(documents, system)
        for threshold in (None, 0.4):
            found = theirs.score(gold, {r["id"]: r for r in lines}, system, threshold, old)
            ours = score(*forgiving(documents, lines, system=system), system=system, threshold=threshold).figures
            names = ("MAP", "P", "R", "F1")
            assert {n: ours[n] for n in names} == pytest.approx({n: found[f"{n}_loose"] for n in names}, abs=1e-12)
            # and over the codes of the training part: the same ranked list, only those of them to be found
            seen = [only(d, old) for d in documents]
            assert score(seen, lines, system=system, threshold=threshold).figures["MAP"] == pytest.approx(
                found["MAP_seen"], abs=1e-12
            )
    finally:
        sys.path.remove(str(scorer_folder))
        sys.dont_write_bytecode = before
        for name in ("visits", "codiesp"):
            sys.modules.pop(name, None)


def only(document: CodedDocument, codes: set[str]) -> CodedDocument:
    kept = tuple(c for c in document.codes if c.code.replace(".", "").lower() in codes)
    return CodedDocument(document.id, document.text, kept, policy=document.policy, systems=document.systems)


def invented_results(documents: list[CodedDocument], system: str) -> tuple[list[Any], dict[str, set[str]], set[str]]:
    """Gold codes, gold codes made longer by what a coder would add, and wrong ones, in an order that means little."""
    rng = random.Random(5)
    gold: dict[str, set[str]] = defaultdict(set)
    for d in documents:
        for c in d.codes:
            if c.system == system:
                gold[d.id].add(c.code.replace(".", "").lower())
    pool = sorted({c for own in gold.values() for c in own})
    lines = []
    for d in documents:
        codes = [c for c in sorted(gold.get(d.id, ())) if rng.random() < 0.7] + rng.choices(pool, k=8)
        codes += [(c + "xxxxxxx")[:6] + rng.choice("ads") if rng.random() < 0.5 else c + "zz" for c in codes]
        rng.shuffle(codes)
        rows = [
            {"system": system, "code": c, "confidence": rng.random(), "suggested": rng.random() < 0.4} for c in codes
        ]
        lines.append({"id": d.id, "suggestions": rows})
    return lines, gold, set(pool[::2])
