"""The command `codesuggest`: parses, makes one public call, prints.

Errors are one line on stderr, `error[code]: message`, and exit code 2; what nobody foresaw is named by its type and
place, without its text, and exit code 70: neither may quote a note. Heavy modules are imported by the command that
needs them, so that --help is quick.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codesuggest import __version__
from codesuggest.errors import CodeSuggestError, InputError, OptionError, TextTooLongError
from codesuggest.records import WITHHELD_REASONS, Evidence, NoteResult, Withheld

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from codesuggest.codes.system import Code
    from codesuggest.suggester import CodeSuggester

# pretty exceptions print local variables, and those are notes
_LOOK: dict[str, Any] = {"no_args_is_help": True, "add_completion": False, "pretty_exceptions_enable": False}
app = typer.Typer(
    **_LOOK, help="Suggest codes for clinical notes, with the words they rest on. Nothing leaves this machine."
)
codes_app = typer.Typer(**_LOOK, help="Look codes up in the systems of a model.")
model_app = typer.Typer(**_LOOK, help="Check, describe and build models.")
app.add_typer(codes_app, name="codes")
app.add_typer(model_app, name="model")

ModelOption = Annotated[Path | None, typer.Option(help="Model folder; without it the starter model.", metavar="DIR")]
SettingOption = Annotated[str | None, typer.Option(help="inpatient or outpatient; decides on uncertain diagnoses.")]
DateOption = Annotated[str | None, typer.Option(help="YYYY-MM-DD; decides which codes are valid.", metavar="DATE")]
TypeOption = Annotated[str | None, typer.Option(help="As discharge_summary; otherwise read from the note.")]
SystemsOption = Annotated[list[str] | None, typer.Option("--system", help="As icd10cm; may be repeated.")]
AgeOption = Annotated[int | None, typer.Option(help="In years.")]
SexOption = Annotated[str | None, typer.Option(help="female or male.")]
ThresholdOption = Annotated[float | None, typer.Option(help="Confidence, 0 to 1, from which a code is marked.")]
FallbackOption = Annotated[str | None, typer.Option(help="Encoding of text that is not UTF-8, as cp1252.")]

_SYSTEMS = {"icd10cm": "ICD-10-CM", "icd10pcs": "ICD-10-PCS", "hcpcs": "HCPCS", "cpt": "CPT"}
_SEVERITY = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_ROWS = 10  #: suggestions shown a system, and suggested ones after them
_FLOOR = 0.05  #: and of those not suggested only these, confidence in [0, 1]
_WORDS = 12  #: withheld phrases shown a reason and cue


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
    if html is not None and show_text is False:
        raise OptionError("--html shows the note, and --no-show-text forbids it")
    note = _read(file, fallback_encoding)
    suggester = _open(model)
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
        _print_result(result, file, limit, show_text is not False)


def _read(file: str, fallback: str | None) -> str:
    """The text of a file or of standard input. Raises InputError."""
    from codesuggest.documents import MAX_BYTES, check_encoding, decode

    if fallback is not None:
        check_encoding(fallback)
    path, name = Path(file), "standard input" if file == "-" else file
    if path.is_dir() or path.suffix.lower() in (".jsonl", ".csv", ".parquet"):
        raise InputError(f"{file} holds many documents: use `codesuggest batch {file} --out codes.jsonl`")
    try:
        if file == "-":
            raw = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with path.open("rb") as handle:
                raw = handle.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or 'no such file'})") from None
    if len(raw) > MAX_BYTES:
        raise TextTooLongError(f"{name}: longer than {MAX_BYTES} bytes")
    return decode(raw, name, fallback=fallback)


def _open(model: Path | None) -> CodeSuggester:
    from codesuggest.suggester import CodeSuggester

    return CodeSuggester.load(model)


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


# ---- how a result looks


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, soft_wrap=False)


def _table(*columns: tuple[str, dict[str, Any]], header: bool = True) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD if header else None,
        show_header=header,
        header_style="bold",
        expand=True,
        pad_edge=False,
        padding=(0, 1 if header else 2, 0, 0),
    )
    for name, how in columns:
        table.add_column(name, **how)
    return table


def _plain(text: str, most: int = 80) -> str:
    """Words of a note for one cell: no line ends, no control or direction characters, which would drive a terminal."""
    text = re.sub(r"[\s\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+", " ", text).strip()
    return text if len(text) <= most else text[: most - 1].rstrip() + "\u2026"


@contextmanager
def _printed() -> Iterator[Console]:
    """What is printed here, without the blanks that fill a table's lines to the right."""
    console = _console()
    with console.capture() as captured:
        yield console
    print(re.sub("[ ]+$", "", captured.get(), flags=re.MULTILINE), end="")


def _print_result(result: NoteResult, file: str, limit: int | None, words: bool) -> None:
    """limit: suggestions a system as asked for; None shows those worth a look."""
    from rich.text import Text

    kind = (result.document_type or "document").replace("_", " ")
    about = [kind, result.setting, f"service date {result.service_date}", f"model {result.model}"]
    name = "standard input" if file == "-" else _plain(Path(file).name)
    with _printed() as console:
        console.print(Text.assemble((name, "bold"), *[part for a in about for part in ((" \u00b7 ", "dim"), a)]))
        _print_suggestions(console, result, limit, words)
        _print_findings(console, result)
        _print_withheld(console, result, words)


def _print_suggestions(console: Console, result: NoteResult, limit: int | None, words: bool) -> None:
    from rich.text import Text

    if not result.suggestions:
        console.print("\nNo code suggested.\n")
        return
    fixed, free = {"no_wrap": True}, {"overflow": "fold"}
    table = _table(
        ("", fixed), ("System", fixed), ("Code", fixed), ("Title", {**free, "ratio": 5}),
        ("Conf.", {**fixed, "justify": "right"}), ("Evidence (section)", {**free, "ratio": 6}),
    )  # fmt: skip
    hidden = 0
    for system in result.systems:
        of_system = [s for s in result.suggestions if s.system == system]
        for i, s in enumerate(of_system):
            if limit is None and not s.suggested and (i >= _ROWS or s.confidence < _FLOOR):
                hidden += 1
                continue
            table.add_row(
                Text("\u2713" if s.suggested else "", "bold green"),
                _SYSTEMS.get(s.system, s.system),
                Text(s.code, "bold" if s.suggested else ""),
                Text(s.display, "" if s.suggested else "dim"),
                Text(f"{s.confidence:.2f}", "green" if s.suggested else "dim"),
                _evidence(s.evidence, result.text if words else None, 3 if console.width >= 100 else 2),
            )
    console.print(table)
    more = f"; {hidden} more are less likely (--limit 50)" if hidden else ""
    console.print(f"\u2713 suggested: at or above the operating threshold{more}\n", style="dim")


def _evidence(evidence: Sequence[Evidence], text: str | None, most: int) -> Any:
    """The words, each once and at most so many, and after those of one section its name."""
    from rich.text import Text

    groups: dict[str, list[str]] = {}
    seen: set[str] = set()
    for e in evidence:
        shown = f"{e.start}-{e.end}" if text is None else _plain(text[e.start : e.end], 60)
        if shown.lower() not in seen and len(seen) < most:
            about = [(e.section or "").replace("_", " "), e.assertion if e.assertion != "affirmed" else "",
                     "laboratory value" if e.basis == "result" else ""]  # fmt: skip
            groups.setdefault(", ".join(a for a in about if a), []).append(shown)
        seen.add(shown.lower())
    out = Text()
    for said, words in groups.items():
        out.append("; " if out else "").append(", ".join(words), "cyan").append(f" ({said})" if said else "", "dim")
    return out.append(f" +{len(seen) - most}" if len(seen) > most else "", "dim")


def _print_findings(console: Console, result: NoteResult) -> None:
    from rich.text import Text

    if not result.findings:
        return
    console.print("Findings", style="bold")
    table = _table(("", {"no_wrap": True}), ("", {"overflow": "fold", "max_width": 24}),
                   ("", {"overflow": "fold", "ratio": 1}), header=False)  # fmt: skip
    for f in result.findings:
        sentence = Text(f.message).append(f"  {f.source}", "dim")
        table.add_row(Text(f.severity, _SEVERITY.get(f.severity, "")), Text(f.rule), sentence)
    console.print(table)
    console.print()


def _print_withheld(console: Console, result: NoteResult, words: bool) -> None:
    from rich.text import Text

    if not result.withheld:
        return
    console.print("Withheld", style="bold")
    table = _table(("", {"overflow": "fold", "max_width": 30}), ("", {"overflow": "fold", "ratio": 1}), header=False)
    text = result.text if words else None
    for (reason, cue), phrases in _grouped(result.withheld, text).items():
        label = Text(reason.replace("_", " ")).append(f" ({cue})" if cue else "", "dim")
        more = Text(f" +{len(phrases) - _WORDS}" if len(phrases) > _WORDS else "", "dim")
        style = "dim" if reason in ("no_match", "ranked_low") else ""
        table.add_row(label, Text(", ".join(phrases[:_WORDS]), style).append(more))
    console.print(table)


def _grouped(withheld: Sequence[Withheld], text: str | None) -> dict[tuple[str, str], list[str]]:
    """Phrases by (reason, words of the cue), in the order of `WITHHELD_REASONS` and of the note, each once."""
    groups: dict[tuple[str, str], dict[str, str]] = {}
    for w in sorted(withheld, key=lambda w: (WITHHELD_REASONS.index(w.reason), w.start)):
        cue = _plain(text[w.cue.start : w.cue.end], 30).lower() if w.cue and text is not None else ""
        shown = f"{w.start}-{w.end}" if text is None else _plain(text[w.start : w.end], 60)
        groups.setdefault((w.reason, cue), {}).setdefault(shown.lower(), shown)
    order = {reason: i for i, reason in enumerate(WITHHELD_REASONS)}
    return {key: list(groups[key].values()) for key in sorted(groups, key=lambda k: order[k[0]])}


# ---- batch


@app.command()
def batch(
    inputs: Annotated[list[Path], typer.Argument(help="Folders of .txt, and .txt, .jsonl, .csv, .parquet files.")],
    out: Annotated[Path, typer.Option(help="Ends in .jsonl, .csv or .parquet.", metavar="FILE")],
    model: ModelOption = None,
    jobs: Annotated[int, typer.Option(help="Processes; -1 is one a core.")] = 1,
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
        with _progress(inputs) as show:
            summary = run_batch(
                inputs,
                out,
                model=model,
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
                progress=lambda records, errors: count(records, errors, show),
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
    took = f"{summary.seconds:.1f} s, {rate:.1f} notes/s"
    print(f"{summary.documents} documents{before}, {summary.errors} errors, {took}: {out}", file=sys.stderr)


@contextmanager
def _progress(inputs: list[Path]) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr with rate and time left if that is a terminal, else None."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    from codesuggest.documents import count_documents

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:.1f} notes/s" if task.speed else "")

    columns = (BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn(), TextColumn("{task.fields[errors]}"))
    total = count_documents(inputs)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: list[Any] = []

        def show(records: int, errors: int) -> None:
            said = f"{errors} errors" if errors else ""
            if tasks:
                bar.update(tasks[0], completed=records, errors=said)
            else:  # made now, so that records of a run before do not count in the rate
                tasks.append(bar.add_task("", total=total, completed=records, errors=said))

        yield show


# ---- codes


@codes_app.command("search")
def codes_search(
    text: Annotated[list[str], typer.Argument(help="As: low back pain left")],
    model: ModelOption = None,
    system: Annotated[str | None, typer.Option(help="As icd10pcs; by default the model's first.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 10,
) -> None:
    """Billable codes whose terms are nearest to some words, best first."""
    found = _open(model).search(" ".join(text), system=system, limit=limit)
    if not found:
        print("No code found.")
        return
    table = _table(("System", {"no_wrap": True}), ("Code", {"no_wrap": True}), ("Title", {"ratio": 1}))
    for code in found:
        table.add_row(_SYSTEMS.get(code.system, code.system), code.code, code.display)
    with _printed() as console:
        console.print(table)


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
    with _printed() as console:
        for one in found:
            _print_code(console, one)


def _print_code(console: Console, code: Code) -> None:
    from rich.text import Text

    console.print(Text.assemble((code.code, "bold"), "  ", code.display))
    state = "billable" if code.billable else "a header, not billable"
    console.print(f"{_SYSTEMS.get(code.system, code.system)}, release {code.release}, {state}", style="dim")
    table = _table(("", {"no_wrap": True, "style": "bold"}), ("", {"ratio": 1}), header=False)
    groups = dict.fromkeys(filter(None, (code.chapter, code.block)))
    above = [f"{f'chapter {name}' if name.isdigit() else name}  {title}" for name, title in groups]
    above += [f"{up.code}  {up.display}" for up in reversed(code.ancestors)]
    siblings = [c for c in (code.parent.children if code.parent else ()) if c.code != code.code]
    parts = [
        ("above", above),
        ("also", [text for _, text in code.terms]),
        *((kind.replace("_", " "), [f"{n.text}  [{n.at}]" for n in code.notes(kind)]) for kind in _note_kinds(code)),
        ("below", [f"{c.code}  {c.display}" for c in code.children]),
        ("beside", [f"{c.code}  {c.display}" for c in siblings]),
    ]
    for name, lines in parts:
        for i, line in enumerate(lines[:20]):
            table.add_row("" if i else name, line)
        if len(lines) > 20:
            table.add_row("", Text(f"and {len(lines) - 20} more", "dim"))
    console.print(table)


def _note_kinds(code: Code) -> list[str]:
    return list(dict.fromkeys(note.kind for note in code.notes()))


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
def model_show(path: Annotated[Path | None, typer.Argument(help="By default the starter model.")] = None) -> None:
    """What a model holds and what it was made from."""
    suggester = _open(path)
    left, right = {"no_wrap": True}, {"no_wrap": True, "justify": "right"}
    table = _table(("System", left), ("Release", left), ("Billable codes", right), ("Threshold", right))
    for name, engine in suggester.engines.items():
        count = int(engine.system.billable_on().sum())
        table.add_row(_SYSTEMS.get(name, name), engine.system.release, f"{count:,}", f"{engine.ranker.threshold:.2f}")
    table.expand = False
    with _printed() as console:
        console.print(f"{suggester.name}  {suggester.path}", style="bold")
        console.print(table)
        for line in suggester.about.get("made_from", ()):
            console.print(f"made from {line}")
        for key, value in suggester.config.to_dict().items():
            console.print(f"{key} = {value}", style="dim")


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
