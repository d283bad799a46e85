"""A model folder: what goes in comes out, and what was changed is refused by name."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY_NOTES

from codesuggest import store
from codesuggest.errors import CodeSuggestError, ModelDamagedError, ModelError, ModelFormatError, ModelNotFoundError
from codesuggest.suggester import CodeSuggester

CONTENT: dict[str, store.Content] = {
    "part/words.npy": np.array([b"ab", b"c"], "S2"),
    "part/numbers.npy": np.arange(6, dtype="<i4").reshape(2, 3),
    "part/nothing.npy": np.zeros(0, np.float32),
    "card.md": "Größe 😀\n",
    "rows.json": {"b": [1, 2.5, None], "a": "é"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    store.save(path, {"name": "m", "systems": []}, CONTENT)
    return path


def test_round_trip(folder: Path) -> None:
    opened = store.open_folder(folder)
    for name in ("part/words.npy", "part/numbers.npy", "part/nothing.npy"):
        array, given = opened.array(name), CONTENT[name]
        assert isinstance(given, np.ndarray)
        assert array.dtype == given.dtype and array.tolist() == given.tolist()
    assert opened.text("card.md") == CONTENT["card.md"]
    assert opened.json("rows.json") == CONTENT["rows.json"]
    assert opened.names("part/") == ["part/nothing.npy", "part/numbers.npy", "part/words.npy"]
    assert opened.manifest["name"] == "m"
    assert [(n, good) for n, good, _ in store.verify(folder)] == [(n, True) for n in sorted(CONTENT)]


def test_arrays_are_mapped_and_read_only(folder: Path) -> None:
    array = store.open_folder(folder).array("part/numbers.npy")
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 1
    assert isinstance(array.base, np.memmap)


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, content in (("a", CONTENT), ("b", dict(reversed(CONTENT.items())))):
        store.save(tmp_path / name, {"name": "m", "systems": []}, content)
    names = [*CONTENT, store.MANIFEST]
    assert [(tmp_path / "a" / n).read_bytes() for n in names] == [(tmp_path / "b" / n).read_bytes() for n in names]


def test_an_array_of_objects_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="objects"):
        store.save(tmp_path / "m", {}, {"x.npy": np.array([{}], dtype=object)})
    assert not (tmp_path / "m").exists()


# ---- tampering


def edit_manifest(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    row = json.loads((path / store.MANIFEST).read_bytes())
    change(row)
    (path / store.MANIFEST).write_text(json.dumps(row), encoding="utf-8")


def relist(path: Path, name: str, data: bytes) -> None:
    """Put a file in place and vouch for it: what an attacker who knows the format would do."""
    (path / name).write_bytes(data)
    entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    edit_manifest(path, lambda m: m["files"].__setitem__(name, entry))


def change_a_byte(path: Path) -> None:
    data = bytearray((path / "part/numbers.npy").read_bytes())
    data[-1] ^= 1
    (path / "part/numbers.npy").write_bytes(data)


def cut(path: Path) -> None:
    (path / "part/numbers.npy").write_bytes((path / "part/numbers.npy").read_bytes()[:-3])


def link(path: Path) -> None:
    shutil.copy(path / "part/numbers.npy", path.parent / "elsewhere.npy")
    (path / "part/numbers.npy").unlink()
    (path / "part/numbers.npy").symlink_to(path.parent / "elsewhere.npy")


def name_outside(name: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = b"secret"
        (path.parent / "outside").write_bytes(data)
        entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        edit_manifest(path, lambda m: m["files"].__setitem__(name, entry))

    return change


def link_a_folder(path: Path) -> None:
    (path / "part").rename(path.parent / "elsewhere")
    (path / "part").symlink_to(path.parent / "elsewhere", target_is_directory=True)


TAMPERING: list[tuple[str, Callable[[Path], None], type[ModelError], str]] = [
    ("a byte changed", change_a_byte, ModelDamagedError, "part/numbers.npy"),
    ("cut", cut, ModelDamagedError, "part/numbers.npy"),
    ("longer", lambda p: (p / "card.md").write_bytes(b"x" * 99), ModelDamagedError, "card.md"),
    ("empty", lambda p: (p / "card.md").write_bytes(b""), ModelDamagedError, "card.md"),
    ("missing", lambda p: (p / "rows.json").unlink(), ModelDamagedError, "rows.json"),
    ("added", lambda p: (p / "part" / "evil.py").write_text("1"), ModelDamagedError, "part/evil.py"),
    ("added hidden", lambda p: (p / ".hidden").write_text("1"), ModelDamagedError, ".hidden"),
    (
        "a folder in its place",
        lambda p: ((p / "card.md").unlink(), (p / "card.md").mkdir())[0],
        ModelDamagedError,
        "card.md",
    ),
    ("symlink", link, ModelDamagedError, "part/numbers.npy"),
    ("symlinked folder", link_a_folder, ModelDamagedError, "part/"),
    ("..", name_outside("../outside"), ModelDamagedError, "../outside"),
    ("absolute", lambda p: name_outside(str(p.parent / "outside"))(p), ModelDamagedError, "outside"),
    ("backslash", name_outside("..\\outside"), ModelDamagedError, "outside"),
    (
        "no sizes",
        lambda p: edit_manifest(p, lambda m: m["files"].update({"card.md": {}})),
        ModelDamagedError,
        "card.md",
    ),
    ("no entry", lambda p: edit_manifest(p, lambda m: m["files"].update({"card.md": 1})), ModelDamagedError, "card.md"),
    (
        "newer",
        lambda p: edit_manifest(p, lambda m: m.update(format=store.FORMAT + 1)),
        ModelFormatError,
        "manifest.json",
    ),
    ("no format", lambda p: edit_manifest(p, lambda m: m.pop("format")), ModelFormatError, "manifest.json"),
    ("another kind", lambda p: edit_manifest(p, lambda m: m.update(kind="spacy")), ModelFormatError, "manifest.json"),
    ("no files", lambda p: edit_manifest(p, lambda m: m.pop("files")), ModelFormatError, "manifest.json"),
    ("a list", lambda p: (p / "manifest.json").write_text("[]"), ModelFormatError, "manifest.json"),
    ("no JSON", lambda p: (p / "manifest.json").write_text("{"), ModelDamagedError, "manifest.json"),
    (
        "manifest no UTF-8",
        lambda p: (p / "manifest.json").write_bytes(b"\xff\xfe{"),
        ModelDamagedError,
        "manifest.json",
    ),
    ("manifest nested deep", lambda p: (p / "manifest.json").write_text("[" * 100_000), ModelError, "manifest.json"),
    ("no manifest", lambda p: (p / "manifest.json").unlink(), ModelFormatError, "manifest.json"),
]


@pytest.mark.parametrize(("change", "error", "named"), [t[1:] for t in TAMPERING], ids=[t[0] for t in TAMPERING])
def test_tampering_is_refused_by_name(
    folder: Path, change: Callable[[Path], None], error: type[ModelError], named: str
) -> None:
    change(folder)
    with pytest.raises(error) as caught:
        store.open_folder(folder)
    message = str(caught.value)
    assert named in message and (str(folder) in message or "manifest" in message)
    assert any(word in message for word in ("rebuild", "choose", "upgrade")), "a message says what to do"


def a_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.npy", b"")
    return buffer.getvalue()


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("echo evil",)


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(Evil()),
        b"\x93NUMPY\x01\x00\x76\x00"
        + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117)
        + b"\n"
        + b"x",
        b"not an array",
        b"",
        b"\x93NUMPY\x01\x00\x76\x00" + b"{'descr': '<i4', 'fortran_order': False, 'shape': (9,), }".ljust(117) + b"\n",
        b"\x93NUMPY\x01\x00\x76\x00" + b"__import__('os').system('echo evil')".ljust(117) + b"\n",
        b"PK\x03\x04" + b"\0" * 40,
        a_zip(),
    ],
    ids=["pickle", "objects", "text", "empty", "short", "code in the header", "half a zip", "zip"],
)
def test_only_plain_arrays_are_read_however_well_they_are_listed(
    folder: Path, data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    relist(folder, "part/numbers.npy", data)
    opened = store.open_folder(folder)
    with pytest.raises(ModelDamagedError, match=r"numbers\.npy"):
        opened.array("part/numbers.npy")
    assert "evil" not in capfd.readouterr().out


def test_files_that_hold_something_else(folder: Path) -> None:
    relist(folder, "card.md", b"\xff\xfe")
    relist(folder, "rows.json", b"{")
    opened = store.open_folder(folder)
    with pytest.raises(ModelDamagedError, match=r"card\.md"):
        opened.text("card.md")
    with pytest.raises(ModelDamagedError, match=r"rows\.json"):
        opened.json("rows.json")
    with pytest.raises(ModelDamagedError, match=r"nosuch\.npy"):
        opened.array("nosuch.npy")


def test_no_folder_and_a_foreign_one(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="nowhere"):
        store.open_folder(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelNotFoundError, match="file"):
        store.open_folder(tmp_path / "file")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"x")
    with pytest.raises(ModelFormatError, match="photos"):
        store.open_folder(tmp_path / "photos")


def test_expect_pins_a_model(folder: Path) -> None:
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert store.open_folder(folder, expect=f"sha256:{digest}").digest == digest
    assert store.open_folder(folder, expect=digest.upper()).digest == digest
    for wrong in ("sha256:" + "0" * 64, digest[:12], ""):
        with pytest.raises(ModelDamagedError, match=digest):
            store.open_folder(folder, expect=wrong)


# ---- saving


def test_save_refuses_a_foreign_folder(tmp_path: Path, tiny: CodeSuggester) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    with pytest.raises(ModelFormatError, match="home"):
        tiny.save(tmp_path / "home")
    assert [p.name for p in (tmp_path / "home").iterdir()] == ["thesis.txt"]
    assert [p.name for p in tmp_path.iterdir()] == ["home"]


def test_save_over_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("years of work")
    with pytest.raises((ModelFormatError, OSError)):
        store.save(tmp_path / "m", {}, CONTENT)
    assert (tmp_path / "m").read_text() == "years of work"


def test_save_replaces_a_model_and_an_empty_folder(folder: Path) -> None:
    store.save(folder, {"name": "second"}, {"only.txt": "x"})
    assert [n for n, _, _ in store.verify(folder)] == ["only.txt"]
    (folder.parent / "empty").mkdir()
    store.save(folder.parent / "empty", {}, CONTENT)
    assert sorted(p.name for p in folder.parent.iterdir()) == ["empty", "model"]


def test_a_save_that_fails_leaves_the_old_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    real = Path.write_bytes

    def full(self: Path, data: Any) -> int:
        if self.name == "numbers.npy":
            raise OSError(28, "No space left on device")
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ModelError, match="No space"):
        store.save(folder, {"name": "second"}, CONTENT)
    monkeypatch.undo()
    assert {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()} == before
    store.open_folder(folder)


def test_an_open_model_survives_being_replaced(folder: Path) -> None:
    array = store.open_folder(folder).array("part/numbers.npy")
    store.save(folder, {"name": "second"}, {"part/numbers.npy": np.zeros((2, 3), "<i4")})
    assert array.tolist() == [[0, 1, 2], [3, 4, 5]]


# ---- a whole model


def test_a_model_says_the_same_after_save_and_load(tiny: CodeSuggester, tiny_folder: Path) -> None:
    loaded = CodeSuggester.load(tiny_folder)
    assert loaded.name.split("@")[0] == tiny.name and loaded.config == tiny.config
    for _, text in TINY_NOTES:
        mine, theirs = tiny.suggest(text).to_dict(), loaded.suggest(text).to_dict()
        assert {**mine, "model": ""} == {**theirs, "model": ""}


def test_saving_a_loaded_model_gives_the_same_bytes(tiny_folder: Path, tmp_path: Path) -> None:
    CodeSuggester.load(tiny_folder).save(tmp_path / "again")
    files = [p.relative_to(tiny_folder) for p in sorted(tiny_folder.rglob("*")) if p.is_file()]
    assert files == [p.relative_to(tmp_path / "again") for p in sorted((tmp_path / "again").rglob("*")) if p.is_file()]
    assert [f for f in files if (tiny_folder / f).read_bytes() != (tmp_path / "again" / f).read_bytes()] == []


def test_a_loaded_model_can_be_saved_over_itself(tiny_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_folder, tmp_path / "m")
    model = CodeSuggester.load(tmp_path / "m")
    before = model.suggest(TINY_NOTES[0][1])
    model.save(tmp_path / "m")
    assert CodeSuggester.load(tmp_path / "m").suggest(TINY_NOTES[0][1]) == before
    assert model.suggest(TINY_NOTES[0][1]) == before


def test_every_file_of_a_model_is_checked_on_load(tiny_folder: Path, tmp_path: Path) -> None:
    names = [name for name, _, _ in store.verify(tiny_folder)]
    assert {"README.md", "vocabulary.txt", "words.txt", "icd10cm/ranker.json"} <= set(names)
    for n, name in enumerate(names):
        copy = tmp_path / str(n)
        shutil.copytree(tiny_folder, copy)
        data = bytearray((copy / name).read_bytes())
        if data:
            data[len(data) // 2] ^= 1
        else:
            data = bytearray(b"x")
        (copy / name).write_bytes(data)
        with pytest.raises(ModelDamagedError) as caught:
            CodeSuggester.load(copy)
        assert str(copy / name) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("icd10cm/ranker.json", b'{"weights": {"no such feature": 1}, "first": {}}'),
        ("icd10cm/ranker.json", b"{}"),
        ("icd10cm/ranker.json", b"[]"),
        ("words.txt", b"no tab here\n"),
        ("vocabulary.txt", b""),
        ("icd10cm/index/forms.npy", None),
        ("icd10cm/concepts/member.npy", None),
        ("icd10cm/codes/codes.npy", None),
    ],
)
def test_a_well_listed_but_senseless_file_is_a_model_error(
    tiny_folder: Path, tmp_path: Path, name: str, data: bytes | None
) -> None:
    copy = tmp_path / "m"
    shutil.copytree(tiny_folder, copy)
    if data is None:
        np.save(copy / name, np.load(copy / name)[:-1])
        data = (copy / name).read_bytes()
    relist(copy, name, data)
    with pytest.raises(CodeSuggestError):
        CodeSuggester.load(copy)


@pytest.mark.parametrize(
    "change", [{"systems": 3}, {"systems": [{}]}, {"name": None}, {"config": {"nonsense": 1}}, {"config": None}]
)
def test_a_manifest_without_sense_is_a_model_error(tiny_folder: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    copy = tmp_path / "m"
    shutil.copytree(tiny_folder, copy)
    edit_manifest(copy, lambda m: m.update(change))
    with pytest.raises(CodeSuggestError):
        CodeSuggester.load(copy)


def test_the_starter_model_is_whole_and_small(starter: CodeSuggester) -> None:
    assert starter.path is not None
    rows = store.verify(starter.path)
    assert [r for r in rows if not r[1]] == []
    packed = sum(len(zlib.compress((starter.path / name).read_bytes(), 6)) for name, _, _ in rows)
    assert packed <= 30 * 2**20, "the wheel is a zip"
    assert not [n for n, _, _ in rows if Path(n).suffix not in (".npy", ".json", ".txt", ".md")]
