"""First four characters of ICD-10-PCS on operative and procedure notes, by model and split.

    python tests/speed/operative.py [NOTES] [--model MODEL ...] [--split train|evaluation] [--misses]

NOTES is a folder of notes as in `corpora/notes` (default): NAME.txt and NAME.json, of which those whose name begins with
"operative" or "procedure" are read. MODEL is a model folder, the starter by default; several may be given, or a folder that
holds model folders. A note that a model was trained on flatters it: the starter has seen the split "train" of the corpus.

Operation and body part are the first four characters of a code (its *stem*). A note with k required stems is asked for its
k best: suggestions are taken in their order, each stem once, and stems of acceptable codes are passed over, as they are
neither right nor wrong; a stem of an alternative (`alt_for`) finds the one it stands for. Counted are

    first k     required stems among the k best, of all required (the bar of issue 3: 0.70 on unread notes)
    among 10    required stems among the ten best
    first       notes whose best stem is a required one
    whole code  required codes, all seven characters, among the ten best suggestions

The interval is a bootstrap over notes (2.5% and 97.5%). Nothing of a note is printed but its name and stems (`--misses`).
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codesuggest import CodeSuggester
from codesuggest.coded import CodedDocument, read_coded
from codesuggest.suggester import starter_path

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = "icd10pcs"
STEM = 4
BEGINNINGS = ("operative", "procedure")


@dataclass(frozen=True)
class Score:
    """Of one note: stems required, found among the k best and the ten best; codes required and found; the best is right."""

    name: str
    stems: int
    among_k: int
    among_10: int
    codes: int
    codes_found: int
    first: bool
    missed: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()


def score(document: CodedDocument, codes: Sequence[str]) -> Score:
    """codes: those suggested, best first, without dots."""
    labels = document.labels(SYSTEM) or {}
    required = sorted({c[:STEM] for c, tier in labels.items() if tier == "required"})
    stands_in: dict[str, set[str]] = {r: {r} for r in required}
    for group in document.required(SYSTEM):
        for stem in {c[:STEM] for c in group} & set(required):
            stands_in[stem] |= {c[:STEM] for c in group}
    wanted = set().union(*stands_in.values()) if required else set()
    acceptable = {c[:STEM] for c in labels} - wanted
    stems = [s for s in dict.fromkeys(c[:STEM] for c in codes) if s not in acceptable]
    k = len(required)
    found = {r for r in required if stands_in[r] & set(stems[:k])}
    return Score(
        document.id,
        k,
        len(found),
        sum(bool(stands_in[r] & set(stems[:10])) for r in required),
        len(document.required(SYSTEM)),
        sum(bool(group & set(codes[:10])) for group in document.required(SYSTEM)),
        bool(stems) and stems[0] in wanted,
        tuple(r for r in required if r not in found),
        tuple(s for s in stems[:k] if s not in wanted),
    )


def interval(scores: Sequence[Score], rounds: int = 1000, seed: int = 0) -> tuple[float, float]:
    """2.5% and 97.5% of `first k` over notes drawn with replacement."""
    chance = random.Random(seed)
    values = []
    for _ in range(rounds):
        drawn = chance.choices(scores, k=len(scores))
        values.append(sum(s.among_k for s in drawn) / max(1, sum(s.stems for s in drawn)))
    values.sort()
    return values[int(0.025 * rounds)], values[int(0.975 * rounds)]


def models_in(paths: Sequence[Path]) -> list[Path]:
    """Each path that is a model folder, and the model folders in each that is not."""
    out = []
    for path in paths:
        here = [path] if (path / "manifest.json").is_file() else sorted(p.parent for p in path.glob("*/manifest.json"))
        if not here:
            raise SystemExit(f"{path} is no model folder and holds none")
        out += here
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("notes", nargs="?", type=Path, default=ROOT / "corpora" / "notes")
    parser.add_argument("--model", nargs="+", type=Path, default=[starter_path()])
    parser.add_argument("--split", choices=("train", "evaluation"))
    parser.add_argument("--misses", action="store_true")
    given = parser.parse_args()
    documents = [
        d
        for d in read_coded(given.notes)
        if d.id.startswith(BEGINNINGS) and d.labels(SYSTEM) and given.split in (None, d.split)
    ]
    print(f"{'model':24} {'split':10} {'notes':>5} {'stems':>5} {'first k':>8} {'95% interval':>13} {'among 10':>9} "
          f"{'first':>6} {'whole code':>10}")  # fmt: skip
    for path in models_in(given.model):
        model = CodeSuggester.load(path)
        by_split: dict[str, list[Score]] = {}
        for d in documents:
            result = model.suggest(d.text, systems=[SYSTEM], setting=d.setting, service_date=d.service_date)
            found = score(d, [s.code.replace(".", "") for s in result.suggestions if s.system == SYSTEM])
            if found.stems:
                by_split.setdefault(d.split, []).append(found)
        for split, scores in sorted(by_split.items()):
            stems = max(1, sum(s.stems for s in scores))
            low, high = interval(scores)
            print(f"{path.name[:24]:24} {split:10} {len(scores):5} {stems:5} {sum(s.among_k for s in scores) / stems:8.3f} "
                  f"{f'{low:.2f} - {high:.2f}':>13} {sum(s.among_10 for s in scores) / stems:9.3f} "
                  f"{sum(s.first for s in scores) / len(scores):6.3f} "
                  f"{sum(s.codes_found for s in scores) / max(1, sum(s.codes for s in scores)):10.3f}")  # fmt: skip
            for s in scores if given.misses else ():
                if s.missed:
                    print(f"    {s.name}: not {' '.join(s.missed)} but {' '.join(s.instead)}")


if __name__ == "__main__":
    main()
