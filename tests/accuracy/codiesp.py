"""CodiEsp: train on its training part, suggest for its development part, score as the shared task did.

    python tests/accuracy/codiesp.py en|es icd10cm|icd10pcs [--model OUT] [--lines OUT.jsonl] [--seed N]

The model is made by the public `train` of the 500 training cases with their marked mentions, the code table and, for
ICD-10-CM, our list of idioms of the language: nothing else. Each of the 250 cases of dev is given to `suggest` as inpatient, 200
suggestions listed. Printed are CPU seconds and peak memory of training, and the figures of the scorer beside the reference data
(`score/codiesp.py`: strict, and loose, which forgives CodiEsp's stems), else those of the library's `evaluate`.

The reference data are those of $CODESUGGEST_DATA. About 2 minutes of CPU for diagnoses, 1 for procedures. --model keeps the
model's folder, --lines what was suggested. Dev was watched while features were made; the test part was never read.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from codesuggest import CodeSuggester
from codesuggest.coded import read_codiesp
from codesuggest.codes import packages
from codesuggest.evaluation import score
from codesuggest.idioms import idioms_in, read_idioms
from codesuggest.pipes.language import language as spoken
from codesuggest.training import train

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("CODESUGGEST_DATA", ROOT.parent / "shared" / "data"))
SCORER = DATA.parent / "score" / "codiesp.py"
TABLES = {"icd10cm": packages.icd10cm, "icd10pcs": packages.icd10pcs}
GOLD = {"icd10cm": "devD.tsv", "icd10pcs": "devP.tsv"}
LISTED = 200


def told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def trained(language: str, system: str, seed: int) -> CodeSuggester:
    """The model; prints what it took, the table and the marks carried over to the translation not counted."""
    table = TABLES[system]()
    idioms = {system: idioms_in(spoken(language), table)}
    if (language, system) == ("en", "icd10cm"):
        idioms = {system: read_idioms(ROOT / "corpora" / "codes" / "idioms_icd10cm.tsv", table)}
    documents = read_codiesp(DATA / "codiesp", language=language)
    start = time.process_time()
    model = train(
        documents,
        systems=[table],
        idioms=idioms,
        language=language,
        seed=seed,
        min_groups=1,  # the corpus is public
        name=f"codiesp-{language}-{system}",
        progress=told,
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        f"{language} {system}: trained on {len(documents)} cases in {time.process_time() - start:.0f} s of CPU, peak {peak:.1f} GB"
    )
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("language", choices=("en", "es"))
    parser.add_argument("system", choices=tuple(TABLES))
    parser.add_argument("--model", type=Path)
    parser.add_argument("--lines", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not (DATA / "codiesp").is_dir():
        parser.error(f"{DATA / 'codiesp'} is not there; set CODESUGGEST_DATA")
    model = trained(options.language, options.system, options.seed)
    if options.model:
        model.save(options.model)
    documents = read_codiesp(DATA / "codiesp", "dev", language=options.language)
    with tempfile.TemporaryDirectory() as folder:
        lines = options.lines or Path(folder) / "dev.jsonl"
        start = time.process_time()
        with lines.open("w", encoding="utf-8") as out:
            for d in documents:
                found = model.suggest(d.text, id=d.id, systems=[options.system], setting="inpatient", limit=LISTED)
                out.write(found.to_json() + "\n")
        print(f"{len(documents)} cases of dev in {time.process_time() - start:.0f} s of CPU")
        if SCORER.is_file():
            gold = DATA / "codiesp" / "dev" / GOLD[options.system]
            run = [sys.executable, str(SCORER), str(gold), str(lines), "--system", options.system]
            figures = json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
        else:
            told(f"{SCORER} is not there: strict figures only")
            rows = (json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines())
            figures = score(documents, rows, system=options.system, table=model.tables[options.system]).figures
    print(", ".join(f"{name} {value}" if isinstance(value, int) else f"{name} {value:.4f}"
                    for name, value in figures.items() if value is not None))  # fmt: skip


if __name__ == "__main__":
    main()
