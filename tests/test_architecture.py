"""What may import what, and what no module does. Read from the source, so that nothing is missed by not being run."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "codesuggest"

#: Top to bottom, the data flow: a module imports only from lines above its own. Add a module where it belongs.
ORDER = [
    "errors",
    "units",
    "records",
    "config",
    "store",
    "pipes.lexicon",
    "pipes.stem",
    "pipes.stems",
    "pipes.language",
    "pipes.tokens",
    "pipes.sentences",
    "pipes.document_type",
    "pipes.structure",
    "pipes.cues",
    "pipes.plus_minus",
    "pipes.standing",
    "pipes.assertion",
    "pipes.phrases",
    "pipes.effects",
    "pipes.weeks",
    "pipes.pieces",
    "pipes.signs",
    "pipes.quick",
    "pipes.results",
    "codes",
    "codes.titles",
    "codes.ranges",
    "codes.system",
    "codes.site",
    "codes.licence",
    "codes.edits",
    "codes.readers",
    "codes.readers.bundle",
    "codes.readers.sheets",
    "codes.readers.xml",
    "codes.readers.pcs",
    "codes.readers.cm",
    "codes.readers.cm_changes",
    "codes.readers.cm_index",
    "codes.readers.*",
    "codes.merge",
    "codes.diff",
    "codes.releases",
    "codes.fetch",
    "codes.packages",
    "parallel",
    "coded",
    "concepts",
    "idioms",
    "codes.index_terms",
    "procedures",
    "retrieve",
    "lookup",
    "note",
    "learned",
    "care",
    "facts",
    "apart",
    "company",
    "trimesters",
    "seventh",
    "mentions",
    "profiles",
    "writing",
    "named",
    "tagger",
    "rivalry",
    "marked",
    "acts",
    "qualifiers",
    "places",
    "regimen",
    "sides",
    "routes",
    "static",
    "stated",
    "axes",
    "judged",
    "sheet",
    "features",
    "row",
    "contributions",
    "rank",
    "charges",
    "charge_scoring",
    "engine",
    "site_words",
    "listing",
    "withheld",
    "specificity",
    "rules",
    "rules.said",
    "rules.registry",
    "rules.evidence",
    "rules.sequence",
    "rules.*",
    "guideline",
    "chart",
    "sequence",
    "presence",
    "modifiers",
    "encounter",
    "asked",
    "together",
    "cautions",
    "stages",
    "suggester",
    "export",
    "component",
    "charge_training",
    "draft",
    "taught",
    "unheard",
    "training",
    "adapting",
    "levels",
    "scoring",
    "figures",
    "evaluation",
    "losses",
    "compare",
    "rebuild",
    "inputs",
    "learning",
    "mimic",
    "fhir",
    "loaders",
    "tables",
    "documents",
    "claims",
    "adapters",
    "output",
    "recorded",
    "since",
    "spark",
    "batch",
    "terminal",
    "terminal_evaluation",
    "cli_releases",
    "cli_evaluation",
    "cli_train",
    "cli",
    "__main__",
]
#: Upwards, and only inside a function, when called: a notebook asks a result to show itself, a user a bare table for codes.
EXCEPTIONS = {("records", "export"), ("codes.system", "lookup")}
FILES = sorted(p for p in PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def place(name: str) -> int:
    if name in ORDER:
        return ORDER.index(name)
    return ORDER.index(name.rpartition(".")[0] + ".*")


MODULES = {name_of(p): p for p in FILES}


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Modules of the package that a file imports, those for type checking included, and the line."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}, line {node.lineno}: a relative import"
            if node.module and node.module.split(".")[0] == "codesuggest":
                inner = node.module.removeprefix("codesuggest").lstrip(".")
                for alias in node.names:
                    full = f"{inner}.{alias.name}".lstrip(".")
                    yield (full if full in MODULES else inner), node.lineno
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "codesuggest":
                    yield alias.name.removeprefix("codesuggest").lstrip("."), node.lineno


def test_every_module_has_its_place() -> None:
    missing = []
    for name in MODULES:
        if name in ("", "pipes"):
            continue
        try:
            place(name)
        except ValueError:
            missing.append(name)
    assert missing == []
    gone = [n for n in ORDER if not n.endswith("*") and n not in MODULES]
    assert gone == [], "the list names modules that are not there"


@pytest.mark.parametrize("name", [n for n in MODULES if n not in ("", "pipes")])
def test_a_module_imports_only_from_above(name: str) -> None:
    wrong = []
    for other, line in imports(MODULES[name]):
        if other == "":  # `from codesuggest import __version__`
            continue
        if (name, other) not in EXCEPTIONS and place(other) >= place(name) and other != name:
            wrong.append(f"{name}, line {line}: imports {other}, which stands below it")
    assert wrong == []


def test_the_exceptions_are_made_when_called() -> None:
    for name, other in EXCEPTIONS:
        tree = tree_of(MODULES[name])
        top = {m for node in tree.body if isinstance(node, ast.ImportFrom) for m in [node.module]}
        assert f"codesuggest.{other}" not in top
        assert other in [m for m, _ in imports(MODULES[name])], "an exception nobody needs"


def test_no_drawer_for_everything() -> None:
    assert not [n for n in MODULES if re.search(r"(?:^|[._])(?:utils?|helpers?|common|base|misc)(?:$|[._])", n)]


def nodes(kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for name, path in MODULES.items():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, kind):
                yield name, node


def imported_names() -> Iterator[tuple[str, str]]:
    for name, node in nodes(ast.Import):
        assert isinstance(node, ast.Import)
        yield from ((name, alias.name) for alias in node.names)
    for name, node in nodes(ast.ImportFrom):
        assert isinstance(node, ast.ImportFrom)
        yield name, node.module or ""


def test_nothing_unpickles() -> None:
    forbidden = {"pickle", "cloudpickle", "dill", "marshal", "shelve", "skops", "_pickle"}
    assert [(n, m) for n, m in imported_names() if m.split(".")[0] in forbidden] == []
    for name, node in nodes(ast.Call):
        assert isinstance(node, ast.Call)
        called = ast.unparse(node.func)
        assert called not in ("joblib.load", "joblib.dump", "eval", "exec"), f"{name}, line {node.lineno}"
        if called in ("np.load", "numpy.load", "np.lib.format.read_array", "np.lib.format.write_array"):
            flags = {k.arg: ast.unparse(k.value) for k in node.keywords}
            assert flags.get("allow_pickle") == "False", f"{name}, line {node.lineno}"


def test_heavy_packages_are_imported_where_they_are_used() -> None:
    heavy = {"pandas", "pyspark", "sklearn", "pyarrow", "typer"}
    commands = ("cli", "cli_releases", "cli_train", "cli_evaluation")
    wrong = []
    for name, path in MODULES.items():
        for node in tree_of(path).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                found = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                wrong += [(name, m) for m in found if m.split(".")[0] in heavy and name not in commands]
    assert wrong == []


def test_the_network_is_not_asked() -> None:
    """But by `codes.fetch`, when a user asks for a published file; it is imported inside the function that does."""
    network = {"socket", "urllib.request", "http.client", "requests", "httpx", "aiohttp", "ftplib"}
    asked = [(n, m) for n, m in imported_names() if m in network or m.split(".")[0] in ("requests", "httpx")]
    assert {n for n, _ in asked} <= {"codes.fetch"}
    for name, path in MODULES.items():
        for node in tree_of(path).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                found = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                found += [f"{node.module}.{a.name}" for a in node.names] if isinstance(node, ast.ImportFrom) else []
                assert "codesuggest.codes.fetch" not in found, f"{name} imports it at its top"


def test_only_the_batch_and_the_command_line_catch_everything() -> None:
    wrong = []
    for name, node in nodes(ast.ExceptHandler):
        assert isinstance(node, ast.ExceptHandler)
        caught = "" if node.type is None else ast.unparse(node.type)
        if re.search(r"\b(?:Exception|BaseException)\b", caught) or node.type is None:
            wrong.append((name, node.lineno))
    # recorded: one bad document is one error record; cli: a traceback would print a line of the note
    assert [w for w in wrong if w[0] not in ("recorded", "cli")] == []


def test_an_error_about_a_document_does_not_chain_to_one_that_shows_it() -> None:
    """In an `except` block a raised error says `from`: else the traceback prints the one before, which may quote a note."""
    wrong = []
    for name, node in nodes(ast.ExceptHandler):
        wrong += [
            (name, inner.lineno)
            for inner in ast.walk(node)
            if isinstance(inner, ast.Raise) and inner.exc is not None and inner.cause is None
        ]
    assert wrong == []


def test_no_registry_is_named() -> None:
    hosts = r"pypi\.org|pythonhosted|anaconda\.(?:org|com)|conda-forge|npmjs|huggingface\.co|github\.com|test\.pypi"
    wrong = []
    for path in [*FILES, *PACKAGE.rglob("*.tsv")]:
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if re.search(hosts, line):
                wrong.append(f"{path.name}, line {number}")
    assert wrong == []


def test_no_logging_is_set_up_and_nothing_printed_at_import() -> None:
    wrong = []
    for name, node in nodes(ast.Call):
        assert isinstance(node, ast.Call)
        called = ast.unparse(node.func)
        if called in ("logging.basicConfig", "warnings.simplefilter", "warnings.filterwarnings"):
            wrong.append((name, node.lineno))
        if called == "print" and name not in ("cli", "terminal"):
            wrong.append((name, node.lineno))
    assert wrong == []


def test_zips_say_whether_lengths_must_agree() -> None:
    wrong = []
    for name, node in nodes(ast.Call):
        assert isinstance(node, ast.Call)
        if ast.unparse(node.func) == "zip" and not any(k.arg == "strict" for k in node.keywords):
            wrong.append((name, node.lineno))
    assert wrong == []


@pytest.mark.parametrize("name", list(MODULES))
def test_a_module_says_what_it_is(name: str) -> None:
    text = MODULES[name].read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(ast.parse(text)), "the first lines say what the file is for"
    assert text.count("\n") <= 660, "one idea a module"
