"""Results for other eyes: rows and data frames, JSON lines, HTML for a notebook, spans on a spaCy Doc.

Text of the note leaves only on request (`show_text`), but for `to_html`, whose purpose is to show it.

The HTML knows nothing of the page it lands in: no script, class names that begin with `csg-` below one root, colours
that are half transparent over whatever background and text colour the theme has, so that it reads in light and in dark
(JupyterLab's themes do not follow `prefers-color-scheme`). Where a viewer strips the style, `<mark>`, `<u>`, `<sup>`
and tables remain.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from codesuggest.errors import MissingExtraError, OptionError
from codesuggest.records import (
    WITHHELD_REASONS,
    EncounterCode,
    EncounterResult,
    Evidence,
    Finding,
    NoteResult,
    Suggestion,
)

if TYPE_CHECKING:
    import pandas
    from spacy.tokens import Doc

__all__ = ["COLUMNS", "SPANS_KEY", "annotate", "encounter_to_html", "to_frame", "to_html", "to_json_lines", "to_rows"]

#: Columns of `to_rows`, in order; with `show_text`, "evidence_text" follows.
COLUMNS = (
    "id", "model", "setting", "service_date", "rank", "system", "release", "code", "display", "confidence",
    "suggested", "score", "evidence_count", "start", "end", "section", "assertion", "basis",
)  # fmt: skip
SPANS_KEY = "codesuggest"  #: where `annotate` puts its spans
_SHOWN = 10  #: codes listed but not suggested that stand above the fold
SYSTEM_NAMES = {"icd10cm": "ICD-10-CM", "icd10pcs": "ICD-10-PCS", "hcpcs": "HCPCS", "cpt": "CPT"}


# ---- rows, frames, lines


def to_rows(results: NoteResult | Iterable[NoteResult], *, show_text: bool = False) -> list[dict[str, Any]]:
    """One flat row a suggestion, best first within a note, with the columns `COLUMNS`.

    `rank` counts from 1. `start`, `end` (code points, end exclusive), `section`, `assertion` and `basis` are those of
    the first piece of evidence, None without one. "evidence_text", the words themselves, only with `show_text`.
    """
    out = []
    for result in _several(results):
        for rank, s in enumerate(result.suggestions, start=1):
            first = s.evidence[0] if s.evidence else None
            row: dict[str, Any] = {
                "id": result.id,
                "model": result.model,
                "setting": result.setting,
                "service_date": result.service_date,
                "rank": rank,
                "system": s.system,
                "release": s.release,
                "code": s.code,
                "display": s.display,
                "confidence": s.confidence,
                "suggested": s.suggested,
                "score": s.score,
                "evidence_count": len(s.evidence),
                "start": first.start if first else None,
                "end": first.end if first else None,
                "section": first.section if first else None,
                "assertion": first.assertion if first else None,
                "basis": first.basis if first else None,
            }
            if show_text:
                known = first is not None and result.text is not None
                row["evidence_text"] = result.text[first.start : first.end] if known else None  # type: ignore[index, union-attr]
            out.append(row)
    return out


def to_frame(results: NoteResult | Iterable[NoteResult], *, show_text: bool = False) -> pandas.DataFrame:
    """The rows of `to_rows` as a DataFrame, its columns there even without a row; offsets are "Int64" (nullable).

    Raises MissingExtraError without pandas.
    """
    try:
        import pandas
    except ImportError:
        raise MissingExtraError("pandas", "pandas", "to_frame") from None
    columns = [*COLUMNS, "evidence_text"] if show_text else list(COLUMNS)
    frame = pandas.DataFrame(to_rows(results, show_text=show_text), columns=columns)
    kinds = dict.fromkeys(("rank", "evidence_count", "start", "end"), "Int64")
    return frame.astype({**kinds, "confidence": "float64", "score": "float64", "suggested": "bool"})


def to_json_lines(results: NoteResult | Iterable[NoteResult], *, show_text: bool = False) -> Iterator[str]:
    """Lines by the contract of `NoteResult.to_dict`, each with its line end, lazily: `file.writelines(...)`."""
    for result in _several(results):
        yield result.to_json(show_text=show_text) + "\n"


def _several(results: NoteResult | Iterable[NoteResult]) -> Iterable[NoteResult]:
    # a result is itself iterable, over its suggestions: one that is handed in alone must not be taken for many
    return (results,) if isinstance(results, NoteResult) else results


# ---- spans


def annotate(doc: Doc, result: NoteResult, *, listed: bool = False) -> Doc:
    """Puts the evidence on `doc.spans["codesuggest"]`: label the code, `kb_id_` its system; returns the doc.

    Suggested codes only, or with `listed` all; in order of the text, spans widened to whole tokens, each once.
    Raises OptionError when the doc is not the note the result was made from.
    """
    text = doc.text
    if result.text is not None and result.text != text:
        raise OptionError("the result was made from another text than this Doc; annotate the Doc of the same note")
    chosen = [s for s in result.suggestions if listed or s.suggested]
    places = sorted({(e.start, e.end, s.code, s.system) for s in chosen for e in s.evidence if e.start < e.end})
    if places and (places[0][0] < 0 or max(end for _, end, _, _ in places) > len(text)):
        raise OptionError("evidence lies outside this Doc; annotate the Doc of the same note")
    spans: dict[tuple[int, int, str, str], Any] = {}
    for start, end, code, system in places:
        span = doc.char_span(start, end, label=code, kb_id=system, alignment_mode="expand")
        if span is not None:
            spans.setdefault((span.start, span.end, code, system), span)
    doc.spans[SPANS_KEY] = list(spans.values())
    return doc


# ---- HTML


def to_html(result: NoteResult, *, full_page: bool = False) -> str:
    """The note with its evidence highlighted, a table of the codes, and the findings: an HTML fragment, or a page.

    No script, everything escaped, valid UTF-8 whatever the note holds: control characters are shown by their pictures,
    lone surrogates by U+FFFD. Every code point of the note stays one code point. Time is linear in the note: 1 MB with
    20,000 marks takes about 0.2 s.
    """
    parts = [f"<style>{_CSS}</style>", _header(result), _table(result), _note(result), _findings(result.findings)]
    body = f'<div class="codesuggest">{"".join(parts)}</div>'
    return _page(result.id or "note", body) if full_page else body


def _page(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)} - codesuggest</title><style>{_PAGE_CSS}</style></head>\n<body>{body}</body></html>\n"
    )


_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def _picture(found: re.Match[str]) -> str:
    c = ord(found[0])
    return chr(0x2400 + c) if c < 0x20 else "␡" if c == 0x7F else "�"


def _text(text: str) -> str:
    """Any string, safe inside an element or a quoted attribute; one code point in, one out (before escaping)."""
    # A parser would turn a raw CR into LF: the reference keeps it.
    return html.escape(_UNSEEN.sub(_picture, text)).replace("\r", "&#13;")


def _note_text(text: str) -> str:
    """As `_text`, for the note: a CR alone, an old line end, breaks the line."""
    shown = _text(text)
    return re.sub("&#13;(?!\n)", "&#13;<br>", shown) if "&#13;" in shown else shown


def _header(result: NoteResult) -> str:
    day = f"service date {result.service_date}" if result.service_date else ""
    kind = (result.document_type or "").replace("_", " ")
    told = [result.id, kind, result.setting, day, f"model {result.model}" if result.model else ""]
    levels = Counter(f.severity for f in result.findings)
    told += [f"{n} {level}{'s' * (n > 1)}" for level in ("error", "warning") if (n := levels[level])]
    counts = f"{len(result.suggested)} suggested of {len(result.suggestions)} listed"
    rest = "".join(f' <span class="csg-bit">{_text(bit)}</span>' for bit in told if bit)
    return f'<div class="csg-head"><b>{counts}</b>{rest}</div>{_cautions(result)}'


def _cautions(result: NoteResult) -> str:
    said = "".join(f'<li class="csg-warning"><b>caution</b> {_text(c.message)}</li>' for c in result.cautions)
    return f'<ul class="csg-findings">{said}</ul>' if said else ""


# ---- the table of codes


def _table(result: NoteResult) -> str:
    if not result.suggestions:
        return '<p class="csg-quiet">No code was found for this note.</p>'
    several = len({s.system for s in result.suggestions}) > 1
    above: list[str] = []
    below: list[str] = []
    seen = 0
    for s in result.suggestions:
        seen += not s.suggested
        (below if not s.suggested and seen > _SHOWN else above).append(_row(s, result.text, several))
    head = (
        "<thead><tr><th></th><th>Code</th><th>Title</th><th>Confidence</th>"
        f"<th>{'Evidence' if result.text is not None else 'Evidence (offsets)'}</th></tr></thead>"
    )
    table = _rows(above, head)
    if below:
        table += f'<details class="csg-more"><summary>{len(below)} more listed</summary>{_rows(below, "")}</details>'
    return table


def _rows(rows: Sequence[str], head: str) -> str:
    columns = "".join(f'<col class="csg-col{i}">' for i in range(1, 6))
    return f'<table class="csg-table"><colgroup>{columns}</colgroup>{head}<tbody>{"".join(rows)}</tbody></table>'


def _row(s: Suggestion, text: str | None, several: bool) -> str:
    percent = min(100.0, max(0.0, 100 * s.confidence))
    system = f'<span class="csg-system">{_text(SYSTEM_NAMES.get(s.system, s.system))}</span>' if several else ""
    name = _text(f"{SYSTEM_NAMES.get(s.system, s.system)}, release {s.release}")
    mark = '<span class="csg-tick" title="suggested">&#10003;</span>' if s.suggested else ""
    return (
        f'<tr class="csg-row {"csg-yes" if s.suggested else "csg-no"}"><td>{mark}</td>'
        f'<td title="{name}"><span class="csg-code">{_text(s.code)}</span>{system}</td>'
        f"<td>{_text(s.display)}</td>"
        f'<td><span class="csg-bar"><span style="width:{percent:.0f}%"></span></span>{s.confidence:.2f}</td>'
        f"<td>{_evidence(s.evidence, text)}</td></tr>"
    )


def _evidence(evidence: Sequence[Evidence], text: str | None) -> str:
    """The words of the first evidence with section and assertion, and how many more there are."""
    if not evidence:
        return ""
    e = evidence[0]
    if text is None:
        words = f'<span class="csg-num">{e.start}&#8211;{e.end}</span>'
    else:
        said = " ".join(text[max(0, e.start) : max(0, e.end)].split())
        words = f"<q>{_text(said if len(said) <= 70 else said[:69] + '…')}</q>"
    about = [(e.section or "").replace("_", " "), "" if e.assertion == "affirmed" else e.assertion]
    about += ["result only" if all(x.basis == "result" for x in evidence) else ""]
    about += [f"+{len(evidence) - 1}" if len(evidence) > 1 else ""]
    notes = "".join(f' <span class="csg-bit">{_text(bit)}</span>' for bit in about if bit)
    return f"{words}{notes}"


# ---- the note


#: Evidence of less likely codes is not marked: a note of fifty shades says nothing.
_FAINT = 0.05


class _Mark(NamedTuple):
    start: int
    end: int
    kind: str  #: "yes" suggested evidence, "no" other listed evidence, else why it was withheld
    tip: str


def _marks(result: NoteResult, length: int) -> tuple[list[_Mark], dict[int, list[str]]]:
    """Marks within the note, best suggestion first, and the codes to print where a suggested stretch ends."""
    marks: list[_Mark] = []
    labels: dict[int, dict[str, None]] = {}
    for s in result.suggestions:
        if not s.suggested and s.confidence < _FAINT:
            continue
        tip = f"{s.code} {s.display} ({s.confidence:.2f})"
        for e in s.evidence:
            start, end = max(0, e.start), min(length, e.end)
            if start >= end:
                continue
            about = ", ".join(bit for bit in (e.section, e.assertion, e.term) if bit)
            marks.append(_Mark(start, end, "yes" if s.suggested else "no", f"{tip}: {about}"))
            if s.suggested:
                labels.setdefault(end, {})[s.code] = None
    for w in result.withheld:
        start, end = max(0, w.start), min(length, w.end)
        if start < end:
            cue = f", by the cue: {w.cue.rule}" if w.cue else ""
            reason = w.reason if w.reason in WITHHELD_REASONS else "no_match"
            marks.append(_Mark(start, end, reason, f"not coded: {w.reason.replace('_', ' ')}{cue}"))
    return marks, {end: list(codes) for end, codes in labels.items()}


def _segments(marks: Sequence[_Mark], length: int) -> Iterator[tuple[int, int, list[_Mark]]]:
    """The note cut wherever a mark begins or ends: (start, end, marks over it), gapless from 0 to `length`."""
    starts: dict[int, list[int]] = {}
    ends: dict[int, list[int]] = {}
    for i, mark in enumerate(marks):
        starts.setdefault(mark.start, []).append(i)
        ends.setdefault(mark.end, []).append(i)
    over: dict[int, None] = {}
    for a, b in pairwise(sorted({0, length, *starts, *ends})):
        for i in ends.get(a, ()):
            del over[i]
        over.update(dict.fromkeys(starts.get(a, ())))
        yield a, b, [marks[i] for i in sorted(over)]


def _note(result: NoteResult) -> str:
    held = Counter(w.reason for w in result.withheld)
    legend = _legend(result, held)
    if result.text is None:
        return f'<p class="csg-quiet">The text of the note is not kept in this result: evidence is offsets.</p>{legend}'
    marks, labels = _marks(result, len(result.text))
    out = []
    for a, b, over in _segments(marks, len(result.text)):
        piece = _note_text(result.text[a:b])
        if result.text[a:b].endswith("\r") and result.text[b : b + 1] == "\n":
            piece = piece.removesuffix("<br>")
        if over:
            kinds = {mark.kind for mark in over}
            shade = "yes" if "yes" in kinds else "no" if "no" in kinds else ""
            reason = next((mark.kind for mark in over if mark.kind not in ("yes", "no")), "")
            tips = list(dict.fromkeys(mark.tip for mark in over))
            tip = "&#10;".join(_text(t) for t in (*tips[:6], *([f"and {len(tips) - 6} more"] if len(tips) > 6 else [])))
            inner = f'<u class="csg-held csg-{reason}">{piece}</u>' if reason else piece
            tag = "mark" if shade else "span"
            piece = f'<{tag} class="csg-{shade or "none"}" title="{tip}">{inner}</{tag}>'
        out.append(piece)
        if b in labels:
            out.append(f"<sup>{' '.join(_text(code) for code in labels[b])}</sup>")
    # the span keeps a line end at the start of the note, which a parser drops when it follows <pre> itself
    return f'<pre class="csg-note" dir="auto"><span class="csg-text">{"".join(out)}</span></pre>{legend}'


def _legend(result: NoteResult, held: Counter[str]) -> str:
    bits = []
    shown = result.text is not None
    if shown and any(s.suggested for s in result.suggestions):
        bits.append('<span class="csg-key"><mark class="csg-yes">words</mark> of a suggested code</span>')
    if shown and any(not s.suggested for s in result.suggestions):
        bits.append('<span class="csg-key"><mark class="csg-no">words</mark> of a listed code</span>')
    for reason in WITHHELD_REASONS:
        if held[reason]:
            name = reason.replace("_", " ")
            bits.append(f'<span class="csg-key"><u class="csg-held csg-{reason}">{name}</u> {held[reason]}</span>')
    # the blanks between the bits are where a narrow page may break the line
    return f'<div class="csg-legend">{" ".join(bits)}</div>' if bits else ""


def _findings(findings: Sequence[Finding]) -> str:
    rows = []
    for f in findings:
        level = f.severity if f.severity in ("error", "warning") else "info"
        rows.append(
            f'<li class="csg-{level}"><b>{_text(f.severity)}</b> {_text(f.message)} '
            f'<span class="csg-source">{_text(f.source)}</span></li>'
        )
    return f'<ul class="csg-findings">{"".join(rows)}</ul>' if rows else ""


# ---- an encounter


def encounter_to_html(result: EncounterResult, *, full_page: bool = False) -> str:
    """The claim with what is proposed of each code and why, what else was found, and every document with its evidence.

    As `to_html`: no script, everything escaped.
    """
    texts = {d.id: d.text for d in result.documents}
    told = [result.id, result.setting, f"service date {result.service_date}", f"model {result.model}"]
    bits = "".join(f' <span class="csg-bit">{_text(bit)}</span>' for bit in told if bit)
    rest = [c for c in result.codes if c.position is None and (c.suggested or c.confidence >= _FAINT)]
    parts = [
        f"<style>{_CSS}</style>",
        f'<div class="csg-head"><b>{len(result.claim)} codes from {len(result.documents)} documents</b>{bits}</div>',
        _rows([_encounter_row(c, texts) for c in result.claim], _ENCOUNTER_HEAD),
        _folded(f"{len(rest)} more listed", _rows([_encounter_row(c, texts) for c in rest], "")) if rest else "",
        _findings(result.findings),
    ]
    for document in result.documents:
        kind = (document.document_type or "document").replace("_", " ")
        parts.append(f'<p class="csg-head"><b>{_text(document.id)}</b> <span class="csg-bit">{_text(kind)}</span></p>')
        parts.append(_cautions(document))
        parts.append(_note(document))
    body = f'<div class="codesuggest">{"".join(parts)}</div>'
    return _page(result.id or "encounter", body) if full_page else body


_ENCOUNTER_HEAD = (
    "<thead><tr><th></th><th>Code</th><th>Title and what is proposed</th><th>Confidence</th>"
    "<th>Evidence</th></tr></thead>"
)


def _folded(title: str, inner: str) -> str:
    return f'<details class="csg-more"><summary>{_text(title)}</summary>{inner}</details>'


def _encounter_row(c: EncounterCode, texts: Mapping[str, str | None]) -> str:
    place = "" if c.position is None else str(c.position)
    lines = [f'<div class="csg-bit">superseded by {_text(c.superseded_by)}</div>'] if c.superseded_by else []
    for p in c.proposals:
        name = {"poa": "POA", "first_listed": "first-listed", "sequence": ""}.get(p.kind, p.kind)
        value = "" if p.kind == "sequence" or p.value == c.code else f" {p.value}"
        source = f'<span class="csg-source">{_text(p.source)}</span>'
        lines.append(f'<div class="csg-bit"><b>{_text(name + value)}</b> {_text(p.reason)} {source}</div>')
    words = []
    for document in c.by_document:
        here = [e.evidence for e in c.evidence if e.document == document]
        words.append(
            f'<div>{_evidence(here, texts.get(document))} <span class="csg-bit">{_text(document)}</span></div>'
        )
    return (
        f'<tr class="csg-row {"csg-no" if c.position is None else "csg-yes"}"><td>{place}</td>'
        f'<td title="{_text(f"{SYSTEM_NAMES.get(c.system, c.system)}, release {c.release}")}">'
        f'<span class="csg-code">{_text(c.code)}</span></td><td>{_text(c.display)}{"".join(lines)}</td>'
        f"<td>{c.confidence:.2f}</td><td>{''.join(words)}</td></tr>"
    )


_CSS = """
.codesuggest{font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;max-width:72rem;
overflow-x:auto;color:inherit;text-align:left}
.codesuggest .csg-head{margin:.2em 0 .7em}
.codesuggest .csg-bit{opacity:.72;font-size:.86em;margin:0 .35em 0 .1em;white-space:nowrap}
.codesuggest td .csg-bit{white-space:normal;margin:.15em 0 0}
.codesuggest td .csg-bit b{opacity:1}
.codesuggest .csg-quiet{opacity:.75;margin:.6em 0}
.codesuggest .csg-table{border-collapse:collapse;width:100%;table-layout:fixed;min-width:42rem;margin:0;font-size:inherit;border:0}
.codesuggest .csg-col1{width:1.8em}.codesuggest .csg-col2{width:7.5em}.codesuggest .csg-col4{width:8em}
.codesuggest .csg-col5{width:34%}
.codesuggest .csg-table th{font-weight:600;font-size:.8em;opacity:.72}
.codesuggest .csg-table th,.codesuggest .csg-table td{text-align:left;vertical-align:top;padding:.3em .6em .3em 0;
border:0;border-bottom:1px solid rgba(128,128,128,.25);background:transparent;color:inherit;overflow-wrap:anywhere;
white-space:normal;max-width:none;line-height:1.45}
.codesuggest .csg-table tbody tr.csg-row{background:transparent}
.codesuggest .csg-table tr.csg-no td{border-bottom-style:dotted}
.codesuggest .csg-yes .csg-code{font-weight:700}
.codesuggest .csg-code{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.95em}
.codesuggest .csg-system{display:block;font-size:.75em;opacity:.72}
.codesuggest .csg-tick{display:inline-block;width:1.35em;line-height:1.35em;text-align:center;border-radius:50%;
font-size:.8em;font-weight:700;background:rgba(40,167,90,.32)}
.codesuggest .csg-bar{display:inline-block;width:3.6em;height:.5em;border-radius:.25em;background:rgba(128,128,128,.28);
margin-right:.5em;overflow:hidden;vertical-align:middle}
.codesuggest .csg-bar span{display:block;height:100%;background:rgba(128,128,128,.75)}
.codesuggest .csg-yes .csg-bar span{background:rgb(40,160,90)}
.codesuggest .csg-table td,.codesuggest .csg-num{font-variant-numeric:tabular-nums}
.codesuggest q{quotes:"\\201c" "\\201d"}
.codesuggest .csg-more summary{cursor:pointer;padding:.45em 0;opacity:.8;font-size:.9em}
.codesuggest .csg-note{font:13px/1.75 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;
white-space:pre-wrap;overflow-wrap:anywhere;margin:1em 0 .5em;padding:.8em 1em;border:1px solid rgba(128,128,128,.35);
border-radius:6px;background:rgba(128,128,128,.06);color:inherit;tab-size:4;max-height:none}
.codesuggest mark{color:inherit;border-radius:3px;padding:.12em 0}
.codesuggest mark.csg-yes{background:rgba(255,186,0,.46);box-shadow:inset 0 -2px 0 rgba(230,140,0,.85)}
.codesuggest mark.csg-no{background:rgba(80,140,255,.17)}
.codesuggest sup{font:600 .72em/0 system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;vertical-align:.55em;
margin:0 .15em 0 .2em;opacity:.85;user-select:none;-webkit-user-select:none;white-space:nowrap}
.codesuggest .csg-held{text-decoration:underline 2px;text-underline-offset:.22em;text-decoration-skip-ink:none}
.codesuggest .csg-negated{text-decoration-color:rgb(220,70,70)}
.codesuggest .csg-family{text-decoration-color:rgb(160,100,220);text-decoration-style:double}
.codesuggest .csg-other_person{text-decoration-color:rgb(200,90,170);text-decoration-style:double}
.codesuggest .csg-hypothetical{text-decoration-color:rgb(60,140,220);text-decoration-style:dashed}
.codesuggest .csg-uncertain{text-decoration-color:rgb(225,130,20);text-decoration-style:wavy;
text-decoration-thickness:1px}
.codesuggest .csg-historical{text-decoration-color:rgb(0,150,140);text-decoration-style:dashed}
.codesuggest .csg-no_match,.codesuggest .csg-ranked_low{text-decoration-color:rgba(128,128,128,.7);
text-decoration-style:dotted;text-decoration-thickness:1.5px}
.codesuggest .csg-legend{font-size:.82em;margin:.2em 0 .8em}
.codesuggest .csg-key{margin-right:1em;white-space:nowrap;opacity:.9}
.codesuggest ul.csg-findings{list-style:none;margin:.6em 0;padding:0}
.codesuggest .csg-findings li{margin:.35em 0;padding:.4em .7em;border-left:4px solid;border-radius:3px}
.codesuggest .csg-findings b{margin-right:.4em}
.codesuggest .csg-findings li.csg-error{border-color:rgb(215,65,65);background:rgba(215,65,65,.1)}
.codesuggest .csg-findings li.csg-warning{border-color:rgb(225,140,20);background:rgba(225,140,20,.1)}
.codesuggest .csg-findings li.csg-info{border-color:rgb(80,140,220);background:rgba(80,140,220,.1)}
.codesuggest .csg-source{font-size:.86em;opacity:.72;white-space:nowrap}
"""
_PAGE_CSS = """
:root{color-scheme:light dark}
body{margin:1.5rem auto;max-width:72rem;padding:0 1rem;background:Canvas;color:CanvasText}
"""
