"""In which encoding a text file is written; what is not UTF-8 is written again as UTF-8, beside it.

A byte order mark and valid UTF-8 settle it. Everything else is a guess, ranked by how much the text looks like a
language, and so a doubt: a wrong guess would change names and categories silently. Neighbours: ``files`` has seen that
it is no binary format; ``delimited`` and ``jsonlines`` read the UTF-8. It refuses bytes that the encoding that was
told does not have, and says where they are.
"""

from __future__ import annotations

import codecs
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import charset_normalizer

from pipeline_core.errors import Unreadable
from pipeline_core.records import Doubt
from pipeline_core.sources.opened import Asked, printable

CHUNK_BYTES = 4_194_304

_SAMPLE_BYTES = 262_144
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OPTIONS_MAX = 5
_NO_FILES = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"}
_BONUS = 0.2
_SHORT_CHARACTERS = 24
_ZERO_SHARE = 0.3
_HANGUL = "이다의에는을가고은하지로사한기를도대자인리시해어서나정스일그수전부제아장상과성원들년월간구분국선공항여객출도착명총합계"
_HANZI = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多"
    "经么去法学如都同现当没动面起看定天分还进好小部其些主样理心前本开但因只从想实日月名京市北南海省区号数量价格"
)
_LATIN = "àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßœÀÁÂÄÅÆÇÈÉÊËÍÑÓÔÕÖØÚÛÜŒšžŠŽ€£°§–—‘’“”…"
_CENTRAL = "ąćęłńóśźżĄĆĘŁŃÓŚŹŻáčďéěíňřšťúůýžÁČĎÉĚÍŇŘŠŤÚŮÝŽőűŐŰäöüÄÖÜßĺľŕô€–„”"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text file as UTF-8: where it lies, where it begins (after a mark), and what it was written in."""

    path: Path
    start: int
    encoding: str
    doubts: tuple[Doubt, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Scan:
    """One look at all bytes: the first that is no UTF-8, line ends of each kind."""

    wrong: int | None = None
    pairs: int = 0
    feeds: int = 0
    returns: int = 0

    def notes(self) -> tuple[str, ...]:
        kinds = {"CRLF": self.pairs, "LF": self.feeds - self.pairs, "CR": self.returns - self.pairs}
        said = [f"{count:,} {name}" for name, count in kinds.items() if count > 0]
        return (f"Line ends are mixed ({', '.join(said)}; those inside of quotes count too).",) if len(said) > 1 else ()


def as_utf8(asked: Asked) -> Text:
    """Find the encoding of a text file and give it as UTF-8.

    Parameters
    ----------
    asked : Asked
        The file, and the encoding that was told, if any.

    Returns
    -------
    Text

    Raises
    ------
    Unreadable
        Bytes that the encoding does not have, or no text at all.
    """  # ruff: ignore[docstring-missing-exception] - _misfit makes an Unreadable
    with asked.path.open("rb") as file:
        head = file.read(_SAMPLE_BYTES)
    marked = next(((mark, name) for mark, name in _MARKS if head.startswith(mark)), None)
    if marked is not None and marked[1] != "utf-8":
        return _rewritten(asked, marked[1])
    wide = _wide(head)
    told = asked.reading.encoding
    if told is None and wide is not None:
        return _rewritten(asked, wide)
    if told is None or wide is None or not _holds_zeros(told):
        _refuse_zeros(asked, head)
    if told is not None and not _is_utf8(told):
        return _rewritten(asked, told)
    scan = _scan(asked)
    if scan.wrong is None:
        start = len(marked[0]) if marked is not None else 0
        return Text(path=asked.path, start=start, encoding="utf-8", notes=scan.notes())
    if told is not None:
        raise _misfit(asked, "utf-8", scan.wrong)
    return _guessed(asked, scan)


def _is_utf8(name: str) -> bool:
    try:
        return codecs.lookup(name).name in {"utf-8", "utf-8-sig", "ascii"}
    except LookupError:
        return False


def _holds_zeros(name: str) -> bool:
    """Say whether zero bytes are plain letters in an encoding."""
    try:
        return codecs.lookup(name).name.startswith(("utf-16", "utf-32"))
    except LookupError:
        return False


def _refuse_zeros(asked: Asked, head: bytes) -> None:
    if b"\0" in head:
        raise Unreadable(
            f"File {asked.label!r} is binary (it holds zero bytes). Allowed are CSV, JSON lines, Parquet, Arrow and Excel,"
            " also as .gz or .zst: export it first."
        )


def _wide(head: bytes) -> str | None:
    """Tell UTF-16 without a mark by its zero bytes: every second one."""
    half = max(len(head) // 2, 1)
    if len(head) < 4:
        return None
    zeros = (head[0::2].count(0) / half, head[1::2].count(0) / half)
    if zeros[1] > _ZERO_SHARE and zeros[0] == 0:
        return "utf-16-le"
    return "utf-16-be" if zeros[0] > _ZERO_SHARE and zeros[1] == 0 else None


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _scan(asked: Asked) -> _Scan:
    scan = _Scan()
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, after_return = 0, False
    for chunk in _chunks(asked.path):
        scan.feeds += chunk.count(b"\n")
        returns = chunk.count(b"\r")
        scan.returns += returns
        # a pair may lie across two chunks
        scan.pairs += (chunk.count(b"\r\n") if returns else 0) + (after_return and chunk.startswith(b"\n"))
        after_return = chunk.endswith(b"\r")
        held = len(decoder.getstate()[0])
        if held or not chunk.isascii():
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                scan.wrong = offset - held + error.start
                return scan
        offset += len(chunk)
    torn = len(decoder.getstate()[0])
    if torn and not asked.partial:
        scan.wrong = offset - torn
    return scan


def _misfit(asked: Asked, encoding: str, place: int) -> Unreadable:
    with asked.path.open("rb") as file:
        line, left = 1, place
        while left > 0 and (chunk := file.read(min(CHUNK_BYTES, left))):
            line, left = line + chunk.count(b"\n"), left - len(chunk)
    return Unreadable(
        f"File {asked.label!r} is not {printable(encoding)}: the first wrong byte is at position {place:,}, in line"
        f" {line:,}. Say another --encoding, or save it as UTF-8."
    )


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    try:
        # a codec that makes no text of bytes (rot13, zlib) says so when it is to encode
        if "a".encode(encoding) and codecs.lookup(encoding).name not in _NO_FILES:
            return codecs.getincrementaldecoder(encoding)()
    except (LookupError, ValueError):
        pass
    raise Unreadable(
        f"{printable(encoding)!r} is no encoding of text that is known. Say for example --encoding cp1252, cp949 or"
        " utf-16."
    )


def _rewritten(asked: Asked, encoding: str) -> Text:
    """Write the file again as UTF-8, a chunk at a time."""
    decoder = _decoder(encoding)
    offset, written = 0, 0
    with tempfile.NamedTemporaryFile(dir=asked.work, prefix="text-", delete=False) as out:
        for chunk in _chunks(asked.path):
            held = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk)
            except UnicodeDecodeError as error:
                raise _misfit(asked, encoding, max(0, offset - held) + error.start) from None
            written += out.write(text.encode("utf-8", errors="replace"))
            offset += len(chunk)
            if written > asked.limit:
                raise Unreadable(f"File {asked.label!r} unfolds to more than {asked.limit:,} bytes. Split it.")
        if not asked.partial:
            try:
                out.write(decoder.decode(b"", final=True).encode("utf-8", errors="replace"))
            except UnicodeDecodeError:
                raise _misfit(asked, encoding, offset) from None
    path = Path(out.name)
    scan = _scan(asked.at(path))
    return Text(path=path, start=0, encoding=codecs.lookup(encoding).name, notes=scan.notes())


# --- guessing -----------------------------------------------------------------------------------


def _guessed(asked: Asked, scan: _Scan) -> Text:
    sample = _foreign_lines(asked.path, scan.wrong or 0)
    ranked = _ranked(sample)
    settled = asked.remembered.encoding
    if settled is not None:
        with suppress(Unreadable):  # it is remembered, not asked for: where it does not fit, the file is looked at anew
            return _rewritten(asked, settled)
    for encoding in ranked:
        try:
            text = _rewritten(asked, encoding)
        except Unreadable:
            continue  # the sample has bytes that it knows, the rest has not
        options = (encoding, *(other for other in ranked if other != encoding))[:_OPTIONS_MAX]
        doubt = _doubt(asked, options, sample, scan.wrong or 0)
        return Text(path=text.path, start=0, encoding=encoding, doubts=(doubt,), notes=text.notes)
    raise Unreadable(
        f"File {asked.label!r} is not UTF-8 (first wrong byte at position {scan.wrong:,}), and its encoding is unknown."
        " Save it as UTF-8 and send it again, or say its --encoding."
    )


def _foreign_lines(path: Path, wrong: int) -> bytes:
    """Collect the lines that hold bytes beyond ASCII, from the header and from where UTF-8 ended."""
    found: list[bytes] = []
    with path.open("rb") as file:
        for place in dict.fromkeys((0, max(0, wrong - _SAMPLE_BYTES // 4))):
            file.seek(place)
            lines = file.read(_SAMPLE_BYTES).split(b"\n")
            # the last line may be torn within a letter
            found += [line for line in (lines[1:-1] if place else lines[:-1] or lines) if not line.isascii()]
        if not found:
            file.seek(wrong)
            found = [file.read(1024)]
    return b"\n".join(found)


def _ranked(sample: bytes) -> list[str]:
    scores: dict[str, float] = {}
    for encoding in ("cp949", "cp932", "gb18030", "big5", "cp1252", "cp1250", "cp1251", "koi8-r", "cp1253", "cp1254"):
        text = _decoded(sample, encoding)
        if text is not None:
            scores[encoding] = _likelihood(text, encoding)
    best = charset_normalizer.from_bytes(sample[:65_536]).best()
    if best is not None:
        name = _family(best.encoding)
        if _decoded(sample, name) == _decoded(sample, "cp1252"):
            name = "cp1252"  # the same text by the commonest name
        if name in scores:
            scores[name] += _BONUS
        elif _decoded(sample, name) is not None:
            scores[name] = _BONUS
    return sorted(scores, key=lambda name: -scores[name])


def _family(name: str) -> str:
    """Name an encoding by the larger one that holds it."""
    larger = {
        "euc_kr": "cp949", "johab": "cp949", "shift_jis": "cp932", "shift_jis_2004": "cp932", "gbk": "gb18030",
        "gb2312": "gb18030", "latin_1": "cp1252", "iso8859_1": "cp1252", "koi8_r": "koi8-r",
    }  # fmt: skip
    return larger.get(name, name)


def _decoded(sample: bytes, encoding: str) -> str | None:
    try:
        return sample.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _likelihood(text: str, encoding: str) -> float:
    """Say how much of what is beyond ASCII looks like the language that the encoding is for (0 to 1)."""
    foreign = [i for i, c in enumerate(text) if ord(c) > 127]
    if not foreign:
        return 0.0
    letters = [text[i] for i in foreign]
    if encoding == "cp949":
        return _share(letters, lambda c: "가" <= c <= "힣") * (0.7 + 0.3 * _share(letters, _HANGUL.__contains__))
    if encoding == "cp932":
        kana = _share(letters, lambda c: "ぁ" <= c <= "ヺ")
        return min(1.0, 3 * kana) * _share(letters, lambda c: unicodedata.category(c) == "Lo")
    if encoding in {"gb18030", "big5"}:
        common = _share(letters, _HANZI.__contains__)
        return min(1.0, 4 * common) * _share(letters, lambda c: "一" <= c <= "龥" or c in ",。、:()")
    if encoding in {"cp1251", "koi8-r", "cp1253"}:
        return _alphabet(text, foreign, "GREEK" if encoding == "cp1253" else "CYRILLIC")
    known = _CENTRAL if encoding == "cp1250" else _LATIN
    alone = sum(1 for i in foreign if not _foreign_at(text, i - 1) and not _foreign_at(text, i + 1)) / len(foreign)
    # the Western one is by far the commonest of those that say the same
    return _share(letters, known.__contains__) * (0.3 + 0.7 * alone) * (1.0 if encoding == "cp1252" else 0.95)


def _alphabet(text: str, foreign: list[int], script: str) -> float:
    own = [i for i in foreign if unicodedata.name(text[i], "").startswith(script)]
    beside = [i for i in own if _foreign_at(text, i - 1) or _foreign_at(text, i + 1)]
    upside_down = sum(1 for i in own if text[i].isupper() and i and text[i - 1].islower())
    return (len(beside) - upside_down) / len(foreign)


def _foreign_at(text: str, place: int) -> bool:
    return 0 <= place < len(text) and ord(text[place]) > 127


def _share(letters: list[str], is_one: Callable[[str], bool]) -> float:
    return sum(1 for c in letters if is_one(c)) / len(letters)


def _doubt(asked: Asked, options: tuple[str, ...], sample: bytes, wrong: int) -> Doubt:
    readings = []
    for name in options:
        text = _decoded(sample, name) or ""
        place = next((i for i, c in enumerate(text) if ord(c) > 127), 0)
        line = text[text.rfind("\n", 0, place) + 1 :].split("\n")[0]
        begin = max(0, place - text.rfind("\n", 0, place) - 9)
        readings.append(f"{name} {printable(line[begin:].strip(), most=_SHORT_CHARACTERS)!r}")
    return Doubt(
        topic="encoding",
        chosen=options[0],
        options=options,
        message=(
            f"File {asked.label!r} is not UTF-8 (first wrong byte at position {wrong:,}). It reads as"
            f" {', as '.join(readings)}. A wrong guess changes names and categories silently: say --encoding {options[0]}"
            f"{' or another one' if len(options) > 1 else ''}, or save it as UTF-8."
        ),
    )
