"""CPT in every documented form, on invented rows: codes that no edition has (00001 to 00009, 0000F ...), words of none."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codesuggest.codes.readers.cpt import read_cpt
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError

NOTICE = (
    "Invented notice of a copyright\r\nthat nobody holds, (c) none\r\n\r\nSecond paragraph: 00001 is no code.\r\n\r\n"
)
LONG = {
    "00001": "Repair of phoenix wing, one feather or more, including the ash, when performed by a falconer with a glove "
    "on either hand",
    "00002": "Nest inspection, brief",
    "0000F": "Plumage documented – as “glossy”",
}
MEDIUM = {
    "00001": "REPAIR PHOENIX WING 1+ FEATHER INCLUDING ASH",
    "00002": "NEST INSPECTION BRIEF",
    "0000F": "PLUMAGE DOCD",
}
SHORT = {"00001": "REPAIR PHOENIX WING", "00002": "NEST INSPECTION BRIEF", "0000F": "PLUMAGE DOCD"}


def headed(header: str, rows: list[str]) -> bytes:
    return (NOTICE + "\r\n".join([header, *rows]) + "\r\n").encode()


def longult(upper: bool = False) -> bytes:
    text = "".join(f"{code}\t{text.upper() if upper else text}\r\n" for code, text in LONG.items())
    return (NOTICE + text).encode("cp1252")


def longulf() -> bytes:
    out = NOTICE
    for code, text in LONG.items():
        parts, line = [], ""
        for word in text.split():
            if len(line) + len(word) + 1 > 72:
                parts.append(line)
                line = ""
            line = f"{line} {word}".strip()
        out += "".join(f"{code}{n:02} {part}\r\n" for n, part in enumerate([*parts, line], 1))
    return out.encode("cp1252")


def plain(words: dict[str, str]) -> bytes:
    return (NOTICE + "".join(f"{code} {text}\r\n" for code, text in words.items())).encode()


def consolidated() -> bytes:
    header = "Concept Id\tCPT Code\tLong\tMedium\tShort\tConsumer\tSpanish Consumer\tCurrent Descriptor Effective Date"
    return headed(
        f"{header}\tTest Name\tLab Name\tManufacturer Name",
        [
            f"10{i}\t{c}\t{LONG[c]}\t{MEDIUM[c]}\t{SHORT[c]}\tFixing a bird {i}\tPájaro {i}\t2026010{i + 1}\t\t\t"
            for i, c in enumerate(LONG)
        ],
    )


def clinician() -> bytes:
    rows = ["1\t00001\t11\tMend wing of phoenix", "1\t00001\t12\tPlume suture", "2\t00002\t21\tLook at nest"]
    return headed("Concept Id\tCPT Code\tClinician Descriptor Id\tClinician Descriptor", rows)


def consumer() -> bytes:
    return headed(
        "Concept Id\tCPT Code\tConsumer Descriptor", ["1\t00001\tFixing a bird", "3\t0000F\tShiny feathers noted"]
    )


def fee_schedule() -> bytes:
    rows = [
        "2031 Invented Fee Schedule,,,,,",
        '"CPT codes are nobody\'s, all rights reserved",,,,,',
        ",,,,WORK,NA",
        ",,,STATUS,,FACILITY",
        "HCPCS,MOD,DESCRIPTION,CODE,RVU,INDICATOR",
        "00001,,Repair phoenix wing,A,1.00,",
        "00001,26,Repair phoenix wing,A,0.50,",
        "00002,,Nest inspection brief,D,0,",
        "0000F,,Plumage docd,I,0,",
        "Z0001,,Injection phoenix ash,E,0,",
    ]
    return ("\r\n".join(rows) + "\r\n").encode("cp1252")


CONCEPT_HEADER = (
    "concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code\t"
    "valid_start_date\tvalid_end_date\tinvalid_reason\n"
)


def concepts(named: bool = True) -> bytes:
    rows = [
        f"{n}\t{text if named else ''}\tProcedure\tCPT4\tCPT4\tS\t{code}\t{start}\t{end}\t\n"
        for n, (code, text, start, end) in enumerate(
            [
                ("00001", LONG["00001"], "19700101", "20991231"),
                ("00002", LONG["00002"], "20100101", "20241231"),
                ("0000F", LONG["0000F"], "1970-01-01", "2099-12-31"),
            ]
        )
    ]
    rows.append("7\tWing surgery\tProcedure\tCPT4\tCPT4 Hierarchy\tC\t1099999\t19700101\t20991231\t\n")
    rows.append('8\tA "quoted name\tCondition\tSNOMED\tFinding\tS\t00009\t19700101\t20991231\t\n')
    return (CONCEPT_HEADER + "".join(rows)).encode()


def rrf(code: str, kind: str, text: str, *, source: str = "CPT", language: str = "ENG", suppress: str = "N") -> str:
    fields = [
        "C0000000",
        language,
        "P",
        "L0",
        "PF",
        "S0",
        "Y",
        "A0",
        "",
        "",
        "",
        source,
        kind,
        code,
        text,
        "0",
        suppress,
        "",
    ]
    return "|".join(fields) + "|\n"


def mrconso() -> bytes:
    rows = [rrf(code, "PT", text) for code, text in LONG.items()]
    rows += [rrf(code, "AB", text) for code, text in SHORT.items()]
    rows += [
        rrf("00001", "ETCLIN", "Mend wing of phoenix"),
        rrf("00001", "SY", "Old name of wing repair", suppress="O"),
        rrf("00001", "PT", "Reparación del ala", language="SPA"),
        rrf("00009", "PT", "A code of another list", source="HCPCS"),
        rrf("00008", "HT", "A heading"),
        rrf("Z0", "MP", "A modifier"),
    ]
    return "".join(rows).encode()


FORMS: dict[str, Callable[[], bytes]] = {
    "consolidated": consolidated, "longult": longult, "longut": lambda: longult(upper=True), "longulf": longulf,
    "medu": lambda: plain(MEDIUM), "shortu": lambda: plain(SHORT), "clinician": clinician, "consumer": consumer,
    "fee schedule": fee_schedule, "concepts": concepts, "mrconso": mrconso,
}  # fmt: skip
Put = Callable[..., Path]


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def everything() -> dict[str, bytes]:
    return {f"disk/{n}.bin": form() for n, form in enumerate(FORMS.values())} | {"disk/README": b"Read me.\n"}


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def write(data: bytes, name: str = "given") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return write


def titles(system: CodeSystem) -> dict[str, str]:
    return {system.code(i): system.title(i) for i in range(len(system))}


# ---- every form


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("consolidated", LONG),
        ("longult", LONG),
        ("longut", {c: t.upper() for c, t in LONG.items()}),
        ("longulf", LONG),
        ("medu", MEDIUM),
        ("shortu", SHORT),
        ("clinician", {"00001": "Mend wing of phoenix", "00002": "Look at nest"}),
        ("consumer", {"00001": "Fixing a bird", "0000F": "Shiny feathers noted"}),
        ("fee schedule", {"00001": "", "00002": "", "0000F": ""}),
        ("concepts", LONG),
        ("mrconso", LONG),
    ],
)
def test_a_form_by_its_content(put: Put, form: str, expected: dict[str, str]) -> None:
    system = read_cpt(put(FORMS[form](), "nothing.says.what"))
    assert titles(system) == expected
    assert system.name == "cpt"
    assert bool(system.billable.all()) == (form != "fee schedule")


def test_names_of_the_consolidated_list(put: Put) -> None:
    system = read_cpt(put(consolidated()))
    assert system.release == "2026-01-03", "the newest descriptor says which release it is"
    assert system["00001"].terms == (
        ("short", MEDIUM["00001"]),
        ("short", SHORT["00001"]),
        ("synonym", "Fixing a bird 0"),
    )
    assert system["00002"].terms == (("short", MEDIUM["00002"]), ("synonym", "Fixing a bird 1")), "each name once"
    assert system["00001"].valid_from == 0, "the day of a descriptor is not that of the code"
    assert read_cpt(put(consolidated()), release="2026").release == "2026"


def test_the_fee_schedule_gives_status_and_names_only_to_licensees(put: Put) -> None:
    plain_, named = read_cpt(put(fee_schedule())), read_cpt(put(fee_schedule()), descriptions=True)
    assert titles(named)["00001"] == "Repair phoenix wing" and "Z0001" not in named
    for system in (plain_, named):
        assert [c.code for c in system] == ["00001", "0000F"], "00002 is deleted there"
        assert system["0000F"].notes()[0].text == "Medicare physician fee schedule: status I"


def test_concepts_without_names_and_with_days(put: Put) -> None:
    system = read_cpt(put(concepts(named=False)))
    assert titles(system) == dict.fromkeys(LONG, "")
    assert (system["00002"].valid_from, system["00002"].valid_to) == (20100101, 20241231)
    assert (system["0000F"].valid_from, system["0000F"].valid_to) == (0, 0)


def test_umls_takes_current_english_rows_of_cpt(put: Put) -> None:
    system = read_cpt(put(mrconso()))
    assert system["00001"].terms == (("synonym", "Mend wing of phoenix"), ("short", SHORT["00001"]))
    assert "00009" not in system and "00008" not in system


# ---- several together


def test_a_folder_and_a_zip_are_merged(put: Put, tmp_path: Path) -> None:
    for name, data in everything().items():
        put(data, f"folder/{name}")
    folder = read_cpt(tmp_path / "folder", release="x")
    packed = read_cpt(put(zipped(everything()), "all"), release="x")
    assert folder.sha256 == packed.sha256
    assert titles(folder) == LONG, "mixed case goes before capitals"
    words = [text for _, text in folder["00001"].terms]
    assert {"Fixing a bird", "Plume suture", SHORT["00001"], MEDIUM["00001"]} <= set(words)
    assert len({w.casefold() for w in [*words, LONG["00001"]]}) == len(words) + 1
    assert folder["00002"].valid_to == 20241231 and not folder["00002"].billable


def test_the_order_of_files_does_not_matter(put: Put) -> None:
    names = list(FORMS)
    one = zipped({f"{i:02}": FORMS[n]() for i, n in enumerate(names)})
    two = zipped({f"{i:02}": FORMS[n]() for i, n in enumerate(reversed(names))})
    assert read_cpt(put(one, "a"), release="x").sha256 == read_cpt(put(two, "b"), release="x").sha256


def test_laboratory_columns(put: Put) -> None:
    data = cells(consolidated(), "20260102\t\t\t", "20260102")
    row = "103\t0000U\tFeather assay\tFEATHER ASSAY\tFEATHER ASSAY\tTest of feathers\t\t20260101"
    data += f"{row}\tPlumeTest\tNest Lab\tNest\r\n{row}\tPlumaTest\tWing Lab\tWing\r\n".encode()
    system = read_cpt(put(data))
    assert system["00002"].title == LONG["00002"]
    assert {"PlumeTest", "PlumaTest"} <= {t for _, t in system["0000U"].terms}
    assert not {"Nest Lab", "Wing"} & {t for _, t in system["0000U"].terms}


def test_what_lies_beside_the_lists_is_passed_over(put: Put) -> None:
    """The fee schedule as text and the OPPS cap in its zip, tables of Athena, an end-of-file mark of DOS."""
    fixed = "".join(f"0000{n}  {'Invented description':<60}A{'0.00':>60}\r\n" for n in range(1, 6))
    cap = "HCPCS,MOD,PROCSTAT,CARRIER\r\n00001,,A,00000\r\n"
    synonyms = "concept_id\tconcept_synonym_name\n" + "".join(f"3281{n}\tname\n" for n in range(5))
    parts = {"a.csv": fee_schedule(), "b.txt": fixed, "c.csv": cap, "d.csv": synonyms, "e.txt": longult() + b"\x1a"}
    system = read_cpt(put(zipped({k: v.encode() if isinstance(v, str) else v for k, v in parts.items()})))
    assert titles(system) == LONG


def test_a_damaged_list_in_a_bundle_is_not_passed_over(put: Put, tmp_path: Path) -> None:
    put(longult(), "set/a.txt")
    put(longult().replace(b"\t", b"  "), "set/b.txt")
    with pytest.raises(CodeFileError, match=r"b\.txt.*in no known form"):
        read_cpt(tmp_path / "set")


# ---- files that lie


def cells(data: bytes, old: str, new: str, count: int = 1) -> bytes:
    assert old.encode() in data, old
    return data.replace(old.encode(), new.encode(), count)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda: b"", "no CPT list"),
        (lambda: NOTICE.encode(), "no CPT list"),
        (lambda: b"Z0001\tPhoenix ash\r\n", "no CPT list"),
        (lambda: longult()[:-1], "no line end"),
        (lambda: longult()[:-20], "no line end"),
        (lambda: cells(longult(), "00002\t", "00002 "), "is not a code, a tab"),
        (lambda: cells(longult(), "00002\t", "0002\t"), "is not a code, a tab"),
        (lambda: cells(longult(), "00002\t", "00001\t"), "00001 was given on line"),
        (lambda: cells(longult(), "00002\t", "\r\n00002\t"), "stands before an empty line"),
        (lambda: longult() + b"00003\tCut \x81 byte\r\n", "neither UTF-8 nor Windows"),
        (lambda: longult().decode("cp1252").encode("utf-16"), "no CPT list"),
        (lambda: cells(longulf(), "0000102 ", "0000103 "), "a row of 00001 is missing"),
        (lambda: cells(longulf(), "0000201 ", "0000205 "), "begins with sequence 5"),
        (lambda: cells(longulf(), "0000201 ", "00002O1 "), "is not a code, a sequence"),
        (lambda: longulf() + b"0000103 more of the first\r\n", "00001 was given on line"),
        (lambda: plain({**MEDIUM, "00003": "x" * 49}), "at most 48"),
        (lambda: cells(consolidated(), "101\t00002", "00002\t101"), "'101' is no CPT code"),
        (lambda: cells(consolidated(), "20260102", "20261302"), "is no day"),
        (lambda: cells(consolidated(), "20260102", "20260102\t"), "12 columns, the header has 11"),
        (lambda: cells(consolidated(), "\t20260102\t\t\t", ""), "7 columns, the header has 11"),
        (lambda: cells(consolidated(), "101\t00002", "101\t00001"), "was given on line 7 with another"),
        (lambda: cells(consolidated(), LONG["00002"], ""), "00002 has no descriptor"),
        (lambda: cells(consolidated(), "CPT Code", "CPT"), "no CPT list"),
        (lambda: headed("Concept Id\tCPT Code\tConsumer Descriptor", []), "holds no CPT code"),
        (lambda: cells(clinician(), "11\tMend wing of phoenix", "11\t"), "00001 has no descriptor"),
        (lambda: cells(fee_schedule(), "HCPCS,MOD,DESCRIPTION", "HCPCS,MOD,NAME"), "no CPT list"),
        (lambda: cells(fee_schedule(), ",,,STATUS,", ",,,,"), "no column STATUS CODE"),
        (lambda: cells(fee_schedule(), "00002,,Nest inspection brief,D", "00002,,Nest inspection brief"), "5 columns"),
        (lambda: cells(fee_schedule(), "Nest inspection brief,D", "D,Nest inspection brief"), "is no status"),
        (lambda: cells(fee_schedule(), "00002,,", ",00002,"), "'' is no code"),
        (lambda: concepts().replace(b"concept_code", b"x").replace(b"concept_id", b"concept_code"), "holds no CPT code"),
        (lambda: cells(concepts(), "valid_start_date", "start"), "does not name valid_start_date"),
        (lambda: cells(concepts(), "20241231", "20241331"), "no day"),
        (lambda: cells(concepts(), "\tCPT4\tCPT4\tS", "\tCPT4\tS"), "9 columns"),
        (lambda: concepts() + b"\xff\n", "is not UTF-8"),
        (lambda: concepts()[:-9], "no line end"),
        (lambda: mrconso()[:-4], "no line end"),
        (lambda: mrconso() + b"C0000000|ENG|P|\n", "not 18 fields"),
        (lambda: mrconso().replace(b"|CPT|", b"|MSH|"), "holds no CPT code"),
        (lambda: zipped({"../a.txt": longult()}), "leaves the archive"),
        (lambda: zipped({"a.txt": longult()})[:-9], "no readable zip"),
        (lambda: zipped({"a.txt": b"nothing"}), "no CPT list"),
    ],
)  # fmt: skip
def test_bad_files(put: Put, data: Callable[[], bytes], says: str) -> None:
    path = put(data(), "bad")
    with pytest.raises(CodeFileError, match=says) as caught:
        read_cpt(path)
    assert "bad" in str(caught.value)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(CodeFileError, match="cannot be read"):
        read_cpt(tmp_path / "nowhere")
    with pytest.raises(CodeFileError, match="empty folder"):
        read_cpt(tmp_path)


def outcome(path: Path) -> CodeSystem | None:
    try:
        return read_cpt(path)
    except CodeFileError:
        return None


@pytest.mark.parametrize("form", FORMS)
def test_cut_anywhere_is_noticed_or_ends_between_rows(put: Put, form: str) -> None:
    data = FORMS[form]()
    whole = titles(read_cpt(put(data, "whole")))
    edges = [at for at in range(1, len(data)) if set(data[at - 1 : at + 1]) & set(b'\t\n\r",|')]
    for at in sorted({*range(0, len(data), 5), *edges}):
        if (system := outcome(put(data[:at], "cut"))) is not None:
            assert data[:at].endswith(b"\n"), "only a cut at the end of a row can go unseen"
            # of the title that runs over several rows, what was there
            assert all(whole[c].startswith(t) for c, t in titles(system).items())


RAW = [form() for form in FORMS.values()] + [zipped(everything())]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_ends_in_a_named_error_or_a_system(put: Put, data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(RAW)))
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=8)):
        raw[at] = data.draw(st.sampled_from([0, 9, 10, 13, 32, 34, 44, 48, 65, 124, 129, 255]))
    outcome(put(bytes(raw), "damaged"))
