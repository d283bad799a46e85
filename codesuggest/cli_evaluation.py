"""The commands that measure: `evaluate`, `explain` and `model diff`.

As in `cli`, each parses, makes public calls and prints; `cli` puts them into its groups and catches the errors.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codesuggest.errors import OptionError

if TYPE_CHECKING:
    from codesuggest.coded import CodedDocument
    from codesuggest.evaluation import Evaluation
    from codesuggest.suggester import CodeSuggester

DocumentsArgument = Annotated[
    Path, typer.Argument(help="Coded documents: JSON lines, a folder of .txt with .json, or a part of CodiEsp.")
]
ModelOption = Annotated[Path | None, typer.Option(help="Model folder; without it the starter model.", metavar="DIR")]
WordsOption = Annotated[
    Path | None,
    typer.Option(help="The site's word list: abbreviations, idioms, pinned and blocked codes.", metavar="TSV"),
]
SystemOption = Annotated[str, typer.Option(help="Code system that is measured.")]
ThresholdOption = Annotated[float | None, typer.Option(help="Confidence from which a code counts as suggested.")]
SplitOption = Annotated[str, typer.Option(help="train, evaluation or all: of documents that say so.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
LayoutOption = Annotated[
    str | None, typer.Option(help="jsonl, csv, codiesp, mimic3, mimic4 or fhir; by default told by what is there.")
]
SplitFileOption = Annotated[
    Path | None,
    typer.Option(help="Published split of MIMIC: a list of HADM_ID, or a CSV of _id and split.", metavar="FILE"),
]
PartOption = Annotated[str, typer.Option(help="train, dev or test: of the split file, or of CodiEsp.")]
SPLITS = ("all", "train", "evaluation")


def register(app: typer.Typer, model: typer.Typer) -> None:
    """Put the commands into the program and its group `model`."""
    app.command("evaluate")(evaluate)
    app.command("explain")(explain)
    model.command("diff")(diff)


def evaluate(
    documents: DocumentsArgument,
    model: ModelOption = None,
    words: WordsOption = None,
    results: Annotated[
        Path | None, typer.Option(help="Score these results instead of asking a model.", metavar="FILE")
    ] = None,
    adapter: Annotated[
        str | None, typer.Option(help="What wrote them: codesuggest, comprehend or csv; by default found out.")
    ] = None,
    system: SystemOption = "icd10cm",
    threshold: ThresholdOption = None,
    precision: Annotated[float | None, typer.Option(help="Also find the threshold that gives this precision.")] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help="document_type, setting, policy, group, chapter, section, band or seen; may be repeated."),
    ] = None,
    calibration: Annotated[
        bool, typer.Option("--calibration", help="With --by: the reliability of each part.")
    ] = False,
    stages: Annotated[bool, typer.Option("--stages", help="Where recall is lost, stage by stage.")] = False,
    worst: Annotated[int, typer.Option(help="So many documents that went worst, with their codes.", min=0)] = 0,
    trained_on: Annotated[
        Path | None, typer.Option(help="Coded documents, for --by seen and band; by default the model's own counts.")
    ] = None,
    split: SplitOption = "all",
    layout: LayoutOption = None,
    split_file: SplitFileOption = None,
    part: PartOption = "train",
    forgiving: Annotated[bool, typer.Option("--forgiving", help="With --results: as CodiEsp's stems ask for.")] = False,
    json: JsonOption = False,
) -> None:
    """Measure a model, or anyone's results, on coded documents: precision, recall, ranking, evidence, calibration.

    Documents that a model was trained on flatter it: --split evaluation leaves them out where documents say so.
    """
    from codesuggest.losses import losses, worst_documents
    from codesuggest.terminal_evaluation import plain_rows, print_evaluation, print_losses, print_parts, print_worst

    if results is None and (forgiving or adapter is not None):
        raise OptionError("--adapter and --forgiving are about --results")
    if results is not None and stages:
        raise OptionError("--stages asks a model; results do not say where a code was lost")
    suggester = _open(model, words)
    spoken = suggester.language
    coded = read_documents(
        documents, split, layout=layout, split_file=split_file, part=part, language=spoken, system=system
    )
    evaluation, told = _measured(suggester, coded, results, adapter, system, threshold, trained_on, forgiving)
    operating = None if precision is None else evaluation.threshold_for(precision=precision)
    parts = {key: evaluation.by(key) for key in dict.fromkeys(by or ())}
    lost = None
    if stages:
        lost = losses(suggester, coded, system=system, threshold=threshold)
    if json:
        from codesuggest.evaluation import TOP

        row: dict[str, Any] = {"results": told, **evaluation.to_dict()}
        row["first"] = {k: evaluation.at(k=k).figures for k in TOP}
        row["operating"] = None if operating is None else operating._asdict()
        row["by"] = {key: plain_rows(own) for key, own in parts.items()}
        row["stages"] = None if lost is None else lost.to_dict()
        row["worst"] = [w._asdict() for w in worst_documents(evaluation, worst)]
        typer.echo(jsonlib.dumps(row))
        return
    print_evaluation(evaluation, told, operating)
    for key, own in parts.items():
        print_parts(key, own, calibration)
    if lost is not None:
        print_losses(lost)
    if worst:
        print_worst(system, worst_documents(evaluation, worst))


def _measured(
    suggester: CodeSuggester,
    coded: Sequence[CodedDocument],
    results: Path | None,
    adapter: str | None,
    system: str,
    threshold: float | None,
    trained_on: Path | None,
    forgiving: bool,
) -> tuple[Evaluation, str]:
    """The evaluation, and whose results it is of."""
    from codesuggest.adapters import forgiving as forgive
    from codesuggest.adapters import read_results
    from codesuggest.evaluation import evaluate as ask
    from codesuggest.evaluation import score
    from codesuggest.levels import seen_in

    seen = None if trained_on is None else seen_in(read_documents(trained_on, "all"), system)
    if results is None:
        if system not in suggester.systems:
            raise OptionError(f"--system must be one of {', '.join(suggester.systems)}")
        return ask(suggester, coded, system=system, threshold=threshold, seen=seen), f"model {suggester.name}"
    rows = read_results(results, adapter=adapter, ids=[d.id for d in coded], system=system)
    if forgiving:
        coded, rows = forgive(coded, rows, system=system)
    table = suggester.tables.get(system)
    return score(coded, rows, system=system, threshold=threshold, table=table, seen=seen), results.name


def explain(
    file: Annotated[str, typer.Argument(help="A text file, or - for standard input.", metavar="NOTE")],
    codes: Annotated[list[str], typer.Argument(help="As E11.22; may be several.", metavar="CODE")],
    model: ModelOption = None,
    words: WordsOption = None,
    system: SystemOption = "icd10cm",
    setting: Annotated[str | None, typer.Option(help="inpatient or outpatient.")] = None,
    service_date: Annotated[str | None, typer.Option(help="YYYY-MM-DD.", metavar="DATE")] = None,
    document_type: Annotated[str | None, typer.Option(help="As discharge_summary.")] = None,
    limit: Annotated[int | None, typer.Option(help="Codes a coder is shown, by default the model's 50.")] = None,
    threshold: ThresholdOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON line a code.")] = False,
    show_text: Annotated[
        bool | None, typer.Option("--show-text/--no-show-text", help="Words of the note; default: not in JSON.")
    ] = None,
) -> None:
    """Why a code is suggested, or at which stage it was lost."""
    from codesuggest.inputs import read_note
    from codesuggest.terminal_evaluation import print_explanation

    note, suggester = read_note(file, None), _open(model, words)
    options = {"setting": setting, "service_date": service_date, "document_type": document_type}
    if system not in suggester.systems:
        raise OptionError(f"--system must be one of {', '.join(suggester.systems)}")
    for code in codes:
        if code not in suggester.tables[system]:
            raise OptionError(
                f"{system} of this model holds no code {code}; `codesuggest codes search` finds codes by words"
            )
    trace = suggester.trace(note, system=system, limit=limit, threshold=threshold, **options)
    for told in map(trace.of, codes):
        if json:
            row = told.to_dict()
            if show_text:
                for place in (*row["evidence"], *row["places"]):
                    place["text"] = note[place["start"] : place["end"]]
            typer.echo(jsonlib.dumps(row))
        else:
            print_explanation(told, None if show_text is False else note)


def diff(
    before: Annotated[Path, typer.Argument(help="Model folder, or the word starter.", metavar="OLD")],
    after: Annotated[Path, typer.Argument(help="Model folder, or the word starter.", metavar="NEW")],
    documents: DocumentsArgument,
    words: Annotated[
        Path | None, typer.Option(help="The site's word list, laid over NEW: what does it change?", metavar="TSV")
    ] = None,
    gate: Annotated[
        list[str] | None,
        typer.Option(help="How far a figure may move for the worse, as F1=-0.005 or ECE=0.01; may be repeated."),
    ] = None,
    system: SystemOption = "icd10cm",
    threshold: ThresholdOption = None,
    split: SplitOption = "all",
    most: Annotated[int, typer.Option(help="Changed codes that are listed of each kind.", min=0)] = 12,
    json: JsonOption = False,
) -> None:
    """What changed between two models on coded documents, with paired intervals, code by code.

    Exit code 1 if a gate does not let the new model through.
    """
    from codesuggest.compare import Gate, compare
    from codesuggest.evaluation import evaluate as ask
    from codesuggest.terminal_evaluation import print_comparison

    gates = [Gate.read(text) for text in gate or ()]
    coded = read_documents(documents, split)
    models = [_open(None if str(path) == "starter" and not path.exists() else path) for path in (before, after)]
    if words is not None:
        models[1] = models[1].with_words(words)
    old, new = (ask(m, coded, system=system, threshold=threshold) for m in models)
    comparison = compare(old, new)
    verdicts = [(g, g.passes(comparison)) for g in gates]
    if json:
        row = {"before": models[0].name, "after": models[1].name, **comparison.to_dict()}
        row["gates"] = [{"figure": g.figure, "bound": g.bound, "passes": passes} for g, passes in verdicts]
        typer.echo(jsonlib.dumps(row))
    else:
        print_comparison(comparison, (models[0].name, models[1].name), verdicts, most)
    if not all(passes for _, passes in verdicts):
        raise typer.Exit(1)


def read_documents(
    path: Path,
    split: str,
    *,
    layout: str | None = None,
    split_file: Path | None = None,
    part: str = "train",
    language: str = "en",
    system: str = "icd10cm",
) -> list[CodedDocument]:
    """Coded documents of one split. Raises OptionError where there are none, InputError for what is no such input.

    The other options are those of `loaders.read_documents_as`; a folder that is a part of CodiEsp is that part.
    """
    from codesuggest.loaders import read_documents_as

    if split not in SPLITS:
        raise OptionError(f"--split must be one of {', '.join(SPLITS)}")
    if (path / f"{path.name}D.tsv").is_file():
        path, layout, part = path.parent, "codiesp", path.name

    def told(line: str) -> None:
        typer.echo(line, err=True)

    found = read_documents_as(path, layout, split=split_file, part=part, language=language, system=system, told=told)
    coded = [d for d in found if split in ("all", d.split)]
    if not coded:
        raise OptionError(f"{path} holds no coded document{'' if split == 'all' else f' of the split {split}'}")
    return coded


def _open(model: Path | None, words: Path | None = None) -> CodeSuggester:
    from codesuggest.suggester import CodeSuggester

    return CodeSuggester.load(model, words=words)
