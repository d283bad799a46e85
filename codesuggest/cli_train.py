"""The commands that make a model from documents: `train`.

As in `cli`, each parses, makes one public call and prints; `cli` puts them into its groups and catches the errors.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from codesuggest.cli_evaluation import LayoutOption, PartOption, SplitFileOption
from codesuggest.errors import InputError, OptionError


def register(app: typer.Typer) -> None:
    """Put the commands into the app."""
    app.command("train")(train)


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
    language: Annotated[str, typer.Option(help="Language of the documents: en.")] = "en",
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

    if language != "en":
        raise OptionError("--language must be en")
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
            path, layout, split=split_file, part=part, system=(system or ["icd10cm"])[0], told=_say
        )
    ]
    kept = [document for document in found if document.split != "evaluation"]
    if len(kept) < len(found):
        _say(f"{len(found) - len(kept)} documents are marked for evaluation: left out")
    if documents and not kept:
        raise InputError(f"{', '.join(map(str, documents))}: no document to train on")
    _unique([document.id for document in kept])
    if base is not None:
        from codesuggest.adapt import adapt
        from codesuggest.suggester import STARTER, CodeSuggester

        old = CodeSuggester.load(None if base == STARTER and not Path(base).is_dir() else base)
        if old.path is not None and out.resolve() == old.path.resolve():
            raise OptionError(f"{out} is the model to adapt; name another --out")
        chosen = None if name == "model" else name
        model = adapt(old, kept, systems=system, seed=seed, name=chosen, progress=_say)
    else:
        from codesuggest.tables import tables_for
        from codesuggest.training import train as make

        tables = tables_for(kept, codes or (), systems=system, name=name, told=_say)
        made_from = [f"{len(kept)} documents of the user's", *tables.made_from]
        model = make(
            kept,
            systems=tables.systems,
            idioms=tables.idioms,
            seed=seed,
            min_groups=min_groups,
            name=name,
            about={"made_from": made_from},
            progress=_say,
        )
    model.save(out)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    typer.echo(f"{model.name}: {out}{os.sep}, {size / 1e6:.1f} MB")


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _unique(ids: list[str]) -> None:
    """Raises InputError where documents of several files share an id, which may be a record number: it is not told."""
    if len(set(ids)) < len(ids):
        raise InputError("documents of two files have one id; every document needs its own")
