"""Laboratory results: a test with its value, judged against a range, becomes a phrase a coder would look up.

``K 6.1 mmol/L (3.5-5.1) H`` -> hyperkalemia. Read from one sentence or table row at a time; a table row may divide
its columns by spaces, tabs or pipes. What decides whether a value is out of range, best first: the range printed beside
it, the flag printed beside it, the adult reference limits of ``results.tsv``. A number without a unit gets the first
listed unit in which it is possible for a living person (hemoglobin 79 is g/L, 7.9 g/dL).

No results are: goals and thresholds ("goal A1c < 7", "hold if K > 5.5"), doses (a number with mg, mEq, units, daily ...
and without "per litre"), a bare number in a list of drugs, anything in the family history, a number that is part of a
date, range, ratio or telephone number, vital signs.

Offsets are code points of the text handed in, end exclusive. Every regex starts at a known test name and looks at a
bounded number of characters, so time is linear. Measured: 0.2 ms for a visit note of 1,700 characters, 0.1 s a
megabyte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from codesuggest.pipes.language import DEFAULT, language
from codesuggest.pipes.lexicon import read_lexicon
from codesuggest.pipes.structure import Sentence, Structure

__all__ = ["Result", "ResultReader"]


class Result(NamedTuple):
    """``text[start:end]`` runs from the name of the test to the last word that belongs to it."""

    start: int
    end: int
    analyte: str  #: key in ``results.tsv``
    value: float | None  #: None for "positive", "2+", "not detected"
    unit: str | None  #: as listed in ``results.tsv``, printed or assumed; as printed when it is not listed
    low: float | None  #: limits the value was judged by, in ``unit``
    high: float | None
    flag: str | None  #: "H" (high or positive), "L", "N" (normal), None when it cannot be told
    phrase: str | None  #: what the result stands for when it is out of range
    basis: str  #: "printed range", "flag" or "listed range"


class _Row(NamedTuple):
    """One unit of one analyte, a line of ``results.tsv``."""

    analyte: str
    unit: str
    canonical: str
    least: float | None
    most: float | None
    low: float | None
    high: float | None
    when_high: str | None
    when_low: str | None
    when_positive: str | None

    def possible(self, value: float) -> bool:
        return self.least is not None and self.most is not None and self.least <= value <= self.most


_COLUMNS = (
    "analyte", "names", "unit", "least", "most", "low", "high", "when_high", "when_low", "when_positive", "source"
)  # fmt: skip
_OPTIONAL = ("names", "least", "most", "low", "high", "when_high", "when_low", "when_positive")

#: The mark of decimals in "13,7", of thousands in "14.610"; "6.1" is how some write decimals all the same.
_MARK = re.compile(r"(?<=[0-9]),(?=[0-9])|(?<=[0-9])\.(?=[0-9]{3}(?![0-9]))")
_GAP = r"[\s|]{0,24}"
_NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]{1,4})?|[0-9]{1,7}(?:\.[0-9]{1,4})?|\.[0-9]{1,4})"
_UNIT = (
    r"(?i:%|(?:x ?)?10 ?[\^*e]{0,2} ?[0-9]{1,2} ?/ ?[u\u00b5\u03bc]?l\b"
    r"|(?:cells)? ?/ ?(?:[u\u00b5\u03bc]l|mm3|cumm|mcl|hpf)\b"
    r"|(?:meq|mmol|mg|gm?|ng|pg|mcg|[u\u00b5\u03bc]g|[mu\u00b5\u03bc]?iu|[mu\u00b5\u03bc]?u|units|[kmpnu\u00b5\u03bc]mol"
    r"|[km]|thou(?:sand)?|million|ml|mm|mosm)"
    r" ?/ ?(?:dl|l|ml|[u\u00b5\u03bc]l|mcl|hr?|min|mol|mmol|kg|g|cumm|mm3|cmm)\b"
    r"(?: ?/ ?1\.73 ?(?:sq\.? ?)?m(?:2|\^2|\u00b2)?)?"
    r"|per hpf\b|mm ?hg\b|fl\b|pg\b(?! ?/)|sec(?:onds|s)?\b)"
)
_VALUE = re.compile(
    r"(?P<sign>[<>\u2264\u2265]=?|(?i:(?:greater|higher|more|less|lower) than|above|below|over|under)\b)?\s{0,3}"
    rf"(?P<mark>[*\u2191\u2193])?(?P<number>{_NUMBER})(?![0-9]|[.,/:-][0-9]|\s?[-\u2013]\s?[0-9]|\sto\s[0-9]|\+)"
)
_ARROW = re.compile(rf"\s{{0,3}}(?:->|-->|=>|\u2192)\s{{0,3}}(?P<number>{_NUMBER})(?![0-9]|[.,/:-][0-9]|\+)")
_PAIR = re.compile(rf"(?P<first>{_NUMBER})\s?/\s?(?P<second>{_NUMBER})(?![0-9]|[.,/:-][0-9])")
_POSITIVE = re.compile(
    r"(?P<no>(?i:negative|neg|non-?reactive|not detected|none detected|undetect(?:ed|able)|no growth(?: to date)?"
    r"|normal|wnl|absent|none|trace)(?![\w+-]))"
    r"|(?P<yes>(?i:positive|pos|reactive|detected|present|growing|grew|grows|large|moderate|small|many)(?![\w-])"
    r"|[1-4]\+)"
)
_FILLER = re.compile(
    r"\s{0,24}(?:[:=|]|-(?=\s)|\u2013(?=\s)|\.{2,12}"
    r"|\(?(?:on |from )?[0-9]{1,2}/[0-9]{1,2}(?:/[0-9]{2,4})?\)?:?(?=\s)"
    r"|\((?i:fasting|random|poc|serum|plasma|total|calc|calculated|direct|non-?fasting|quant)\)"
    r"|,\s{0,3}(?i:fasting|random|poc|serum|plasma|blood|total|quant)(?![\w-])"
    r"|(?i:is|was|were|are|of|at|to|up|down|levels?|count|value|results?|today|now|currently|still|back|came|returned"
    r"|remains|remained|noted|found|be|been|has|reviewed|measured|recently|trending|improved|worsened|increased"
    r"|decreased|approximately|about|around|only|just|mildly|slightly|markedly|severely|very|screen|test|x ?2|both"
    r"|borderline)(?![\w-]))"
)
_FLAG = (
    r"(?P<flag>HH|LL|H|L|(?i:critical(?:ly)? high|critical(?:ly)? low|high|low|elevated|abnormal|abn|normal|wnl"
    r"|within normal limits)|\*{1,2}|\u2191{1,2}|\u2193{1,2})"
)
#: A flag before the value: "Hgb L 7.9", "K (H) 6.1".
_EARLY_FLAG = re.compile(rf"\s{{0,24}}[(\[]?{_FLAG}[)\]]?(?=[\s|:*0-9<>])")
#: A flag after it. "L" and "low" must not begin a new thought ("WBC 9.2 L knee pain", "low carb diet").
_LATE_FLAG = re.compile(
    rf"(?:[\s|]{{0,24}}[(\[]\s?{_FLAG}\s?[)\]]"
    rf"|(?:[\s|]{{0,24}}|,\s?(?:which (?:is|was) )?){_FLAG.replace('flag', 'bare')}(?!\w)"
    r"(?=\s{0,24}(?:$|[,;.|)\](\[0-9<>*%]|[A-Za-z][\w+-]{0,16}[ :=]{1,3}[<>]?[0-9]|mg|mmol|g/|m?[EI]"
    r"|(?:and|on|at|but)\b)))"
)
_LATE_UNIT = re.compile(rf"{_GAP}(?P<unit>{_UNIT})(?!\w)")
_LABEL = r"(?:(?i:ref(?:erence)?\.?(?: range| interval)?|normal(?: range)?|nl|range|rr)\s?:?\s?)"
_BOUNDS = (
    rf"(?:(?P<low>{_NUMBER})\s?(?:-|\u2013|\u2014|to)\s?(?P<high>{_NUMBER})"
    rf"|(?P<sign>[<>\u2264\u2265]=?)\s?(?P<one>{_NUMBER}))"
    rf"(?![0-9]|-[0-9]|/[0-9])(?:\s?(?P<unit>{_UNIT})(?!\w))?"
)
_RANGE = re.compile(rf"{_GAP}[(\[]\s?{_LABEL}?{_BOUNDS}\s?[)\]]")
_BARE_RANGE = re.compile(rf"(?:[\s|]{{0,24}},?\s?{_LABEL}|[\s|]{{1,24}}){_BOUNDS}")
#: Cells of earlier results between the newest, which stands first, and the range: "K | 6.1 | 4.2 | 3.5-5.1".
_EARLIER = re.compile(
    rf"(?:(?:\s{{0,8}}[|\t]\s{{0,8}}|\s{{2,24}}){_NUMBER}(?:\s?(?:HH?|LL?|\*))?"
    r"(?=\s{2}|\s{0,8}[|\t]|\s{0,8}[(\[])(?!\s{0,8}[-\u2013]\s?[0-9])){1,4}"
)
_DOSE = re.compile(
    r"\s?-?\s?(?i:mg|mcg|gm?|grams?|meq|mmol|units?|iu|u|tabs?|tablets?|caps?|capsules?|pills?|ml|cc|liters?|drops|puffs"
    r"|times|x|days?|weeks?|wks?|months?|years?|yrs?|yo|y/o|hours?|hrs?|(?-i:h)|minutes?|am|pm|a\.m|p\.m|daily|bid|tid|qid|qd|qhs"
    r"|po|iv|im|prn|weekly|per|more|goal|target|cm|mm|lbs?|kg|st|nd|rd|th|of|out|packs?|drinks?|sessions?|or|q[0-9]{1,2}h?"
    r"|b\.i\.d|t\.i\.d|q\.d|p\.o|s)(?![\w])"
)
_NO_RESULT_BEFORE = re.compile(
    r"(?i:\b(?:goal|target|keep|maintain|transfuse|until|unless|if|hold|threshold|call|aim|when|versus|treat)\b[^.;\n]{0,40}$"
    r"|\bfor\s{1,3}$)"
)
_THRESHOLD_AFTER = re.compile(r"\s{0,3}(?i:goal|target|threshold)")
_SOMEBODY = re.compile(
    r"\s{1,3}(?i:contacts?|exposures?|patients?|famil|persons?|wife|husband|son|daughter|mother|father|co-?worker"
    r"|in the past)"
)
_RAISED_BEFORE = re.compile(
    r"(?:(?P<high>\b(?i:elevated|high|increased|raised)|\u2191)|\b(?i:low|decreased|reduced)|\u2193)\s{0,3}$"
)
_VITAMIN = re.compile(r"(?i:vit(?:amin)?s?\.?)\s{1,3}$")
_URINALYSIS = re.compile(r"\b(?:UA|U/A|(?i:urinalysis|urine|dipstick))\b")
_OTHER_FLUID = re.compile(
    r"\b(?:CSF|(?i:cerebrospinal|dialysate|(?:pleural|ascitic|peritoneal|synovial|joint|amniotic|spinal) fluid))\b"
)
#: One of these is in each match, in small letters; none has an i or s, which others stand for where case does not count.
_FLUIDS = ("flu", "cerebro", "csf", "aly")
_WORD = re.compile(r"[A-Za-z0-9%]+")
_BLANK = re.compile(r"\s{0,24}")
_FIGURE = re.compile(r"[0-9]")
_JUDGEMENTS = ("pos", "neg", "reactive", "detected", "grew", "grow", "present", "large", "moderate", "small", "many")
_VALUE_TOLD = re.compile("[0-9]|" + "|".join(_JUDGEMENTS))

_HIGH_FLAGS = frozenset(("h", "hh", "high", "elevated", "critical high", "critically high", "\u2191", "\u2191\u2191"))
_LOW_FLAGS = frozenset(("l", "ll", "low", "critical low", "critically low", "\u2193", "\u2193\u2193"))
_NORMAL_FLAGS = frozenset(("normal", "wnl", "within normal limits"))
_NO_RESULTS = frozenset(("family_history", "family_social_history", "administrative", "staff"))
#: Here a number beside an electrolyte or a vitamin is a dose, unless a unit, flag or range says otherwise.
_DRUGS = frozenset(("medications", "discharge_medications", "allergies"))

_SAME_UNIT = {
    "meq/l": "mmol/l", "g%": "g/dl", "gm/dl": "g/dl", "iu/l": "u/l", "units/l": "u/l", "iu/ml": "u/ml",
    "uu/ml": "uiu/ml", "miu/l": "uiu/ml", "mu/l": "uiu/ml", "pg/ml": "ng/l", "ug/l": "ng/ml", "ug/ml": "mg/l",
    "seconds": "sec", "secs": "sec", "mm/h": "mm/hr", "perhpf": "/hpf", "thou/ul": "k/ul", "thousand/ul": "k/ul",
    "thou/mm3": "k/ul", "k/mm3": "k/ul",
    "k/cumm": "k/ul", "k/cmm": "k/ul", "million/ul": "m/ul", "m/mm3": "m/ul", "cells/ul": "/ul", "cells/mm3": "/ul",
    "/mm3": "/ul", "/cumm": "/ul", "ml/min/1.73m": "ml/min/1.73m2", "nmol/ml": "umol/l",
}  # fmt: skip
_POWER = re.compile(r"x?10[\^*e]{0,2}([0-9]{1,2})/(u?l)")


def _canonical(unit: str) -> str:
    """One spelling for each unit: ``10^9/L``, ``x10E3/uL`` and ``thou/mm3`` are all ``k/ul``."""
    folded = unit.casefold().replace("\u00b5", "u").replace("\u03bc", "u").replace(" ", "")
    for spelling, plain in (("mcl", "ul"), ("mcg", "ug"), ("m^2", "m2"), ("m\u00b2", "m2"), ("sqm", "m2")):
        folded = folded.replace(spelling, plain)
    power = _POWER.fullmatch(folded)
    if power is not None:
        folded = {("3", "ul"): "k/ul", ("9", "l"): "k/ul", ("6", "ul"): "m/ul", ("12", "l"): "m/ul"}.get(
            (power[1], power[2]), folded
        )
    return _SAME_UNIT.get(folded, folded)


def _float(number: str) -> float:
    return float(number.replace(",", ""))


class _Tail(NamedTuple):
    """What was read after the name of a test."""

    end: int
    value: float | None
    sign: str  # "<", ">" or ""
    positive: bool | None  # of a qualitative result
    unit: str | None
    flag: str | None  # "H", "L", "N", "*"
    bounds: tuple[float | None, float | None] | None


class ResultReader:
    """Finds laboratory results. Holds only the table: no state from one text to the next."""

    def __init__(self, folder: Path | None = None, decimal: str = ".") -> None:
        """Load ``results.tsv`` of ``folder``, English unless given. decimal: "," where that marks decimals and "." groups
        thousands. Raises LexiconError.
        """
        folder = folder or language(DEFAULT).folder
        self._decimal = decimal
        self._rows: dict[str, list[_Row]] = {}
        names: dict[str, list[str]] = {}  # name as written -> analytes, in file order
        for row in read_lexicon(folder / "results.tsv", _COLUMNS, optional=_OPTIONAL, unique=("analyte", "unit")):
            low, high, least, most = (row.number(column) for column in ("low", "high", "least", "most"))
            if low is not None and high is not None and low >= high:
                raise row.error(f"low {low} is not below high {high}")
            if (least is None) != (most is None) or (least is not None and most is not None and least >= most):
                raise row.error("least and most go together, least below most")
            analyte, phrases = row["analyte"], [row[column] or None for column in _COLUMNS[7:10]]
            if analyte not in self._rows and not row["names"]:
                raise row.error(f"the first row of {analyte!r} must give its names")
            for name in row.items("names"):
                names.setdefault(name, []).append(analyte)
            self._rows.setdefault(analyte, []).append(
                _Row(analyte, row["unit"], _canonical(row["unit"]), least, most, low, high, *phrases)
            )
        for analyte in self._rows:
            for part in analyte.split("/") if "/" in analyte else ():
                if part not in self._rows:
                    raise ValueError(f"results.tsv: {analyte!r} pairs {part!r}, which has no row")
        self._names: dict[str, tuple[str, ...]] = {}  # folded name -> analytes; with capitals: the name as written
        self._urine: dict[str, tuple[str, ...]] = {}
        self._patterns = self._compile(names)

    def _compile(self, names: dict[str, list[str]]) -> dict[str, re.Pattern[str]]:
        """First word of a name -> regex of all names that begin with it, the longest first."""
        grouped: dict[str, dict[str, str]] = {}
        for name, analytes in names.items():
            urine = name.startswith("ua:")
            bare = name.removeprefix("ua:")
            key = _fold(bare)
            (self._urine if urine else self._names)[key] = tuple(analytes)
            first = _WORD.search(bare)
            if first is None or first.start() != 0:
                raise ValueError(f"results.tsv: the name {name!r} must begin with a letter or figure")
            words = [re.escape(word) for word in re.split(r"[\s-]+", bare)]
            pattern = r"[\s-]{0,3}".join(words) if "-" in bare else r"\s{1,3}".join(words)
            if not any(c.isupper() for c in bare):
                pattern = f"(?i:{pattern})"
            grouped.setdefault(first[0].lower(), {})[pattern] = bare
        compiled: dict[str, re.Pattern[str]] = {}
        for word, patterns in grouped.items():
            ordered = sorted(patterns, key=lambda p: (-len(patterns[p]), p))
            compiled[word] = re.compile(rf"(?:{'|'.join(ordered)})(?![\w]|-\w|\+\w|'\w)")
        return compiled

    def names_a_test(self, piece: str) -> bool:
        """Whether a name of a test may begin in this stretch of text between white space."""
        return not self._patterns.keys().isdisjoint(map(str.lower, _WORD.findall(piece)))

    def tells_a_value(self, piece: str) -> bool:
        """Whether a figure or a word such as "positive" stands in it."""
        return _VALUE_TOLD.search(piece.lower()) is not None

    def read(self, text: str, structure: Structure, sentences: Iterable[Sentence] | None = None) -> tuple[Result, ...]:
        """The results in ``text``, by their start. ``structure`` is that of the same text.

        sentences: those of the structure that hold a test and a value, and perhaps others, by who knows them already.
        """
        if self._decimal == ",":
            text = _MARK.sub(lambda m: "," if m[0] == "." else ".", text)  # as long as before
        results: list[Result] = []
        section, sections = 0, structure.sections
        for sentence in structure.sentences if sentences is None else sentences:
            if _FIGURE.search(text, sentence.start, sentence.end) is None:
                folded = text[sentence.start : sentence.end].lower()
                if not any(word in folded for word in _JUDGEMENTS):
                    continue
            while section + 1 < len(sections) and sections[section + 1].head_start <= sentence.start:
                section += 1
            if sections[section].name not in _NO_RESULTS:
                results.extend(self._sentence(text, sentence.start, sentence.end, sections[section].name in _DRUGS))
        return tuple(results)

    def _sentence(self, text: str, start: int, end: int, drugs: bool) -> Iterator[Result]:
        urinalysis, low = _URINALYSIS.search(text, start, end), text[start:end].lower()
        urine_from = urinalysis.end() if urinalysis else end
        if any(word in low for word in _FLUIDS) and (fluid := _OTHER_FLUID.search(text, start, end)) is not None:
            end = fluid.start()  # the limits are those of blood
        done = start
        for word in _WORD.finditer(text, start, end):
            at = word.start()
            pattern = self._patterns.get(word[0].lower())
            if at < done or pattern is None:
                continue
            before = text[at - 1] if at > start else " "
            if before.isalnum() or before in "_/'" or (before == "-" and at - 1 > start):
                continue
            name = pattern.match(text, at, end)
            if name is None:
                continue
            key = _fold(name[0])
            analytes = self._names.get(key) or self._names.get(key.casefold(), ())
            in_urine = at >= urine_from
            if in_urine:
                analytes = self._urine.get(key) or self._urine.get(key.casefold()) or analytes
            if not analytes and key.casefold() not in self._urine:
                continue
            if "potassium" in analytes and _VITAMIN.search(text, max(start, at - 10), at):
                continue
            results = list(self._after(text, at, name.end(), start, end, analytes, drugs))
            if results and not _NO_RESULT_BEFORE.search(text, max(start, at - 48), at):
                yield from results
                done = max(done, *(result.end for result in results))

    def _after(
        self, text: str, at: int, name_end: int, start: int, end: int, analytes: tuple[str, ...], drugs: bool
    ) -> Iterator[Result]:
        """The result whose name is ``text[at:name_end]``; two for a pair, none when no value follows."""
        flag = None
        raised = _RAISED_BEFORE.search(text, max(start, at - 14), at)
        if raised is not None:
            flag = "H" if raised["high"] else "L"
        at_value, early = _skip(text, name_end, end)
        flag = early or flag
        if analytes and "/" in analytes[0]:
            pair = _PAIR.match(text, at_value, end)
            if pair is not None:
                for analyte, number in zip(analytes[0].split("/"), (pair["first"], pair["second"]), strict=True):
                    found = self._judge(at, _Tail(pair.end(), _float(number), "", None, None, None, None), (analyte,))
                    if found is not None:
                        yield found
            return
        tail = _read_tail(text, at_value, end, flag, at_value > name_end)
        if tail is None:
            return
        if drugs and tail.unit is None and tail.flag is None and tail.bounds is None and tail.positive is None:
            return
        found = self._judge(at, tail, analytes)
        if found is not None:
            yield found

    def _judge(self, at: int, tail: _Tail, analytes: tuple[str, ...]) -> Result | None:
        """Chooses the row and compares; None when the value cannot be one of these tests."""
        rows = [row for analyte in analytes for row in self._rows[analyte]]
        if tail.positive is not None:
            row = next((row for row in rows if row.when_positive), None)
            if row is None:
                return None
            return Result(
                at, tail.end, row.analyte, None, None, None, None, "H" if tail.positive else "N",
                row.when_positive if tail.positive else None, "flag",
            )  # fmt: skip
        value = tail.value
        if value is None:
            return None
        if tail.unit is not None:
            canonical = _canonical(tail.unit)
            row = next((row for row in rows if row.canonical == canonical), None)
            if row is not None and tail.bounds is None and not row.possible(value):
                return None  # "leukocytes 14.610/mm3": a stop for the thousands, or a slip
        else:
            row = next((row for row in rows if row.possible(value)), None)
        unit = row.unit if row is not None else tail.unit
        if row is None:
            # A unit or a value we do not list counts only when the laboratory's own range or flag stands beside it.
            row = next((row for row in rows if row.least is not None), None)
            if row is None or (tail.bounds is None and (tail.unit is None or tail.flag is None)):
                return None
        low, high = tail.bounds or ((row.low, row.high) if unit == row.unit else (None, None))
        judged = _compare(value, tail.sign, low, high)
        if tail.bounds is not None:
            basis = "printed range"
        elif tail.flag in ("H", "L", "N"):
            judged, basis = tail.flag, "flag"
        elif tail.flag == "*":
            judged, basis = (judged if judged != "N" else None), "flag"
        else:
            basis = "listed range"
        phrase = row.when_high if judged == "H" else row.when_low if judged == "L" else None
        unit = None if unit in ("ratio", "none", "-") else unit
        return Result(at, tail.end, row.analyte, value, unit, low, high, judged, phrase, basis)


def _fold(name: str) -> str:
    """The key of a name: in small letters if it is written so, else as it stands; space and hyphen are one."""
    return " ".join(name.replace("-", " ").split())


def _compare(value: float, sign: str, low: float | None, high: float | None) -> str | None:
    """H, L or N; None when ``<`` or ``>`` leaves it open or there are no limits."""
    if low is None and high is None:
        return None
    if sign == "<":
        if low is not None and value <= low:
            return "L"
        return "N" if low is None and high is not None and value <= high else None
    if sign == ">":
        if high is not None and value >= high:
            return "H"
        return "N" if high is None and low is not None and value >= low else None
    if high is not None and value > high:
        return "H"
    return "L" if low is not None and value < low else "N"


def _flag(written: str) -> str:
    folded = written.lower()
    if folded in _HIGH_FLAGS:
        return "H"
    if folded in _LOW_FLAGS:
        return "L"
    return "N" if folded in _NORMAL_FLAGS else "*"


def _skip(text: str, position: int, end: int) -> tuple[int, str | None]:
    """(where the value may begin, a flag met on the way): at most seven words such as "level was" or "(H)"."""
    flag = None
    for _ in range(7):
        filler = _FILLER.match(text, position, end)
        if filler is None:
            early = _EARLY_FLAG.match(text, position, end)
            if early is None or flag is not None:
                break
            flag, position = _flag(early["flag"]), early.end()
        else:
            position = filler.end()
    blank = _BLANK.match(text, position, end)
    return (blank.end() if blank else position), flag


def _read_tail(text: str, position: int, end: int, flag: str | None, apart: bool) -> _Tail | None:
    """Value, unit, flag and range from ``position`` on; None when there is no value or it is a dose."""
    judged = _POSITIVE.match(text, position, end)
    if judged is not None and apart:
        if _SOMEBODY.match(text, judged.end(), end):
            return None
        return _Tail(judged.end(), None, "", judged["yes"] is not None, None, None, None)
    match = _VALUE.match(text, position, end)
    if match is None or not (apart or match["sign"] or match["mark"]):
        return None
    word = (match["sign"] or "").lower()
    sign = "" if not word else "<" if word[0] in "<\u2264lbu" else ">"
    if match["mark"]:
        flag = _flag(match["mark"])
    number, position = match["number"], match.end()
    while (arrow := _ARROW.match(text, position, end)) is not None:  # a course: the last value counts
        number, position = arrow["number"], arrow.end()
    value = _float(number)
    unit: str | None = None
    bounds: tuple[float | None, float | None] | None = None
    last = position
    for _ in range(5):
        if unit is None and (found := _LATE_UNIT.match(text, last, end)) is not None:
            unit, last = found["unit"], found.end()
        elif bounds is None and (found := _RANGE.match(text, last, end) or _BARE_RANGE.match(text, last, end)):
            bounds = _bounds(found)
            if bounds is None:
                break
            unit, last = unit or found["unit"], found.end()
        elif (late := _LATE_FLAG.match(text, last, end)) is not None:
            flag, last = _flag(late["flag"] or late["bare"]), late.end()
        else:
            break
    if bounds is None and (earlier := _EARLIER.match(text, last, end)) is not None:
        found = _RANGE.match(text, earlier.end(), end) or _BARE_RANGE.match(text, earlier.end(), end)
        if found is not None:
            bounds, unit = _bounds(found), unit or found["unit"]
            late = _LATE_UNIT.match(text, found.end(), end) if unit is None else None
            unit = late["unit"] if late is not None else unit
    if last == position and (text[position : position + 1].isalpha() or _DOSE.match(text, position, end)):
        return None
    if _THRESHOLD_AFTER.match(text, last, end):
        return None
    return _Tail(last, value, sign, None, unit, flag, bounds)


def _bounds(match: re.Match[str]) -> tuple[float | None, float | None] | None:
    if match["one"] is not None:
        one = _float(match["one"])
        return (None, one) if match["sign"][0] in "<\u2264" else (one, None)
    low, high = _float(match["low"]), _float(match["high"])
    return (low, high) if low < high else None
