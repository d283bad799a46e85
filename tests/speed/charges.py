"""How well charge lines are coded: our way beside a nearest neighbour over character n-grams, on a seeded half.

    python tests/speed/charges.py [--seed 0] [--similar 0.8] [--starter]

The 5,123 price-list descriptions of the reference data are clustered (cosine of character 3- and 4-grams of the letters, numbers
dropped, at least `--similar`, linked singly), whole clusters are dealt to two halves by the seed, and the table of systems is
printed: nearest neighbour (TF-IDF of character n-grams 2 to 5 within words, over training lines and official descriptions),
the table alone, ours. All answer out of the October 2025 table, D codes and digit-first codes left out; the last two have our own
table's titles and ways of writing for its codes, as a model rebuilt with the full release has. `--starter` answers out of our own
table instead.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import re
import time
from pathlib import Path

import numpy as np

from codesuggest.charge_scoring import ChargeScorer
from codesuggest.charge_training import CodedLine, coded_line, fit
from codesuggest.charges import ChargeLines, from_table
from codesuggest.codes import packages
from codesuggest.codes.system import CodeRow, CodeSystem
from codesuggest.training import calibrate

ROOT = Path(__file__).parent.parent.parent
DATA = Path(os.environ.get("CODESUGGEST_DATA") or ROOT.parent / "shared" / "data")
OWN = ROOT / "corpora" / "codes" / "hcpcs.tsv"
OFFICIAL = "official/hcpcs/HCPC2025_OCT_hcpc_short_briggsprashar.csv"


def official() -> CodeSystem:
    """The October 2025 table, with what our own table adds: how its codes are written."""
    with (DATA / OFFICIAL).open(encoding="utf-8-sig", errors="replace", newline="") as handle:
        rows = [(row["Code"].strip(), row["Description"].strip()) for row in csv.DictReader(handle)]
    own = packages.hcpcs(OWN)
    kept = [
        CodeRow(c, t, True, "", terms=(("synonym", own[c].title), *own[c].terms) if c in own else ())
        for c, t in rows
        if re.fullmatch(r"[A-CE-Z][0-9]{4}", c)
    ]
    return CodeSystem.from_rows(kept, name="hcpcs", release="2025-10-01")


def charges() -> list[tuple[str, str]]:
    text = (DATA / "charges" / "hcpcs_level2_phrases.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.split("\n")[1:] if line]
    return [(text, code.upper()) for text, code in rows]


def clusters(texts: list[str], similar: float) -> np.ndarray:
    """Number of the cluster of each description."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components
    from sklearn.feature_extraction.text import TfidfVectorizer

    letters = [" ".join(re.findall("[a-z]+", t.lower())) for t in texts]
    x = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), sublinear_tf=True).fit_transform(letters)
    near = (x @ x.T).tocoo()
    keep = near.data >= similar
    graph = sparse.coo_array((np.ones(int(keep.sum())), (near.row[keep], near.col[keep])), shape=(len(texts),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1])


def halves(cluster: np.ndarray, seed: int) -> np.ndarray:
    """True for the training half; whole clusters."""
    size = np.bincount(cluster)
    order = list(range(len(size)))
    random.Random(seed).shuffle(order)
    chosen, held = [], 0
    for c in order:
        if held + size[c] <= len(cluster) / 2 + size[c] / 2:
            chosen.append(c)
            held += size[c]
        if held >= len(cluster) / 2:
            break
    return np.isin(cluster, chosen)


def nearest(train: list[tuple[str, int]], system: CodeSystem, test: list[str]) -> list[list[int]]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [t for t, _ in train] + [system.title(i) for i in range(len(system))]
    owner = np.array([c for _, c in train] + list(range(len(system))))
    reader = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5))
    x = reader.fit_transform(texts)
    similarity = (reader.transform(test) @ x.T).toarray()
    best = np.argsort(-similarity, axis=1, kind="stable")[:, :200]
    return [list(dict.fromkeys(owner[row].tolist()))[:5] for row in best]


def answers(model: ChargeLines, system: CodeSystem, test: list[CodedLine]) -> tuple[list[list[int]], list[float]]:
    scorer = ChargeScorer(model, system)
    out, sure = [], []
    for scored in scorer.candidates([row.line for row in test], np.asarray(system.billable)):
        score = model.score(scored.x)
        order = np.lexsort((scored.code, -score))[:5]
        out.append(scored.code[order].tolist())
        sure.append(float(model.confidence(score[order[:1]])[0]) if len(order) else 0.0)
    return out, sure


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--similar", type=float, default=0.8)
    parser.add_argument("--starter", action="store_true")
    options = parser.parse_args()
    table = official()
    system = packages.hcpcs(OWN) if options.starter else table
    rows = charges()
    cluster = clusters([t for t, _ in rows], options.similar)
    learn = halves(cluster, options.seed)
    coded = [
        coded_line(text, system.index_of(code) if code in system else -1, f"c{c}")
        for (text, code), c in zip(rows, cluster.tolist(), strict=True)
    ]
    train = [row for row, own in zip(coded, learn.tolist(), strict=True) if own and row and row.code >= 0]
    test = [row for row, own in zip(coded, learn.tolist(), strict=True) if not own and row]
    truth = [row.code for row in test]

    def show(name: str, found: list[list[int]], took: float) -> None:
        first = np.mean([bool(f) and f[0] == t for f, t in zip(found, truth, strict=True)])
        five = np.mean([t in f for f, t in zip(found, truth, strict=True)])
        print(f"| {name:40} | {first:.3f} | {five:.3f} | {took:6.1f} s |", flush=True)

    print(f"seed {options.seed}, similar {options.similar}: {len(train)} lines to learn from, {len(test)} to answer, "
          f"{len(set(cluster.tolist()))} clusters, {len(system)} codes")  # fmt: skip
    print("| system                                   | first | in five | time |\n|---|---|---|---|")
    start = time.time()
    near = nearest([(row.line.text, row.code) for row in train], system, [row.line.text for row in test])
    show("nearest neighbour, char n-grams 2-5", near, time.time() - start)
    start = time.time()
    show("table alone, no charge line seen", answers(from_table(system), system, test)[0], time.time() - start)
    start = time.time()
    model = fit(system, train, calibrate=calibrate, min_groups=1, seed=7)
    took = time.time() - start
    found, sure = answers(model, system, test)
    show("codesuggest, trained on the other half", found, took)
    hit = np.array([bool(f) and f[0] == t for f, t in zip(found, truth, strict=True)])
    for low, high in ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 0.9), (0.9, 1.01)):
        inside = (np.array(sure) >= low) & (np.array(sure) < high)
        if inside.any():
            print(f"confidence {low:.2f}-{high:.2f}: {int(inside.sum())} lines, right {hit[inside].mean():.2f}")
    print(
        "threshold",
        model.threshold,
        "n-grams",
        len(model.grams),
        "weights",
        len(model.weight_value),
        len(model.like_value),
    )
    for name, weight in model.settings()["weights"].items():
        print(f"    {name:28} {weight:8.3f}")


if __name__ == "__main__":
    main()
