"""How an evaluation looks on a terminal: figures with intervals, parts, reliability, losses, two models, one code explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from codesuggest.compare import KINDS, Comparison, Gate
from codesuggest.evaluation import TOP, Evaluation, Operating
from codesuggest.export import SYSTEM_NAMES
from codesuggest.figures import FEWER_IS_BETTER
from codesuggest.losses import Losses, Worst
from codesuggest.records import Evidence
from codesuggest.scoring import BINS, COLUMN
from codesuggest.stages import STAGES, Explanation
from codesuggest.terminal import _evidence, _plain, _printed, _table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_LEFT, _RIGHT = {"no_wrap": True}, {"no_wrap": True, "justify": "right"}
_BAR = 30  #: characters of a bar of length 1
#: Rows of the main table: what is shown, and the figures of it.
_ROWS = (
    ("code", ("P", "R", "F1")),
    ("code, mean over codes", ("P:macro", "R:macro", "F1:macro")),
    ("category", ("P3", "R3", "F13")),
    ("block", ("P:block", "R:block", "F1:block")),
    ("chapter", ("P:chapter", "R:chapter", "F1:chapter")),
    ("all levels alike", ("P:hierarchy", "R:hierarchy", "F1:hierarchy")),
)
_OTHERS = ("MAP", "R@10", "R@200", "evidence", "evidence:exact", "evidence:words", "ECE", "Brier")
_IN_PARTS = ("required", "P", "R", "F1", "MAP", "R@10", "ECE", "Brier")
_COMPARED = ("P", "R", "F1", "F1:macro", "F13", "F1:hierarchy", "MAP", "R@10", "R@200", "evidence", "ECE", "Brier",
             "suggested_per_note")  # fmt: skip


# ---- an evaluation


def print_evaluation(evaluation: Evaluation, told: str, operating: Operating | None) -> None:
    """told: whose results these are. operating: a threshold that was asked for by its precision."""
    from rich.text import Text

    bar = "as marked" if evaluation.threshold is None else f"from confidence {evaluation.threshold:g}"
    unread = f", {evaluation.unread} unread" if evaluation.unread else ""
    figures, intervals = evaluation.figures, evaluation.intervals()
    with _printed() as console:
        name = SYSTEM_NAMES.get(evaluation.system, evaluation.system)
        about = f"{evaluation.documents} documents{unread}, {figures['required']:.0f} required codes; suggested {bar}"
        console.print(Text.assemble((name, "bold"), (" \u00b7 ", "dim"), _plain(told), (" \u00b7 ", "dim"), about))
        table = _table(("", _LEFT), *((f, _LEFT) for f in ("Precision", "Recall", "F1")))
        table.expand = False
        for row, names in _ROWS:
            if names[0] in figures:
                table.add_row(row, *(_with_interval(n, figures, intervals) for n in names))
        for k in TOP:
            first = evaluation.at(k=k).figures
            table.add_row(f"first {k} codes", *(Text(f"{first[n]:.3f}") for n in ("P", "R", "F1")))
        console.print(table)
        others = _table(("", _LEFT), ("", _LEFT), ("", _LEFT), ("", _LEFT), header=False)
        located = evaluation.sums[:, COLUMN["locatable"]].any()  # else nobody marked evidence, or nothing right has any
        shown = [n for n in _OTHERS if n in figures and (located or not n.startswith("evidence"))]
        cells = [(Text(n), _with_interval(n, figures, intervals)) for n in shown]
        for i in range(0, len(cells), 2):
            others.add_row(*(cell for pair in cells[i : i + 2] for cell in pair))
        others.expand = False
        console.print(others)
        if "ECE" in figures:
            _print_reliability(console, evaluation)
        if operating is not None:
            _print_operating(console, operating)


def _with_interval(name: str, figures: Mapping[str, float], intervals: Mapping[str, tuple[float, float]]) -> Text:
    from rich.text import Text

    low, high = intervals[name]
    return Text(f"{figures[name]:.3f} ").append(f"{low:.3f}-{high:.3f}", "dim")


def _print_reliability(console: Console, evaluation: Evaluation) -> None:
    """A row a bin: what was promised and what was kept, the latter as a bar with a mark where it should end."""
    from rich.text import Text

    table = _table(("Confidence", _LEFT), ("Codes", _RIGHT), ("Mean", _RIGHT), ("Right", _RIGHT), ("", _LEFT))
    table.expand = False
    for b in evaluation.reliability:
        if b.confidence is not None and b.right is not None:
            table.add_row(f"{b.low:.1f} to {b.high:.1f}", f"{b.n}", f"{b.confidence:.2f}", f"{b.right:.2f}",
                          _bar(b.right, b.confidence))  # fmt: skip
    console.print(Text("Reliability").append("  the bar is the share that is right, | the confidence", "dim"))
    console.print(table)


def _bar(value: float, mark: float) -> Text:
    from rich.text import Text

    cells = ["\u2588" if (i + 0.5) / _BAR <= value else " " for i in range(_BAR + 1)]
    cells[round(mark * _BAR)] = "|"
    return Text("".join(cells).rstrip(), "cyan")


def _print_operating(console: Console, found: Operating) -> None:
    low, high = found.recall_interval
    console.print(f"From confidence {found.threshold:.3f} on, precision is {found.precision:.3f} "
                  f"({found.precision_interval[0]:.3f}-{found.precision_interval[1]:.3f}) and recall {found.recall:.3f} "
                  f"({low:.3f}-{high:.3f}), with {found.suggested_per_note:.1f} codes a document. "
                  "Chosen on these documents: check it on others.\n")  # fmt: skip


def print_parts(key: str, parts: Mapping[str, Evaluation], calibration: bool) -> None:
    """A row a part; with `calibration`, the reliability of each below."""
    from rich.text import Text

    of_documents = key in ("document_type", "group", "policy", "setting")
    with _printed() as console:
        columns = (("Documents", _RIGHT),) if of_documents else ()
        table = _table((key.replace("_", " ").capitalize(), {"overflow": "fold"}), *columns,
                       *((n.capitalize() if n == "required" else n, _RIGHT) for n in _IN_PARTS))  # fmt: skip
        table.expand = False
        for value, part in parts.items():
            figures = part.figures
            shown = [
                f"{figures[n]:.0f}" if n == "required" else f"{figures[n]:.3f}" if n in figures else ""
                for n in _IN_PARTS
            ]
            table.add_row(Text(_plain(value, 60)), *([str(part.documents)] if of_documents else []), *shown)
        console.print(table)
        if calibration:
            _print_reliabilities(console, parts)


def _print_reliabilities(console: Console, parts: Mapping[str, Evaluation]) -> None:
    """Of each part and each tenth of confidence the share that is right, and of how many codes."""
    from rich.text import Text

    edges = [f"{i / BINS:.1f}" for i in range(BINS)]
    table = _table(("Right, of codes from", {"overflow": "fold"}), ("ECE", _RIGHT), *((e, _RIGHT) for e in edges))
    table.expand = False
    for value, part in parts.items():
        cells = [
            Text("") if b.right is None else Text(f"{b.right:.2f}").append(f"\n{b.n}", "dim") for b in part.reliability
        ]
        table.add_row(Text(_plain(value, 40)), f"{part.figures.get('ECE', 0):.3f}", *cells)
    console.print(table)


def print_losses(losses: Losses) -> None:
    """Where recall is lost: a row a stage, with the share of the required codes that is left after it."""
    from rich.text import Text

    total = left = len(losses.rows)
    table = _table(("Lost at", _LEFT), ("Codes", _RIGHT), ("Share", _RIGHT), ("Left", _RIGHT), ("", {"ratio": 1}))
    for stage, n in losses.stages.items():
        found = stage == "suggested"
        left -= 0 if found else n
        style = "bold green" if found else ""
        table.add_row(Text(stage.replace("_", " "), style), f"{n}", f"{n / total:.3f}", f"{left / total:.3f}",
                      Text(STAGES[stage], "dim"))  # fmt: skip
    with _printed() as console:
        console.print(Text(f"Where recall is lost: {total} required codes", "bold"))
        console.print(table)


def _dotted(system: str, code: str) -> str:
    """A plain code as it is written."""
    return f"{code[:3]}.{code[3:]}" if system == "icd10cm" and len(code) > 3 else code


def print_worst(system: str, rows: Sequence[Worst]) -> None:
    """Documents that went worst, with the required codes that were missed and the suggested ones that are wrong."""
    from rich.text import Text

    table = _table(
        ("Document", {"overflow": "fold"}), ("F1", _RIGHT), ("Missed", {"ratio": 1}), ("Wrong", {"ratio": 1})
    )
    for id, f1, missed, wrong in rows:
        cells = (", ".join(_dotted(system, code) for code in codes) for codes in (missed, wrong))
        table.add_row(Text(_plain(id, 40)), f"{f1:.2f}", *map(Text, cells))
    with _printed() as console:
        console.print(Text("Worst documents", "bold"))
        console.print(table)


# ---- two models


def print_comparison(
    comparison: Comparison, names: tuple[str, str], gates: Sequence[tuple[Gate, bool]], most: int
) -> None:
    """names: of the models. gates: each with whether it passes. most: changes that are listed of each kind."""
    from rich.text import Text

    table = _table(
        ("", _LEFT), ("Before", _RIGHT), ("After", _RIGHT), ("Change", _RIGHT), ("95% interval", _RIGHT), ("p", _RIGHT)
    )
    table.expand = False
    for name in _COMPARED:
        d = comparison.differences.get(name)
        if d is not None:
            table.add_row(name.replace("_", " "), f"{d.before:.3f}", f"{d.after:.3f}", _signed(name, d.change, d.low, d.high),
                          f"{d.low:+.3f} to {d.high:+.3f}", f"{d.p:.3f}")  # fmt: skip
    with _printed() as console:
        name = SYSTEM_NAMES.get(comparison.system, comparison.system)
        console.print(Text.assemble((name, "bold"), f": {comparison.documents} documents, {names[0]} and {names[1]}"))
        console.print(table)
        _print_changes(console, comparison, most)
        for gate, passes in gates:
            verdict = Text("passes", "bold green") if passes else Text("fails", "bold red")
            moved = comparison.differences[gate.figure].change
            console.print(Text.assemble(f"gate {gate.figure}={gate.bound:+g}: ", verdict, f" ({moved:+.4f})"))


def _signed(name: str, change: float, low: float, high: float) -> Text:
    from rich.text import Text

    better = change < 0 if name in FEWER_IS_BETTER else change > 0
    sure = (low > 0 or high < 0) and name != "suggested_per_note"
    return Text(f"{change:+.3f}", ("green" if better else "red") if sure else "")


_SAYS = {"gained": ("right, now suggested", "green"), "lost": ("right, no longer", "red"),
         "added": ("wrong, now suggested", "yellow"), "dropped": ("wrong, no longer", "cyan")}  # fmt: skip


def _print_changes(console: Console, comparison: Comparison, most: int) -> None:
    from rich.text import Text

    if not comparison.changes:
        console.print("No code moved across the threshold.\n")
        return
    table = _table(
        ("", _LEFT), ("Code", _LEFT), ("Before", _RIGHT), ("After", _RIGHT), ("Document", {"overflow": "fold"})
    )
    table.expand = False
    for kind in KINDS:
        own = [c for c in comparison.changes if c.kind == kind]
        words, style = _SAYS[kind]
        for n, c in enumerate(own[:most]):
            head = Text(f"{kind} {len(own)}: {words}", style) if n == 0 else Text("")
            was, now = ("" if x is None else f"{x:.2f}" for x in (c.before, c.after))
            table.add_row(head, Text(_dotted(comparison.system, c.code)), was, now, Text(_plain(c.document, 40)))
        if len(own) > most:
            table.add_row("", Text(f"and {len(own) - most} more", "dim"), "", "", "")
    console.print(table)


# ---- one code explained


def print_explanation(told: Explanation, text: str | None) -> None:
    """Why a code, or where it was lost. text: of the note, None to show offsets."""
    from rich.text import Text

    good = told.stage == "suggested"
    with _printed() as console:
        console.print(Text.assemble((told.code, "bold"), "  ", (told.display, "bold"),
                                    (f"  {SYSTEM_NAMES.get(told.system, told.system)}", "dim")))  # fmt: skip
        console.print(Text(told.told, "green" if good else "yellow"))
        if told.why:
            _print_contributions(console, told)
        for name, places in (("Evidence", told.evidence), ("Found, and not used", told.places)):
            if places:
                console.print(Text(name, "bold"))
                for place in places:
                    console.print(Text("  ").append_text(_place(place, text)))
        console.print()


def _place(place: Evidence, text: str | None) -> Text:
    out: Text = _evidence([place], text, 1)
    out.append(f"  matches \u201c{_plain(place.term, 60)}\u201d", "dim")
    if place.cue is not None:
        cue = (
            f"{place.cue.start}-{place.cue.end}" if text is None else _plain(text[place.cue.start : place.cue.end], 30)
        )
        out.append(f"  {place.assertion} by \u201c{cue}\u201d", "yellow")
    return out


def _print_contributions(console: Console, told: Explanation, most: int = 12) -> None:
    """The largest contributions to the score, each as a bar to the left or right."""
    from rich.text import Text

    table = _table(("", _LEFT), ("", _RIGHT), ("", _LEFT), header=False)
    table.expand = False
    largest = max((abs(v) for v in told.why.values()), default=1.0) or 1.0
    for name, value in list(told.why.items())[:most]:
        bar = Text("\u2588" * max(1, round(abs(value) / largest * 20)), "green" if value > 0 else "red")
        table.add_row(name, f"{value:+.2f}", bar)
    rest = sum(list(told.why.values())[most:])
    if len(told.why) > most:
        table.add_row(Text(f"{len(told.why) - most} others", "dim"), f"{rest:+.2f}", "")
    table.add_row(Text("intercept", "dim"), f"{told.intercept:+.2f}", "")
    table.add_row(Text("score", "bold"), f"{told.intercept + sum(told.why.values()):+.2f}", "")
    console.print(table)


def plain_rows(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Parts of an evaluation or of losses as plain JSON."""
    return {value: part.to_dict() for value, part in parts.items()}
