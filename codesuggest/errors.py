"""What can go wrong, drawn once.

CodeSuggestError
├── InputError             a document cannot be read            code "input"
│   ├── NotTextError       not a str (None, a number, bytes)    code "not_text"
│   ├── TextTooLongError   longer than the configured limit     code "text_too_long"
│   └── NotUtf8Error       a file's bytes are no UTF-8          code "not_utf8"
├── OptionError            an option has an impossible value    code "option"
├── ModelError             a model folder cannot be used        code "model"
│   ├── ModelNotFoundError no model folder there                code "model_not_found"
│   ├── ModelFormatError   foreign, newer or malformed          code "model_format"
│   └── ModelDamagedError  a file is missing, cut or changed    code "model_damaged"
├── CodeFileError          a code table cannot be read          code "code_file"
├── ReleaseError           a kept release cannot be used        code "release"
├── FetchError             a published file cannot be fetched   code "fetch"
├── LexiconError           a word list cannot be read           code "lexicon"
├── MissingExtraError      an optional package is not there     code "missing_extra"
└── BatchError             a batch cannot start or resume       code "batch"

`code` is stable and travels in the `error` of a batch record. A message says what happened, where, and what to do; it
never holds text of a note, because messages end up in logs.
"""

from __future__ import annotations

from pathlib import Path


class CodeSuggestError(Exception):
    """Base of every error raised on purpose by this package."""

    code = "codesuggest"


class InputError(CodeSuggestError, ValueError):
    code = "input"


class NotTextError(InputError, TypeError):
    code = "not_text"


class TextTooLongError(InputError):
    code = "text_too_long"


class NotUtf8Error(InputError):
    code = "not_utf8"


class OptionError(CodeSuggestError, ValueError):
    code = "option"


class ModelError(CodeSuggestError):
    code = "model"


class ModelNotFoundError(ModelError, FileNotFoundError):
    code = "model_not_found"


class ModelFormatError(ModelError, ValueError):
    code = "model_format"


class ModelDamagedError(ModelError, ValueError):
    code = "model_damaged"


class CodeFileError(CodeSuggestError, ValueError):
    """A published code table is not as its format says; names the file and, where there is one, the line."""

    code = "code_file"

    def __init__(self, message: str, *, path: str | Path | None = None, line: int | None = None) -> None:
        where = "" if path is None else f"{path}, line {line}: " if line is not None else f"{path}: "
        super().__init__(where + message)
        self.path, self.line = path, line


class ReleaseError(CodeSuggestError):
    """A release is not kept, damaged, or cannot be kept; the message names the folder and the remedy."""

    code = "release"


class FetchError(CodeSuggestError):
    """A published file cannot be fetched; the message names the address and the remedy."""

    code = "fetch"


class LexiconError(CodeSuggestError, ValueError):
    """A word list is missing or malformed; the message names the file, the line and the remedy."""

    code = "lexicon"


class MissingExtraError(CodeSuggestError, ImportError):
    code = "missing_extra"

    def __init__(self, package: str, extra: str, what: str) -> None:
        super().__init__(f'{what} needs the package {package}: pip install "codesuggest[{extra}]"')


class BatchError(CodeSuggestError):
    code = "batch"
