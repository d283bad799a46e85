"""The defensive XML parser: what it reports of a sound file, and that every ill-meant or damaged one ends in a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesuggest.codes.readers.xml import MAX_DEPTH, XmlReader
from codesuggest.errors import CodeFileError

INSIDE = {
    "": {"list"},
    "list": {"entry", "list"},
    "entry": {"title", "code"},
    "title": {"aside", "ref"},
}
SOUND = """<?xml version="1.0" encoding="utf-8"?>
<list>
  <entry kind="x"><title>Wobble<aside>(of ear)</aside>,
     see <ref>Q10</ref> too</title><code>Q10</code></entry>
</list>"""


def events(data: bytes | str, *, doctype: str = "", inside: dict[str, set[str]] = INSIDE) -> list[tuple[object, ...]]:
    out: list[tuple[object, ...]] = []
    reader = XmlReader(
        "x.xml",
        inside,
        lambda tag, outer, attributes: out.append(("<", tag, outer, attributes, reader.line)),
        lambda tag, outer, text: out.append((">", tag, outer, text)),
        what="list",
        mixed={"title"},
        inline={"ref"},
        doctype=doctype,
    )
    reader.read(data.encode() if isinstance(data, str) else data)
    return out


def test_elements_their_surroundings_and_their_text() -> None:
    assert events(SOUND) == [
        ("<", "list", "", {}, 2),
        ("<", "entry", "list", {"kind": "x"}, 3),
        ("<", "title", "entry", {}, 3),
        ("<", "aside", "title", {}, 3),
        (">", "aside", "title", "(of ear)"),
        ("<", "ref", "title", {}, 4),
        (">", "ref", "title", "Q10"),
        (">", "title", "entry", "Wobble, see Q10 too"),  # the aside is kept apart, the reference is not
        ("<", "code", "entry", {}, 4),
        (">", "code", "entry", "Q10"),
        (">", "entry", "list", ""),
        (">", "list", "", ""),
    ]


def test_text_is_one_piece_across_comments_and_long_runs() -> None:
    long = "a" * 100_000
    found = events(f"<list><entry><code>{long}<!-- - -->b&amp;&#x41;<![CDATA[<]]></code></entry></list>")
    assert (">", "code", "entry", f"{long}b&A<") in found


BOMB = """<?xml version="1.0"?>
<!DOCTYPE list [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;">]>
<list><entry><code>&lol2;</code></entry></list>"""
DEEP = "\n".join(["<list>"] * 100_000)
#: (file, allowed document type, line of the error, words of it)
REFUSED = [
    (BOMB, "", 2, "document type declaration"),
    (BOMB, "list", 2, "document type declaration"),  # an internal subset is never let through
    ('<!DOCTYPE list SYSTEM "file:///etc/passwd">\n<list/>', "", 1, "document type declaration"),
    ('<!DOCTYPE other SYSTEM "x.dtd">\n<list/>', "list", 1, "document type declaration"),
    ('<!DOCTYPE list SYSTEM "x.dtd">\n<list><entry><code>&who;</code></entry></list>', "list", 2, "declared nowhere"),
    ('<!DOCTYPE list SYSTEM "x.dtd">\n<list><entry kind="&who;"/></list>', "list", 2, "declared nowhere"),
    ("<list><entry><code>&who;</code></entry></list>", "", 1, "no well-formed XML"),
    (DEEP, "", MAX_DEPTH + 1, f"over {MAX_DEPTH} deep"),
    ("<html/>", "", 1, "<html> is no list"),
    ("<list>\n<title>x</title></list>", "", 2, "<title> is not expected inside <list>"),
    ("<list><entry><code><title/></code></entry></list>", "", 1, "<title> is not expected inside <code>"),
    ("<list>\n<entry>lost words</entry></list>", "", 2, "text in <entry>"),
    ("<list>", "", 1, "no well-formed XML"),
    ("", "", 1, "no well-formed XML"),
    ("<list/><list/>", "", 1, "no well-formed XML"),
    ("<list a='1' a='2'/>", "", 1, "no well-formed XML"),
    ("<list>\0</list>", "", 1, "no well-formed XML"),
    (b"<?xml version='1.0' encoding='utf-8'?>\n<list>\xe9</list>", "", 2, "no well-formed XML"),
    ("<?xml version='1.0' encoding='no-such'?><list/>", "", 1, "encoding"),
    ("<?xml version='1.0' encoding='shift_jis'?><list/>", "", 1, "encoding"),
    ("<?xml version='1.0' encoding='idna'?><list/>", "", 1, "encoding"),
    ("<?xml version='1.0' encoding='rot13'?><list/>", "", 1, "encoding"),
    ("<?xml version='1.0' encoding='utf-16'?><list/>", "", 1, "no well-formed XML"),
]


@pytest.mark.parametrize(("data", "doctype", "line", "words"), REFUSED)
def test_what_is_refused_names_its_line(data: bytes | str, doctype: str, line: int, words: str) -> None:
    with pytest.raises(CodeFileError, match=words) as caught:
        events(data, doctype=doctype)
    assert (caught.value.line, caught.value.path) == (line, "x.xml")


def test_a_bare_document_type_passes_where_it_is_the_custom() -> None:
    declared = SOUND.replace("<list>", '<!DOCTYPE list SYSTEM "list.dtd">\n<list>')
    assert [e[:3] for e in events(declared, doctype="list")] == [e[:3] for e in events(SOUND)]


def test_other_declared_encodings_are_read() -> None:
    text = "<?xml version='1.0' encoding='{}'?><list><entry><code>Ménière</code></entry></list>"
    for encoding in ("iso-8859-1", "windows-1252", "utf-16"):
        assert (">", "code", "entry", "Ménière") in events(text.format(encoding).encode(encoding))


def test_an_error_of_a_callback_is_not_hidden() -> None:
    def start(tag: str, outer: str, attributes: dict[str, str]) -> None:
        raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller") as caught:
        XmlReader("x.xml", INSIDE, start, lambda *_: None, what="list").read(SOUND.encode())
    assert not isinstance(caught.value, CodeFileError)


@given(st.data())
def test_a_damaged_file_is_refused_or_reported_whole(data: st.DataObject) -> None:
    raw = bytearray(SOUND.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        cut = data.draw(st.integers(0, 8))
        raw[at : at + cut] = data.draw(st.binary(max_size=8))
    try:
        found = events(bytes(raw))
    except CodeFileError as error:
        assert error.line is not None and error.line >= 1
        return
    assert [e[1] for e in found if e[0] == "<"].count("list") == [e[1] for e in found if e[0] == ">"].count("list")


def test_the_path_of_the_file_is_kept() -> None:
    path = Path("folder") / "y.xml"
    with pytest.raises(CodeFileError, match=r"y\.xml, line 1"):
        XmlReader(path, INSIDE, lambda *_: None, lambda *_: None, what="list").read(b"<x/>")
