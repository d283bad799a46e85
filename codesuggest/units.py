"""Doses as notes and charge lines write them, and the units they are billed in.

A drug of HCPCS Level II is billed in units of its code: 80 mg of a drug whose code says 1 mg are 80 units, 1 g of one that
says 250 mg are 4. A dose that is no multiple is rounded up to the next whole unit (CMS, Medicare Claims Processing Manual,
chapter 17); what was thrown away (modifiers JW, JZ) is not decided here.

The parser is our own: a note needs a dozen units of five dimensions, `pint` has none of "units" of activity and takes
longer to import than a note to read. Numbers are exact fractions, so that 0.1 mg of 0.1 mg is one unit and not two.

>>> units_of("Depo-Medrol 40 mg/mL x 2 mL injected", "1 mg").value
80
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from codesuggest.errors import OptionError

__all__ = ["Dose", "Units", "billing_unit", "doses", "units_of"]

#: How a unit is written -> (dimension, how much of its base unit). Base units: mg, ml, unit (of activity), meq, mci, cm2, dose,
#: vial.
_UNITS: dict[str, tuple[str, Fraction]] = {
    **dict.fromkeys(("mg", "mgs", "milligram", "milligrams"), ("mg", Fraction(1))),
    **dict.fromkeys(("g", "gm", "gms", "gram", "grams"), ("mg", Fraction(1000))),
    **dict.fromkeys(("mcg", "mcgs", "ug", "µg", "μg", "microgram", "micrograms"), ("mg", Fraction(1, 1000))),
    **dict.fromkeys(("ml", "mls", "cc", "ccs", "milliliter", "milliliters"), ("ml", Fraction(1))),
    **dict.fromkeys(("l", "liter", "liters", "litre", "litres"), ("ml", Fraction(1000))),
    **dict.fromkeys(("unit", "units", "u", "iu", "i.u.", "ius"), ("unit", Fraction(1))),
    **dict.fromkeys(("mu",), ("unit", Fraction(1_000_000))),
    **dict.fromkeys(("meq", "meqs"), ("meq", Fraction(1))),
    **dict.fromkeys(("mci", "millicurie", "millicuries"), ("mci", Fraction(1))),
    **dict.fromkeys(("uci", "µci", "microcurie", "microcuries"), ("mci", Fraction(1, 1000))),
    **dict.fromkeys(("dose", "doses"), ("dose", Fraction(1))),
    **dict.fromkeys(("vial", "vials"), ("vial", Fraction(1))),
    **dict.fromkeys(("cm2", "sq cm", "square centimeter", "square centimeters"), ("cm2", Fraction(1))),
}
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_NAME = "|".join(re.escape(name) for name in sorted(_UNITS, key=len, reverse=True))
#: "40 mg", "1.2 million units", "40 mg/mL", "400 mg/250 mL"; not a rate ("5 mg/hr"), a weight's dose, a laboratory value
_DOSE = re.compile(
    rf"(?<![\w.])(?<!\d,)(?P<number>{_NUMBER})(?P<million>\s*(?:million|mil)\b)?[\s-]*"
    rf"(?:usp |international |int\. )?(?P<unit>{_NAME})(?![\w])"
    rf"(?:\s*(?:/|\bper\b)\s*(?P<count>{_NUMBER})?\s*(?P<per>[a-zµμ]+)(?![\w]))?",
    re.IGNORECASE,
)
_PERCENT = re.compile(rf"(?<![\w.,])(?P<number>{_NUMBER})\s*%")
#: Both begin where one of these does: looked for first, in a quarter of the time that they need at every letter.
_FIGURES = re.compile(r"[\d.]+")
#: What may stand between a concentration and its volume, in either order.
_BETWEEN = re.compile(r"[\s,(]*(?:[x×*@]|of|at|,)?\s*\)?\s*\Z", re.IGNORECASE)
#: "1% lidocaine, 5 mL": the drug may stand between, a new clause may not.
_NEAR = re.compile(r"[^.;\n]{0,40}\Z")
_TIMES = re.compile(
    r"\s*[x×]\s*(?P<n>[1-9])\b(?![.,]?\d)(?!\s*(?:days?|d|weeks?|wks?|months?|hours?|hrs?|min|years?|/|%|"
    rf"{_NAME})\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Dose:
    """An amount in a text. dimension: the base unit that `amount` counts ("mg", "ml", "unit", "meq", "mci", "cm2", "dose", "vial").

    start, end: code points of the text, end exclusive; of "40 mg/mL x 2 mL" the whole.
    """

    amount: Fraction
    dimension: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Units:
    """What is billed of a dose. value: whole units. amount, unit: the dose, in the unit the code names.

    start, end: where the dose stands, code points of the text, end exclusive.
    """

    value: int
    amount: float
    unit: str
    start: int
    end: int


def doses(text: str) -> list[Dose]:
    """The doses a text states, in order.

    A concentration counts with its volume ("40 mg/mL x 2 mL", "5 mL of 1%"), a package as a whole ("1 g/10 mL"), and a
    repeated dose as often as given ("80 mg x 2"). Rates, doses by weight and laboratory values (mg/hr, mg/kg, mg/dL) are none.
    """
    out: list[Dose] = []
    strength: tuple[Fraction, str, int, int] | None = None  #: amount a ml, its dimension, where it stands
    for m, percent in _readings(text):
        if percent:
            strength = (_number(m["number"]) * 10, "mg", m.start(), m.end())
            if out and out[-1].dimension == "ml" and _BETWEEN.match(text[out[-1].end : m.start()]):
                volume = out.pop()
                out.append(Dose(strength[0] * volume.amount, "mg", volume.start, m.end()))
                strength = None
            continue
        dimension, factor = _UNITS[m["unit"].lower()]
        amount = _number(m["number"]) * factor * (1_000_000 if m["million"] else 1)
        if m["per"]:
            per = _UNITS.get(m["per"].lower())
            if m["count"] and per:  # "400 mg/250 mL": what the bag holds; "2 mg/3 mg": two drugs
                out.append(Dose(amount, dimension, m.start(), m.end()))
                if per[0] == dimension:
                    out.append(Dose(_number(m["count"]) * per[1], dimension, m.start("count"), m.end()))
            elif per and per[0] == "ml":
                strength = (amount / per[1], dimension, m.start(), m.end())
                if out and out[-1].dimension == "ml" and _BETWEEN.match(text[out[-1].end : m.start()]):
                    volume = out.pop()
                    out.append(Dose(strength[0] * volume.amount, dimension, volume.start, m.end()))
                    strength = None
            continue
        if strength and dimension == "ml" and _NEAR.match(text[strength[3] : m.start()]):
            out.append(Dose(strength[0] * amount, strength[1], strength[2], m.end()))
            strength = None
            continue
        times = _TIMES.match(text, m.end())
        end = times.end() if times else m.end()
        out.append(Dose(amount * (int(times["n"]) if times else 1), dimension, m.start(), end))
    return out


def units_of(text: str, code_unit: str, start: int = 0, end: int | None = None) -> Units | None:
    """Billed units of the first dose in text[start:end] that can be counted in the code's unit, None if there is none.

    code_unit: what one unit of the code holds, as "250 mg" or "1000 units" (`billing_unit` reads it from a title).
    Raises OptionError for a code_unit that is no amount.
    """
    unit = doses(code_unit)
    if len(unit) != 1 or unit[0].amount <= 0:
        raise OptionError(f"a code's unit is an amount such as '250 mg', not {code_unit!r}")
    name = code_unit.split()[-1]
    for dose in doses(text[start:end]):
        if dose.dimension == unit[0].dimension and dose.amount > 0:
            share = dose.amount / unit[0].amount
            own = dose.amount / _UNITS.get(name.lower(), (dose.dimension, Fraction(1)))[1]
            return Units(
                -(-share.numerator // share.denominator), float(own), name, start + dose.start, start + dose.end
            )
    return None


#: "over 100 mg", "100 mg or less": which dose the code is for, given as one unit.
_BOUND = re.compile(
    rf"(?:over|(?:greater|more|less) than(?: or equal to)?) ?(?:{_NUMBER}) ?(?:{_NAME})(?!\w)|(?:{_NUMBER}) ?(?:{_NAME}) or less\b",
    re.IGNORECASE,
)
_WRITTEN = {"unit": "units"}
_PER_ONE = re.compile(rf"\bper (?:usp )?(?P<unit>{_NAME})(?!\w)", re.IGNORECASE)
_ANOTHER = re.compile(r"^[^(]*?(?:/|\band\b)[^(]*$", re.IGNORECASE)


def billing_unit(title: str) -> str | None:
    """What one unit of a drug's code holds, read from its title: "250 mg"; None where the title states no amount.

    It is the first amount of the title. Two drugs in one code ("50 mg and ... 25 mg") are counted together, as their doses are
    written: "4.5 g" is said of piperacillin with tazobactam.
    """
    text = _BOUND.sub(" ", title.replace("%", " "))
    found = [d for d in doses(text) if d.amount > 0]
    if not found:
        one = _PER_ONE.search(text)
        return f"1 {one['unit'].lower()}" if one else None
    first, amount = found[0], found[0].amount
    for before, dose in pairwise(found):
        between = text[before.end : dose.start]
        if dose.dimension != first.dimension or not (_ANOTHER.match(between) or before.end > dose.start):
            break
        amount += dose.amount
    number = f"{float(amount):.6f}".rstrip("0").rstrip(".")
    return f"{number} {_WRITTEN.get(first.dimension, first.dimension)}"


def _readings(text: str) -> Iterator[tuple[re.Match[str], bool]]:
    """Amounts and percentages in order, and whether it is a percentage."""
    found = []
    starts = [m.start() for m in _FIGURES.finditer(text)]
    for pattern, percent in ((_DOSE, False), (_PERCENT, True)):
        if percent and "%" not in text:
            continue
        end = 0
        for start in starts:
            if start >= end and (m := pattern.match(text, start)):
                found.append((m, percent))
                end = m.end()
    yield from sorted(found, key=lambda pair: pair[0].start())


def _number(text: str) -> Fraction:
    return Fraction(text.replace(",", ""))
