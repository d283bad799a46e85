"""Approach, device and qualifier of an operation, read from a note: which members of a concept it speaks of.

`procedures.py` says what the members of a concept differ in. Here each gets features (what of it the note says, near the
operation or anywhere), and of every operation and side the `MEMBERS` that fit best are kept. The order of fit is fixed and
plain, not learned: a wording that names the value, the approach said nearest, the words of device and qualifier said, the
value that says nothing ("no device") before one the note does not name, and open before other approaches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest import acts
from codesuggest.concepts import SIDES
from codesuggest.note import AFFIRMED, GROUPS, HISTORICAL, Reading
from codesuggest.pipes.lexicon import read_lexicon
from codesuggest.procedures import ALPHABET as _ALPHABET
from codesuggest.procedures import APPROACHES, Axes
from codesuggest.retrieve import Hits, among, distinct, ragged

Ints = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

MEMBERS = 4  #: codes kept of one operation on one side
#: Columns filled in here, all in [0, 1]. The three last mark an axis whose value the note does not tell.
COLUMNS = (
    *(f"axis:approach_{value}" for value in APPROACHES),
    "axis:wording",
    "axis:wording_against",
    "axis:approach_said",
    "axis:other_approach_said",
    "axis:rest_said",
    "axis:rest_unsaid",
    "axis:plain",
    "axis:chance",
    "axis:side_open",
    "axis:approach_open",
    "axis:device_open",
    "axis:qualifier_open",
    "operation:listed",
    "operation:listed_first",
    "operation:in_title",
    "operation:integral_inspection",
    "operation:usual_meaning",
    "operation:other_meaning",
    "operation:named_words",
    "operation:unnamed",
    "operation:unnamed_act",
    "operation:named_order",
    "operation:component",
    "operation:component_named",
    "operation:wording_in_report",
    "side:lesser",
)
FILLED = (*COLUMNS, *acts.COLUMNS)
_AT = {name: place for place, name in enumerate(FILLED)}
LESSER_SIDE = _AT["side:lesser"]  #: the one of them that `lesser_side` fills in
#: Weight of an approach said in the sentence of the operation, where procedures are told, and elsewhere in the note.
OPEN = ("side", "approach", "device", "qualifier")  #: axes that may be left open, columns "axis:..._open"
_NEAR, _TOLD, _ANYWHERE = 1.0, 0.4, 0.15
_OF_SIDE = np.isin(
    GROUPS, ("assessment", "reason", "procedure")
)  #: groups of sections that name the side of an operation
_LISTS = ("procedure",)  # sections that name what was done; the description tells how
#: Body systems whose operations hold the inspection of another (B3.11a, ICD-10-PCS guidelines FY2026).
_INSPECTED = {"W": "DFGTUVW7", "T": "TUV", "D": "DFW", "F": "DFW", "R": "RLM", "S": "SLM", "C": "C9", "9": "9C"}
#: The same by place in the alphabet, the last for none: bool, of each body system those whose operations look at it.
_LOOKED_AT = np.array(
    [[bool(c) and c in _INSPECTED.get(system, system) for c in (*_ALPHABET, "")] for system in (*_ALPHABET, "")]
)
_COMPONENTS = Path(__file__).parent / "rules" / "components.tsv"
REPORT = "operative_report"  #: type of document in which one operation or few are told at length
_J = 18
_SAID = 0.5  # share of a device's words from which it counts as told
_Z, _FIFTH, _SIXTH, _SEVENTH = 33, 4, 5, 6
#: Sections whose fifth character is an approach, by their letter; and the place in APPROACHES of each fifth character, -1 for none.
_HAS_APPROACH = np.isin(np.arange(256), [0, 1, 2, 3, 4, 7, 8, 9, 31])
_LETTER_OF_APPROACH = np.array([int(v) if v.isdigit() else {"F": 15, "X": 31}[v] for v in APPROACHES])
_APPROACH_OF = np.full(256, -1, np.int64)
_APPROACH_OF[_LETTER_OF_APPROACH] = np.arange(len(APPROACHES))


@dataclass(frozen=True, slots=True)
class Spoken:
    """The matches of the candidate operations. row, term, segment: (u,); strength: float32 in [0, 1]; whole: bool, the
    whole term was said; words: how many. act: bool, a step of the operation was told, from word `first` to `last`."""

    row: Ints
    term: Ints
    segment: Ints
    strength: Floats
    whole: Bools
    words: Ints
    act: Bools
    first: Ints
    last: Ints


def choose(
    axes: Axes, reading: Reading, idf: Floats, spoken: Spoken, row: Ints, code: Ints, side: Ints, side_open: Bools
) -> tuple[Bools, Floats]:
    """Which members to keep, and the `FILLED` columns of all, float32 (n, len(FILLED)).

    row, code, side: (n,), candidate operation (ascending), position of the member code, its side. side_open: bool (n,).
    """
    letter, rest = axes.letter.take(code, 0), axes.rest.take(code)
    fit, against, fixed = _wording(axes, spoken, row, code)
    own = np.where(_HAS_APPROACH.take(letter[:, 0]), _APPROACH_OF.take(letter[:, _FIFTH]), -1)
    at = np.maximum(own, 0)
    heard = _approaches(axes, reading, spoken, int(row.max()) + 1 if len(row) else 0)
    has = own >= 0
    offered = np.zeros_like(heard, dtype=bool)
    offered[row.compress(has), own.compress(has)] = True
    said = np.where(has, heard[row, at], 0)
    rival = np.where(offered, heard, 0).take(row, 0)
    rival[np.arange(len(row)), at] = 0
    other = np.zeros(len(row), np.float32)
    for approach in rival.T:  # numpy takes many times as long along rows of seven
        np.maximum(other, approach, out=other)
    other = np.where(has, other, 0)
    plain = rest == 0
    rest_share = _rests(axes, reading, idf, rest)
    told, untold = np.where(plain, 0, rest_share), np.where(plain, 0, 1 - rest_share)
    score = 2.5 * fit - 2.5 * against + 1.5 * said - 1.0 * other + 1.5 * told - 0.8 * untold + 0.2 * plain
    score += np.where(own == 0, 0.3, 0) - 0.02 * at
    keep, chance = _best(row * 5 + side, score, code)
    columns: dict[str, Any] = {f"axis:approach_{v}": own == i for i, v in enumerate(APPROACHES)}
    columns |= (
        _where_named(reading, spoken, row)
        | _meaning(axes, reading, spoken, row)
        | {"operation:integral_inspection": _integral(letter, row, spoken, reading)}
    )
    step = spoken.act & (reading.status[spoken.segment] == AFFIRMED)
    steps = acts.columns(
        spoken.row[step],
        spoken.term[step],
        spoken.segment[step],
        spoken.first[step],
        spoken.last[step],
        1 + max(int(row.max(initial=-1)), int(spoken.row.max(initial=-1))),
    )
    columns |= {name: values[row] for name, values in steps.items()}
    if reading.document_type == REPORT:
        component, named = _components(letter), columns["operation:named_words"] > 0
        columns["operation:component"] = component & (columns["operation:unnamed"] > 0)
        columns["operation:component_named"] = component & named
        columns["operation:wording_in_report"] = fit * ~named
    columns["operation:unnamed_act"] = columns["operation:unnamed"] * columns["act:own"]
    columns |= {
        "axis:wording": fit,
        "axis:wording_against": against,
        "axis:approach_said": said,
        "axis:other_approach_said": other,
        "axis:rest_said": told,
        "axis:rest_unsaid": untold,
        "axis:plain": plain,
        "axis:chance": chance,
        "axis:side_open": side_open,
    }
    open_rest = ~plain & (rest_share < _SAID)
    columns["axis:approach_open"] = has & (said == 0) & ~fixed[:, 0] & (_count(offered).take(row) > 1)
    columns["axis:device_open"] = open_rest & (letter[:, _SIXTH] != _Z) & ~fixed[:, 1] & _varies(row, letter, _SIXTH)
    columns["axis:qualifier_open"] = (
        open_rest & (letter[:, _SEVENTH] != _Z) & ~fixed[:, 2] & _varies(row, letter, _SEVENTH)
    )
    out = np.zeros((len(row), len(FILLED)), np.float32)
    for name, values in columns.items():
        out[:, _AT[name]] = values
    return keep, out


def _count(rows: Bools) -> npt.NDArray[np.float64]:
    """How many of each row: numpy takes many times as long to count along rows of a few."""
    return np.asarray(rows @ np.ones(rows.shape[1]))


def lists(reading: Reading) -> Bools:
    """The segments that list what was done. bool (segments,)."""
    return np.array([name in _LISTS for name in reading.section], bool)


def told_only(reading: Reading) -> Reading:
    """The reading without the lines that name operations: the list of procedures and the first lines.

    A ranker trained on notes as they are leans on the names it finds there; trained on these too, it learns what the told
    steps are worth.
    """
    name_lines = lists(reading)
    name_lines[:3] = True
    kept = reading.segment_of_word.copy()
    inside = kept >= 0
    inside[inside] = name_lines[kept[inside]]
    kept[inside] = -1
    segment = kept[reading.word]
    spoken = segment >= 0
    spoken[spoken] = reading.status[segment[spoken]] == AFFIRMED
    known = np.zeros(len(reading.known), bool)
    known[reading.form[spoken]] = True
    return replace(reading, segment_of_word=kept, known=known)


def names_operation(axes: Axes, reading: Reading, hits: Hits, chosen: Ints) -> Bools:
    """Which of these matches hold the word that names the operation: "lower leg" alone is no MRI of it. bool, shape of `chosen`."""
    verb = axes.term_verb.take(hits.term.take(chosen)).astype(np.int64)
    size = np.int64(len(reading.known))
    said = reading.segment_of_word.take(reading.word) * size + reading.form
    return np.asarray((verb < 0) | among(hits.segment.take(chosen) * size + verb, said))


def _wording(axes: Axes, spoken: Spoken, row: Ints, code: Ints) -> tuple[Floats, Floats, Bools]:
    """For each member, the best wording said that allows it, the best that does not, and whether a wording fixes each of
    the three last axes."""
    pattern = axes.term_pattern.take(spoken.term)
    use = ((pattern >= 0) & spoken.whole).nonzero()[0]
    out, fixed = np.zeros((2, len(code)), np.float32), np.zeros((len(code), 3), bool)
    if not len(use):
        return out[0], out[1], fixed
    own = spoken.row.take(use)
    first = row.searchsorted(own)
    count = row.searchsorted(own, side="right") - first
    hit, member = ragged(count)
    member += first.take(hit)
    hit = use.take(hit)
    value = (spoken.strength * (0.5 + 0.1 * np.minimum(spoken.words, 5))).take(hit).astype(np.float32)
    fits = axes.fits(pattern.take(hit), code.take(member))
    np.maximum.at(out[0], member.compress(fits), value.compress(fits))
    np.maximum.at(out[1], member.compress(~fits), value.compress(~fits))
    narrow = axes.allow[pattern[hit]][:, _FIFTH:]
    single = (narrow & (narrow - np.uint64(1))) == 0  # one bit: the list names the value
    for axis in range(3):
        fixed[member[fits & single[:, axis]], axis] = True
    return out[0], np.maximum(out[1] - out[0], 0), fixed


def _approaches(axes: Axes, reading: Reading, spoken: Spoken, n: int) -> Floats:
    """How far the note says each approach of each operation: float32 (n, approaches)."""
    out = np.zeros((n, len(APPROACHES)), np.float32)
    if not len(axes.cue_form) or not n:
        return out
    order = axes.cue_form.argsort(kind="stable")
    cues = axes.cue_form.take(order)
    start = cues.searchsorted(reading.form)
    told = (cues.take(start, mode="clip") == reading.form).nonzero()[0]
    form, segment, start = (
        reading.form.take(told),
        reading.segment_of_word.take(reading.word.take(told)),
        start.take(told),
    )
    status = reading.status.take(segment, mode="clip") if len(reading.status) else segment
    there = ((segment >= 0) & ((status == AFFIRMED) | (status == HISTORICAL))).nonzero()[0]
    form, segment, start = form.take(there), segment.take(there), start.take(there)
    one, cue = ragged(cues.searchsorted(form, side="right") - start)
    cue += start.take(one)
    heard = np.zeros((len(reading.first), len(APPROACHES)), bool)
    heard[segment.take(one), axes.cue_approach.take(order).take(cue)] = True
    affirmed = reading.status == AFFIRMED
    told = affirmed & (reading.group == GROUPS.index("procedure"))
    out[:] = np.maximum(_ANYWHERE * heard[affirmed].any(0), _TOLD * heard[told].any(0))
    use = spoken.strength >= 0.6
    np.maximum.at(out, spoken.row[use], _NEAR * heard[spoken.segment[use]].astype(np.float32))
    return out


def _where_named(reading: Reading, spoken: Spoken, row: Ints) -> dict[str, Floats]:
    """Whether the operation is named in the list of procedures, in its first lines, and in the document's first lines."""
    n = int(row.max()) + 1 if len(row) else 0
    current = reading.status[spoken.segment] == AFFIRMED
    listed = lists(reading)
    place = np.cumsum(listed)
    named = spoken.whole & current & listed[spoken.segment]
    first = named & (place[spoken.segment] <= 3)
    titled = np.array([name in (None, "title", *_LISTS) for name in reading.section], bool)  # no diagnosis is a title
    top = spoken.whole & current & (spoken.segment < 3) & titled[spoken.segment]
    out = {}
    for name, chosen in (("listed", named), ("listed_first", first), ("in_title", top)):
        best = np.zeros(n, np.float32)
        np.maximum.at(best, spoken.row[chosen], spoken.strength[chosen])
        out[f"operation:{name}"] = best[row]
    # where operations are named at all, what is only told is likelier a part of them (B3.1b, FY2026)
    here = named | top
    order = np.zeros(n, np.float32)
    place = np.cumsum(np.bincount(spoken.segment[here], minlength=len(reading.section)) > 0)
    np.maximum.at(order, spoken.row[here], 1 / np.maximum(place[spoken.segment[here]], 1).astype(np.float32))
    out["operation:named_order"] = order[row]
    words, all_named = np.zeros(n, np.float32), np.zeros(n, bool)
    np.maximum.at(words, spoken.row[here], np.minimum(spoken.words[here], 5).astype(np.float32) / 5)
    all_named[spoken.row[here]] = True
    out["operation:named_words"] = words[row]
    out["operation:unnamed"] = np.asarray(all_named.any() & ~all_named[row], np.float32)
    return out


def _meaning(axes: Axes, reading: Reading, spoken: Spoken, row: Ints) -> dict[str, Floats]:
    """Whether a wording of the list was said that usually means the operation, or one that may mean it too."""
    n = int(row.max()) + 1 if len(row) else 0
    chosen = spoken.whole & (axes.term_pattern[spoken.term] >= 0) & (reading.status[spoken.segment] == AFFIRMED)
    usual, other = np.zeros(n, np.float32), np.zeros(n, np.float32)
    first = axes.term_place[spoken.term] == 0
    np.maximum.at(usual, spoken.row[chosen & first], spoken.strength[chosen & first])
    np.maximum.at(other, spoken.row[chosen & ~first], spoken.strength[chosen & ~first])
    return {"operation:usual_meaning": usual[row], "operation:other_meaning": np.where(usual > 0, 0, other)[row]}


def _integral(letter: npt.NDArray[np.uint8], row: Ints, spoken: Spoken, reading: Reading) -> Bools:
    """Inspections of what another operation named in the note looks at anyway: not coded separately (B3.11a, FY2026)."""
    named = np.zeros(int(row.max()) + 1 if len(row) else 0, bool)
    named[spoken.row[spoken.whole & (reading.status[spoken.segment] == AFFIRMED)]] = True
    surgical = letter[:, 0] == 0
    inspection: Bools = np.asarray(surgical & (letter[:, 2] == _J))
    if not inspection.any():
        return inspection
    other = np.zeros(len(_ALPHABET) + 1, bool)
    other[letter[surgical & ~inspection & named.take(row), 1]] = True
    covered = _LOOKED_AT @ other
    return np.asarray(inspection & covered.take(letter[:, 1]))


@lru_cache(maxsize=1)
def _component_begins() -> tuple[tuple[int, ...], ...]:
    rows = read_lexicon(_COMPONENTS, ("begin", "what", "source"), unique=("begin",))
    return tuple(tuple(_ALPHABET.index(c) for c in row["begin"]) for row in rows)


def _components(letter: npt.NDArray[np.uint8]) -> Bools:
    """Which codes are of what is done around an operation (`components.tsv`). letter: (n, 7)."""
    out = np.zeros(len(letter), bool)
    for begin in _component_begins():
        out |= (letter[:, : len(begin)] == np.array(begin, np.uint8)).all(1)
    return out


def lesser_side(said: Floats, row: Ints, side: Ints) -> Floats:
    """Whether the note says another side of the operation more than a member's own. said: (c, sides); row, side: (n,)."""
    sided = (side > 0) & (side < SIDES.index("bilateral"))
    other = np.where(side == 1, said[row, 2], said[row, 1])
    return np.asarray(sided & (other > said[row, side] + 0.05), np.float32)


def side_weight(reading: Reading, segment: Ints) -> Floats:
    """How far a side said in a segment is the side of what was done: named in the list of procedures, told, or past."""
    listed = lists(reading)
    told = (reading.group == GROUPS.index("procedure")) | np.array(
        [name in (None, "title") for name in reading.section], bool
    )
    weight = np.where(listed, 1.0, np.where(told, 0.8, 0.6)) * np.where(reading.status == AFFIRMED, 1.0, 0.5)
    return np.asarray(weight[segment], np.float32)


def side_of_note(reading: Reading) -> Floats:
    """The one side that diagnoses and procedures of the note name, for operations named without one: float32 (sides,)."""
    out = np.zeros(len(SIDES), np.float32)
    segment = reading.segment_of_word[reading.side_word]
    there = segment >= 0
    where = _OF_SIDE.take(reading.group[segment])
    there &= (where | (segment < 3)) & (reading.status[segment] == AFFIRMED)
    said = distinct(reading.side[there])
    if len(said) == 1:
        out[said[0]] = 0.3
    return out


def _rests(axes: Axes, reading: Reading, idf: Floats, rest: Ints) -> Floats:
    """Share of the words of each of these devices and qualifiers that the note says of the patient, float32 (n,); 0: plain."""
    out = np.zeros(len(rest), np.float32)
    told = rest.nonzero()[0]
    rest = rest.take(told)
    start_of = axes.rest_indptr.take(rest)
    count = axes.rest_indptr.take(rest + 1) - start_of
    start = count.cumsum() - count
    one, at = ragged(count)
    at += start_of.take(one)
    form = axes.rest_form.take(at)
    weights = np.zeros(
        (2, len(form) + 1), np.float32
    )  # all and said; the last is that of a rest without words at the end
    weights[0, :-1] = idf.take(form) ** 2
    np.multiply(weights[0, :-1], reading.known.take(form), out=weights[1, :-1])
    if len(told):
        whole, said = np.add.reduceat(weights, start, axis=1)
        out[told] = np.where(count > 0, said / np.maximum(whole, 1e-6), 0)
    return out


def _varies(row: Ints, letter: npt.NDArray[np.uint8], axis: int) -> Bools:
    """Whether the members of the operation take more than one value of the axis."""
    n = int(row.max()) + 1 if len(row) else 0
    low, high, value = np.full(n, 255, np.uint8), np.zeros(n, np.uint8), np.ascontiguousarray(letter[:, axis])
    np.minimum.at(low, row, value)
    np.maximum.at(high, row, value)
    return np.asarray((low != high)[row])


def _best(group: Ints, score: Floats, code: Ints) -> tuple[Bools, Floats]:
    """The MEMBERS best of each group, ties by code; and each member's share of exp(2 score) in its group."""
    order = np.lexsort((code, -score, group))
    sorted_group = group[order]
    place = np.arange(len(order)) - np.searchsorted(sorted_group, sorted_group)
    keep = np.zeros(len(order), bool)
    keep[order[place < MEMBERS]] = True
    size = int(group.max()) + 1 if len(group) else 0
    top = np.full(size, -np.inf)
    np.maximum.at(top, group, score)
    raised = np.exp(2 * (score - top[group]))
    total = np.bincount(group, raised, minlength=size)
    return keep, np.asarray(raised / np.maximum(total[group], 1e-12), np.float32)
