"""Negation on the public NegEx test set: accuracy and time beside negspacy and medspaCy's ConText.

    python tests/speed/negex.py [reports.tsv] [--also PYTHON ...]

The file is `negex/reports_0_mod_3.tsv` of the reference data (Chapman et al. 2001; columns report, concept, sentence,
label), looked for under $CODESUGGEST_DATA, else ../shared/data. It is for evaluation only: only counts are printed.

A system that is not installed is left out; `--also` asks another interpreter for the ones it has, because medspaCy
wants an older spaCy than negspacy and we do. Every system gets the same sentences with the concept marked as an
entity (found in its sentence without regard to case), sentence marks from spaCy's rule-based `sentencizer`, and its
own default word list.

What is timed: the assertion step, called on a Doc that is tokenized and marked already, and asking it about every entity
of the Doc. Not timed: tokenizing, the sentence marks, marking the entities, loading. Best of five rounds, garbage
collection as usual, milliseconds a Doc:

    ms/sentence  each sentence is a Doc with one entity, the concept
    ms/note      the sentences laid out as notes of about 2,700 code points, one concept a sentence (some 30 a note)
    ms/phrases   the same notes with every phrase an entity (some 170 a note): runs of letter words, stop words left out

The two others decide for the entities they are given, we for every token, so it is `ms/phrases` that compares the same
work: a note has to be read before anybody knows which of its phrases will be coded. A Doc of one short sentence is
where a pure Python reader pays most for its fixed cost and negspacy, one matcher in C and one entity, least.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 5
NOTE = 2700


def rows(path: Path) -> Iterator[tuple[str, int, int, bool]]:
    """(sentence, start, end, negated) of each row whose concept stands in its sentence; offsets in code points."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            sentence, concept = row["sentence"].strip('"'), row["concept"].strip().strip('"')
            start = sentence.lower().find(concept.lower())
            if len(sentence.lower()) == len(sentence):  # else the offsets of the lower-cased sentence are not its own
                yield sentence, start, start + len(concept), row["label"].strip() == "Negated"


def notes(data: list[tuple[str, int, int, bool]]) -> list[tuple[str, list[tuple[int, int]]]]:
    """The same sentences laid out as notes of about NOTE code points, one to a line: (text, places of the concepts)."""
    made: list[tuple[str, list[tuple[int, int]]]] = []
    text, places = "", []
    for sentence, start, end, _ in data:
        places.append((len(text) + start, len(text) + end))
        text += sentence + "\n"
        if len(text) >= NOTE:
            made.append((text, places))
            text, places = "", []
    return made


def phrases(text: str) -> list[tuple[int, int]]:
    """Places of all noun-like phrases, as near as one gets without a tagger: runs of letter words but stop words."""
    import spacy

    places: list[tuple[int, int]] = []
    after = -1  # the token after the run being read
    for token in spacy.blank("en").make_doc(text):
        if token.is_alpha and not token.is_stop:
            start = places.pop()[0] if after == token.i else token.idx
            places.append((start, token.idx + len(token)))
            after = token.i + 1
    return places


# a pipeline to tokenize with, the step to time, whether it takes an entity of a Doc for negated, and its version
System = tuple[Any, Callable[[Any], Any], Callable[[Any, Any], bool], str]
Prepare = Callable[[], System]


def ours() -> System:
    sys.path.insert(0, str(ROOT))
    import spacy

    from codesuggest.pipes.assertion import KEY, AssertionPipe, AssertionRules

    nlp = spacy.blank("en")
    pipe = AssertionPipe(AssertionRules())
    return nlp, pipe, lambda doc, entity: doc.user_data[KEY].of(entity)[0] == "negated", "this tree"


def negspacy() -> System:
    import negspacy.negation  # noqa: F401  registers the factory
    import spacy
    from negspacy.termsets import termset

    nlp = spacy.blank("en")
    pipe = nlp.create_pipe("negex", config={"neg_termset": termset("en_clinical").get_patterns()})
    return nlp, pipe, lambda _, entity: bool(entity._.negex), version("negspacy")


def medspacy() -> System:
    import medspacy

    nlp = medspacy.load(medspacy_enable={"medspacy_tokenizer", "medspacy_context"})
    pipe = nlp.get_pipe("medspacy_context")
    nlp.remove_pipe("medspacy_context")
    return nlp, pipe, lambda _, entity: bool(entity._.is_negated), version("medspacy")


SYSTEMS: dict[str, Prepare] = {"codesuggest": ours, "negspacy": negspacy, "medspaCy ConText": medspacy}


def measure(name: str, prepare: Prepare, data: list[tuple[str, int, int, bool]]) -> dict[str, Any]:
    import spacy
    from spacy.tokens import Span
    from spacy.util import filter_spans

    nlp, step, negated, number = prepare()
    split = spacy.blank("en").add_pipe("sentencizer")

    def timed(texts: list[tuple[str, list[tuple[int, int]]]]) -> tuple[float, list[bool]]:
        best, guesses = float("inf"), []
        for _ in range(ROUNDS):
            docs = []
            for text, places in texts:
                doc = split(nlp.make_doc(text))  # fresh, so that no system meets its own marks
                spans = [doc.char_span(start, end, alignment_mode="expand") for start, end in places]
                doc.ents = filter_spans([Span(doc, span.start, span.end, label="CONCEPT") for span in spans])
                docs.append(doc)
            begun = time.perf_counter()
            guesses = [negated(doc, entity) for doc in map(step, docs) for entity in doc.ents]
            best = min(best, time.perf_counter() - begun)
        return 1000 * best / len(texts), guesses

    alone, guesses = timed([(sentence, [(start, end)]) for sentence, start, end, _ in data])
    together, _ = timed(notes(data))
    everything, asked = timed([(text, phrases(text)) for text, _ in notes(data)])
    truth = [row[3] for row in data]
    both = sum(g and t for g, t in zip(guesses, truth, strict=True))
    precision, recall = both / max(sum(guesses), 1), both / max(sum(truth), 1)
    return {
        "system": name,
        "version": f"{number}, spaCy {spacy.__version__}",
        "accuracy": sum(g == t for g, t in zip(guesses, truth, strict=True)) / len(truth),
        "P": precision,
        "R": recall,
        "F1": 2 * precision * recall / max(precision + recall, 1e-9),
        "ms": alone,
        "note": together,
        "phrases": everything,
        "asked": len(asked) / len(notes(data)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data_folder = Path(os.environ.get("CODESUGGEST_DATA", ROOT / ".." / "shared" / "data"))
    default = data_folder / "negex" / "reports_0_mod_3.tsv"
    parser.add_argument("path", nargs="?", type=Path, default=default)
    parser.add_argument("--also", nargs="*", default=[], metavar="PYTHON", help="interpreters with the missing systems")
    parser.add_argument("--json", nargs="*", metavar="SYSTEM", help="print these systems as JSON (used with --also)")
    args = parser.parse_args()
    if not args.path.is_file():
        sys.exit(f"No reference data at {args.path}: give the path, or set $CODESUGGEST_DATA.")
    warnings.simplefilter("ignore")
    everything = list(rows(args.path))
    data = [row for row in everything if row[1] >= 0]
    results: list[dict[str, Any]] = []
    for name, prepare in SYSTEMS.items():
        if args.json is not None and name not in args.json:
            continue
        try:
            results.append(measure(name, prepare, data))
        except (ModuleNotFoundError, PackageNotFoundError):
            continue
    if args.json is not None:
        print(json.dumps(results))
        return
    for python in args.also:
        missing = [name for name in SYSTEMS if name not in {r["system"] for r in results}]
        command = [python, __file__, str(args.path), "--json", *missing]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        results += json.loads(output.splitlines()[-1])
    print(f"{len(data)} of {len(everything)} rows (concept found in its sentence), {sum(r[3] for r in data)} negated")
    print(f"{results[0]['asked']:.0f} phrases a note" if results else "no system is installed")
    head = f"{'accuracy':>8} {'P':>6} {'R':>6} {'F1':>6} {'ms/sentence':>12} {'ms/note':>9} {'ms/phrases':>11}"
    print(f"{'system':<18} {'version':<22} {head}")
    for r in results:
        scores = f"{r['accuracy']:8.3f} {r['P']:6.3f} {r['R']:6.3f} {r['F1']:6.3f}"
        scores += f" {r['ms']:12.3f} {r['note']:9.3f} {r['phrases']:11.3f}"
        print(f"{r['system']:<18} {r['version']:<22} {scores}")
    for name in SYSTEMS:
        if name not in {r["system"] for r in results}:
            print(f"{name:<18} not installed")


if __name__ == "__main__":
    main()
