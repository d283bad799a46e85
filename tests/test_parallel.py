"""Marks carried over to a translation: invented cases in two languages, a sentence a line on the right."""

from __future__ import annotations

from pathlib import Path

from codesuggest.coded import read_codiesp
from codesuggest.parallel import carried_over

#: Sentences of an invented collection; the second of a pair is its translation.
PAIRS = (
    ("El paciente refiere fiebre desde ayer.", "The patient reports fever since yesterday."),
    ("Presenta tos y fiebre sin disnea.", "He presents cough and fever without dyspnea."),
    ("La tos mejora con reposo.", "The cough improves with rest."),
    ("No tiene edema ni dolor de rodilla.", "There is no edema or knee pain."),
    ("El dolor de rodilla derecha dura 3 meses.", "The right knee pain lasts 3 months."),
    ("Se aprecia edema de la pierna.", "Edema of the leg is seen."),
    ("La fiebre cede y la disnea no.", "The fever subsides and the dyspnea does not."),
)


def texts(*numbers: int) -> tuple[str, str]:
    return " ".join(PAIRS[n][0] for n in numbers), "\n".join(PAIRS[n][1] for n in numbers)


def mark(source: str, words: str, nth: int = 0) -> tuple[tuple[int, int], ...]:
    at = -1
    for _ in range(nth + 1):
        at = source.index(words, at + 1)
    return ((at, at + len(words)),)


CASES = [
    texts(0, 1, 2),
    texts(3, 4, 5),
    texts(1, 6, 5),
    texts(2, 4, 0, 3),
    texts(0, 6, 3),
    texts(5, 2, 1),
    texts(4, 0),
] * 3


def found(case: int, words: str, nth: int = 0) -> list[str]:
    marks: list[list[tuple[tuple[int, int], ...]]] = [[] for _ in CASES]
    marks[case].append(mark(CASES[case][0], words, nth))
    target = CASES[case][1]
    return [target[a:b].lower() for a, b in carried_over(CASES, marks)[case][0]]


def test_words_are_found_in_their_own_sentence() -> None:
    assert found(0, "fiebre") == ["fever"]
    first, second = CASES[0][1].index("fever"), CASES[0][1].rindex("fever")
    for nth, place in enumerate((first, second)):
        marks = [[mark(CASES[0][0], "fiebre", nth)], *([] for _ in CASES[1:])]
        assert carried_over(CASES, marks)[0] == [((place, place + 5),)]
    assert "dyspnea" in found(1 - 1, "disnea")[0]
    assert found(4, "dolor de rodilla") in (["knee pain"], ["or knee pain"])


def test_nothing_is_found_for_what_the_translation_lacks_and_order_of_texts_does_not_matter() -> None:
    source, target = texts(0, 1)
    cut = target.split("\n")[0]
    marks = [[mark(source, "disnea")], *([] for _ in CASES)]
    assert carried_over([(source, cut), *CASES], marks)[0] in ([()], [((cut.index("yesterday"), len(cut) - 1),)])
    assert carried_over([], []) == [] and carried_over([("", "")], [[]]) == [[]]
    assert carried_over([("fiebre", "")], [[((0, 6),)]]) == [[()]]
    marks = [[mark(s, "fiebre")] if "fiebre" in s else [] for s, _ in CASES]
    assert carried_over(CASES, marks) == carried_over(CASES, marks)


def test_codiesp_gives_evidence_in_both_languages(tmp_path: Path) -> None:
    base = tmp_path / "train"
    for folder in ("text_files", "text_files_en"):
        (base / folder).mkdir(parents=True)
    rows: dict[str, list[str]] = {"D": [], "P": [], "X": []}
    for n, (source, target) in enumerate(CASES):
        (base / "text_files" / f"c{n}.txt").write_text(source, encoding="utf-8")
        (base / "text_files_en" / f"c{n}.txt").write_text(target, encoding="utf-8")
        if "fiebre" in source:
            at = source.index("fiebre")
            rows["D"].append(f"c{n}\tr50.9")
            rows["X"].append(f"c{n}\tDIAGNOSTICO\tr50.9\tfiebre\t{at} {at + 6}")
    for letter, lines in rows.items():
        (base / f"train{letter}.tsv").write_text("\n".join(lines) + "\n" * bool(lines), encoding="utf-8")
    for language, word in (("es", "fiebre"), ("en", "fever")):
        documents = read_codiesp(tmp_path, language=language)
        coded = [d for d in documents if d.codes]
        assert len(documents) == len(CASES) and 0 < len(coded) < len(CASES)
        spans = [d.text[a:b] for d in coded for label in d.codes for a, b in label.evidence]
        assert set(spans) == {word} and len(spans) == len(coded)
    (base / "trainX.tsv").unlink()
    assert not any(label.evidence for d in read_codiesp(tmp_path) for label in d.codes)
