"""Encodings: what settles them, what is asked, and where bytes are wrong."""

from __future__ import annotations

import pytest

from pipeline_core.errors import Unreadable
from pipeline_core.records import Reading
from tests.core.sources.conftest import Take

KOREAN = "기간,여객도착\n서울특별시,1\n부산광역시,2\n"
JAPANESE = "名前,値段\nりんごとみかん,1\nカタカナのことば,2\n"
CHINESE = "名称,数量\n中国的一个大人,1\n我们在这里生活,2\n"
GERMAN = "name,straße\nMüller,Größe\nJäger,Öl\n"
POLISH = "imię,miasto\nŁukasz,Łódź\nKraków,źdźbło\n"
RUSSIAN = "имя,город\nИван,Москва\nОльга,Тверь\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (KOREAN, "cp949"),
        (JAPANESE, "cp932"),
        (CHINESE, "gb18030"),
        (GERMAN, "cp1252"),
        (POLISH, "cp1250"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
    ],
)
def test_the_likeliest_comes_first_and_a_person_decides(take: Take, text: str, encoding: str) -> None:
    right = take(text).table
    told = take(text.encode(encoding))
    (doubt,) = told.doubts
    assert (doubt.topic, doubt.chosen, doubt.blocking) == ("encoding", encoding, True)
    assert doubt.options[0] == encoding
    assert f"--encoding {encoding}" in doubt.message
    assert told.table.equals(right)
    asked = take(text.encode(encoding), encoding=encoding)
    assert (asked.table.equals(right), asked.doubts) == (True, ())
    assert take(text.encode(encoding), remembered=Reading(encoding=encoding)).doubts == ()


def test_each_option_shows_how_it_reads(take: Take) -> None:
    (doubt,) = take(KOREAN.encode("cp949")).doubts
    assert "cp949 '기간,여객도착'" in doubt.message
    assert "cp1252" in doubt.options
    assert "cp1252 '±â" in doubt.message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32"])
def test_marks_and_zero_bytes_settle_wide_characters(take: Take, encoding: str) -> None:
    told = take("a,b\r\nü,1\r\nx,2\r\n".encode(encoding))
    assert (told.table.to_pylist(), told.doubts) == ([{"a": "ü", "b": 1}, {"a": "x", "b": 2}], ())


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "UTF-16LE"])
def test_utf_16_without_a_mark_is_read_as_it_was_told(take: Take, encoding: str) -> None:
    content = "a,b\n1,x\n".encode(encoding)
    assert take(content, encoding=encoding).table.to_pylist() == take(content).table.to_pylist() == [{"a": 1, "b": "x"}]
    with pytest.raises(Unreadable, match="holds zero bytes"):
        take(content, encoding="cp1252")


def test_a_remembered_encoding_says_nothing_of_utf8(take: Take) -> None:
    told = take(KOREAN, remembered=Reading(encoding="cp949"))
    assert (told.table.column_names, told.reading.encoding) == (["기간", "여객도착"], "utf-8")


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [
        (b"a,b\n1,2\n\xff\n", "cp949", r"is not cp949: the first wrong byte is at position 8, in line 3"),
        (b"a,b\n1,2\n\xe9x\n", "utf-8", r"is not utf-8: the first wrong byte is at position 8, in line 3"),
        (b"a,b\n1,\xb0", "cp949", r"is not cp949: the first wrong byte is at position"),
        (b"a,b\n1,2\n", "klingon", "'klingon' is no encoding of text"),
        (b"a,b\n1,2\n", "rot13", "'rot13' is no encoding of text"),
        (b"a,b\n1,2\n", "zlib", "'zlib' is no encoding of text"),
        (b"a,b\n1,\x002\n", None, "holds zero bytes"),
    ],
)
def test_what_does_not_fit_is_said_with_its_place(take: Take, content: bytes, encoding: str | None, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        take(content, encoding=encoding)


def test_a_wrong_byte_far_into_the_file_is_found(take: Take) -> None:
    told = take(b"a,b\n" + b"1,x\n" * 1_500_000 + "1,ü\n".encode("cp1252"))
    (doubt,) = told.doubts
    assert "position 6,000,006" in doubt.message
    assert (doubt.chosen, told.table["b"][1_500_000].as_py()) == ("cp1252", "ü")


def test_a_letter_across_two_chunks_is_no_error(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline_core.sources import texts

    monkeypatch.setattr(texts, "CHUNK_BYTES", 5)
    for encoding in ("utf-8", "cp949", "utf-16"):
        told = take(KOREAN.encode(encoding), encoding=None if encoding == "utf-16" else encoding)
        assert told.table.column_names == ["기간", "여객도착"]
