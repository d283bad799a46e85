"""The command `codesuggest`: parses, makes one public call, prints.

Errors are one line on stderr, `error[code]: message`, and exit code 2; what nobody foresaw is named by its type and
place, without its text, and exit code 70: neither may quote a note. Heavy modules are imported by the command that
needs them, so that --help is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codesuggest import __version__, cli_evaluation, cli_releases, cli_train
from codesuggest.cli_evaluation import WordsOption
from codesuggest.errors import CodeSuggestError, OptionError
from codesuggest.terminal import (
    print_claim,
    print_claim_json,
    print_codes,
    print_encounter,
    print_found,
    print_model,
    print_result,
    progress,
)

if TYPE_CHECKING:
    from codesuggest.codes.edits import Edits
    from codesuggest.suggester import CodeSuggester

# pretty exceptions print local variables, and those are notes
_LOOK: dict[str, Any] = {"no_args_is_help": True, "add_completion": False, "pretty_exceptions_enable": False}
app = typer.Typer(
    **_LOOK, help="Suggest codes for clinical notes, with the words they rest on. Nothing leaves this machine."
)
codes_app = typer.Typer(**_LOOK, help="Look codes up in the systems of a model; keep releases of them.")
model_app = typer.Typer(**_LOOK, help="Check, describe and build models.")
app.add_typer(codes_app, name="codes")
app.add_typer(model_app, name="model")
cli_releases.register(codes_app, model_app)
cli_evaluation.register(app, model_app)
cli_train.register(app, model_app)

ModelOption = Annotated[Path | None, typer.Option(help="Model folder; without it the starter model.", metavar="DIR")]
SettingOption = Annotated[str | None, typer.Option(help="inpatient or outpatient; decides on uncertain diagnoses.")]
DateOption = Annotated[str | None, typer.Option(help="YYYY-MM-DD; decides which codes are valid.", metavar="DATE")]
TypeOption = Annotated[str | None, typer.Option(help="As discharge_summary; otherwise read from the note.")]
SystemsOption = Annotated[list[str] | None, typer.Option("--system", help="As icd10cm; may be repeated.")]
AgeOption = Annotated[int | None, typer.Option(help="In years.")]
SexOption = Annotated[str | None, typer.Option(help="female or male.")]
ThresholdOption = Annotated[float | None, typer.Option(help="Confidence, 0 to 1, from which a code is marked.")]
FallbackOption = Annotated[str | None, typer.Option(help="Encoding of text that is not UTF-8, as cp1252.")]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    for stream in (sys.stdout, sys.stderr):  # a note may hold what the terminal's encoding lacks
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(args=None if argv is None else list(argv), prog_name="codesuggest")
    except CodeSuggestError as error:
        print(f"error[{error.code}]: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:  # the outermost edge: a traceback or the error's own text may quote a note
        from codesuggest.batch import describe

        print(f"error[internal]: {describe(error)}; please report this line", file=sys.stderr)
        sys.exit(70)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"codesuggest {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and exit.")
    ] = False,
) -> None: ...


# ---- suggest


@app.command()
def suggest(
    file: Annotated[str, typer.Argument(help="A text file, or - for standard input.", metavar="FILE")],
    model: ModelOption = None,
    words: WordsOption = None,
    setting: SettingOption = None,
    service_date: DateOption = None,
    document_type: TypeOption = None,
    system: SystemsOption = None,
    age: AgeOption = None,
    sex: SexOption = None,
    limit: Annotated[int | None, typer.Option(help="Suggestions a system; by default 10 are shown.")] = None,
    threshold: ThresholdOption = None,
    fallback_encoding: FallbackOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON line.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with the note and its evidence.", metavar="OUT")
    ] = None,
    show_text: Annotated[
        bool | None, typer.Option("--show-text/--no-show-text", help="Words of the note; default: not in JSON.")
    ] = None,
) -> None:
    """Suggest codes for one note."""
    from codesuggest.inputs import read_note

    if html is not None and show_text is False:
        raise OptionError("--html shows the note, and --no-show-text forbids it")
    note = read_note(file, fallback_encoding)
    suggester = _open(model, words)
    chosen = _chosen(setting, service_date, document_type, system, age, sex)
    name = "stdin" if file == "-" else Path(file).stem
    result = suggester.suggest(note, id=name, limit=limit, threshold=threshold, **chosen)
    if html is not None:
        from codesuggest.export import to_html

        with _writing(html):
            html.write_text(to_html(result, full_page=True), encoding="utf-8", errors="backslashreplace")
        print(f"written: {html}", file=sys.stderr)
    if json:
        print(result.to_json(show_text=bool(show_text)))
    else:
        print_result(result, file, limit, show_text is not False)


@cache
def _edits(day: str) -> Edits:
    """Payers' tables that are kept on this machine and in force on the day."""
    from codesuggest.codes.releases import edits

    return edits(day or None)


def _open(model: Path | None, words: Path | None = None) -> CodeSuggester:
    from codesuggest.suggester import CodeSuggester

    return CodeSuggester.load(model, words=words)


def _chosen(
    setting: str | None,
    service_date: str | None,
    document_type: str | None,
    systems: list[str] | None,
    age: int | None,
    sex: str | None,
) -> dict[str, Any]:
    """The flags given, in the form that a key beside a document takes too."""
    from codesuggest.documents import options_of

    values = {"setting": setting, "service_date": service_date, "document_type": document_type}
    return options_of({**values, "systems": systems, "age": age, "sex": sex}, "options")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OptionError(f"{path}: cannot be written ({error.strerror or type(error).__name__})") from None


# ---- encounter


@app.command()
def encounter(
    files: Annotated[list[Path], typer.Argument(help="Documents of one encounter: .txt files, or one .jsonl.")],
    model: ModelOption = None,
    words: WordsOption = None,
    setting: SettingOption = None,
    service_date: DateOption = None,
    system: SystemsOption = None,
    age: AgeOption = None,
    sex: SexOption = None,
    threshold: ThresholdOption = None,
    fallback_encoding: FallbackOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON line.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with documents and evidence.", metavar="OUT")] = None,
    show_text: Annotated[
        bool | None, typer.Option("--show-text/--no-show-text", help="Words of the documents; default: not in JSON.")
    ] = None,
) -> None:
    """One set of codes for the documents of one encounter, in claim order, with what is proposed of each.

    Keys setting, service_date, age, sex, document_type and systems beside a document of a .jsonl count; they must agree.
    """
    from codesuggest.documents import read_documents

    if html is not None and show_text is False:
        raise OptionError("--html shows the documents, and --no-show-text forbids it")
    documents = []
    for document in read_documents(files, fallback=fallback_encoding):
        if document.problem is not None:
            raise document.problem
        documents.append({**document.options, "id": document.id, "text": document.text})
    chosen = _chosen(setting, service_date, None, system, age, sex)
    suggester = _open(model, words)
    edits = _edits(service_date or suggester.release_day)
    result = suggester.suggest_encounter(
        documents, id=_encounter_name(files), threshold=threshold, edits=edits, **chosen
    )
    if html is not None:
        from codesuggest.export import encounter_to_html

        with _writing(html):
            html.write_text(encounter_to_html(result, full_page=True), encoding="utf-8", errors="backslashreplace")
        print(f"written: {html}", file=sys.stderr)
    if json:
        print(result.to_json(show_text=bool(show_text)))
    else:
        print_encounter(result, show_text is not False)


def _encounter_name(files: Sequence[Path]) -> str:
    """The file's stem, or the folder that all of them are in."""
    folders = {file.resolve().parent.name for file in files}
    return files[0].stem if len(files) == 1 else folders.pop() if len(folders) == 1 else "encounter"


# ---- batch


@app.command()
def batch(
    inputs: Annotated[list[str], typer.Argument(help="Folders of .txt, and .txt, .jsonl, .csv, .parquet files.")],
    out: Annotated[str, typer.Option(help="Ends in .jsonl, .csv or .parquet.", metavar="FILE")],
    model: ModelOption = None,
    words: WordsOption = None,
    jobs: Annotated[int, typer.Option(help="Processes; -1 is one a core.")] = 1,
    since: Annotated[Path | None, typer.Option(help="Results of an earlier day; recode what may differ.")] = None,
    engine: Annotated[str, typer.Option(help="joblib: processes of this machine. spark: a cluster.")] = "joblib",
    master: Annotated[str | None, typer.Option(help="Of the Spark cluster, as local[2] or spark://HOST:7077.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    id_key: Annotated[str, typer.Option(help="Key or column of the id.")] = "id",
    text_key: Annotated[str, typer.Option(help="Key or column of the text.")] = "text",
    setting: SettingOption = None,
    service_date: DateOption = None,
    document_type: TypeOption = None,
    system: SystemsOption = None,
    age: AgeOption = None,
    sex: SexOption = None,
    limit: Annotated[int, typer.Option(help="Suggestions a system.")] = 50,
    threshold: ThresholdOption = None,
    fallback_encoding: FallbackOption = None,
    show_text: Annotated[bool, typer.Option("--show-text", help="Put the words of the notes into the output.")] = False,
) -> None:
    """Suggest codes for many documents.

    Keys or columns setting, service_date, age, sex, document_type and systems beside a document go before the options
    given here. A document that fails is an error record, counted in the last line; the exit code is 0.
    """
    from codesuggest.batch import run_batch

    done = 0

    def count(records: int, errors: int, show: Callable[[int, int], None] | None) -> None:
        nonlocal done
        done = records
        if show:
            show(records, errors)

    try:
        with nullcontext() if engine == "spark" else progress(inputs) as show:
            summary = run_batch(
                inputs,
                out,
                model=model,
                words=words,
                since=since,
                engine=engine,
                master=master,
                jobs=jobs,
                resume=resume,
                overwrite=overwrite,
                id_key=id_key,
                text_key=text_key,
                fallback=fallback_encoding,
                options=_chosen(setting, service_date, document_type, system, age, sex),
                limit=limit,
                threshold=threshold,
                show_text=show_text,
                progress=None if engine == "spark" else lambda records, errors: count(records, errors, show),
            )
    except KeyboardInterrupt:
        how = "--resume in place of --overwrite" if overwrite else "--resume"
        print(
            f"interrupted; {done} records are kept in {out}.partial: the same command with {how} goes on",
            file=sys.stderr,
        )
        raise typer.Exit(130) from None
    if summary.complete:
        print(f"{out} is complete, nothing to resume", file=sys.stderr)
        return
    before = f" ({summary.resumed} of them were there)" if summary.resumed else ""
    rate = (summary.documents - summary.resumed) / max(summary.seconds, 1e-9)
    if summary.changed is not None:
        before += f", {summary.changed} of them with other codes: {out}.changes.csv"
    took = f"{summary.seconds:.1f} s, {rate:.1f} notes/s"
    print(f"{summary.documents} documents{before}, {summary.errors} errors, {took}: {out}", file=sys.stderr)


# ---- check


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A table with the column code; ends in .csv, .tsv, .jsonl or .parquet.")],
    model: ModelOption = None,
    words: WordsOption = None,
    note: Annotated[str | None, typer.Option(help="The note of the claim, or - for standard input.")] = None,
    setting: SettingOption = None,
    service_date: DateOption = None,
    document_type: TypeOption = None,
    age: AgeOption = None,
    sex: SexOption = None,
    fallback_encoding: FallbackOption = None,
    query: Annotated[
        bool, typer.Option("--query", help="Also the query to send for each code that leaves an axis open.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON line a claim.")] = False,
) -> None:
    """Check codes that a person chose by the published rules, in claim order, with or without their note.

    Columns beside code: claim (several in a file), system, units, modifiers, poa, setting, service_date, document_type,
    age, sex; these go before the options given here. Exit code 1 if a finding is an error or a row cannot be read.
    """
    from codesuggest.claims import read_claims
    from codesuggest.inputs import read_note

    suggester = _open(model, words)
    claims = read_claims(file, suggester.tables, fallback=fallback_encoding)
    text = read_note(note, fallback_encoding) if note is not None else None
    if text is not None and len(claims) > 1:
        raise OptionError(f"--note is the note of one claim, and {file} holds {len(claims)}")
    chosen = _chosen(setting, service_date, document_type, None, age, sex)
    grave = False
    for claim in claims:
        options = {**chosen, **claim.options}
        edits = _edits(str(options.get("service_date") or suggester.release_day))
        findings = suggester.check_claim(claim.lines, note=text, edits=edits, **options)
        for problem in claim.problems:
            print(f"error[{problem.code}]: {' '.join(str(problem).split())}", file=sys.stderr)
        grave |= bool(claim.problems) or any(f.severity == "error" for f in findings)
        open_ = []
        if query:
            when = {key: options[key] for key in ("service_date", "setting") if key in options}
            known = dict.fromkeys(line for line in claim.lines if line.code in suggester.tables.get(line.system, ()))
            found = [suggester.specificity(line.code, system=line.system, note=text, **when) for line in known]
            open_ = [one for one in found if one.axes]
        if json:
            print_claim_json(claim.id, findings, open_, len(claim.problems))
        else:
            print_claim(claim.id, len(claim.lines), findings, open_)
    if grave:
        raise typer.Exit(1)


# ---- codes


@codes_app.command("search")
def codes_search(
    text: Annotated[list[str], typer.Argument(help="As: low back pain left")],
    model: ModelOption = None,
    system: Annotated[str | None, typer.Option(help="As icd10pcs; by default the model's first.")] = None,
    service_date: DateOption = None,
    limit: Annotated[int, typer.Option(min=1)] = 10,
) -> None:
    """Billable codes that fit some words best; a code that was typed, or its beginning, comes first.

    The last word may be half typed, capitals do not matter, and one slip of the finger in a word is forgiven.
    """
    found = _open(model).search(" ".join(text), system=system, limit=limit, date=service_date)
    if not found:
        print("No code found.")
        return
    print_found(found)


@codes_app.command("show")
def codes_show(
    code: str,
    model: ModelOption = None,
    system: Annotated[str | None, typer.Option(help="As icd10pcs; by default all of the model.")] = None,
) -> None:
    """One code: title, place in the hierarchy, other names, notes, neighbours."""
    tables = _open(model).tables
    if system is not None and system not in tables:
        raise OptionError(f"--system must be one of {', '.join(tables)}")
    found = [table[code] for name, table in tables.items() if system in (None, name) and code in table]
    if not found:
        raise OptionError(
            f"no code {code} in {system or ', '.join(tables)}; `codesuggest codes search` finds codes by words"
        )
    print_codes(found)


# ---- model


@model_app.command("verify")
def model_verify(path: Annotated[Path | None, typer.Argument(help="By default the starter model.")] = None) -> None:
    """Check every file of a model against its manifest. Exit code 1 if one is not as listed."""
    from codesuggest import store
    from codesuggest.suggester import starter_path

    rows = store.verify(path or starter_path())
    bad = [(name, detail) for name, good, detail in rows if not good]
    for name, detail in bad:
        print(f"{name}: {detail}", file=sys.stderr)
    print(f"{path or starter_path()}: {len(rows)} files, {f'{len(bad)} not as listed' if bad else 'all as listed'}")
    if bad:
        raise typer.Exit(1)


@model_app.command("show")
def model_show(
    path: Annotated[Path | None, typer.Argument(help="By default the starter model.")] = None, words: WordsOption = None
) -> None:
    """What a model holds and what it was made from; with --words also whether it can use that list."""
    print_model(_open(path, words))


@model_app.command("build")
def model_build(
    data: Annotated[
        Path | None, typer.Option(help="Reference data; without it a lesser variant.", envvar="CODESUGGEST_DATA")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("models/starter"),
    corpora: Annotated[Path, typer.Option(help="The corpora folder of a checkout.")] = Path("corpora"),
) -> None:
    """Build the starter model from its recipe."""
    from codesuggest.training import build_starter

    model = build_starter(data, out, corpora=corpora, progress=lambda line: print(line, file=sys.stderr))
    size = sum(f.stat().st_size for f in out.rglob("*") if f.is_file())
    print(f"{model.name}: {out}{os.sep}, {size / 1e6:.1f} MB")
