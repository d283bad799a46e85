"""The same tokens in less time: what spaCy's tokenizer need not do for a note.

Every note meets words that no earlier one held, because nothing of a note is kept (invariant 5): the cost of a new word is
what counts. Nothing here moves a result; `tests/test_quick.py` compares all of it with the originals. Gains are of a visit note
of 2,700 characters, in CPU time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spacy.language import Language


def quicken(nlp: Language) -> None:
    """Makes the tokenizer of a pipeline of our own quick with words it has not met.

    Only for a pipeline nobody else sees: of a lexeme it knows no more than our components ask for (LOWER, IS_LOWER, IS_SPACE),
    as shape, prefix or like_url are half of what a new word costs (0.6 ms).
    """
    from spacy.attrs import IS_LOWER, IS_SPACE, LOWER  # type: ignore[import-not-found]
    from spacy.tokenizer import Tokenizer  # type: ignore[import-not-found]

    vocabulary: Any = nlp.vocab
    getters = vocabulary.lex_attr_getters
    vocabulary.lex_attr_getters = {attribute: getters[attribute] for attribute in (LOWER, IS_LOWER, IS_SPACE)}
    old = nlp.tokenizer
    if not isinstance(old, Tokenizer):  # of a language that spaCy cuts by another program
        return
    # a word of plain letters is one token: no affix, infix or URL is made of them alone (0.6 ms). A tokenizer of its own, as
    # one that is given another search reads all its exceptions again.
    nlp.tokenizer = Tokenizer(
        nlp.vocab,
        rules=old.rules,
        prefix_search=_unless_letters(old.prefix_search, None),
        suffix_search=_unless_letters(old.suffix_search, None),
        infix_finditer=_unless_letters(old.infix_finditer, ()),
        token_match=old.token_match,
        url_match=_unless_letters(old.url_match, None),
        faster_heuristics=old.faster_heuristics,
    )


def _unless_letters(search: Callable[[str], Any] | None, nothing: Any) -> Callable[[str], Any] | None:
    if search is None:
        return None

    def found(word: str) -> Any:
        return nothing if word.isascii() and word.isalpha() else search(word)

    return found
