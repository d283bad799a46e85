"""The public face: names, signatures, and what importing costs."""

from __future__ import annotations

import inspect
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import codesuggest
from codesuggest import errors
from codesuggest.adapting import adapt
from codesuggest.coded import CodedDocument
from codesuggest.codes.system import CodeSystem
from codesuggest.learning import learn
from codesuggest.suggester import CodeSuggester
from codesuggest.training import train

ROOT = Path(__file__).parent.parent
PUBLIC = {
    "ClaimLine",
    "EncounterResult",
    "CodeSuggestError",
    "CodeSuggester",
    "CodeSystem",
    "CodedDocument",
    "DecidedNote",
    "NoteResult",
    "SuggestConfig",
    "adapt",
    "evaluate",
    "learn",
    "read_coded",
    "read_decisions",
    "to_frame",
    "train",
}


def test_the_public_names() -> None:
    assert set(codesuggest.__all__) == PUBLIC
    assert list(codesuggest.__all__) == sorted(codesuggest.__all__)
    assert set(dir(codesuggest)) >= PUBLIC | {"__version__"}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_is_there(name: str) -> None:
    thing = getattr(codesuggest, name)
    assert thing.__name__ == name and thing.__doc__, "and says what it is"


def test_no_module_is_called_as_a_public_name() -> None:
    """Else the name is the module as soon as somebody imports it, and a function no longer."""
    assert not {module.name for module in pkgutil.iter_modules(codesuggest.__path__)} & PUBLIC


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Suggestor"):
        codesuggest.Suggestor  # noqa: B018


def test_star_import_gives_the_public_names() -> None:
    space: dict[str, object] = {}
    exec("from codesuggest import *", space)
    assert set(space) - {"__builtins__"} == PUBLIC


def modules_after(program: str) -> set[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = f"import sys\n{program}\nprint(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, timeout=60
    )
    return set(done.stdout.split())


HEAVY = {"pandas", "pyspark", "spacy", "sklearn", "scipy", "numpy", "joblib", "pyarrow", "typer", "rich", "hypothesis"}


def test_import_pulls_in_nothing_heavy() -> None:
    loaded = modules_after("import codesuggest")
    assert not HEAVY & loaded
    assert {m for m in loaded if m.startswith("codesuggest")} == {"codesuggest"}


def test_a_name_pulls_in_no_more_than_it_needs() -> None:
    assert not HEAVY & modules_after(
        "from codesuggest import CodeSuggestError, SuggestConfig, NoteResult, CodedDocument"
    )
    assert not {"pandas", "spacy", "sklearn"} & modules_after("from codesuggest import CodeSystem, to_frame")
    assert not {"pandas", "pyspark", "sklearn", "pyarrow"} & modules_after("from codesuggest import CodeSuggester")


def test_suggesting_needs_no_scikit_learn_and_no_network() -> None:
    program = (
        "import socket\n"
        "def no(*a, **k): raise OSError('the network was asked for')\n"
        "socket.socket.connect = no; socket.create_connection = no; socket.getaddrinfo = no\n"
        "from codesuggest import CodeSuggester\n"
        "assert CodeSuggester.load().suggest('left knee pain').suggestions"
    )
    assert not {"sklearn", "pandas", "pyspark"} & modules_after(program)


SIGNATURES = {
    CodeSuggester.suggest: (
        ("self", "note"),
        ("id", "service_date", "setting", "document_type", "systems", "age", "sex", "limit", "threshold"),
    ),
    CodeSuggester.suggest_encounter: (
        ("self", "documents"),
        ("id", "service_date", "setting", "systems", "age", "sex", "limit", "threshold", "edits"),
    ),
    CodeSuggester.load: (("path",), ("expect", "words")),
    CodeSuggester.save: (("self", "path"), ()),
    adapt: (("base", "documents"), ("systems", "config", "seed", "name", "progress")),
    learn: (("model", "decisions"), ("date", "min_groups", "seed", "name", "progress")),
    CodeSuggester.search: (("self", "text"), ("system", "limit", "date")),
    CodeSuggester.suggest_many: (("self", "notes"), ("options",)),
    CodeSuggester.explain: (("self", "note", "code"), ("system", "marked", "options")),
    train: (
        ("documents",),
        ("systems", "idioms", "config", "language", "seed", "min_groups", "words", "name", "about", "progress"),
    ),
}


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda f: f.__qualname__)
def test_options_are_keyword_only(function: object) -> None:
    positional, named = SIGNATURES[function]  # type: ignore[index]
    parameters = inspect.signature(function).parameters  # type: ignore[arg-type]
    kinds = {name: p.kind for name, p in parameters.items()}
    assert tuple(n for n, k in kinds.items() if k is inspect.Parameter.POSITIONAL_OR_KEYWORD) == positional
    rest = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    assert tuple(n for n, k in kinds.items() if k in rest) == named
    assert not [n for n, k in kinds.items() if k is inspect.Parameter.VAR_POSITIONAL]


def test_options_are_optional() -> None:
    parameters = inspect.signature(CodeSuggester.suggest).parameters
    assert all(p.default is None or p.name == "id" for p in list(parameters.values())[2:])
    assert inspect.signature(train).parameters["min_groups"].default == 3


def test_check_claim_takes_the_note_of_the_design() -> None:
    parameters = inspect.signature(CodeSuggester.check_claim).parameters
    assert list(parameters)[:2] == ["self", "codes"]
    assert "note" in parameters and all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in list(parameters.values())[2:])


def drawn() -> dict[str, str]:
    """Name -> code, as the tree at the top of errors.py draws it."""
    rows = (line.split() for line in (errors.__doc__ or "").splitlines() if ' code "' in line)
    return {next(w for w in row if w.endswith("Error")): row[-1].strip('"') for row in rows}


def test_the_exception_tree_is_as_drawn() -> None:
    found = {
        name: thing.code
        for name, thing in vars(errors).items()
        if inspect.isclass(thing) and issubclass(thing, errors.CodeSuggestError) and name != "CodeSuggestError"
    }
    assert found == drawn()
    assert len(set(found.values())) == len(found), "a code names one error"


def test_every_error_of_the_package_is_a_codesuggest_error() -> None:
    """Also the ones defined elsewhere, and each has a code of its own."""
    import importlib

    codes: dict[str, str] = {}
    for module in pkgutil.walk_packages(codesuggest.__path__, "codesuggest."):
        if module.name.endswith("__main__"):
            continue
        for name, thing in vars(importlib.import_module(module.name)).items():
            if inspect.isclass(thing) and issubclass(thing, Exception) and thing.__module__.startswith("codesuggest"):
                assert issubclass(thing, errors.CodeSuggestError), name
                codes[name] = thing.code
    assert len(set(codes.values())) == len(codes), codes


def test_the_classes_hang_together() -> None:
    assert codesuggest.CodeSystem is CodeSystem and codesuggest.CodedDocument is CodedDocument
    assert issubclass(errors.NotTextError, TypeError) and issubclass(errors.ModelNotFoundError, FileNotFoundError)
    assert str(errors.MissingExtraError("pandas", "pandas", "to_frame")).endswith('pip install "codesuggest[pandas]"')


def test_the_package_says_its_version_and_is_typed() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert codesuggest.__version__ == project["version"]
    if "Typing :: Typed" in project["classifiers"]:
        assert (ROOT / "codesuggest" / "py.typed").is_file()
