"""The commands that measure: what they print, what their JSON holds, and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from codesuggest import CodeSuggester, cli, evaluate
from codesuggest.coded import CodedDocument
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import InputError, OptionError
from codesuggest.training import train

SECRET = "Quillfeather"


@pytest.fixture(scope="module")
def documents(tiny_documents: Sequence[CodedDocument], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("documents") / "coded.jsonl"
    rows = [
        {
            "id": d.id,
            "text": f"{SECRET}. {d.text}",
            "codes": [{"code": c.code} for c in d.codes],
            "document_type": "visit_note" if n % 2 else "ed_note",
            "split": "evaluation" if n > 7 else "train",
        }
        for n, d in enumerate(tiny_documents)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def run(*arguments: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments], env={"COLUMNS": "100"})
    assert result.exit_code == code, result.output + repr(result.exception)
    assert SECRET not in result.output
    return result


def asked(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    return dict(json.loads(run(*arguments, "--json", code=code).stdout))


def test_evaluate_prints_what_evaluate_returns(tiny_folder: Path, documents: Path) -> None:
    everything = ("--by", "document_type", "--by", "chapter", "--by", "section", "--by", "band", "--by", "seen")
    shown = run("evaluate", documents, "--model", tiny_folder, *everything, "--calibration", "--stages", "--worst", "3",
                "--precision", "0.2").stdout  # fmt: skip
    for words in ("12 documents", "Reliability", "first 5 codes", "all levels alike", "Document type", "visit_note",
                  "Where recall is lost", "Right, of codes from", "precision is"):  # fmt: skip
        assert words in shown, words
    assert max(map(len, shown.splitlines())) <= 100
    row = asked("evaluate", documents, "--model", tiny_folder, *everything, "--stages", "--worst", "3")
    figures = evaluate(CodeSuggester.load(tiny_folder), cli.cli_evaluation.read_documents(documents, "all")).figures
    assert row["figures"] == figures
    assert set(row["by"]) == {"document_type", "chapter", "section", "band", "seen"}
    assert row["stages"]["required"] == figures["required"]
    assert set(row["first"]) == {"5", "8", "15"}
    assert all(w["missed"] or w["wrong"] for w in row["worst"])


def test_only_one_split(tiny_folder: Path, documents: Path) -> None:
    assert asked("evaluate", documents, "--model", tiny_folder, "--split", "evaluation")["documents"] == 4
    with pytest.raises(OptionError, match="--split must be one of"):
        cli.cli_evaluation.read_documents(documents, "dev")


def test_results_of_another_system(tiny_folder: Path, documents: Path, tmp_path: Path) -> None:
    table = tmp_path / "rival.csv"
    table.write_text("id,code,confidence\nd0,Q11,0.9\nd0,Q12,0.3\nd1,Q15,0.7\n", encoding="utf-8")
    row = asked("evaluate", documents, "--model", tiny_folder, "--results", table, "--threshold", "0.5")
    assert (row["results"], row["figures"]["P"]) == ("rival.csv", 1)
    trained = asked("evaluate", documents, "--model", tiny_folder, "--results", table, "--trained-on", documents,
                    "--by", "seen", "--forgiving")  # fmt: skip
    assert list(trained["by"]["seen"]) == ["seen"]
    for wrong in (("--stages", "--results", table), ("--adapter", "csv"), ("--forgiving",)):
        result = CliRunner().invoke(cli.app, ["evaluate", str(documents), *map(str, wrong)])
        assert isinstance(result.exception, OptionError)


def test_a_part_of_codiesp_is_known_by_its_files(tmp_path: Path) -> None:
    part = tmp_path / "dev"
    (part / "text_files_en").mkdir(parents=True)
    (part / "devD.tsv").write_text("a\ti10\n", encoding="utf-8")
    (part / "devP.tsv").write_text("", encoding="utf-8")
    (part / "text_files_en" / "a.txt").write_text("hypertension", encoding="utf-8")
    (document,) = cli.cli_evaluation.read_documents(part, "all")
    assert (document.id, document.policy) == ("a", "mentions")


def test_explain_shows_why_and_where(tiny_folder: Path, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("Assessment: marsh fever. Denies vertigo.", encoding="utf-8")
    shown = run("explain", note, "Q12", "Q26", "--model", tiny_folder).stdout
    for words in ("Marsh fever", "score", "intercept", "withheld as negated", "negated by \u201cDenies\u201d"):
        assert words in shown, words
    bare = run("explain", note, "Q26", "--model", tiny_folder, "--no-show-text").stdout
    assert "Denies" not in bare and "32-39" in bare
    row = asked("explain", note, "Q26", "--model", tiny_folder)
    assert row["stage"] == "withheld_negated" and "text" not in row["places"][0]
    assert asked("explain", note, "Q26", "--model", tiny_folder, "--show-text")["places"][0]["text"] == "vertigo"
    for wrong in (("Q99.99X9",), ("Q12", "--system", "icd11")):
        result = CliRunner().invoke(cli.app, ["explain", str(note), *wrong, "--model", str(tiny_folder)])
        assert isinstance(result.exception, OptionError)


@pytest.fixture(scope="module")
def other_folder(
    tiny_system: CodeSystem, tiny_documents: Sequence[CodedDocument], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A model that knows less: it was trained on half of the documents."""
    path = tmp_path_factory.mktemp("models") / "other"
    train(tiny_documents[::2], systems=[tiny_system], min_groups=1, seed=7, name="other").save(path)
    return path


def test_diff_tells_what_moved_and_gates_a_build(tiny_folder: Path, other_folder: Path, documents: Path) -> None:
    row = asked("model", "diff", tiny_folder, other_folder, documents, "--threshold", "0.3")
    assert row["before"].startswith("tiny@") and row["after"].startswith("other@")
    change = row["differences"]["F1"]["change"]
    strict, loose = f"F1={change + 0.01:.4f}", f"F1={change - 0.01:.4f}"
    shown = run("model", "diff", tiny_folder, other_folder, documents, "--threshold", "0.3", "--gate", loose).stdout
    assert "passes" in shown and "95% interval" in shown
    failing = run("model", "diff", tiny_folder, other_folder, documents, "--threshold", "0.3", "--gate", loose,
                  "--gate", strict, code=1).stdout  # fmt: skip
    assert "passes" in failing and "fails" in failing
    same = run("model", "diff", tiny_folder, tiny_folder, documents, "--gate", "F1=0").stdout
    assert "No code moved" in same
    result = CliRunner().invoke(
        cli.app, ["model", "diff", str(tiny_folder), str(other_folder), str(documents), "--gate", "F9=1"]
    )
    assert isinstance(result.exception, OptionError)


def test_documents_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="none of the layouts"):
        cli.cli_evaluation.read_documents(tmp_path / "empty", "all")
    with pytest.raises(InputError):
        cli.cli_evaluation.read_documents(tmp_path / "nowhere.jsonl", "all")
