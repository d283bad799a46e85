"""The spaCy component: `nlp.add_pipe("codesuggest", config={"model": "models/mine"})` in anyone's pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from codesuggest.export import annotate
from codesuggest.pipes.language import language
from codesuggest.suggester import CodeSuggester


class CodeSuggestPipe:
    """Sets `doc._.codesuggest`, the NoteResult, and `doc.spans["codesuggest"]`, the evidence of the suggested codes."""

    def __init__(
        self, suggester: CodeSuggester, options: Mapping[str, Any], before: Sequence[Callable[[Doc], Doc]]
    ) -> None:
        self.suggester, self.options, self._before = suggester, dict(options), before

    def __call__(self, doc: Doc) -> Doc:
        for pipe in self._before:
            doc = pipe(doc)
        result = self.suggester.suggest_doc(doc, **self.options)
        doc._.codesuggest = result
        annotate(doc, result)
        return doc


_DEFAULTS = dict.fromkeys(("model", "words", "setting", "service_date", "systems"))


@Language.factory("codesuggest", default_config=_DEFAULTS)
def make_pipe(
    nlp: Language,
    name: str,
    model: str | None,
    words: str | None,
    setting: str | None,
    service_date: str | None,
    systems: list[str] | None,
) -> CodeSuggestPipe:
    """Registered by entry point. Works behind any tokenizer of the model's language: sections, sentences and assertions are read
    here, by its word lists, if the pipeline has no components of ours before. words: a site's word
    list. Raises OptionError, ModelError, LexiconError.
    """
    if not Doc.has_extension("codesuggest"):
        Doc.set_extension("codesuggest", default=None)
    suggester = CodeSuggester.load(model, words=words)
    lists = language(suggester.language).folder
    parts = {
        "codesuggest_structure": {"folder": str(lists)},
        "codesuggest_assertion": {"path": str(lists / "cues.tsv")},
    }
    before: list[Callable[[Doc], Doc]] = [
        nlp.create_pipe(part, config=config) for part, config in parts.items() if part not in nlp.pipe_names
    ]
    options = {"setting": setting, "service_date": service_date, "systems": systems}
    return CodeSuggestPipe(suggester, options, before)
