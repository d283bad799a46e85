"""How things look on a terminal: a result, codes, a model, and the progress of a batch.

Everything is printed at the width of the terminal, without the blanks that fill a line, and words of a note without
what would drive a terminal. `rich` is imported when something is printed, so that --help is quick.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codesuggest.export import SYSTEM_NAMES
from codesuggest.records import (
    WITHHELD_REASONS,
    EncounterCode,
    EncounterResult,
    Evidence,
    Finding,
    NoteResult,
    Withheld,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from codesuggest.codes.diff import Diff
    from codesuggest.codes.releases import Kept
    from codesuggest.codes.system import Code
    from codesuggest.rebuild import Rebuilt
    from codesuggest.specificity import Specificity
    from codesuggest.suggester import CodeSuggester

_SEVERITY = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_ROWS = 10  #: suggestions shown a system, and suggested ones after them
_FLOOR = 0.05  #: and of those not suggested only these, confidence in [0, 1]
_WORDS = 12  #: withheld phrases shown a reason and cue


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


# ---- a result


def print_result(result: NoteResult, file: str, limit: int | None, words: bool) -> None:
    """file: its path, - is standard input. limit: suggestions a system as asked for; None shows those worth a look.
    words: of the note; without them there are offsets."""
    from rich.text import Text

    kind = (result.document_type or "document type unknown").replace("_", " ")
    about = [kind, result.setting, f"service date {result.service_date}", f"model {result.model}"]
    name = "standard input" if file == "-" else _plain(Path(file).name)
    with _printed() as console:
        console.print(Text.assemble((name, "bold"), *[part for a in about for part in ((" \u00b7 ", "dim"), a)]))
        for c in result.cautions:
            console.print(Text.assemble(("caution: ", "bold yellow"), (c.message, "yellow")))
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
                SYSTEM_NAMES.get(s.system, s.system),
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


def _print_findings(console: Console, result: NoteResult | EncounterResult) -> None:
    if result.findings:
        console.print("Findings", style="bold")
        _print_finding_rows(console, result.findings)


def _print_finding_rows(console: Console, findings: Sequence[Finding]) -> None:
    from rich.text import Text

    table = _table(("", {"no_wrap": True}), ("", {"overflow": "fold", "max_width": 24}),
                   ("", {"overflow": "fold", "ratio": 1}), header=False)  # fmt: skip
    for f in findings:
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


# ---- a claim


def print_claim(name: str, codes: int, findings: Sequence[Finding], open_: Sequence[Specificity]) -> None:
    """name: the claim's, empty for the only one of a file. open_: codes that leave an axis open, with their query."""
    from rich.text import Text

    counts = Counter(f.severity for f in findings)
    said = [f"{n} {severity}{'s' if n > 1 and severity != 'info' else ''}" for severity, n in counts.items()]
    about = f"{codes} code{'' if codes == 1 else 's'}, {', '.join(said) if said else 'nothing to say'}"
    with _printed() as console:
        console.print(Text.assemble((f"{_plain(name)}: " if name else "", "bold"), about))
        if findings:
            _print_finding_rows(console, findings)
        for one in open_:
            console.print(Text(f"{one.code}  {one.title}", "bold"))
            console.print(Text(one.query))


def print_claim_json(name: str, findings: Sequence[Finding], open_: Sequence[Specificity], problems: int) -> None:
    """One line: what `print_claim` shows, with the number of rows that could not be read."""
    row = {"claim": name, "findings": [f.to_dict() for f in findings], "open": [s.to_dict() for s in open_]}
    print(json.dumps({**row, "problems": problems}, separators=(",", ":")))


# ---- an encounter


def print_encounter(result: EncounterResult, words: bool) -> None:
    """The claim in order, with what is proposed of each code; what it supersedes; findings; withheld by document."""
    from rich.text import Text

    texts = {d.id: d.text if words else None for d in result.documents}
    with _printed() as console:
        console.print(Text.assemble((_plain(result.id or "encounter"), "bold"), (" \u00b7 ", "dim"), result.setting,
                                    (" \u00b7 ", "dim"), f"service date {result.service_date}",
                                    (" \u00b7 ", "dim"), f"model {result.model}"))  # fmt: skip
        for d in result.documents:
            kind = (d.document_type or "document type unknown").replace("_", " ")
            said = "; ".join(c.message for c in d.cautions)
            caution = (f"  caution: {said}" if said else "", "yellow")
            console.print(Text.assemble("  ", _plain(d.id, 40), (f"  {kind}", "dim"), caution))
        if not result.claim:
            console.print("\nNo code suggested.\n")
        else:
            _print_in_order(console, result.claim, texts)
        for c in result.codes:
            if c.superseded_by:
                said = f"{c.code} {c.display}: superseded by {c.superseded_by}, which says more"
                console.print(Text(said, "dim"))
        _print_findings(console, result)
        for d in result.documents:
            if d.withheld:
                console.print(Text(_plain(d.id), "bold"))
                _print_withheld(console, d, words)


def _print_in_order(console: Console, claim: Sequence[EncounterCode], texts: Mapping[str, str | None]) -> None:
    from rich.text import Text

    fixed, free = {"no_wrap": True}, {"overflow": "fold"}
    poa = [("POA", fixed)] if any(c.poa for c in claim) else []
    extra = [("Modifiers", fixed)] if any(c.modifiers or c.units for c in claim) else []
    table = _table(("#", {**fixed, "justify": "right"}), ("Code", fixed), ("Title, and why it stands there", {**free, "ratio": 6}),
                   *poa, *extra, ("Conf.", {**fixed, "justify": "right"}), ("Evidence", {**free, "ratio": 6}))  # fmt: skip
    for c in claim:
        title = Text(c.display)
        for p in c.proposals:
            if p.kind in ("principal", "first_listed", "sequence"):
                name = "" if p.kind == "sequence" else f"{p.kind.replace('_', '-')}: "
                title.append(f"\n{name}{p.reason} {p.source.removeprefix('ICD-10-CM Official Guidelines ')}", "dim")
        shown = Text()
        for document in c.by_document:
            here = [e.evidence for e in c.evidence if e.document == document]
            shown.append("\n" if shown else "").append(f"{_plain(document, 24)}: ", "dim")
            shown.append_text(_evidence(here, texts[document], 2))
        cells = [Text(c.poa or "")] if poa else []
        cells += [Text(" ".join([*c.modifiers, *([f"x{c.units}"] if c.units else [])]))] if extra else []
        table.add_row(str(c.position), Text(c.code, "bold"), title, *cells, Text(f"{c.confidence:.2f}", "green"), shown)
    console.print(table)


# ---- codes and models


def print_found(codes: Iterable[Code]) -> None:
    """A line a code; headings, which a typed code may find, are dim."""
    from rich.text import Text

    table = _table(("System", {"no_wrap": True}), ("Code", {"no_wrap": True}), ("Title", {"ratio": 1}))
    for code in codes:
        title = Text(code.display) if code.billable else Text(f"{code.display} (heading)", "dim")
        table.add_row(
            SYSTEM_NAMES.get(code.system, code.system), Text(code.code, "bold" if code.billable else "dim"), title
        )
    with _printed() as console:
        console.print(table)


def print_codes(codes: Iterable[Code]) -> None:
    """All about each code."""
    with _printed() as console:
        for code in codes:
            _print_code(console, code)


#: Notes in the order in which a coder asks for them, and what the tabular calls them.
_NOTES = {
    "excludes1": "Excludes1",
    "code_first": "code first",
    "use_additional": "use additional",
    "code_also": "code also",
    "excludes2": "Excludes2",
    "seventh": "7th character",
    "includes": "includes",
    "note": "note",
}
_MOST = 12  #: lines of one kind


def _print_code(console: Console, code: Code) -> None:
    from rich.text import Text

    console.print(Text.assemble((code.code, "bold"), "  ", (code.display, "bold")))
    state = "billable" if code.billable else "a heading, not billable"
    if not code.billable and code.release.startswith("site:") and not code.children:
        state = "in no table that is loaded: known from a site's documents only"
    headings = [era for era in code.eras if era.state == "header"] if code.billable else []
    if headings:  # billable in some releases, a heading in others
        state = f"billable, a heading {' and '.join(_days(era.first, era.last) for era in headings)}"
    about = (SYSTEM_NAMES.get(code.system, code.system), f"release {code.release}", state, _validity(code))
    console.print(" \u00b7 ".join(filter(None, about)), style="dim" if code.billable else "yellow")
    table = _table(
        ("", {"no_wrap": True, "style": "bold"}),
        ("", {"no_wrap": True, "style": "dim"}),
        ("", {"ratio": 1}),
        header=False,
    )
    for name, rows in _about_code(code):
        for i, (at, text) in enumerate(rows[:_MOST]):
            table.add_row("" if i else name, "" if i and at == rows[i - 1][0] else at, text)
        if len(rows) > _MOST:
            table.add_row("", "", Text(f"and {len(rows) - _MOST} more", "dim"))
    console.print(table)


def _about_code(code: Code) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """What is told of a code: the name of each part and its rows, of a code or place and a text."""
    groups = dict.fromkeys(filter(None, (code.chapter, code.block)))
    above = [(_place(name), title) for name, title in groups]
    above += [(up.code, up.display) for up in reversed(code.ancestors)]
    yield "in", [(name, "  " * depth + title) for depth, (name, title) in enumerate(above)]
    former = [(era, era.title) for era in code.eras if era.title not in ("", code.title)]
    yield "titled", [("", f"{title} ({_days(era.first, era.last)})") for era, title in former]
    yield "also", [("", text) for _, text in code.terms]
    sharper = code.more_specific
    yield "more specific", [(c.code, c.display) for c in sharper]
    for kind, name in _NOTES.items():
        yield name, [(_place(note.at), note.text.removeprefix(", ")) for note in code.notes(kind)]
    yield "below", [(c.code, c.display) for c in code.children]
    yield "beside", [(c.code, c.display) for c in code.siblings if c not in sharper]


def _place(name: str) -> str:
    """Where a note stands: a code, a block, or a chapter, which has a mere number."""
    return f"chapter {name}" if name.isdigit() else name


def _validity(code: Code) -> str:
    """The days on which a code is valid, as far as its table says."""
    days = _days(code.valid_from, code.valid_to)
    return f"valid {days}" if days else ""


def _days(first: int, last: int) -> str:
    """From when until when, of days as YYYYMMDD; 0 is open."""
    days = [(word, day) for word, day in (("from", first), ("until", last)) if day]
    return " ".join(f"{word} {day // 10000:04d}-{day // 100 % 100:02d}-{day % 100:02d}" for word, day in days)


def print_kept(rows: Iterable[Kept]) -> None:
    """A line a release."""
    left, right = {"no_wrap": True}, {"no_wrap": True, "justify": "right"}
    table = _table(("System", left), ("Release", left), ("Size", right), ("Read from", {"ratio": 1}))
    for k in rows:
        release = f"{k.release} ({k.part})" if k.part else k.release
        table.add_row(k.kind, release, f"{k.size:,}" if k.size else "", k.file)
    with _printed() as console:
        console.print(table)


def print_diff(diff: Diff, most: int = 40) -> None:
    """What changed between two releases: the counts, then up to `most` codes of each kind."""
    from rich.text import Text

    says = (
        ("added", [f"{e.code}  {e.title}" for e in diff.added]),
        ("deleted", [f"{e.code}  {e.title}" for e in diff.deleted]),
        ("retitled", [f"{r.code}  {r.after}  (was: {r.before})" for r in diff.retitled]),
        ("turned header", [f"{e.code}  {e.title}" for e in diff.turned_header]),
        ("turned billable", [f"{e.code}  {e.title}" for e in diff.turned_billable]),
    )
    billable = {"added": diff.counts["added_billable"], "deleted": diff.counts["deleted_billable"]}
    table = _table(("", {"no_wrap": True, "style": "bold"}), ("", {"ratio": 1}), header=False)
    for name, lines in says:
        of = f" ({billable[name]:,} billable)" if name in billable else ""
        table.add_row(name, Text(f"{len(lines):,}{of}", "bold"))
        for line in lines[:most]:
            table.add_row("", line)
        if len(lines) > most:
            table.add_row("", Text(f"and {len(lines) - most:,} more (--json)", "dim"))
    with _printed() as console:
        console.print(f"{SYSTEM_NAMES.get(diff.system, diff.system)}, from {diff.before} to {diff.after}", style="bold")
        console.print(table)


def print_rebuilt(rebuilt: Rebuilt) -> None:
    """What a rebuilt model holds, and its figures on the invented notes before and after."""
    left, right = {"no_wrap": True}, {"no_wrap": True, "justify": "right"}
    table = _table(("System", left), ("Figure", left), ("Before", right), ("After", right), ("Change", right))
    for row in rebuilt.figures:
        before = "" if row.before is None else f"{row.before:.3f}"
        change = "" if row.before is None else f"{row.after - row.before:+.3f}"
        table.add_row(SYSTEM_NAMES.get(row.system, row.system), row.name, before, f"{row.after:.3f}", change)
    table.expand = False
    with _printed() as console:
        console.print(f"{rebuilt.path}", style="bold")
        for line in rebuilt.changes:
            console.print(line)
        console.print(table)
        console.print(f"on {rebuilt.documents} invented notes; {rebuilt.note}", style="dim")


def print_model(suggester: CodeSuggester) -> None:
    """What a model holds and what it was made from."""
    left, right = {"no_wrap": True}, {"no_wrap": True, "justify": "right"}
    table = _table(("System", left), ("Release", left), ("Billable codes", right), ("Threshold", right))
    for name, engine in suggester.engines.items():
        count = int(engine.system.billable_on().sum())
        table.add_row(
            SYSTEM_NAMES.get(name, name), engine.system.release, f"{count:,}", f"{engine.ranker.threshold:.2f}"
        )
    table.expand = False
    with _printed() as console:
        console.print(f"{suggester.name}  {suggester.path}", style="bold")
        console.print(table)
        for line in suggester.about.get("made_from", ()):
            console.print(f"made from {line}")
        for name, engine in suggester.engines.items():
            if engine.system.site_codes:
                console.print(
                    f"{name}: {len(engine.system.site_codes):,} codes are known from the site's documents only"
                )
            if not engine.ranker.taught:
                console.print(f"{name}: not calibrated, ranked by the words of the table alone", style="yellow")
        for key, value in suggester.config.to_dict().items():
            console.print(f"{key} = {value}", style="dim")


# ---- progress


@contextmanager
def progress(inputs: Iterable[str | Path]) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr with rate and time left if that is a terminal, else None."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    from codesuggest.inputs import count_documents

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
