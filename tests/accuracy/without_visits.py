"""A starter that has seen none of the collection of visits: trained on the invented notes and CodiEsp only.

    python tests/accuracy/without_visits.py OUT [--evaluate visits|train]

OUT is the model folder to write: ICD-10-CM, with our idioms. It shows how far the starter leans on the visits of ACI-Bench
(`--evaluate train`: on the 127 it could have been trained on; `--evaluate visits`: on the 40 of the evaluation set, at
milestones), and is the base of `adapting.py`. About a minute of CPU. Reference data: $CODESUGGEST_DATA.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from held_out import DATA, SYSTEM, sources_here, told, type_of

from codesuggest import CodeSuggester, evaluate
from codesuggest.asked import CHARGE_LINE
from codesuggest.coded import read_coded
from codesuggest.training import train

SETS = {"visits": "coded.jsonl", "train": "train.jsonl"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--evaluate", choices=SETS)
    options = parser.parse_args()
    if not (DATA / "visits").is_dir():
        parser.error(f"{DATA} is not there; set CODESUGGEST_DATA")
    sources = sources_here()
    # the cases of CodiEsp, coded mention by mention, have no type either
    documents = [d for d in sources.documents if d.policy == "mentions" or type_of(d) not in ("aci", CHARGE_LINE)]
    train(
        documents,
        systems=[t for t in sources.systems if t.name == SYSTEM],
        idioms=sources.idioms,
        min_groups=1,
        name="without-visits",
        progress=told,
    ).save(options.out)
    if options.evaluate:
        print(
            evaluate(
                CodeSuggester.load(options.out), read_coded(DATA / "visits" / SETS[options.evaluate]), system=SYSTEM
            )
        )


if __name__ == "__main__":
    main()
