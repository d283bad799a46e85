"""codesuggest: from a clinical note to ranked, explained codes.

Names load when first used, so that `import codesuggest` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codesuggest.adapting import adapt as adapt
    from codesuggest.coded import CodedDocument as CodedDocument
    from codesuggest.coded import read_coded as read_coded
    from codesuggest.codes.system import CodeSystem as CodeSystem
    from codesuggest.config import SuggestConfig as SuggestConfig
    from codesuggest.errors import CodeSuggestError as CodeSuggestError
    from codesuggest.evaluation import evaluate as evaluate
    from codesuggest.export import to_frame as to_frame
    from codesuggest.learning import DecidedNote as DecidedNote
    from codesuggest.learning import learn as learn
    from codesuggest.learning import read_decisions as read_decisions
    from codesuggest.records import ClaimLine as ClaimLine
    from codesuggest.records import EncounterResult as EncounterResult
    from codesuggest.records import NoteResult as NoteResult
    from codesuggest.suggester import CodeSuggester as CodeSuggester
    from codesuggest.training import train as train

#: Public name -> its module. No module is called as a public name: importing it would put the module in the name's place.
_HOME = {
    "ClaimLine": "records",
    "CodeSuggestError": "errors",
    "CodeSuggester": "suggester",
    "CodeSystem": "codes.system",
    "CodedDocument": "coded",
    "DecidedNote": "learning",
    "EncounterResult": "records",
    "NoteResult": "records",
    "SuggestConfig": "config",
    "adapt": "adapting",
    "evaluate": "evaluation",
    "learn": "learning",
    "read_coded": "coded",
    "read_decisions": "learning",
    "to_frame": "export",
    "train": "training",
}
__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
