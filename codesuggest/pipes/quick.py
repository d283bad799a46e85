"""The same tokens in less time: what spaCy's tokenizer need not do for a note.

Every note meets words that no earlier one held, because nothing of a note is kept (invariant 5): the cost of a new word is
what counts. Nothing here moves a result; `tests/test_quick.py` compares all of it with the originals. Gains are of a visit note
of 2,700 characters, in CPU time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spacy.language import Language

#: White space as notes have it between two words: line ends, blank lines, indents.
_SPACES = (*("\n" * lines + " " * spaces for lines in range(4) for spaces in range(9)), "\t", "\r\n", "\r\n\r\n")


def quicken(nlp: Language, words: Iterable[str]) -> None:
    """Makes the tokenizer of a pipeline of our own quick, and acquaints it with these lower-case words.

    Only for a pipeline nobody else sees: of a lexeme it knows no more than our components ask for (LOWER, IS_LOWER, IS_SPACE),
    as shape, prefix or like_url are half of what a new word costs (0.6 ms).
    """
    from spacy.attrs import IS_LOWER, IS_SPACE, LOWER  # type: ignore[import-not-found]

    vocabulary: Any = nlp.vocab
    getters = vocabulary.lex_attr_getters
    vocabulary.lex_attr_getters = {attribute: getters[attribute] for attribute in (LOWER, IS_LOWER, IS_SPACE)}
    tokenizer: Any = nlp.tokenizer
    # a word of plain letters is one token: no affix, infix or URL is made of them alone (0.6 ms)
    for name in ("prefix_search", "suffix_search", "infix_finditer", "url_match"):
        nothing = () if name == "infix_finditer" else None
        if (search := getattr(tokenizer, name)) is not None:
            setattr(tokenizer, name, _unless_letters(search, nothing))
    # what a memory zone need not forget is looked up (0.3 ms)
    tokenizer.max_cache_size = 50_000
    for word in words:
        for text in (word, word.title()):
            tokenizer(f"{text} {text}, {text}.")
    for space in _SPACES:
        tokenizer(f"a{space}a")


def _unless_letters(search: Callable[[str], Any], nothing: Any) -> Callable[[str], Any]:
    def found(word: str) -> Any:
        return nothing if word.isascii() and word.isalpha() else search(word)

    return found
