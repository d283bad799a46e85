"""A site's own word list: what it adds is found, what it says nothing about is untouched, what it cannot mean is refused."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import NOTES, TINY_NOTES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pcs_system import SYSTEM as PCS
from pcs_system import documents as pcs_documents
from test_training import files_of, mentions
from typer.testing import CliRunner

from codesuggest import CodeSuggester, NoteResult, cli, evaluate
from codesuggest.adapting import adapt
from codesuggest.batch import run_batch
from codesuggest.coded import CodedDocument, Label
from codesuggest.codes.system import CodeSystem
from codesuggest.concepts import KINDS
from codesuggest.errors import BatchError, LexiconError, OptionError
from codesuggest.learning import DecidedNote, learn
from codesuggest.site_words import COLUMNS, SiteList
from codesuggest.training import train

HEADER = "\t".join(COLUMNS)
CLINIC = (
    "abbreviation\tBRBPR\tbright red blood per rectum\t\tGI clinic",
    "abbreviation\tfof\tfear of flying\t\tbehavioural health",
    "idiom\tfrequent flyer knee\tM17.9\ticd10cm\torthopaedics",
    "idiom\tjumpers grumble\tM76.51\t\torthopaedics",
    "pin\ttobacco desk\tZ72.0\ticd10cm\tbilling office",
    "pin\t\tE66.9\t\tbilling office",
    "block\t\tR05.9\t\tbilling office",
)


def write(folder: Path, *rows: str, name: str = "site.tsv") -> Path:
    path = folder / name
    path.write_text("".join(f"{row}\n" for row in (HEADER, *rows)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("site"), *CLINIC)


@pytest.fixture(scope="module")
def clinic(site: Path) -> CodeSuggester:
    return CodeSuggester.load(words=site)


def suggested(result: NoteResult) -> list[str]:
    return [s.code for s in result.suggestions if s.suggested]


def site_findings(result: NoteResult) -> list[tuple[str, tuple[str, ...], str]]:
    return [(f.rule, f.codes, f.source) for f in result.findings if f.rule.startswith("site_")]


def without_name(result: NoteResult) -> dict[str, Any]:
    return {key: value for key, value in result.to_dict().items() if key != "model"}


# ---- what it adds


@pytest.mark.parametrize(
    ("note", "code", "words"),
    [
        ("Assessment: BRBPR x 3 days.", "K62.5", "BRBPR"),
        ("Assessment: frequent flyer knee.", "M17.9", "frequent flyer knee"),
        ("Impression: knee of a frequent flyer", "M17.9", "knee of a frequent flyer"),  # a term is a set of words
        ("A/P: FoF, wants help before the trip.", "F40.243", "FoF"),  # listed in small letters
        ("Assessment: jumpers grumble, left leg.", "M76.52", "jumpers grumble"),  # the note says the side
        ("Assessment: jumpers grumble, right leg.", "M76.51", "jumpers grumble"),
    ],
)
def test_what_the_clinic_writes(
    clinic: CodeSuggester, starter: CodeSuggester, note: str, code: str, words: str
) -> None:
    found = {s.code: s for s in clinic.suggest(note).suggestions}
    assert found[code].suggested
    assert words in [note[e.start : e.end] for e in found[code].evidence]
    before = {s.code: s.confidence for s in starter.suggest(note).suggestions}
    assert before.get(code, 0.0) < found[code].confidence


@pytest.mark.parametrize("note", ["Denies frequent flyer knee.", "Mother had frequent flyer knee."])
def test_an_idiom_is_negated_as_any_term(clinic: CodeSuggester, note: str) -> None:
    assert "M17.9" not in [s.code for s in clinic.suggest(note).suggestions]
    assert clinic.explain(note, "M17.9")["stage"] in ("withheld_negated", "withheld_family")


def test_capitals_of_an_abbreviation_count_where_the_list_has_them(tmp_path: Path) -> None:
    of = CodeSuggester.load(words=write(tmp_path, "abbreviation\tGO\tgout\t\tme")).suggest
    assert suggested(of("Assessment: GO flare")) and not suggested(of("let go of it"))


def test_small_letters_go_before_the_shipped_capitals(tmp_path: Path, starter: CodeSuggester) -> None:
    """Shipped: MS is multiple sclerosis."""
    assert "G35" in {s.code.split(".")[0] for s in starter.suggest("Assessment: MS.").suggestions}
    model = starter.with_words(write(tmp_path, "abbreviation\tms\tmitral stenosis\t\tcardiology"))
    for note in ("Assessment: MS.", "Assessment: ms."):
        assert {s.code for s in model.suggest(note).suggestions} & {"I05.0", "I34.2"}
        assert "G35" not in {s.code.split(".")[0] for s in model.suggest(note).suggestions if s.suggested}


def test_a_list_is_searched_too(clinic: CodeSuggester) -> None:
    assert [code.code for code in clinic.search("frequent flyer knee", limit=1)] == ["M17.9"]


# ---- pins and blocks


def test_a_pin_with_a_phrase(clinic: CodeSuggester) -> None:
    note = "HPI: seen at the tobacco desk. Assessment: hypertension."
    found = clinic.suggest(note, threshold=0.999)
    assert suggested(found) == ["Z72.0"]
    assert site_findings(found) == [("site_pinned", ("Z72.0",), "site word list, line 6: billing office")]
    (finding,) = (f for f in found.findings if f.rule == "site_pinned")
    assert finding.severity == "info" and [note[a:b] for a, b in finding.evidence] == ["tobacco desk"]
    for other in ("Never seen at the tobacco desk.", "Tobacco. The desk is brown.", "Assessment: tobacco use."):
        said = clinic.suggest(other, threshold=0.999)
        assert suggested(said) == [] and site_findings(said) == []


@pytest.mark.parametrize(
    ("note", "marked"),
    [
        ("Assessment: obesity", True),
        ("Denies obesity", False),
        ("Family history of obesity", False),
        ("Assessment: obesity hypoventilation syndrome", False),  # which says something else
    ],
)
def test_a_pin_without_a_phrase_asks_for_a_whole_term(clinic: CodeSuggester, note: str, marked: bool) -> None:
    assert ("E66.9" in suggested(clinic.suggest(note, threshold=1.0))) is marked


def test_a_pinned_code_is_listed_in_a_list_of_one(clinic: CodeSuggester) -> None:
    note = "HPI: seen at the tobacco desk. Assessment: hypertension."
    best = clinic.suggest(note, systems=["icd10cm"])
    assert best.suggestions[0].code == "I10"
    for limit in (1, 2, 3):
        found = clinic.suggest(note, systems=["icd10cm"], limit=limit).suggestions
        assert len(found) == limit and "Z72.0" in [s.code for s in found]
        assert sorted((-s.confidence, s.code) for s in found) == [(-s.confidence, s.code) for s in found]
    assert clinic.explain(note, "Z72.0", limit=1)["stage"] == "suggested"


def test_a_blocked_code_stays_listed(clinic: CodeSuggester, starter: CodeSuggester) -> None:
    note = "Assessment: cough."
    old, new = starter.suggest(note), clinic.suggest(note)
    assert "R05.9" in suggested(old) and "R05.9" not in suggested(new)
    assert [(s.code, s.confidence) for s in old.suggestions] == [(s.code, s.confidence) for s in new.suggestions]
    assert site_findings(new) == [("site_blocked", ("R05.9",), "site word list, line 8: billing office")]
    told = clinic.explain(note, "R05.9")
    assert told["stage"] == "site_blocked" and told["rank"] == 1
    assert old.withheld == new.withheld


def test_a_charge_line_can_be_blocked(starter: CodeSuggester, tmp_path: Path) -> None:
    note, how = "INJ CEFTRIAXONE 250MG", {"systems": ["hcpcs"], "document_type": "charge_line"}
    code = suggested(starter.suggest(note, **how))[0]  # type: ignore[arg-type]
    model = starter.with_words(write(tmp_path, f"block\t\t{code}\thcpcs\tbilling"))
    found = model.suggest(note, **how)  # type: ignore[arg-type]
    assert code in [s.code for s in found.suggestions] and code not in suggested(found)
    assert [rule for rule, *_ in site_findings(found)] == ["site_blocked"]


def test_an_encounter_and_an_evaluation_go_by_the_marks(clinic: CodeSuggester) -> None:
    pages = [{"id": "a", "text": "Seen at the tobacco desk."}, {"id": "b", "text": "Assessment: cough."}]
    found = clinic.suggest_encounter(pages)
    marks = {c.code: c.suggested for c in found.codes}
    assert marks["Z72.0"] and not marks["R05.9"]
    own = [(f.rule, f.codes) for f in found.findings if f.rule.startswith("site_")]
    assert own == [("site_blocked", ("R05.9",)), ("site_pinned", ("Z72.0",))]
    gold = [CodedDocument("a", "Seen at the tobacco desk. Cough.", (Label("icd10cm", "Z72.0"),))]
    assert evaluate(clinic, gold).figures["P"] == 1.0


# ---- what it leaves alone


def test_the_name_tells_one_list_from_another(starter: CodeSuggester, site: Path, tmp_path: Path) -> None:
    one, other = starter.with_words(site), starter.with_words(write(tmp_path, *CLINIC[:-1]))
    digest = SiteList.read(site).digest
    assert one.name == f"{starter.name}+words:{digest}" == one.suggest("").model
    assert other.name != one.name
    assert one.with_words(site).name == one.name, "a list takes the place of another"
    copy = tmp_path / "elsewhere.tsv"
    copy.write_bytes(site.read_bytes())
    note = "Cough. Seen at the tobacco desk."
    assert starter.with_words(copy).suggest(note).to_json() == one.suggest(note).to_json(), "the content counts"


def test_a_list_that_a_note_says_nothing_of_changes_nothing(starter: CodeSuggester, tmp_path: Path) -> None:
    rows = (
        "abbreviation\tqzq\tbright red blood per rectum\t\tme",
        "idiom\tzyxwing quobble\tI10\t\tme",
        "idiom\tquobble bag\tJ0696\thcpcs\tme",
        "idiom\tquobblectomy\t0DTJ4ZZ\ticd10pcs\tme",
        "pin\tquobble desk\tA22.1\t\tme",
        "block\t\tZ99.89\t\tme",
    )
    model = starter.with_words(write(tmp_path, *rows))
    for file in sorted(NOTES.glob("*.txt"))[::25]:
        note = file.read_text(encoding="utf-8")
        old, new = starter.suggest(note), model.suggest(note)
        assert not site_findings(new) and without_name(old) == without_name(new), file.name


@functools.cache
def of_mentions() -> CodeSuggester:
    """A model with a mention dictionary, whose learned terms must stay the last of its index."""
    from conftest import TINY_CODES

    from codesuggest.codes.system import CodeRow

    rows = [CodeRow(code, title, terms=tuple(("inclusion", t) for t in terms)) for code, title, terms in TINY_CODES]
    system = CodeSystem.from_rows(rows, name="icd10cm", release="2026-04-01")
    documents = [mentions(n, text, *codes) for n, (codes, text) in enumerate(TINY_NOTES)]
    return train(documents, systems=[system], min_groups=1, name="mentions")


MODELS: dict[str, Callable[[], CodeSuggester]] = {
    "mentions": of_mentions,
    "operations": functools.cache(lambda: train(pcs_documents(), systems=[PCS], min_groups=1, name="operations")),
    "starter": functools.cache(CodeSuggester.load),
}
CODE = {"mentions": ("Q11", "icd10cm"), "operations": ("0DTJ4ZZ", "icd10pcs"), "starter": ("M10.9", "icd10cm")}


@pytest.mark.parametrize("which", MODELS)
def test_learned_terms_stay_the_last(which: str, tmp_path: Path) -> None:
    model, (code, system) = MODELS[which](), CODE[which]
    new = model.with_words(
        write(tmp_path, f"idiom\tking toe\t{code}\t{system}\tme", f"pin\ttoe of kings\t{code}\t{system}\tme")
    )
    for name, engine in new.engines.items():
        old = model.engines[name]
        assert engine._fits(len(new.vocabulary))
        assert len(engine.learned.reliability) == len(old.learned.reliability)
        more = len(engine.index) - len(old.index)
        assert more == (1 if name == system else 0), "the pin's phrase is the idiom's set of words"
        first = len(old.index) - len(old.learned.reliability)
        for term in range(max(0, first - 3), len(old.index)):
            moved = term + (more if term >= first else 0)
            forms = [engine.index.forms[a:b].tolist() for a, b in [engine.index.indptr[moved : moved + 2]]]
            assert forms == [old.index.forms[a:b].tolist() for a, b in [old.index.indptr[term : term + 2]]]
            assert engine.concepts.text(moved) == old.concepts.text(term)
            assert engine.concepts.term_concept[moved] == old.concepts.term_concept[term]
            assert engine.concepts.term_kind[moved] == old.concepts.term_kind[term]
        if more:
            assert engine.concepts.text(first) == "king toe"
            assert KINDS[engine.concepts.term_kind[first]] == "idiom"
    assert code in [s.code for s in new.suggest("Assessment: king toe", systems=[system]).suggestions]


def test_a_model_of_mentions_says_of_its_documents_what_it_said(tmp_path: Path) -> None:
    model = of_mentions()
    new = model.with_words(write(tmp_path, "idiom\tzyxwing quobble\tQ11\t\tme"))
    for _, text in TINY_NOTES:
        assert without_name(model.suggest(text)) == without_name(new.suggest(text))


def test_the_model_underneath_is_not_touched(tiny_folder: Path, tiny: CodeSuggester, tmp_path: Path) -> None:
    plain = CodeSuggester.load(tiny_folder)
    before = plain.suggest("Assessment: migraine").to_json()
    rows = ("idiom\tking toe\tQ11\t\tme", "abbreviation\tmig\tmigraine\t\tme", "block\t\tQ14\t\tme")
    model = plain.with_words(write(tmp_path, *rows))
    assert "Q14" in [s.code for s in model.suggest("Assessment: mig").suggestions]
    assert plain.suggest("Assessment: migraine").to_json() == before
    assert plain.vocabulary == CodeSuggester.load(tiny_folder).vocabulary and "king" not in plain.vocabulary
    model.save(tmp_path / "saved")
    for file in sorted(p for p in tiny_folder.rglob("*") if p.is_file()):
        assert (tmp_path / "saved" / file.relative_to(tiny_folder)).read_bytes() == file.read_bytes(), "saved without"
    adapted = adapt(model, [CodedDocument("a", "Assessment: migraine", (Label("icd10cm", "Q14"),))])
    assert adapted.name == "tiny-adapted" and adapted.vocabulary == plain.vocabulary


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(phrase=st.lists(st.sampled_from("king toe ear quobble the rattling left 7 gouty".split()), min_size=1, max_size=4),
       kind=st.sampled_from(["idiom", "pin"]), code=st.sampled_from(["Q11", "Q10.1", "Q36"]))  # fmt: skip
def test_any_phrase_is_found_or_refused(
    tiny: CodeSuggester, tmp_path: Path, phrase: list[str], kind: str, code: str
) -> None:
    """Never a list that is taken and then finds nothing."""
    text = " ".join(phrase)
    try:
        model = tiny.with_words(write(tmp_path, f"{kind}\t{text}\t{code}\t\tme"))
    except LexiconError as error:
        assert "site.tsv, line 2: " in str(error)
        return
    found = model.suggest(f"Assessment: {text}, right ear", limit=50)
    assert code in [s.code for s in found.suggestions]
    if kind == "pin":
        assert code in suggested(found)


def test_the_component_takes_a_list(site: Path, clinic: CodeSuggester) -> None:
    import spacy

    import codesuggest.component  # noqa: F401 - registers the factory, as the entry point does

    nlp = spacy.blank("en")
    nlp.add_pipe("codesuggest", config={"words": str(site)})
    assert nlp("Assessment: BRBPR.")._.codesuggest == clinic.suggest("Assessment: BRBPR.")


# ---- a list that a model was trained with


TRAINED = ("abbreviation\tkt\tpodagra\t\tme", "idiom\tking toe\tQ11\t\tme", "block\t\tQ15\t\tme")


def test_a_model_is_trained_with_a_list_and_keeps_it(
    tiny_system: CodeSystem, tiny_documents: Sequence[CodedDocument], tiny_folder: Path, tmp_path: Path
) -> None:
    """What the list says is known while the ranker learns, in the folder, and after adapting and learning."""
    site = write(tmp_path, *TRAINED)
    documents = [
        replace(d, text=d.text.replace("Gouty arthritis", "King toe").replace("Podagra", "KT")) for d in tiny_documents
    ]
    assert sum(a.text != b.text for a, b in zip(documents, tiny_documents, strict=True)) > 0
    trained = train(documents, systems=[tiny_system], min_groups=1, seed=7, name="tiny", words=site)
    without = train(documents, systems=[tiny_system], min_groups=1, seed=7, name="tiny")
    trained.save(tmp_path / "model")
    loaded = CodeSuggester.load(tmp_path / "model")
    digest = SiteList.read(site).digest
    assert loaded.name.endswith(f"+words:{digest}") and trained.name == f"tiny+words:{digest}"
    adapted = adapt(loaded, documents)
    learned = learn(loaded, [DecidedNote("a", "King toe.", {("icd10cm", "Q11"): "accept"})])
    adapted.save(tmp_path / "adapted")
    for model in (trained, loaded, adapted, learned, CodeSuggester.load(tmp_path / "adapted")):
        for note in ("Assessment:\n1. King toe", "Assessment:\n1. KT"):
            assert suggested(model.suggest(note)) == ["Q11"], (model.name, note)
        assert "site_blocked" in [f.rule for f in model.suggest("Assessment:\n1. Asthma").findings]
    assert "Q11" not in suggested(without.suggest("Assessment:\n1. King toe"))
    # the same bytes again, and another list instead of its own
    loaded.save(tmp_path / "again")
    assert files_of(tmp_path / "again") == files_of(tmp_path / "model")
    other = CodeSuggester.load(tmp_path / "model", words=write(tmp_path, "block\t\tQ11\t\tme", name="other.tsv"))
    assert suggested(other.suggest("Assessment:\n1. King toe")) == []
    assert [f.rule for f in other.suggest("Assessment:\n1. Asthma").findings if f.rule.startswith("site_")] == []


def test_training_with_a_list_that_names_no_code(tiny_system: CodeSystem, tmp_path: Path) -> None:
    with pytest.raises(LexiconError, match="line 2"):
        train([], systems=[tiny_system], words=write(tmp_path, "idiom\tking toe\tZ99.89\t\tme"))


# ---- what is refused


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("idiom\tking toe\tM99.999Z\t\tme", "icd10cm of this model holds no code 'M99.999Z'"),
        ("idiom\tking toe\tM10\t\tme", "'M10' is a heading of icd10cm, and cannot be billed; name a code below it"),
        ("idiom\tking toe\tM10.9\tsnomed\tme", "this model holds no system 'snomed'; it holds icd10cm"),
        ("idiom\tof the\tM10.9\t\tme", "'of the' holds no word with a meaning"),
        ("idiom\tday\tM10.9\t\tme", "'day' is too general a word to name a code by itself"),
        ("pin\tleft\tM10.9\t\tme", "'left' is too general a word to name a code by itself"),
        ("idiom\t\tM10.9\t\tme", "column 'phrase' is empty"),
        ("abbreviation\t\tgout\t\tme", "column 'phrase' is empty"),
        ("abbreviation\tking toe\tgout\t\tme", "'king toe' is not one word as notes are read"),
        ("abbreviation\tk-t\tgout\t\tme", "'k-t' is not one word as notes are read"),
        ("abbreviation\tkt\tof the\t\tme", "'of the' holds no word with a meaning"),
        ("abbreviation\tkt\tquobble\t\tme", "no code of this model is named by a word of 'quobble'"),
        ("abbreviation\tkt\tgout\ticd10cm\tme", "an abbreviation has no system"),
        ("block\tking toe\tM10.9\t\tme", "a block has no phrase"),
        ("synonym\tking toe\tM10.9\t\tme", "column 'kind': 'synonym' is none of abbreviation, block, idiom, pin"),
        ("idiom\tking toe\tM10.9\t\t", "column 'source' is empty"),
        ("idiom\tking toe\tM10.9", "3 cells, expected 5"),
        ("idiom\tM10.9\tking toe\t\tme", "icd10cm of this model holds no code 'king toe'"),  # swapped columns
        ("block\t\te669\t\tme\nblock\t\tE66.9\ticd10cm\tme", "block / E66.9 stands already on line 2"),
        ("idiom\tking toe\tM10.9\t\tme\nidiom\tKing Toe\tM109\t\tme", "stands already on line 2"),
        ("abbreviation\tkt\tgout\t\tme\nabbreviation\tkt\tasthma\t\tme", "the abbreviation 'kt' stands already on line 2"),
        ("pin\tking toe\tE66.9\t\tme\nblock\t\tE669\t\tme", "E66.9 is blocked on line 3; it cannot be both"),
    ],
)  # fmt: skip
def test_a_row_that_means_nothing_names_its_line(starter: CodeSuggester, tmp_path: Path, row: str, says: str) -> None:
    with pytest.raises(LexiconError) as caught:
        starter.with_words(write(tmp_path, row))
    assert says in str(caught.value) and str(caught.value).startswith("site.tsv, line ")


def test_a_file_that_is_no_list(starter: CodeSuggester, tmp_path: Path) -> None:
    (tmp_path / "latin.tsv").write_bytes(HEADER.encode() + b"\nidiom\tcaf\xe9 knee\tM17.9\t\tme\n")
    (tmp_path / "other.tsv").write_text("phrase,code\nking toe,M10.9\n")
    for path, says in (
        (tmp_path / "none.tsv", "none.tsv: cannot be read"),
        (tmp_path, "cannot be read"),
        (tmp_path / "latin.tsv", "latin.tsv: not UTF-8"),
        (tmp_path / "other.tsv", "other.tsv, line 1: header is"),
    ):
        with pytest.raises(LexiconError, match=says):
            CodeSuggester.load(words=path)


# ---- many documents, and the command line

TEXTS = ("Assessment: BRBPR.", "Cough.", "Seen at the tobacco desk.", "Assessment: frequent flyer knee.", "Asthma.")


@pytest.fixture
def batch_input(tmp_path: Path) -> Path:
    path = tmp_path / "notes.jsonl"
    path.write_text("".join(json.dumps({"id": f"n{n}", "text": t}) + "\n" for n, t in enumerate(TEXTS)))
    return path


def test_every_process_of_a_batch_knows_the_list(
    clinic: CodeSuggester, site: Path, batch_input: Path, tmp_path: Path
) -> None:
    for jobs in (1, 2):
        run_batch([batch_input], tmp_path / f"{jobs}.jsonl", words=site, jobs=jobs)
    lines = (tmp_path / "1.jsonl").read_text().splitlines()
    assert (tmp_path / "2.jsonl").read_text().splitlines() == lines
    assert lines == [clinic.suggest(text, id=f"n{n}", limit=50).to_json() for n, text in enumerate(TEXTS)]
    with pytest.raises(OptionError, match="words"):
        run_batch([batch_input], tmp_path / "4.jsonl", words=site, load=lambda path: clinic)


def test_resuming_and_going_on_with_another_list(tiny_folder: Path, tmp_path: Path) -> None:
    batch_input, out = tmp_path / "notes.jsonl", tmp_path / "o.jsonl"
    texts = ("Assessment: KT.", "Migraine.", "Assessment: king toe.", "Asthma.", "Denies gout.") * 2
    batch_input.write_text("".join(json.dumps({"id": f"n{n}", "text": t}) + "\n" for n, t in enumerate(texts)))
    site, other = write(tmp_path, *TRAINED), write(tmp_path, *TRAINED[:-1], name="other.tsv")
    run = functools.partial(run_batch, model=tiny_folder)

    def stop(done: int, errors: int) -> None:
        if done == 8:  # documents are coded by eight
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([batch_input], out, words=site, progress=stop)
    with pytest.raises(BatchError, match="model"):
        run([batch_input], out, words=other, resume=True)
    assert run([batch_input], out, words=site, resume=True).resumed == 8
    # the same list carries results over; another one codes anew
    for words, name in ((site, "same"), (other, "fresh")):
        whole, after = tmp_path / f"{name}-whole.jsonl", tmp_path / f"{name}.jsonl"
        day = {"service_date": "2026-10-02"}
        run([batch_input], whole, words=words, options=day)
        run([batch_input], after, words=words, options=day, since=out)
        assert after.read_bytes() == whole.read_bytes()


def test_the_commands_take_a_list(site: Path, clinic: CodeSuggester, tmp_path: Path) -> None:
    note, docs = tmp_path / "note.txt", tmp_path / "docs.jsonl"
    note.write_text("Cough. Seen at the tobacco desk.")
    docs.write_text(
        json.dumps({"id": "a", "text": note.read_text(), "codes": [{"system": "icd10cm", "code": "Z72.0"}]})
    )

    def run(*args: object) -> str:
        done = CliRunner().invoke(cli.app, [*map(str, args), "--words", str(site)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    result = json.loads(run("suggest", note, "--json"))
    assert result["model"] == clinic.name
    assert [s["code"] for s in result["suggestions"] if s["suggested"]] == ["Z72.0"]
    assert json.loads(run("encounter", note, "--json"))["model"] == clinic.name
    assert json.loads(run("explain", note, "Z72.0", "--json"))["stage"] == "suggested"
    assert json.loads(run("evaluate", docs, "--json"))["results"] == f"model {clinic.name}"
    claim = tmp_path / "claim.csv"
    claim.write_text("code\nZ72.0\n")
    run("check", claim, "--note", note, "--json")
    assert json.loads(run("model", "diff", "starter", "starter", docs, "--json"))["after"] == clinic.name
    run("train", docs, "--base", "starter", "--out", tmp_path / "adapted")
    assert CodeSuggester.load(tmp_path / "adapted").name.endswith(clinic.name.split("+")[1])
    run("batch", docs, "--out", tmp_path / "o.jsonl")
    assert json.loads((tmp_path / "o.jsonl").read_text())["model"] == clinic.name
    assert "2 of kind abbreviation, 2 of kind idiom, 2 of kind pin, 1 of kind block" in " ".join(
        run("model", "show").split()
    )
