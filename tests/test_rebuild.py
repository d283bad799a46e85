"""A model with what is kept: new releases, index phrases and new systems in; what was learned stays with its code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pcs_system import SYSTEM as PCS
from pcs_system import documents as pcs_documents

from codesuggest import rebuild as module
from codesuggest.coded import CodedDocument, notes_path, read_coded
from codesuggest.codes import releases
from codesuggest.codes.system import CodeRow, CodeSystem
from codesuggest.concepts import KINDS, Idiom, concept_of_codes
from codesuggest.engine import Engine
from codesuggest.errors import OptionError, ReleaseError
from codesuggest.learned import Learned
from codesuggest.rebuild import _assemble, _moved, _Plan, idioms_of, rebuild
from codesuggest.retrieve import TermIndex
from codesuggest.suggester import CodeSuggester
from codesuggest.training import train

pytestmark = pytest.mark.filterwarnings("ignore:.*")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(releases.HOME, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def held() -> list[CodedDocument]:
    return [d for d in read_coded(notes_path()) if d.split == "evaluation"]


@pytest.fixture(autouse=True)
def few(held: list[CodedDocument], monkeypatch: pytest.MonkeyPatch) -> None:
    """Accuracy is measured on few notes: that it is on all is the matter of one test."""
    monkeypatch.setattr(module, "read_coded", lambda path: held[:3])


IDIOMS = (
    Idiom("Q11", "big toe on fire", "idiom", 3),
    Idiom("Q17", "HTNX", "abbrev", 2),
    Idiom("Q14", "Migraine", "idiom", 1),
)


@pytest.fixture(scope="module")
def folder(
    tiny_system: CodeSystem, tiny_documents: Sequence[CodedDocument], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The tiny model with idioms of its own."""
    model = train(tiny_documents, systems=[tiny_system], idioms={"icd10cm": IDIOMS}, min_groups=1, seed=7, name="tiny")
    path = tmp_path_factory.mktemp("base") / "tiny"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def base(folder: Path) -> CodeSuggester:
    return CodeSuggester.load(folder)


def order(
    path: Path, system: CodeSystem, *, without: str = "", titles: dict[str, str] | None = None, **new: str
) -> Path:
    """An order file of the tiny system's codes, some gone, some retitled, some new; dots as `_`."""
    rows = {c.code: c.title for c in (system.view(i) for i in range(len(system))) if c.code not in without.split()}
    rows |= titles or {}
    rows |= {code.replace("_", "."): title for code, title in new.items()}
    keys = sorted(code.replace(".", "") for code in rows)
    by_key = {code.replace(".", ""): title for code, title in rows.items()}
    lines = []
    for n, key in enumerate(keys, 1):
        billable = not any(other != key and other.startswith(key) for other in keys)
        lines.append(f"{n:05} {key:7} {int(billable)} {by_key[key][:60]:60} {by_key[key]}\n")
    path.write_text("".join(lines))
    return path


def listed(model: CodeSuggester, note: str, **options: object) -> dict[str, object]:
    return {s.code: s for s in model.suggest(note, **options).suggestions}  # type: ignore[arg-type]


NOTE = "Assessment:\n1. Gouty arthritis\n2. Rattling left ear\nDenies vertigo."


def test_nothing_kept_nothing_changes(
    folder: Path, base: CodeSuggester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "read_coded", read_coded)
    told: list[str] = []
    made = rebuild(tmp_path / "out", model=folder, progress=told.append)
    assert told[0].startswith("nothing is kept") and made.changes == ()
    assert made.documents == sum(d.split == "evaluation" for d in read_coded(notes_path())) > 50
    assert all(row.before == row.after for row in made.figures)
    before, after = base.suggest(NOTE), made.model.suggest(NOTE)
    assert [(s.code, s.score, s.evidence) for s in before.suggestions] == [
        (s.code, s.score, s.evidence) for s in after.suggestions
    ]
    assert made.model.name.startswith("tiny-rebuilt@") and made.model.about["rebuilt_from"] == base.name


def test_a_new_release(folder: Path, base: CodeSuggester, tiny_system: CodeSystem, tmp_path: Path) -> None:
    """The base's one release is of 2026-04-01; that of FY2027 takes a code, brings one, splits one, rewords one."""
    file = order(
        tmp_path / "icd10cm_order_2027.txt", tiny_system, without="Q12",
        titles={"Q15": "Airway wheeze"}, Q11_0="Gouty arthritis of the elbow", Q11_9="Gouty arthritis, unspecified",
        Q39="Xylophone elbow",
    )  # fmt: skip
    releases.add("icd10cm", file)
    made = rebuild(tmp_path / "out", model=folder)
    model, table = made.model, made.model.tables["icd10cm"]
    assert table.releases == ((20260401, "2026-04-01"), (20261001, "2026-10-01"))
    before, after = "2026-09-30", "2026-10-01"
    assert "Q12" in listed(model, "Assessment: marsh fever", service_date=before)
    assert "Q12" not in listed(model, "Assessment: marsh fever", service_date=after)
    assert "Q39" not in listed(model, "Assessment: xylophone elbow", service_date=before)
    assert "Q39" in listed(model, "Assessment: xylophone elbow", service_date=after)
    assert {"Q11"} == {
        c for c in listed(model, "Assessment: gouty arthritis", service_date=before) if c.startswith("Q11")
    }
    split = {c for c in listed(model, "Assessment: gouty arthritis", service_date=after) if c.startswith("Q11")}
    assert "Q11.9" in split and "Q11" not in split
    asthma = {day: listed(model, "Assessment: wheezy bronchitis", service_date=day)["Q15"] for day in (before, after)}
    assert [(s.display, s.release) for s in asthma.values()] == [  # type: ignore[attr-defined]
        ("Asthma", "2026-04-01"), ("Airway wheeze", "2026-10-01"),
    ]  # fmt: skip
    for day in (before, after):
        for s in model.suggest(NOTE, service_date=day).suggestions:
            assert table[s.code].valid_on(day) and s.release == table.release_on(day)
    assert any("release 2026-10-01" in line for line in made.changes)
    assert any("icd10cm_order_2027.txt" in line for line in model.about["made_from"])
    assert base.tables["icd10cm"].releases == ((20260401, "2026-04-01"),)


def test_idioms_and_counts_stay_with_their_codes(
    folder: Path, base: CodeSuggester, tiny_system: CodeSystem, tmp_path: Path
) -> None:
    releases.add(
        "icd10cm",
        order(tmp_path / "icd10cm_order_2027.txt", tiny_system, A00="First of all", Q11_0="Toe", Q11_9="Not toe"),
    )
    model = rebuild(tmp_path / "out", model=folder).model
    old, new = base.engines["icd10cm"], model.engines["icd10cm"]
    assert new.system.index_of("Q14") != old.system.index_of("Q14")
    for code in ("Q11", "Q14", "Q17", "Q28"):
        i, j = old.system.index_of(code), new.system.index_of(code)
        assert new.learned.code_prior[j] == old.learned.code_prior[i]
    assert new.learned.code_prior.sum() == pytest.approx(old.learned.code_prior.sum())
    assert new.learned.category_prior.sum() == pytest.approx(old.learned.category_prior.sum())
    terms = {(new.concepts.text(t), KINDS[k]) for t, k in enumerate(new.concepts.term_kind.tolist())}
    assert {("big toe on fire", "idiom"), ("HTNX", "abbreviation")} <= terms
    both = {
        e: sorted((i.code, i.phrase, i.common) for i in idioms_of(e_, e_.system))
        for e, e_ in (("old", old), ("new", new))
    }
    assert both["old"] == both["new"] == [("Q11", "big toe on fire", 3), ("Q14", "Migraine", 1), ("Q17", "HTNX", 2)]
    assert "Q11" in listed(model, "Assessment: big toe on fire", service_date="2026-04-01")
    assert new.ranker.weights.tolist() == old.ranker.weights.tolist() and new.ranker.threshold == old.ranker.threshold


def test_the_words_of_the_index(folder: Path, base: CodeSuggester, tmp_path: Path) -> None:
    (tmp_path / "ICD10CM_2026_Index.csv").write_text(
        "RowID,Letter,Level,Term,See,SeeAlso,NonEssModif,Code\n"
        "1,Z,0,Zither thumb,,,,Q25\n2,Z,1,chronic,,,,Q24\n3,Z,0,Zonk,,,,Q10.-\n"
    )
    releases.add("icd10cm", tmp_path / "ICD10CM_2026_Index.csv")
    made = rebuild(tmp_path / "out", model=folder)
    assert "Q25" not in listed(base, "Assessment: zither thumb")
    assert "Q25" in listed(made.model, "Assessment: zither thumb")
    found = listed(made.model, "Assessment: chronic zither thumb")
    assert "Q24" in found
    assert "Q10.9" in listed(made.model, "Assessment: zonk"), "a header of the Index is completed in the tabular"
    assert made.changes == ("icd10cm-index: 3 phrases of 2025-10-01, from ICD10CM_2026_Index.csv",)
    kinds = {
        made.model.engines["icd10cm"].concepts.text(t): k
        for t, k in enumerate(made.model.engines["icd10cm"].concepts.term_kind)
    }
    assert KINDS[kinds["Zither thumb"]] == "header"
    old, new = base.engines["icd10cm"].index, made.model.engines["icd10cm"].index
    held = np.unique(old.forms)
    assert (new.idf[held] == old.idf[held]).all(), "the weights were fitted to how rare words were"


def test_a_system_nobody_was_trained_on(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tools.tsv").write_text("code\ttitle\nT1\tLeft handed spanner\nT2\tGlass hammer\nT3\tSky hook\n")
    releases.add("tools", tmp_path / "tools.tsv", "2026-01-01")
    model = rebuild(tmp_path / "out", model=folder).model
    assert model.systems == ("icd10cm", "tools")
    result = model.suggest("Assessment: hit with a glass hammer", systems=["tools"])
    assert result.suggestions[0].code == "T2" and not any(s.suggested for s in result.suggestions)
    assert model.suggest(NOTE).systems == ("icd10cm",), "asked for only when named"
    assert model.search("glass hammer", system="tools")[0].code == "T2"


def test_a_starter_table_is_replaced_and_its_words_are_kept(
    tmp_path: Path, tiny_system: CodeSystem, tiny_documents: Sequence[CodedDocument]
) -> None:
    own = CodeSystem.from_rows(
        [CodeRow("J9001", "Sky hook, each"), CodeRow("J9002", "Glass hammer")], name="hcpcs", release="2025-10-01"
    )
    train(tiny_documents, systems=[tiny_system, own], min_groups=1, name="two").save(tmp_path / "base")
    (tmp_path / "HCPC2026_JAN.csv").write_text(
        'HCPC,LONG DESCRIPTION\nJ9001,"Suspension device, aerial"\nJ9003,Elbow grease per ounce\n'
    )
    releases.add("hcpcs", tmp_path / "HCPC2026_JAN.csv")
    model = rebuild(tmp_path / "out", model=tmp_path / "base").model
    table = model.tables["hcpcs"]
    assert sorted(table.codes.tolist()) == [b"J9001", b"J9003"] and table.release == "2026-01-01"
    assert table["J9001"].title == "Suspension device, aerial"
    assert ("synonym", "Sky hook, each") in table["J9001"].terms
    assert table["J9003"].valid_on("2025-11-01"), "what was known of a few codes before is no release"


def test_what_is_licensed_is_marked(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "LONGULT.txt").write_text("Invented, no licence needed\n\n99999\tInvented act upon an elbow\n")
    try:
        releases.add("cpt", tmp_path / "LONGULT.txt", "2026")
    except Exception as error:  # the layout is for test_readers_cpt to say
        pytest.skip(str(error))
    model = rebuild(tmp_path / "out", model=folder).model
    assert model.about["redistributable"] is False
    with pytest.raises(OptionError):
        rebuild(Path(__file__).parent.parent / "models" / "mine", model=folder)


def test_the_same_twice(folder: Path, tiny_system: CodeSystem, tmp_path: Path) -> None:
    releases.add("icd10cm", order(tmp_path / "icd10cm_order_2027.txt", tiny_system, Q39="Xylophone elbow"))
    one, two = (rebuild(tmp_path / name, model=folder) for name in ("one", "two"))
    assert one.model.name == two.model.name, "the digest of the manifest vouches for every byte"
    again = rebuild(tmp_path / "three", model=tmp_path / "one")
    assert again.model.name.startswith("tiny-rebuilt@")
    assert again.model.tables["icd10cm"].sha256 == one.model.tables["icd10cm"].sha256
    assert [s.code for s in again.model.suggest(NOTE).suggestions] == [
        s.code for s in one.model.suggest(NOTE).suggestions
    ]


def test_what_cannot_be_rebuilt(folder: Path, tiny_system: CodeSystem, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="name another --out"):
        rebuild(folder, model=folder)
    made = releases.add("icd10cm", order(tmp_path / "icd10cm_order_2027.txt", tiny_system))
    (made.path / "arrays" / "codes.npy").write_bytes(b"")
    with pytest.raises(ReleaseError, match="add the file again"):
        rebuild(tmp_path / "out", model=folder)
    assert not (tmp_path / "out").exists()


# ---- parts


class _Still:
    """A part of an engine that cannot follow its codes."""


class _Moves(_Still):
    def moved(self, old: CodeSystem, new: CodeSystem) -> tuple[int, int]:
        return len(old), len(new)


@dataclass(frozen=True)
class _Wider(Engine):
    extra: object = None


def test_a_part_that_follows_its_codes_and_one_that_cannot(
    base: CodeSuggester, tiny_system: CodeSystem, tmp_path: Path
) -> None:
    releases.add("icd10cm", order(tmp_path / "icd10cm_order_2027.txt", tiny_system, Q39="Xylophone elbow"))
    plain = base.engines["icd10cm"]
    known = {f.name: getattr(plain, f.name) for f in fields(plain)}
    made = {}
    for extra in (None, _Moves(), _Still()):
        wider = CodeSuggester([_Wider(**known, extra=extra)], base.vocabulary, base.forms, name="x", config=base.config)
        plan = _Plan.of("icd10cm", wider)
        assert plan is not None
        made[type(extra)] = plan, _assemble(wider, [plan], lambda _: None).engines["icd10cm"]
    assert made[type(None)][1].extra is None and made[type(None)][0].changed
    assert made[_Moves][1].extra == (len(tiny_system), len(tiny_system) + 1)
    plan, still = made[_Still]
    assert not plan.changed and still.system is plain.system
    assert plan.changes == ("icd10cm: stays as it is in the base, whose extra fit no other table; kept: 2026-10-01",)


_CODE = st.sampled_from([f"Q{n}{m}" for n in (10, 11, 12) for m in "12345"])


@given(st.sets(_CODE, min_size=1), st.sets(_CODE, min_size=1), st.randoms(use_true_random=False))
def test_learned_moves_with_its_codes(old: set[str], new: set[str], random: object) -> None:
    def table(codes: set[str]) -> CodeSystem:
        return CodeSystem.from_rows([CodeRow(c, c) for c in sorted(codes)], name="icd10cm", release="2026-04-01")

    one, two = table(old), table(new)
    prior = np.arange(1, len(old) + 1, dtype=np.float32)
    categories = sorted({c[:3] for c in old})
    grams = {f"g{n}": sorted(old)[n::2] for n in range(2)}
    learned = Learned(
        prior,
        np.arange(1, len(categories) + 1, dtype=np.float32),
        prior * 2,
        tuple(grams),
        np.cumsum([0, *(len(c) for c in grams.values())]).astype(np.int32),
        np.array([one.index_of(c) for codes in grams.values() for c in codes], np.int32),
        np.array([one.index_of(c) / 100 for codes in grams.values() for c in codes], np.float32),
    )
    moved = _moved(learned, one, two)
    for code in sorted(new):
        i = two.index_of(code)
        assert moved.code_prior[i] == (prior[one.index_of(code)] if code in old else 0)
        assert moved.mention_prior[i] == 2 * moved.code_prior[i]
    for n, category in enumerate(sorted({c[:3] for c in new})):
        expected = learned.category_prior[categories.index(category)] if category in categories else 0
        assert moved.category_prior[n] == expected
    for g, codes in enumerate(grams.values()):
        a, b = moved.gram_indptr[g : g + 2]
        there = {
            two.code(int(i)).replace(".", ""): float(w)
            for i, w in zip(moved.gram_code[a:b], moved.gram_weight[a:b], strict=True)
        }
        assert there == {c: float(np.float32(one.index_of(c) / 100)) for c in codes if c in new}
        assert moved.gram_code[a:b].tolist() == sorted(moved.gram_code[a:b].tolist())


def test_an_index_over_more_words() -> None:
    index = TermIndex.build([("a", "b"), ("b",)], ["a", "b"])
    wide = index.widened(4)
    assert wide.idf[:2].tolist() == index.idf.tolist() and wide.idf[2:].tolist() == pytest.approx([np.log(3) + 1] * 2)
    assert wide.mass.tolist() == index.mass.tolist()
    other = TermIndex.build([("a", "b", "c"), ("b", "d"), ("d",)], ["a", "b", "c", "d"])
    weighed = other.weighed_as(index)
    assert weighed.idf.tolist() == [*index.idf.tolist(), *other.idf[2:].tolist()]


def test_the_notes_that_ship() -> None:
    documents = read_coded(notes_path())
    assert len(documents) > 50 and json.dumps([d.id for d in documents])


def test_learned_terms_of_operations_move_to_the_concepts_of_their_codes(tmp_path: Path) -> None:
    model = train(pcs_documents(), systems=[PCS], min_groups=1)
    model.save(tmp_path / "base")
    base = CodeSuggester.load(tmp_path / "base")
    titles = {PCS.code(i): PCS.title(i) for i in range(len(PCS))}
    gone = {code for code in titles if code.startswith("BW40")}
    rows = [CodeRow(code, title) for code, title in titles.items() if code not in gone]
    rows += [CodeRow("0DTK0ZZ", "Removal Whole of Second Pouch, Open Approach")]
    table = CodeSystem.from_rows(rows, name="icd10pcs", release="2026-10-01")
    made = _assemble(base, [_Plan(table, base.engines["icd10pcs"], (), ())], lambda _: None)
    made.save(tmp_path / "out")
    new = CodeSuggester.load(tmp_path / "out").engines["icd10pcs"]
    old = base.engines["icd10pcs"]

    def taught(engine: Engine) -> dict[tuple[str, str], float]:
        of: dict[int, str] = {}
        for place, c in enumerate(concept_of_codes(engine.concepts, len(engine.system)).tolist()):
            of.setdefault(c, engine.system.code(place))
        n, r = len(engine.index), len(engine.learned.reliability)
        return {
            (engine.concepts.text(t), of[int(engine.concepts.term_concept[t])]): float(
                engine.learned.reliability[t - n + r]
            )
            for t in range(n - r, n)
        }

    assert taught(new) == {key: value for key, value in taught(old).items() if key[1] not in gone}
    assert any(code in gone for _, code in taught(old)), "the test needs terms of a code that is gone"
    found = 0
    for document in pcs_documents()[:6]:
        before, after = (
            {s.code for s in m.suggest(document.text, systems=["icd10pcs"]).suggestions} for m in (base, made)
        )
        assert after == before - gone
        found += len(after)
    assert found, "what is left is found as before"
