"""The commands that make a model from documents and decisions: `train`, `learn`, `model log`.

As in `cli`, each parses, makes one public call and prints; `cli` puts them into its groups and catches the errors.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from codesuggest.cli_evaluation import LayoutOption, PartOption, SplitFileOption
from codesuggest.errors import InputError, OptionError


def register(app: typer.Typer, model: typer.Typer) -> None:
    """Put the commands into the program and its group `model`."""
    app.command("train")(train)
    app.command("learn")(learn)
    model.command("log")(log)


def train(
    out: Annotated[Path, typer.Option(help="Model folder to write.", metavar="DIR")],
    documents: Annotated[
        list[Path] | None, typer.Argument(help="Coded documents: .jsonl, .csv, or a folder.", metavar="DOCS")
    ] = None,
    codes: Annotated[
        list[str] | None,
        typer.Option(
            help="Code table: a published file, or CSV/TSV of code and title. May be repeated.",
            metavar="[SYSTEM=]TABLE",
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="Model to adapt: starter, or a folder. Ten documents help already.", metavar="starter|DIR"),
    ] = None,
    system: Annotated[
        list[str] | None,
        typer.Option("--system", help="As icd10cm; by default all that the documents use. May be repeated."),
    ] = None,
    language: Annotated[str, typer.Option(help="Language of the documents: en or es.")] = "en",
    words: Annotated[
        Path | None,
        typer.Option(help="The site's word list: read while the model learns, and kept in its folder.", metavar="TSV"),
    ] = None,
    layout: LayoutOption = None,
    split_file: SplitFileOption = None,
    part: PartOption = "train",
    min_groups: Annotated[
        int, typer.Option(help="Words are learned only from so many patients; 1 for a public corpus.", min=1)
    ] = 3,
    seed: Annotated[int, typer.Option(help="Same documents and seed, same model, byte for byte.")] = 0,
    name: Annotated[str, typer.Option(help="Of the model; codes that no table holds carry it: site:NAME.")] = "model",
) -> None:
    """Train a model on coded documents, adapt one to them (--base), or make one of a code table alone.

    A line of a .jsonl is {"id", "text", "codes": [{"system", "code", "evidence": [[start, end]]?}], "group"?, "policy"?}: group
    is the patient, whose documents are never split between fitting and judging; policy is "billing", or "mentions" where a
    code was given for whatever is mentioned. Without --codes the tables at hand serve: those of the starter model and the
    releases that `codes add` keeps. Documents marked "split": "evaluation" are left out.
    """
    from codesuggest.loaders import read_documents_as
    from codesuggest.pipes.language import language as spoken

    spoken(language)  # an unknown one is told before any file is read
    if base is not None and codes:
        raise OptionError(
            "--base keeps the tables of its model; `codesuggest model rebuild` brings new ones, without --codes"
        )
    if not documents and not codes:
        raise OptionError("give coded documents, a code table (--codes), or both")
    found = [
        document
        for path in documents or ()
        for document in read_documents_as(
            path, layout, split=split_file, part=part, language=language, system=(system or ["icd10cm"])[0], told=_say
        )
    ]
    kept = [document for document in found if document.split != "evaluation"]
    if len(kept) < len(found):
        _say(f"{len(found) - len(kept)} documents are marked for evaluation: left out")
    if documents and not kept:
        raise InputError(f"{', '.join(map(str, documents))}: no document to train on")
    _unique([document.id for document in kept])
    if base is not None:
        from codesuggest.adapting import adapt
        from codesuggest.suggester import STARTER, CodeSuggester

        old = CodeSuggester.load(None if base == STARTER and not Path(base).is_dir() else base)
        if old.path is not None and out.resolve() == old.path.resolve():
            raise OptionError(f"{out} is the model to adapt; name another --out")
        if words is not None:
            old = old.with_words(words, keep=True)
        chosen = None if name == "model" else name
        model = adapt(old, kept, systems=system, seed=seed, name=chosen, progress=_say)
    else:
        from codesuggest.tables import tables_for
        from codesuggest.training import train as make

        tables = tables_for(kept, codes or (), systems=system, name=name, language=language, told=_say)
        made_from = [f"{len(kept)} documents of the user's", *tables.made_from]
        model = make(
            kept,
            systems=tables.systems,
            idioms=tables.idioms,
            language=language,
            seed=seed,
            min_groups=min_groups,
            words=words,
            name=name,
            about={"made_from": made_from},
            progress=_say,
        )
    model.save(out)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    typer.echo(f"{model.name}: {out}{os.sep}, {size / 1e6:.1f} MB")


def learn(
    decisions: Annotated[Path, typer.Argument(help="Decisions, a line a code.", metavar="DECISIONS.jsonl")],
    out: Annotated[Path, typer.Option(help="Folder of the new version.", metavar="DIR")],
    model: Annotated[
        Path | None, typer.Option(help="Model that learns; without it the starter model.", metavar="DIR")
    ] = None,
    date: Annotated[str | None, typer.Option(help="YYYY-MM-DD, for the log of the new version.")] = None,
    min_groups: Annotated[int, typer.Option(help="Words are learned only from so many patients.", min=1)] = 3,
    seed: Annotated[int, typer.Option(help="Same decisions and seed, same model, byte for byte.")] = 0,
    report: Annotated[bool, typer.Option(help="Measure before and after, on patients left out.")] = True,
) -> None:
    """Learn from what coders accepted, rejected and added, without the data the model was trained on.

    A line is {"id", "text", "code", "decision": "accept"|"reject"|"added", "system"?, "group"?, "final"?}: several lines with
    one id are one note, whose text stands in one of them. "final": true says that whatever is not accepted or added is wrong.
    The old version stays where it is: `model log` names it, and going back is using it again.
    """
    from codesuggest.learning import learn as make
    from codesuggest.learning import read_decisions
    from codesuggest.learning import report as measure
    from codesuggest.suggester import CodeSuggester

    notes = read_decisions(decisions)
    old = CodeSuggester.load(model)
    if old.path is not None and out.resolve() == old.path.resolve():
        raise OptionError(f"{out} is the model that learns; name another --out")
    new = make(old, notes, date=date, min_groups=min_groups, seed=seed, progress=_say)
    if report and len({note.group or note.id for note in notes}) > 1:
        typer.echo(f"{'on patients left out of learning':<46}{'codes':>7}{'before':>9}{'after':>9}")
        for name, of, before, after in measure(old, notes, min_groups=min_groups, seed=seed):
            typer.echo(f"{name:<46}{of:>7}{before:>9.3f}{after:>9.3f}" if of else f"{name:<46}{of:>7}{'-':>9}{'-':>9}")
    new.save(out)
    typer.echo(f"{new.name}: {out}{os.sep}")


def log(
    path: Annotated[Path | None, typer.Argument(help="By default the starter model.", metavar="DIR")] = None,
) -> None:
    """The steps by which a model came to be: adapted and learned versions, the newest first, each with its parent."""
    from codesuggest.suggester import CodeSuggester

    model = CodeSuggester.load(path)
    typer.echo(model.name)
    for step in reversed(model.about.get("history", [])):
        when = f"{step['date']}  " if step.get("date") else ""
        digest = f" (sha256:{step['manifest_sha256']})" if step.get("manifest_sha256") else ""
        typer.echo(f"  {when}{step['change']}\n  from {step['from']}{digest}")
    if not model.about.get("history"):
        typer.echo("  trained anew: no version before it")


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _unique(ids: list[str]) -> None:
    """Raises InputError where documents of several files share an id, which may be a record number: it is not told."""
    if len(set(ids)) < len(ids):
        raise InputError("documents of two files have one id; every document needs its own")
