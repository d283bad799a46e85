"""Do variants of the training notes, made by program, help the ICD-10-CM ranker?

    python tests/accuracy/variants.py [--kinds names order heads distractors] [--folds 0 2 4 6] [--seed N]

Each training note is written once more and fitted on beside the original, with the same codes:

    names        half of the pieces of evidence say another name of their code: a title or inclusion term of the code table, or
                 an idiom of our list
    order        the sections in another order (the first stays)
    heads        the headings say another heading of the same section, in their own case
    distractors  a denial and a precaution to return more, of findings that other notes are coded for
    copy         nothing is changed: what fitting twice on each note does by itself (a weaker penalty)

A variant has the group of its note, so none of a note held out is ever fitted on; measured are the original notes only, by the
folds of `crossval.py`. Printed is the difference to the fit without variants, with the 95% interval of a paired bootstrap
over notes; with few folds F1 says little (`ablation.py`). About 60 s of CPU a kind for four folds.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ablation import SHOWN, show
from crossval import rows_of
from held_out import SYSTEM, Bench, sources_here, told

from codesuggest import CodeSuggester, training
from codesuggest.asked import CHARGE_LINE
from codesuggest.coded import CodedDocument
from codesuggest.codes.system import CodeSystem
from codesuggest.concepts import Idiom, trimmed
from codesuggest.evaluation import score
from codesuggest.levels import plain
from codesuggest.pipes.structure import Section, StructureReader


@dataclass(frozen=True)
class Known:
    """names: plain code -> how it is said. heads: section -> its headings. coded: plain codes that notes are coded for."""

    names: Mapping[str, Sequence[str]]
    heads: Mapping[str, Sequence[str]]
    coded: Sequence[str]
    structure: StructureReader

    @classmethod
    def of(cls, table: CodeSystem, idioms: Sequence[Idiom], documents: Sequence[CodedDocument]) -> Known:
        names: dict[str, list[str]] = {}
        for i, kind, text in table.iter_terms():
            if kind != "short":
                names.setdefault(plain(table.code(i)), []).append(trimmed(text) if kind == "title" else text)
        for idiom in idioms:
            if idiom.kind != "drug":
                names.setdefault(plain(idiom.code), []).append(idiom.phrase)
        structure = StructureReader()
        heads: dict[str, list[str]] = {}
        for key, head in sorted(structure.heads.items()):
            if head.name and len(key) > 3:
                heads.setdefault(head.name, []).append(key)
        coded = sorted({plain(code) for d in documents for code in d.labels(SYSTEM) or () if code[0] not in "VWXYZ"})
        return cls(names, heads, coded, structure)


def names(document: CodedDocument, known: Known, chance: random.Random) -> str:
    text, before = document.text, len(document.text)
    spans = {(span, label.code) for label in document.codes if label.system == SYSTEM for span in label.evidence}
    for (start, end), code in sorted(spans, reverse=True):
        said = known.names.get(plain(code))
        if said and end <= before and chance.random() < 0.5:
            text, before = text[:start] + chance.choice(said) + text[end:], start
    return text


def order(document: CodedDocument, known: Known, chance: random.Random) -> str:
    sections = known.structure.read(document.text).sections
    blocks = [document.text[s.head_start : s.end].rstrip("\n") + "\n" for s in sections]
    rest = blocks[1:]
    chance.shuffle(rest)
    return "".join([*blocks[:1], *rest])


def heads(document: CodedDocument, known: Known, chance: random.Random) -> str:
    text = document.text
    for section in reversed(known.structure.read(text).sections):
        others = known.heads.get(section.name or "", ())
        words = re.search(r"[A-Za-z].*[A-Za-z]", text[section.head_start : section.head_end])
        if others and words:
            text = _with_head(text, section, words, chance.choice(others))
    return text


def _with_head(text: str, section: Section, words: re.Match[str], head: str) -> str:
    head = head.upper() if words[0].isupper() else head.capitalize()
    start = section.head_start
    return text[: start + words.start()] + head + text[start + words.end() :]


def distractors(document: CodedDocument, known: Known, chance: random.Random) -> str:
    own = {plain(code)[:3] for code in document.labels(SYSTEM) or ()}
    others = [code for code in known.coded if code[:3] not in own and code in known.names]
    said = [chance.choice(known.names[code]) for code in chance.sample(others, 4)]
    sections = known.structure.read(document.text).sections
    at = chance.choice([s.end for s in sections])
    lines = f"\nDenies {said[0]} or {said[1]}. Return for {said[2]} or signs of {said[3]}.\n"
    return document.text[:at].rstrip("\n") + lines + document.text[at:]


def copy(document: CodedDocument, known: Known, chance: random.Random) -> str:
    return document.text


KINDS: dict[str, Callable[[CodedDocument, Known, random.Random], str]] = {
    "copy": copy, "names": names, "order": order, "heads": heads, "distractors": distractors,
}  # fmt: skip


def variant(document: CodedDocument, kind: str, known: Known, seed: int) -> CodedDocument:
    """The note written once more. Its codes keep no evidence, which the ranker is not fitted on."""
    text = KINDS[kind](document, known, random.Random(f"{seed} {kind} {document.id}"))
    codes = tuple(replace(label, evidence=(), mentions=()) for label in document.codes)
    return replace(document, id=f"{document.id}~{kind}", group=document.group or document.id, text=text, codes=codes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--folds", nargs="+", type=int, choices=range(training.FOLDS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sources = sources_here()
    table = next(t for t in sources.systems if t.name == SYSTEM)
    documents = [d for d in sources.documents if d.document_type != CHARGE_LINE]
    prepared = training.prepared(documents, systems=[table], idioms=sources.idioms, min_groups=1, progress=told)
    bench = Bench.of(prepared)
    reader = CodeSuggester(prepared.engines, prepared.vocabulary, prepared.forms, name="bench").reader
    known = Known.of(table, sources.idioms[SYSTEM], bench.documents)
    base = rows_of(bench.crossed(folds=options.folds))
    measured = [d for d in bench.documents if d.id in {row["id"] for row in base}]
    figures = score(measured, base, system=SYSTEM, table=table).figures
    print(f"without variants, {len(measured)} notes: {', '.join(f'{f} {figures[f]:.3f}' for f in SHOWN)}\n")
    print(f"| variants | notes | {' | '.join(SHOWN)} |\n|---|---|{'---|' * len(SHOWN)}")
    made = {}
    for kind in options.kinds:
        written = [variant(d, kind, known, options.seed) for d in bench.documents]
        made[kind] = [(d, reader.read(d.text, d.document_type)) for d in written]
        rows = rows_of(replace(bench, more=made[kind]).crossed(folds=options.folds))
        show(kind, measured, base, rows, table)
    several = [pair for kind, pairs in made.items() if kind != "copy" for pair in pairs]
    if len(made) > 2:
        show("all but copy", measured, base, rows_of(replace(bench, more=several).crossed(folds=options.folds)), table)


if __name__ == "__main__":
    main()
