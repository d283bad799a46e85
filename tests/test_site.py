"""Codes that a site's documents write though the table does not bill them: where they stand and what they carry."""

from __future__ import annotations

import numpy as np
import pytest

from codesuggest.coded import CodedDocument, Label
from codesuggest.codes.site import with_site_codes
from codesuggest.codes.system import CodeRow, CodeSystem
from codesuggest.concepts import entries_of
from codesuggest.errors import CodeFileError
from codesuggest.training import train


@pytest.fixture(scope="module")
def table() -> CodeSystem:
    rows = [
        CodeRow("R51", "Headache", billable=False),
        CodeRow("R51.0", "Headache with orthostatic component, not elsewhere classified", billable=True),
        CodeRow("R51.9", "Headache, unspecified", billable=True),
        CodeRow("S60", "Superficial injury of wrist", billable=False),
        CodeRow("S60.0", "Contusion of wrist", billable=False),
        CodeRow("S60.0XXA", "Contusion of wrist, initial encounter", billable=True),
        CodeRow("K35.2", "Acute appendicitis with general peritonitis", billable=True, valid_to=20180930),
        CodeRow("J45.909", "Unspecified asthma, uncomplicated", billable=True),
    ]
    rows += [CodeRow(f"Q{n}", f"Anomaly {chr(97 + n // 26)}{chr(97 + n % 26)}x") for n in range(10, 99)]  # makes words rare
    return CodeSystem.from_rows(rows, name="icd10cm", release="2025-10-01")


def test_headers_gone_and_missing_codes_can_be_suggested_and_nothing_else_changes(table: CodeSystem) -> None:
    codes = ["r51", "K35.2", "S60.0XX", "Q99.999", "J45.909", "R51.0"]
    site = with_site_codes(table, codes, "ward 7")
    own = {site.code(i): release for i, release in site.site_codes.items()}
    assert own == dict.fromkeys(["K35.2", "Q99.999", "R51", "S60.0XX"], "site:ward 7")
    billed, usable = site.billable_on(), site.suggestible_on()
    assert {site.code(int(i)) for i in np.flatnonzero(usable & ~billed)} == set(own)
    for code in ("R51", "K35.2", "J45.909", "S60.0XXA"):
        assert site[code].billable == table[code].billable and site[code].title == table[code].title
    assert site["S60.0XX"].title == site["S60.0"].title
    assert site["Q99.999"].title == "" and site["Q99.999"].parent is None
    assert {e.code for e in entries_of(site) if e.billable} >= {"R51", "K352", "Q99999", "S600XX"}


def test_nothing_to_add_gives_the_same_system_and_arrays_go_round(table: CodeSystem) -> None:
    assert with_site_codes(table, ["J45.909", "R51.9", "no code at all", ""], "x") is table
    site = with_site_codes(table, ["R51"], "x")
    again = CodeSystem.from_arrays(site.arrays(), name=site.name, release=site.release)
    assert again.site_codes == site.site_codes and again.sha256 == site.sha256 != table.sha256
    broken = {**site.arrays(), "site_code": np.array([99], "<i4")}
    with pytest.raises(CodeFileError, match="site_code points outside"):
        CodeSystem.from_arrays(broken, name=site.name, release=site.release)


def test_what_documents_code_every_mention_with_is_suggested_as_they_write_it(table: CodeSystem) -> None:
    texts = ["Headache since Monday.", "Headache and asthma.", "Asthma.", "Severe headache.", "Wheezing, asthma."] * 8
    documents = [
        CodedDocument(
            f"d{n}",
            text,
            tuple(
                Label("icd10cm", code)
                for word, code in (("headache", "R51"), ("asthma", "J45.909"))
                if word in text.lower()
            ),
            policy="mentions",
        )
        for n, text in enumerate(texts)
    ]
    model = train(documents, systems=[table], name="ward", min_groups=1)
    best = model.suggest("She has a headache.").suggestions[0]
    assert (best.code, best.release) == ("R51", "site:ward")
    asthma = model.suggest("Asthma.").suggestions[0]
    assert (asthma.code, asthma.release) == ("J45.909", "2025-10-01")
