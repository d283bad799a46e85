"""How fast, side by side: codesuggest, the floor that no spaCy pipeline can beat, and what else can be had.

    python tests/speed/benchmark.py [NOTES.jsonl ...] [--systems floor "codesuggest, ICD-10-CM" minilm] [--also PYTHON ...]

Documents: JSON lines with "text"; by default the visit notes of the reference data ($CODESUGGEST_DATA or ../shared/data;
127 + 40, of which only the texts are used) and the 750 cases of CodiEsp in English; without them our invented notes.

    floor                       spacy.blank("en") with a sentencizer
    codesuggest, ...            `CodeSuggester.suggest_many`; in ICD-10-CM, in all systems of the model
    codesuggest, ..., suggest   `CodeSuggester.suggest`, a call a note
    codesuggest, ..., --jobs N  `run_batch`, from file to file, counted from the 64th record on
    negspacy, medspacy          the context alone, of phrases somebody else has found (`negex.py`)
    bm25, minilm                every sentence against the titles of all ICD-10-CM codes (`rankers.py`)
    parabel                     omikuji, trained on the notes the starter was trained on; its load is its training

Each system runs in an interpreter of its own, as torch, where it is installed, is imported by spaCy and multiplies its memory.
`--also` names further interpreters for what this one lacks (torch in an environment of its own; medspaCy wants an older spaCy).
A system that none has is a row with what to install.

    notes/s, p50, p99  of CPU time, milliseconds a note, all warm; of a batch: of wall time, so of a quiet machine only; no
                       p50 where notes are taken a few at a time
    x floor            the same notes, floor and system in turn in one process: what holds on a busy machine too. A system that
                       drives everything else out of the caches makes the floor slower: seconds are told of MiniLM instead
    peak MB            resident memory of the process before the floor is loaded beside; of a batch: of all its processes
    load s             CPU seconds of a fresh interpreter to the end of its first note; of a batch: wall, to its first record

A system too slow for --seconds a round gets every n-th note; the column says how many.
"""

from __future__ import annotations

import argparse
import functools
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rankers
from watched import resident_peak
from workers import WARM, repeated, watched

ROOT = Path(__file__).resolve().parents[2]
OURS = {
    f"codesuggest, {name}{how}": (systems, jobs)
    for name, systems in (("ICD-10-CM", ["icd10cm"]), ("all systems", None))
    for how, jobs in (("", 0), (", suggest", 0), (", --jobs 1", 1), (", --jobs 2", 2))
}
CONTEXT = {"negspacy": "negspacy", "medspacy": "medspaCy ConText"}
SYSTEMS = ("floor", *OURS, *CONTEXT, "bm25", "parabel", "minilm")
NEEDS: dict[str, tuple[str, ...]] = {
    "floor": ("spacy",),
    **{name: (name, "spacy") for name in CONTEXT},
    **rankers.NEEDS,
}
FEWEST = 20  #: notes of a slow system

Call = Callable[[str], object]


# ---- the documents


def read_notes(paths: Sequence[Path]) -> list[str]:
    return [
        json.loads(line)["text"] for path in paths for line in path.read_text(encoding="utf-8").splitlines() if line
    ]


def default_sets(data: Path) -> dict[str, list[str]]:
    visits = [p for p in (data / "visits" / "train.jsonl", data / "visits" / "coded.jsonl") if p.is_file()]
    if not visits:
        found = sorted((ROOT / "corpora" / "notes").glob("*.txt"))
        return {"invented": [p.read_bytes().decode("utf-8") for p in found]}
    from codesuggest.coded import read_codiesp

    cases = [d.text for part in ("train", "dev") for d in read_codiesp(data / "codiesp", part, language="en")]
    return {"visits": read_notes(visits), "codiesp": cases}


def job(sets: dict[str, list[str]], data: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """All that the interpreters are told: documents, titles of the codes, coded documents to train on."""
    from codesuggest import CodeSuggester
    from codesuggest.coded import notes_path, read_coded

    table = CodeSuggester.load().tables["icd10cm"]
    codes = [table.view(i) for i in table.billable_on().nonzero()[0].tolist()]
    taught = [d for d in read_coded(notes_path()) if d.split == "train"]
    if (visits := data / "visits" / "train.jsonl").is_file():
        taught += read_coded(visits)
    return {
        "sets": sets,
        "codes": [c.code for c in codes],
        "titles": [c.title for c in codes],
        "training": [[d.text, sorted({label.code for label in d.codes if label.system == "icd10cm"})] for d in taught],
        "rounds": rounds,
        "seconds": seconds,
    }


# ---- one system, in an interpreter of its own


def floor() -> Call:
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    return nlp


def context(name: str) -> Call:
    from negex import SYSTEMS as judges
    from negex import phrases
    from spacy.tokens import Span
    from spacy.util import filter_spans

    nlp, step, negated, _ = judges[CONTEXT[name]]()
    split = floor().get_pipe("sentencizer")  # type: ignore[attr-defined]
    places = functools.cache(phrases)  # found once, in the rounds that warm up

    def call(text: str) -> object:
        doc = split(nlp.make_doc(text))
        spans = [doc.char_span(start, end, alignment_mode="expand") for start, end in places(text)]
        doc.ents = filter_spans([Span(doc, s.start, s.end, label="CONCEPT") for s in spans])
        doc = step(doc)
        return [negated(doc, entity) for entity in doc.ents]

    return call


def ranker(name: str, told: dict[str, Any]) -> Call:
    made = rankers.RANKERS[name](told["codes"], told["titles"])
    made.fit([text for text, _ in told["training"]], [set(labels) for _, labels in told["training"]])
    return made.rank


def suggesting(systems: list[str] | None, many: bool = False) -> Call:
    """many: it has the attribute `many`, which takes all notes."""
    from codesuggest import CodeSuggester

    suggester = CodeSuggester.load()
    wanted = systems or list(suggester.systems)
    call = functools.partial(suggester.suggest, systems=wanted)
    if many:
        call.many = functools.partial(suggester.suggest_many, systems=wanted)  # type: ignore[attr-defined]
    return call


def spread(texts: Sequence[str], n: int) -> list[str]:
    """n of them, evenly."""
    return [texts[i] for i in places(len(texts), n)]


def places(size: int, n: int) -> list[int]:
    return [i * size // n for i in range(n)] if n < size else list(range(size))


def times(call: Call, texts: Sequence[str]) -> list[float]:
    """CPU seconds to each result from the one before: of notes taken together the first has most."""
    many = getattr(call, "many", None)
    out, before = [], time.process_time()
    for _ in many(texts) if many else map(call, texts):
        now = time.process_time()
        out.append(now - before)
        before = now
    return out


def measured(name: str, told: dict[str, Any]) -> dict[str, Any]:
    """A row a set of documents."""
    if name == "floor":
        call = floor()
    elif name in OURS:
        call = suggesting(OURS[name][0], many=not name.endswith("suggest"))
    else:
        call = context(name) if name in CONTEXT else ranker(name, told)
    call(next(iter(told["sets"].values()))[0])
    load, rows, chosen = time.process_time() + made_earlier(call), {}, {}
    for key, texts in told["sets"].items():
        some = spread(texts, 5)
        each = min(statistics.mean(times(call, some)) for _ in range(2))
        chosen[key] = spread(texts, max(FEWEST, int(told["seconds"] / each)))
        times(call, chosen[key])  # warm, and its peak of memory
    peak = resident_peak()
    try:
        base = floor()
    except ImportError:
        base = None
    for key, texts in chosen.items():
        if base is not None:
            times(base, texts)
        ratios, own = [], list[float]()
        of = dict.fromkeys(places(len(told["sets"][key]), len(texts)), 0.0)
        for _ in range(told["rounds"]):
            under = sum(times(base, texts)) if base is not None else 0.0
            spent = times(call, texts)
            own += spent
            of = {i: before + now / told["rounds"] for (i, before), now in zip(of.items(), spent, strict=True)}
            if under:
                ratios.append(sum(spent) / under)
        own.sort()
        rows[key] = {
            "notes": len(texts),
            "rate": len(own) / sum(own),
            "p50": None if hasattr(call, "many") else 1000 * own[len(own) // 2],
            "p99": None if hasattr(call, "many") else 1000 * own[int(len(own) * 0.99)],
            "ratio": statistics.median(ratios) if ratios else None,
            "rounds": ratios,
            "each": of,
            "peak": peak,
            "load": load,
        }
    return rows


def batch(name: str, told: dict[str, Any]) -> dict[str, Any]:
    """As `measured`, of `run_batch` from file to file."""
    systems, jobs = OURS[name]
    call, base, rows = suggesting(systems), floor(), {}
    wanted = {"systems": systems or call.keywords["systems"]}  # type: ignore[attr-defined]
    for key, texts in told["sets"].items():
        each = statistics.mean(times(call, spread(texts, 10)))
        n = WARM + max(10 * FEWEST, int(told["rounds"] * told["seconds"] * jobs / each))
        under = statistics.mean(times(base, spread(texts, 200)))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "in.jsonl"
            repeated(texts, n, file)
            run = watched(file, Path(folder) / "out.jsonl", jobs, wanted)
        rows[key] = {"notes": n, "rate": run.rate, "p50": None, "p99": None, "ratio": 1 / (run.rate * under),
                     "rounds": [], "each": {}, "peak": run.watch.peak, "load": run.first}  # fmt: skip
    return rows


def made_earlier(call: Call) -> float:
    """CPU seconds of what a ranker kept from an earlier run ($RANKERS_KEEP): they belong to its load."""
    return getattr(getattr(call, "__self__", None), "earlier", 0.0)


def lacking(name: str) -> list[str]:
    """Packages that this interpreter would need."""
    return rankers.missing(NEEDS.get(name, ()))


def versions(name: str) -> str:
    of = {package: importlib.metadata.version(package) for package in NEEDS.get(name, ("spacy", "numpy", "scipy"))}
    if name in OURS:
        from codesuggest import __version__

        of = {"codesuggest": __version__, **of}
    return ", ".join(f"{package} {number}" for package, number in of.items())


# ---- side by side


def asked(python: str, *arguments: str) -> Any:
    """What this script, run by an interpreter, prints as its last line."""
    run = subprocess.run([python, __file__, *arguments], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{python} {' '.join(arguments)} failed:\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


def shown(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes", nargs="*", type=Path)
    parser.add_argument("--set", nargs="+", help="of the default documents: visits, codiesp")
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS, metavar="SYSTEM")
    parser.add_argument("--also", nargs="*", default=[], metavar="PYTHON", help="interpreters with what this one lacks")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of CPU a round, system and set; fewer notes fill it")
    parser.add_argument("--lacking", help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.lacking:
        print(json.dumps(lacking(options.lacking)))
        return
    if options.one:
        name, told = options.one[0], json.loads(Path(options.one[1]).read_text(encoding="utf-8"))
        rows = (batch if name in OURS and OURS[name][1] else measured)(name, told)
        print(json.dumps({"rows": rows, "versions": versions(name)}))
        return
    data = Path(os.environ.get("CODESUGGEST_DATA", ROOT.parent / "shared" / "data"))
    sets = {"given": read_notes(options.notes)} if options.notes else default_sets(data)
    sets = {name: texts for name, texts in sets.items() if not options.set or name in options.set}
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    print(
        "| set | system | notes | notes/s | p50 ms | p99 ms | x floor | peak MB | load s |\n|---|---|---|---|---|---|---|---|---|"
    )
    used, each = list[str](), {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "job.json"
        file.write_text(json.dumps(job(sets, data, options.rounds, options.seconds)), encoding="utf-8")
        for name in options.systems:
            wants = {python: asked(python, "--lacking", name) for python in [sys.executable, *options.also]}
            able = [python for python, packages in wants.items() if not packages]
            if not able:
                print(f"| | {name} | not installed: pip install {' '.join(wants[sys.executable])} |||||||", flush=True)
                continue
            found = asked(able[0], "--one", name, str(file))
            used.append(found["versions"])
            for key, row in found["rows"].items():
                each[key, name] = row["each"]
                cells = [f"{row['notes']:,}", *(shown(row[c], d) for c, d in COLUMNS)]
                print(f"| {key} | {name} | {' | '.join(cells)} |", flush=True)
    ours = "codesuggest, ICD-10-CM"
    print()
    for key in sets:
        one, other = each.get((key, ours)), each.get((key, "minilm"))
        if one and other and (both := one.keys() & other.keys()):
            times_as_fast = sum(other[i] for i in both) / sum(one[i] for i in both)
            print(f"{key}: on the same {len(both)} notes {ours} is {times_as_fast:,.0f} times as fast as minilm")
    print("; ".join(dict.fromkeys(", ".join(used).split(", "))))


COLUMNS = (("rate", 1), ("p50", 2), ("p99", 2), ("ratio", 1), ("peak", 0), ("load", 2))

if __name__ == "__main__":
    main()
