"""The one defensive XML parser: every reader of a published XML file goes through it.

A published file declares nothing of its own, nests a few elements deep and is known element by element. So a document
type declaration, an entity, an outside entity, an element where the format has none, text where the format has none
and nesting over 32 deep are refused, each with its line: such a file is an attack, damaged, or an edition that says
something its reader would lose. ClaML files name a DTD by custom: `doctype` lets that one name pass, without internal
subset, and nothing is ever fetched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from codesuggest.errors import CodeFileError

MAX_DEPTH = 32
_BY_NAME = re.compile(rb"&(?!(?:amp|lt|gt|apos|quot|#[0-9]+|#x[0-9A-Fa-f]+);)")

#: (element, element around it or "" for the root, its attributes)
Start = Callable[[str, str, dict[str, str]], None]
#: (element, element around it or "" for the root, its text with blanks normalised)
End = Callable[[str, str, str], None]


class XmlReader:
    """Calls `start` and `end` for every element of a file and makes every error a CodeFileError naming the line.

    inside: which elements may stand in an element; `inside[""]` holds the root. An element that is no key holds text
    only. An element with an entry holds elements only, unless it is in `mixed`; the text of a mixed element is its
    own, in one piece, without that of the elements in it but for those named `inline` ("see <ref>A00</ref> first").
    what: what the file should be, for the message about a foreign root ("ICD-10-CM tabular").
    doctype: the only document type that may be declared, "" for none.

        reader = XmlReader(path, _INSIDE, start, end, what="ICD-10-PCS index", mixed={"title"})
        reader.read(read_bytes(path, member=r"(?i)index.*\\.xml$"))
    """

    def __init__(
        self,
        path: str | Path,
        inside: Mapping[str, Collection[str]],
        start: Start,
        end: End,
        *,
        what: str,
        mixed: Collection[str] = (),
        inline: Collection[str] = (),
        doctype: str = "",
    ) -> None:
        self.path, self.what, self.doctype = path, what, doctype
        self._inside, self._mixed, self._inline = inside, frozenset(mixed), frozenset(inline)
        self._on_start, self._on_end = start, end
        self._tags = [""]
        self._texts: list[list[str]] = [[]]
        self._expat = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = lambda text: self._texts[-1].append(text)
        parser.StartDoctypeDeclHandler = self._declared
        parser.EntityDeclHandler = lambda *_: self.fail("an entity declaration is refused")
        parser.ExternalEntityRefHandler = lambda *_: self.fail("an outside entity is refused")
        parser.SkippedEntityHandler = lambda name, _: self.fail(f"the entity {name!r} is declared nowhere")

    @property
    def line(self) -> int:
        """The line the parser stands on, counted from 1."""
        return self._expat.CurrentLineNumber

    def fail(self, message: str) -> NoReturn:
        """Raises CodeFileError with the line the parser stands on."""
        raise CodeFileError(message, path=self.path, line=self.line)

    def read(self, data: bytes) -> None:
        """Parses a whole file, once. Raises CodeFileError."""
        try:
            self._expat.Parse(data, True)
        except expat.ExpatError as error:
            message = f"is no well-formed XML: {expat.ErrorString(error.code)}"
            raise CodeFileError(message, path=self.path, line=error.lineno) from error
        except CodeFileError:
            raise
        except (LookupError, ValueError) as error:  # what Python raises for an encoding it does not have
            if self._tags != [""]:
                raise  # from `start` or `end`: not about the encoding
            raise CodeFileError(f"its encoding cannot be read: {error}", path=self.path, line=1) from error
        if self.doctype and (found := _BY_NAME.search(data)):
            # With a DTD named and not read, expat drops an unknown entity in an attribute without a word.
            line = data.count(b"\n", 0, found.start()) + 1
            raise CodeFileError("an entity is declared nowhere", path=self.path, line=line)

    def _declared(self, name: str, system: str | None, public: str | None, internal: int) -> None:
        if not self.doctype or name != self.doctype or internal:
            self.fail("a document type declaration is refused")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        outer = self._tags[-1]
        if tag not in self._inside.get(outer, ()):
            self.fail(f"<{tag}> is not expected inside <{outer}>" if outer else f"<{tag}> is no {self.what}")
        if len(self._tags) > MAX_DEPTH:
            self.fail(f"elements are nested over {MAX_DEPTH} deep")
        self._tags.append(tag)
        self._texts.append([])
        self._on_start(tag, outer, attributes)

    def _end(self, tag: str) -> None:
        self._tags.pop()
        outer, raw = self._tags[-1], "".join(self._texts.pop())
        text = " ".join(raw.split())
        if text and tag in self._inside and tag not in self._mixed:
            self.fail(f"text in <{tag}>, which holds only elements")
        if tag in self._inline:
            self._texts[-1].append(raw)
        self._on_end(tag, outer, text)
