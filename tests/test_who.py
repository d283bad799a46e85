"""WHO ICD-10 in ClaML: rows invented in the published layout, for WHO's own file may not be passed on."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.codes.readers import who
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import CodeFileError

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE ClaML SYSTEM "ClaML.dtd">
<ClaML version="2.0.0">
<Meta name="TopLevelSort" value="I"/>
<Identifier authority="Nobody" uid="marsh_2099"/>
<Title date="2099-01-01" name="Marsh" version="Jan 2099">Classification of marsh ills</Title>
<ClassKinds><ClassKind name="chapter"/><ClassKind name="block"/><ClassKind name="category"/></ClassKinds>
<UsageKinds><UsageKind mark="*" name="aster"/><UsageKind mark="+" name="dagger"/></UsageKinds>
<RubricKinds><RubricKind name="preferred"/><RubricKind name="preferredLong"/><RubricKind name="inclusion"/>
<RubricKind name="exclusion"/><RubricKind name="coding-hint"/><RubricKind name="text"/></RubricKinds>
"""


def label(kind: str, text: str, lang: str = "en") -> str:
    return f'<Rubric id="x" kind="{kind}"><Label xml:lang="{lang}" xml:space="default">{text}</Label></Rubric>'


def ref(text: str, **more: str) -> str:
    given = "".join(f' {k}="{v}"' for k, v in more.items())
    return f'<Reference class="in brackets"{given}>{text}</Reference>'


def cls(code: str, kind: str, above: str = "", below: str = "", inner: str = "", usage: str = "") -> str:
    mark = f' usage="{usage}"' if usage else ""
    up = f'<SuperClass code="{above}"/>' if above else ""
    down = "".join(f'<SubClass code="{c}"/>' for c in below.split())
    return f'<Class code="{code}" kind="{kind}"{mark}>{up}{down}{inner}</Class>\n'


def modifier(code: str, *classes: tuple[str, str], more: str = "") -> str:
    subs = "".join(f'<SubClass code="{c}"/>' for c, _ in classes)
    out = f'<Modifier code="{code}">{subs}{label("text", "for use below")}</Modifier>\n'
    return out + "".join(
        f'<ModifierClass code="{c}" modifier="{code}"><SuperClass code="{code}"/>{label("preferred", text)}{more}'
        "</ModifierClass>\n"
        for c, text in classes
    )


BODY = (
    modifier("S01A10_4", (".0", "with coma"), (".9", "without complication"))
    + modifier("S01A20_5", ("0", "closed"), ("1", "open"))
    + cls("I", "chapter", below="A10-A20 B50", inner=label("preferred", "Ills of the marsh"))
    + cls(
        "A10-A20", "block", "I", "A10 A20",
        label("preferred", "Agues")
        + label("inclusion", "fens of all kinds")
        + label("exclusion", f"ague of birds{ref('B50.-')}"),
    )
    + cls(
        "A10", "category", "A10-A20",
        inner='<ModifiedBy code="S01A10_4"/>'
        + label("preferred", "Sweet ague")
        + label("inclusion", "<Fragment type='item'>ague</Fragment><Fragment type='item'>of sugar</Fragment>"),
    )
    + cls(
        "A20", "category", "A10-A20", "A20.0 A20.1",
        '<ModifiedBy code="S01A20_5"/>' + label("preferred", "Bone ague") + label("text", "bones of the leg"),
    )
    + cls("A20.0", "category", "A20", "", label("preferred", f"Shin ague {ref('B50*', usage='aster')}"), "dagger")
    + cls("A20.1", "category", "A20", "", '<ExcludeModifier code="S01A20_5"/>' + label("preferred", "Toe ague"))
    + cls("B50", "block", "I", "B50", label("preferred", "Ague of birds"))
    + cls(
        "B50", "category", "B50", "",
        label("preferred", "Bird ague")
        + label("preferredLong", "Ague of birds in diseases classified elsewhere")
        + label("coding-hint", f"Use additional code {ref('A10-A19')} for the fever."),
        "aster",
    )
)  # fmt: skip
CLAML = f"{HEAD}{BODY}</ClaML>\n"


def read(tmp_path: Path, text: str | bytes, name: str = "marsh.xml") -> CodeSystem:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return who.read_claml(path)


@pytest.fixture
def marsh(tmp_path: Path) -> CodeSystem:
    return read(tmp_path, CLAML)


def test_categories_and_their_modifiers(marsh: CodeSystem) -> None:
    found = [(c.code, c.title, c.billable) for i in range(len(marsh)) for c in [marsh.view(i)]]
    assert found == [
        ("A10", "Sweet ague", False),
        ("A10.0", "Sweet ague, with coma", True),
        ("A10.9", "Sweet ague, without complication", True),
        ("A20", "Bone ague", False),
        ("A20.0", "Shin ague", True),
        ("A20.00", "Shin ague, closed", True),
        ("A20.01", "Shin ague, open", True),
        ("A20.1", "Toe ague", True),
        ("B50", "Ague of birds in diseases classified elsewhere", True),
    ]
    assert (marsh.name, marsh.release) == ("icd10who", "Jan 2099")
    assert marsh["a100"].parent == marsh["A10"]


def test_groups(marsh: CodeSystem) -> None:
    assert marsh["A20.01"].block == ("A10-A20", "Agues") and marsh["A20.01"].chapter == ("I", "Ills of the marsh")
    assert marsh["B50"].block == ("B50", "Ague of birds")


def test_words_and_notes(marsh: CodeSystem) -> None:
    assert marsh["A10"].terms == (("inclusion", "ague of sugar"),)
    assert marsh["B50"].terms == (("short", "Bird ague"),)
    (excluded,) = marsh["A20.1"].excludes2
    assert (excluded.at, excluded.text) == ("A10-A20", "ague of birds (B50.-)")
    assert excluded.covers("B50.1") and not excluded.covers("B51") and marsh["A20.1"].excludes1 == ()
    assert [n.text for n in marsh["A10"].notes("includes")] == ["fens of all kinds"]
    (hint,) = marsh["B50"].notes("use_additional")
    assert hint.text == "Use additional code (A10-A19) for the fever." and hint.covers("A15.3")
    assert [n.text for n in marsh["A20.1"].notes("note")] == ["bones of the leg"]


def test_dagger_and_asterisk(marsh: CodeSystem) -> None:
    assert [n.text for n in marsh["B50"].notes("code_first")] == [who._ASTERISK]
    for code in ("A20.0", "A20.01"):
        assert who._DAGGER in [n.text for n in marsh[code].notes("note")]
    (pair,) = marsh["A20.0"].notes("code_also")
    assert pair.covers("B50") and marsh["A20.1"].notes("code_first") == ()


def test_another_language_is_passed_over(tmp_path: Path) -> None:
    two = label("preferred", "Toe ague")
    french = two.replace("</Rubric>", '<Label xml:lang="fr">Fi\u00e8vre</Label></Rubric>')
    assert read(tmp_path, CLAML.replace(two, french))["A20.1"].title == "Toe ague"


def test_valid_classes_and_preceding_modifiers(tmp_path: Path) -> None:
    some = BODY.replace(
        '<ModifiedBy code="S01A10_4"/>',
        '<ModifiedBy all="false" code="S01A10_4"><ValidModifierClass code=".9"/></ModifiedBy>'
        '<ModifiedBy code="S01A20_5"/>',
    )
    system = read(tmp_path, f"{HEAD}{some}</ClaML>")
    assert [c.code for c in system["A10"].children] == ["A10.9"]
    assert [c.code for c in system["A10.9"].children] == ["A10.90", "A10.91"] and system["A10.9"].billable
    not_open = some.replace(
        label("preferred", "open"),
        label("preferred", "open") + '<ExcludeOnPrecedingModifier modifier="S01A10_4" code=".9"/>',
    )
    system = read(tmp_path, f"{HEAD}{not_open}</ClaML>")
    assert [c.code for c in system["A10.9"].children] == ["A10.90"]


def test_a_fifth_character_without_a_fourth(tmp_path: Path) -> None:
    body = BODY.replace('<ModifiedBy code="S01A10_4"/>', '<ModifiedBy code="S01A20_5"/>')
    system = read(tmp_path, f"{HEAD}{body}</ClaML>")
    assert [c.code for c in system["A10"].children] == ["A10.X0", "A10.X1"] and system["A10"].billable


def test_in_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "marsh.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("marsh2099en.xml", CLAML)
        archive.writestr("ClaML.dtd", "<!-- -->")
    assert len(who.read_claml(path, release="mine")) == 9
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../x.txt", "")
    with pytest.raises(CodeFileError, match="leaves the archive"):
        who.read_claml(path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (BODY, "", "no class"),
        ('SYSTEM "ClaML.dtd"', '[<!ENTITY a "aa"><!ENTITY b "&a;&a;">]', "refused"),
        ("Toe ague", "Toe &ague;", "entity|well-formed"),
        ("<ClaML version", "<Claml version", "ClaML|refused"),
        ("<UsageKinds>", "<Surprise/><UsageKinds>", "<Surprise> is not expected"),
        ('kind="coding-hint"', 'kind="advice"', "'advice', which the file does not name"),
        ('usage="aster">', 'usage="star">', "'star', which the file does not name"),
        ('<RubricKind name="text"/>', "<RubricKind/>", "<RubricKind> without a name"),
        ('<ModifiedBy code="S01A10_4"/>', 4 * '<ModifiedBy code="S01A10_4"/>', "4 modifiers"),
        ('code=".9"', 'code=".99"', "'.99'|names the class"),
        ('code="A20.1" kind="category"', 'code="A20.1" kind="item"', "kind 'item'"),
        ('code="A20.1" kind="category"', 'code="Toe ague" kind="category"', "not the shape"),
        ('<SubClass code="A20.1"/>', "", "not reached from a chapter"),
        ('<SubClass code="A20.1"/>', '<SubClass code="A20.1"/><SubClass code="A20.2"/>', "A20.2, which is not there"),
        ('<SubClass code="A20.1"/>', '<SubClass code="A20.1"/><SubClass code="A10"/>', "A10, which stands elsewhere"),
        ('<SubClass code="A20.1"/>', 2 * '<SubClass code="A20.1"/>', "below two classes"),
        ('code="A20.1" kind', 'code="A20.0" kind', "was given on line"),
        ('<ModifiedBy code="S01A10_4"/>', '<ModifiedBy code="S99"/>', "'S99', which is no modifier"),
        ('code=".9" modifier="S01A10_4"', 'code=".8" modifier="S01A10_4"', "names the class .9"),
        ('modifier="S01A20_5"', 'modifier="S77"', "'S77', which is no modifier|names the class"),
        (label("preferred", "Toe ague"), "", "no preferred label"),
        ('<SuperClass code="I"/><SubClass code="A10"/>', '<SubClass code="A10"/>', "stands elsewhere"),
        (
            '<Class code="A10" kind',
            '<Class code="C9" kind="block"></Class><Class code="A10" kind',
            "no preferred label",
        ),
        ('<SuperClass code="A20"/>', "", "stands elsewhere"),
        ('<SuperClass code="A20"/>', 2 * '<SuperClass code="A20"/>', "two superclasses"),
        ("Toe ague", "Toe\x00ague", "UTF-16|well-formed"),
    ],
)
def test_bad_files(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in CLAML
    with pytest.raises(CodeFileError, match=says):
        read(tmp_path, CLAML.replace(old, new))


def test_deep_nesting_ends(tmp_path: Path) -> None:
    blocks = "".join(
        cls(f"K{i}", "block", f"K{i - 1}" if i else "I", f"K{i + 1}" if i < 400 else "", label("preferred", "x"))
        for i in range(401)
    )
    body = cls("I", "chapter", below="K0", inner=label("preferred", "x")) + blocks
    with pytest.raises(CodeFileError, match="deep"):
        read(tmp_path, f"{HEAD}{body}</ClaML>")


@given(at=st.integers(0, len(CLAML) - 1), junk=st.binary(max_size=6), skip=st.integers(0, 60))
def test_a_cut_or_soiled_file(tmp_path_factory: pytest.TempPathFactory, at: int, junk: bytes, skip: int) -> None:
    tmp_path = tmp_path_factory.mktemp("who")
    raw = CLAML.encode()
    try:
        found = read(tmp_path, raw[:at] + junk + raw[at + skip :])
    except CodeFileError:
        pass
    else:  # whole, but for a word, a note or a modifier
        assert len(found) >= 5 and all(found.title(i) for i in range(len(found)))
    if at < len(raw.rstrip()):
        with pytest.raises(CodeFileError):
            read(tmp_path, raw[:at])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "cp037", "latin-1"])
def test_wrong_encodings(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(CodeFileError):
        read(tmp_path, CLAML.replace("Toe", "Toe\u00e9").encode(encoding))
