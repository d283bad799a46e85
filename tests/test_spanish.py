"""Spanish as a language: its word lists, cues, offsets, and a model trained on invented Spanish notes end to end."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language as Pipeline

from codesuggest.coded import CodedDocument, Label
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import LexiconError, ModelFormatError, OptionError
from codesuggest.note import NoteReader
from codesuggest.pipes.assertion import STATUSES
from codesuggest.pipes.language import fold, known_languages, language
from codesuggest.pipes.phrases import WordReader, common_words
from codesuggest.pipes.results import ResultReader
from codesuggest.pipes.stems import LEAST, StemRules
from codesuggest.pipes.structure import StructureReader
from codesuggest.suggester import CodeSuggester
from codesuggest.training import train
from tests.test_assertion import parse

ES = language("es")
WORDS = WordReader(ES)
STRUCTURE = StructureReader(ES.folder)

# status | sentences, the finding in [brackets]; "\n" is a line end. All invented for this table.
EXAMPLES = r"""
affirmed     | Varón de 54 años que acude por [dolor torácico] opresivo.
affirmed     | Niega fiebre pero refiere [tos] desde hace una semana.
affirmed     | No ha mejorado la [disnea] con el tratamiento.
affirmed     | [Diabetes] no bien controlada.
affirmed     | No solo [cefalea] sino también vómitos.
affirmed     | Sin cambios en la [hepatomegalia].
affirmed     | Bacteriemia por [bacilo] gram negativo.
affirmed     | Sin fiebre; [escalofríos] nocturnos.
affirmed     | Sin disnea.\n[Edemas] maleolares.
affirmed     | Sin respuesta al tratamiento de la [anemia].
affirmed     | No fuma aunque presenta [tos crónica].
affirmed     | Vive con su madre, [asma] desde niño.
affirmed     | Según su hija, [confusión] desde ayer.
affirmed     | Diagnosticado de [diabetes tipo 2] en 2011.
affirmed     | Antecedentes de ictus, actualmente [disartria].
affirmed     | [Neuropatía] secundaria a diabetes.
affirmed     | No insulinodependiente, [retinopatía] conocida.
affirmed     | [HTA] sí, diabetes no, asma no
negated      | HTA sí, [diabetes] no, asma no
negated      | Niega [fiebre].
negated      | Niega [tos], disnea o dolor torácico.
negated      | Niega tos, [disnea] o dolor torácico.
negated      | Sin [adenopatías] palpables.
negated      | No [soplos] ni roces.
negated      | No soplos ni [roces].
negated      | No se palpan [masas].
negated      | No se aprecian signos de [trombosis].
negated      | Ausencia de [derrame pleural].
negated      | La TAC descarta [tromboembolismo].
negated      | Se descartó [infarto].
negated      | Sin evidencia de [recidiva].
negated      | Sin antecedentes de [cardiopatía].
negated      | No refiere antecedentes de [epilepsia].
negated      | Afebril, sin [tos].
negated      | Nunca ha presentado [crisis].
negated      | Serologías negativas para [sífilis].
negated      | No presenta [edemas].
negated      | Ni [náuseas] ni vómitos.
negated      | Tampoco [ictericia].
negated      | No hay evidencia de [metástasis].
uncertain    | Probable [neumonía] basal derecha.
uncertain    | Posible [apendicitis].
uncertain    | Sospecha de [meningitis].
uncertain    | Ingresa con sospecha clínica de [endocarditis].
uncertain    | A descartar [fractura].
uncertain    | Cuadro compatible con [gastroenteritis].
uncertain    | Imagen sugestiva de [neoplasia].
uncertain    | No se puede descartar [isquemia].
uncertain    | Se plantea el diagnóstico de [sarcoidosis].
uncertain    | Podría tratarse de un [lipoma].
family       | Madre con [cáncer de mama].
family       | Antecedentes familiares de [glaucoma].
family       | Padre fallecido por [infarto].
family       | Hermano diagnosticado de [esquizofrenia].
family       | Abuela materna con [diabetes].
historical   | Antecedentes de [tuberculosis].
historical   | Antecedentes personales de [ictus].
historical   | Historia previa de [úlcera].
historical   | Intervenido de [hernia inguinal] en 2005.
historical   | AP de [neumonía].
historical   | Tuvo [hepatitis] en la infancia.
hypothetical | Acudir a urgencias si [fiebre].
hypothetical | Profilaxis de [trombosis].
hypothetical | Factores de riesgo de [osteoporosis].
hypothetical | Vacunado contra la [hepatitis B].
hypothetical | En caso de [dolor], paracetamol.
other_person | Esposa con [gripe] desde el lunes.
"""


@pytest.fixture(scope="module")
def nlp() -> Pipeline:
    pipeline = spacy.blank("es")
    pipeline.add_pipe("codesuggest_assertion")
    return pipeline


@pytest.mark.parametrize(("status", "text", "start", "end"), parse(EXAMPLES))
def test_example(nlp: Pipeline, status: str, text: str, start: int, end: int) -> None:
    span = nlp(text).char_span(start, end, alignment_mode="expand")
    assert span is not None and span._.assertion == status


@pytest.mark.parametrize(("status", "text", "start", "end"), parse(EXAMPLES)[::4])
def test_accents_left_off_or_written_apart_say_the_same(
    nlp: Pipeline, status: str, text: str, start: int, end: int
) -> None:
    for write in (lambda s: fold(s, "ñ"), lambda s: unicodedata.normalize("NFD", s)):
        first = len(write(text[:start]))
        span = nlp(write(text)).char_span(first, first + len(write(text[start:end])), alignment_mode="expand")
        assert span is not None and span._.assertion == status


def test_every_status_has_examples() -> None:
    assert {status for status, *_ in parse(EXAMPLES)} == set(STATUSES)


# ---- languages and their lists -----------------------------------------------------------------------------------------


def test_an_unknown_language_names_the_known_ones() -> None:
    assert known_languages() == ("en", "es")
    for wrong in ("fr", "ES", "", "../en"):
        with pytest.raises(OptionError, match="language must be one of en, es"):
            language(wrong)


@pytest.mark.parametrize("name", [p.name for p in sorted(ES.folder.glob("*.tsv"))])
def test_every_list_has_its_english_peer_and_a_source(name: str) -> None:
    only = ("stems.tsv", "idioms_icd10cm.tsv")  # the list of English is in corpora/codes, and in the starter model
    assert name in only or (language("en").folder / name).is_file()
    rows = [r.split("\t") for r in (ES.folder / name).read_text("utf-8").splitlines() if r and not r.startswith("#")]
    assert rows[0][-1] == "source" and all(len(r) == len(rows[0]) and r[-1] for r in rows)


def test_common_words_are_spanish_and_move_no_result() -> None:
    words = common_words(ES.folder)
    assert len(words) > 100 and "fiebre" in words
    knowing = WordReader(ES)
    knowing.learn(words)
    assert [knowing.forms_of(w) for w in words] == [WORDS.forms_of(w) for w in words]


# ---- words ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("neumonía", "neumonias"),
        ("infección", "infecciones"),
        ("Hipertensión arterial", "hipertension arterial"),
        ("renal", "riñón"),
        ("fractura", "fracturas"),
        ("HTA", "hipertensión arterial"),
        ("EPOC", "enfermedad pulmonar obstructiva crónica"),
        ("DM2", "diabetes mellitus tipo 2"),
        ("IAM", "infarto agudo de miocardio"),
        ("gonalgia", "dolor de rodilla"),
        ("rodilla dcha", "rodilla derecha"),
        # a Spanish note meets the titles of an English table
        ("neumonía", "pneumonia"),
        ("hipertensión", "hypertension"),
        ("psoriasis", "psoriasis"),
        ("colecistectomía", "cholecystectomy"),
        ("fractura de fémur", "fracture of femur"),
        ("infarto de miocardio", "myocardial infarction"),
        ("derecho", "right"),
        ("riñón izquierdo", "left kidney"),
    ],
)
def test_two_ways_of_writing_are_one(one: str, other: str) -> None:
    assert set(WORDS.forms_of(one)) == set(WORDS.forms_of(other)) != set()


@pytest.mark.parametrize(
    ("one", "other"),
    [("año", "ano"), ("caña", "cana"), ("fa", "FA"), ("hipertensión", "hipotensión"), ("derecho", "izquierdo")],
)
def test_two_words_stay_two(one: str, other: str) -> None:
    assert set(WORDS.forms_of(one)) != set(WORDS.forms_of(other))


def test_a_letter_written_in_two_code_points_is_that_letter() -> None:
    for word in ("riñón", "año", "lesión"):
        assert WORDS.forms_of(unicodedata.normalize("NFD", word)) == WORDS.forms_of(word)


@given(st.text(alphabet="aáeéiíoóuúüñchpqrstlzbdgmnxy ,.\n\u0301\u0303", max_size=60))
@settings(max_examples=150, deadline=None)
def test_offsets_of_words_are_those_of_the_text(text: str) -> None:
    words = WORDS.read(text)
    assert (words.start < words.end).all() and (words.end[:-1] <= words.start[1:]).all()
    for a, b, forms in zip(words.start.tolist(), words.end.tolist(), words.forms, strict=True):
        assert 0 <= a < b <= len(text) and not any(c.isspace() for c in text[a:b])
        assert WORDS.read(text[a:b]).forms[:1] == [forms] or len(WORDS.read(text[a:b])) != 1


def slow_stem(path: Path, word: str) -> str:
    """Letter by letter, as the module's head says it."""
    if len(word) < LEAST or not word.isalpha():
        return word
    rules: dict[str, dict[str, str]] = {"whole": {}, "start": {}, "any": {}, "end": {}}
    for line in path.read_text("utf-8").splitlines():
        if line and line[0] != "#" and not line.startswith("where"):
            where, find, replace, _ = line.split("\t")
            rules[where][find] = replace
    if word in rules["whole"]:
        return rules["whole"][word]
    start = max((f for f in rules["start"] if word.startswith(f)), key=len, default="")
    word = rules["start"].get(start, "") + word[len(start) :]
    out = ""
    while word:
        found = max((f for f in rules["any"] if word.startswith(f)), key=len, default="")
        out, word = out + (rules["any"][found] if found else word[0]), word[len(found) or 1 :]
    for _ in range(2):
        ends = [f for f, r in rules["end"].items() if out.endswith(f) and len(out) - len(f) + len(r) >= LEAST]
        if ends:
            end = max(ends, key=len)
            out = out[: len(out) - len(end)] + rules["end"][end]
    return out


@given(
    st.text(alphabet="abcdefghijlmnñopqrstuvxyz", max_size=18) | st.sampled_from([*common_words(ES.folder), "crohn"])
)
@settings(max_examples=200, deadline=None)
def test_stems_are_those_of_the_slow_reference(word: str) -> None:
    word = ES.fold(word)
    assert StemRules(ES.folder / "stems.tsv").stem(word) == slow_stem(ES.folder / "stems.tsv", word)


@pytest.mark.parametrize("row", ["middle\tx\ty\town", "end\tX\ty\town", "end\tx\ty\town\nend\tx\tz\town"])
def test_a_wrong_rule_names_file_and_line(tmp_path: Path, row: str) -> None:
    path = tmp_path / "stems.tsv"
    path.write_text(f"where\tfind\treplace\tsource\n{row}\n", "utf-8")
    with pytest.raises(LexiconError, match=r"stems\.tsv, line [23]"):
        StemRules(path)


# ---- sections, document type, results --------------------------------------------------------------------------------------

ALTA = (
    "INFORME DE ALTA\nMotivo de ingreso: fiebre.\nAntecedentes familiares: padre con glaucoma.\nExploración física:\n"
    "TA 120/80.\nDiagnóstico al alta:\n1. Neumonía.\n2. Hiponatremia.\nTratamiento al alta: amoxicilina.\n"
)


def test_headings_and_type_of_a_discharge_summary() -> None:
    for text in (ALTA, fold(ALTA), ALTA.upper()):
        structure = STRUCTURE.read(text)
        assert structure.document_type == "discharge_summary"
        assert [s.name for s in structure.sections if s.name] == [
            "chief_complaint",
            "family_history",
            "exam",
            "discharge_diagnosis",
            "discharge_medications",
        ]


def test_sentences_do_not_end_at_spanish_abbreviations() -> None:
    text = "El Dr. Pérez pautó 5 mg v.o. cada 8 h. No hubo fiebre."
    assert [text[s.start : s.end] for s in STRUCTURE.read(text).sentences] == [
        "El Dr. Pérez pautó 5 mg v.o. cada 8 h.",
        "No hubo fiebre.",
    ]


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("Potasio 6,1 mmol/L.", "hiperpotasemia"),
        ("Potasio 6.1 mmol/L.", "hiperpotasemia"),
        ("Hb 7,9 g/dL.", "anemia"),
        ("Plaquetas 206.000/mm3.", None),
        ("Plaquetas 12.000/mm3.", "trombocitopenia"),
        ("Sodio 140 mmol/L.", None),
    ],
)
def test_decimals_are_commas(text: str, phrase: str | None) -> None:
    results = ResultReader(ES.folder, ES.decimal).read(text, STRUCTURE.read(text))
    assert [r.phrase for r in results] == [phrase]
    assert text[results[0].start : results[0].end].startswith(text.split()[0])


# ---- a model end to end ----------------------------------------------------------------------------------------------------

TABLE = [
    {"code": "Q10", "title": "Hipertensión arterial"},
    {"code": "Q11", "title": "Diabetes mellitus tipo 2"},
    {"code": "Q20.1", "title": "Neumonía"},
    {"code": "Q30.0", "title": "Dolor de rodilla derecha"},
    {"code": "Q30.1", "title": "Dolor de rodilla izquierda"},
    {"code": "Q40", "title": "Riñón poliquístico"},
    {"code": "Q50", "title": "Fibrilación auricular"},
    {"code": "Q60", "title": "Anemia ferropénica"},
]
WAYS = {
    "Q10": ("HTA", "hipertensión arterial", "tensión alta mantenida"),
    "Q11": ("DM2", "diabetes mellitus tipo 2", "azúcar de adulto"),
    "Q20.1": ("neumonía", "neumonia basal", "pulmonía doble"),
    "Q50": ("FA", "fibrilación auricular", "corazón loco"),
    "Q60": ("anemia ferropénica", "anemia por falta de hierro", "sangre floja"),
}


def mark(text: str, *pairs: tuple[str, str]) -> tuple[Label, ...]:
    """Labels whose evidence is where the phrase stands."""
    spans = [(code, (text.index(phrase), text.index(phrase) + len(phrase))) for phrase, code in pairs]
    return tuple(Label("lab", code, evidence=(span,)) for code, span in spans)


def documents() -> list[CodedDocument]:
    out = []
    codes = list(WAYS)
    for n in range(15):
        one, two = codes[n % 5], codes[(n + 1 + n // 5) % 5]
        a, b = WAYS[one][n % 3], WAYS[two][(n + 1) % 3]
        text = f"Paciente de {40 + n} años.\nAntecedentes: {a}.\nAcude por {b} desde ayer. Niega fiebre."
        labels = mark(text, (a, one), (b, two))
        out.append(CodedDocument(f"n{n}", text, labels, policy="mentions", systems=("lab",)))
    return out


@pytest.fixture(scope="module")
def table() -> CodeSystem:
    return CodeSystem.from_table(TABLE, name="lab", release="2026")


@pytest.fixture(scope="module")
def model(table: CodeSystem) -> CodeSuggester:
    return train(documents(), systems=[table], language="es", min_groups=1, name="es")


def codes_of(model: CodeSuggester, note: str) -> list[str]:
    return [s.code for s in model.suggest(note).suggestions if s.suggested]


def test_a_spanish_model_reads_spanish_notes(model: CodeSuggester) -> None:
    assert codes_of(model, "Varón de 70 años con HTA y FA.") == sorted(["Q10", "Q50"]) or set(
        codes_of(model, "Varón de 70 años con HTA y FA.")
    ) == {"Q10", "Q50"}
    # what only the coders' own marks taught, no title says
    assert "Q50" in codes_of(model, "Refiere corazón loco.")
    # a code nobody was given is found by its title, accents or not
    assert "Q40" in [s.code for s in model.suggest("Rinon poliquistico conocido.").suggestions]


def test_evidence_is_where_the_words_stand(model: CodeSuggester) -> None:
    for form in ("NFC", "NFD"):
        note = unicodedata.normalize(
            form, "Niño 😀 con riñón poliquístico y fibrilación auricular.\r\nAño 2021: neumonía."
        )
        found = {s.code: [note[e.start : e.end] for e in s.evidence] for s in model.suggest(note).suggestions}
        assert unicodedata.normalize("NFC", found["Q20.1"][0]) == "neumonía"
        assert unicodedata.normalize("NFC", found["Q40"][0]) == "riñón poliquístico"


def test_the_language_is_saved_with_the_model(model: CodeSuggester, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    assert json.loads((tmp_path / "m" / "manifest.json").read_text("utf-8"))["language"] == "es"
    again = CodeSuggester.load(tmp_path / "m")
    assert again.language == "es"
    note = "Paciente con DM2 y anemia por falta de hierro. No neumonía."
    assert again.suggest(note).to_dict()["suggestions"] == model.suggest(note).to_dict()["suggestions"]
    again.save(tmp_path / "n")
    assert (tmp_path / "n" / "manifest.json").read_bytes() == (tmp_path / "m" / "manifest.json").read_bytes()


def test_a_model_of_a_language_nobody_knows_is_refused(model: CodeSuggester, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    path = tmp_path / "m" / "manifest.json"
    path.write_text(path.read_text("utf-8").replace('"language": "es"', '"language": "xx"'), "utf-8")
    with pytest.raises(ModelFormatError, match="one of en, es"):
        CodeSuggester.load(tmp_path / "m")


def test_training_in_an_unknown_language_is_refused(table: CodeSystem) -> None:
    with pytest.raises(OptionError, match="one of en, es"):
        train(documents(), systems=[table], language="it")


def test_training_is_reproducible(model: CodeSuggester, table: CodeSystem, tmp_path: Path) -> None:
    model.save(tmp_path / "a")
    train(documents(), systems=[table], language="es", min_groups=1, name="es").save(tmp_path / "b")
    assert (tmp_path / "a" / "manifest.json").read_bytes() == (tmp_path / "b" / "manifest.json").read_bytes()


def test_words_of_a_single_patient_are_not_kept(table: CodeSystem, tmp_path: Path) -> None:
    own = documents()
    text = "Paciente Zutanez con zutanitis grave."
    own.append(CodedDocument("z", text, mark(text, ("zutanitis", "Q40")), policy="mentions", systems=("lab",)))
    train(own, systems=[table], language="es", min_groups=2, name="es").save(tmp_path / "m")
    kept = b"".join(p.read_bytes() for p in sorted((tmp_path / "m").rglob("*")) if p.is_file()).lower()
    assert b"zutan" not in kept


def test_a_reader_knows_its_sides_and_signs() -> None:
    forms = sorted({f for w in ("dolor", "rodilla", "derecho", "izquierdo", "bilateral") for f in WORDS.forms_of(w)})
    reader = NoteReader({f: i for i, f in enumerate(forms)}, np.full(len(forms), 5, np.float32), WORDS)
    reading = reader.read("Revisión por dolor en rodilla derecha y ambas rodillas, secuela de fractura abierta.")
    assert reading.side.tolist() == [1, 3]
    assert reading.follow_up and reading.sequela and reading.open_injury


def test_words_that_only_look_alike_stay_apart() -> None:
    for one, other in (
        ("hombro", "hombre"), ("crohn", "crónico"), ("cornea", "corns"), ("fascia", "facial"), ("transitorio", "tránsito"),
        ("leucocitosis", "leucocitos"), ("lagrimal", "epífora"), ("parkinsonismo", "parkinson"), ("grave", "grávida"),
    ):  # fmt: skip
        assert WORDS.forms_of(one) != WORDS.forms_of(other), (one, other)
    for one, other in (("hombros", "shoulder"), ("leucocitosis", "leukocytosis"), ("eosinofilia", "eosinophilia")):
        assert WORDS.forms_of(one) == WORDS.forms_of(other), (one, other)
    assert set(WORDS.forms_of("linfoma no Hodgkin")) == set(WORDS.forms_of("non-Hodgkin lymphoma"))


def test_a_whole_word_has_a_stem_that_no_other_rule_touches(tmp_path: Path) -> None:
    file = tmp_path / "stems.tsv"
    file.write_text("where\tfind\treplace\tsource\nwhole\tcornos\tcuerno\town\nend\tos\t\town\nany\tn\tm\town\n")
    rules = StemRules(file)
    assert rules.stem("cornos") == "cuerno" and rules.stem("hornos") == "horm"
