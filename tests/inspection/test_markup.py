"""Markup is told from text, and text from binary data, whatever its encoding and its script."""

# ruff: noqa: E501, RUF001 - tables: a text a line, in many scripts

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.inspection import inspect_file
from greenroom.reasons import Reason

HTML = "a web page (HTML)"
PIECE = "a piece of a web page (HTML)"
XML = "an XML file"
MHTML = "a web page saved with its images (MHTML)"
MAIL = "an e-mail that a mail program has to put together"
HEADERS = "From: ada@example.org\nSubject: Sale\nMIME-Version: 1.0\n"
PAGE = "From: <Saved by Blink>\r\nSnapshot-Content-Location: https://example.org/\r\n" + HEADERS[23:]

MARKUP = {
    "div.txt": ('<div class="x"><p>Hello</p></div>', PIECE),
    "paragraphs.txt": ("<p>Hello</p>\n<p>You</p>\n", PIECE),
    "behind-a-comment.txt": ("<!-- by hand -->\n<div>a</div>\n<!-- end -->", PIECE),
    "capitals.txt": ("<DIV>Hello<BR>", PIECE),
    "table.xls": ('<table border="1"><tr><td>Äpfel</td></tr></table>', HTML),
    "office.doc": ('<html xmlns:o="urn:schemas-microsoft-com:office:office"><body>x</body></html>', HTML),
    "xhtml.txt": ('<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0//EN" "x">\n<html></html>', HTML),
    "bookmarks.txt": ("<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<DL></DL>", HTML),
    "no-declaration.txt": ("<note><to>Tove</to><body>x</body></note>", XML),
    "behind-it-a-comment.txt": ("<note>x</note>\n<!-- end -->\n", XML),
    "one-tag.txt": ("<note from='me'/>", XML),
    "doctype.txt": ("<!DOCTYPE note SYSTEM 'note.dtd'>\n<note></note>", XML),
    "packet.txt": ("<?xpacket begin='' id='W5M0'?><x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>", XML),
    "sheet.xls": ("<?xml version='1.0'?>\n<?mso-application progid='Excel.Sheet'?>\n<Workbook></Workbook>", XML),
    "drawing.txt": ("<svg:svg xmlns:svg='http://www.w3.org/2000/svg'></svg:svg>", "an SVG drawing"),
    "page.doc": ('MIME-Version: 1.0\nContent-Type: multipart/related; boundary="x"\n\n--x\n', MHTML),
    "by-a-browser.mht": (PAGE + 'Content-Type: multipart/related;\r\n\ttype="text/html"\r\n\r\n--x\r\n', MHTML),
    "in-parts.eml": (HEADERS + "Content-Type: multipart/mixed; boundary=x\n\n--x\n", MAIL),
    "packed.eml": (HEADERS + "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nSGVsbG8=\n", MAIL),
    "letter.doc": (r"{\rtf1\ansi Hello}", "a Rich Text (RTF) document"),
}  # fmt: skip


#: Mails and RTF are ASCII by their own standards.
ENCODED = [
    (name, encoding)
    for name, (words, _) in MARKUP.items()
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")
    if words.startswith("<") or encoding.startswith("utf-8")
]


@pytest.mark.parametrize(("name", "encoding"), ENCODED)
def test_markup_is_refused_by_name(tmp_path: Path, name: str, encoding: str) -> None:
    """What a browser, a mail program or Excel takes for more than text is told as that, in any encoding."""
    words, what = MARKUP[name]
    path = tmp_path / name
    path.write_bytes(words.encode(encoding))
    verdict = inspect_file(path)
    assert verdict.reason is Reason.TYPE_NOT_SUPPORTED, verdict
    assert f"This is {what}; " in verdict.detail
    ending_is_another_types = path.suffix in (".txt", ".xls", ".doc")
    assert [notice.code for notice in verdict.notices] == ["name_disagrees"] * ending_is_another_types


TEXTS = {
    "order.txt": ("<name>, your order is ready.\n", ""),
    "chat.txt": ("<ada> hello\n<bob> hello <ada>\n", ""),
    "quoted.txt": ("<ada@example.org> wrote: hello\n", ""),
    "love.txt": ("<3 you all, see you at 5>\n", ""),
    "about-tags.txt": ("Write <b> before it and </b> behind it.\n", ""),
    "sentences.txt": ("Everything must go, today.\nCome to us, all of you.\nSee you, Ada.\n" * 3, ""),
    "headers.txt": ("Note: come early.\nContent-Type: multipart/related is a type.\n", ""),
    "tags.txt": ("Dear <b>Ada</b>,<br>\nsee you on Saturday.\n", "HTML tags"),
    "logo.md": ('<p align="center">\n<img src="x"></p>\n\n# Sale\n\n## Terms\n\n- one\n<br>\n', "Markdown"),
    "details.md": ("<details>\n<summary>x</summary>\n\n# Sale\ntext\n</details>\n", ".md"),
    "comment.md": ("<!-- by hand -->\n# Sale\n\n## Terms\n- one\n- two\n", "Markdown"),
    "cut.xml": ("<note><to>Tove</to><body>Everything", ""),
    "plain.eml": (HEADERS + "Content-Type: text/plain; charset=utf-8\n\nHello\n", "e-mail"),
    "prices.csv": ("item,price\nhat,17.50\nbag,27.30\n", "CSV"),
    "data.json": ('{"sale": [1, 2]}', "JSON"),
    "card.vcf": ("BEGIN:VCARD\nVERSION:3.0\nFN:Ada\nEND:VCARD\n", "contact card"),
    "sale.ics": ("BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n", "calendar"),
    "page.php": ("<?php echo 1; ?>\n", "script"),
    "solid.stl": ("solid hat\nfacet normal 0 0 0\nendsolid hat\n", "3D model (STL)"),
    "part.step": ("ISO-10303-21;\nHEADER;\n", "3D model (STEP)"),
    "key.pem": ("-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n", "certificate"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_text_goes_as_text(tmp_path: Path, name: str) -> None:
    """Prose goes without a word; data, and text with tags in it, with a notice that says so."""
    words, noticed = TEXTS[name]
    path = tmp_path / name
    path.write_text(words, newline="")
    verdict = inspect_file(path)
    assert verdict.mime_type == "text/plain", verdict.detail
    said = " ".join(notice.detail for notice in verdict.notices if notice.code == "sent_as_plain_text")
    assert noticed in said
    assert bool(noticed) == bool(said)


RUSSIAN = "Весенняя распродажа, приходите все.\n"
UNMARKED = {
    "Latin": "See you on Saturday.\r\n",
    "accents": "Grüße aus Köln, où êtes-vous?\r\n",
    "Russian": RUSSIAN,
    "one word": "Привет",
    "Greek": "Καλημέρα κόσμε",
    "Arabic": "مرحبا بالعالم",
    "Chinese": "春季大甩卖，全场五折。欢迎光临。\n",
    "Japanese": "春のセール、全品半額です。\n",
    "Korean": "봄 세일, 모두 반값입니다.\n",
}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("script", UNMARKED)
def test_text_without_its_mark_is_called_that(tmp_path: Path, script: str, encoding: str) -> None:
    """Whatever the script: the sentence says what it is, and not that it is not known."""
    path = tmp_path / "note.txt"
    path.write_bytes(UNMARKED[script].encode(encoding))
    verdict = inspect_file(path)
    assert verdict.reason is Reason.NOT_TEXT, verdict.detail
    assert f"This text is in {encoding[:6].upper()} but does not say so" in verdict.detail


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("script", UNMARKED)
def test_text_with_its_mark_goes(tmp_path: Path, script: str, encoding: str) -> None:
    """It says what it is in, and so it goes, with a notice."""
    path = tmp_path / "note.txt"
    path.write_bytes(UNMARKED[script].encode(encoding))
    verdict = inspect_file(path)
    assert verdict.mime_type == "text/plain"
    assert [(n.code, encoding.upper() in n.detail) for n in verdict.notices] == [("not_utf8", True)]


OLD = {
    "cp866": RUSSIAN, "koi8-r": RUSSIAN, "cp1251": RUSSIAN, "mac-cyrillic": RUSSIAN, "cp1253": UNMARKED["Greek"],
    "cp1255": "שלום עולם", "cp1256": UNMARKED["Arabic"], "tis-620": "สวัสดีชาวโลก", "euc-kr": UNMARKED["Korean"],
    "big5": "你好世界", "shift_jis": UNMARKED["Japanese"], "cp437": "Grüße aus Köln", "mac-roman": "Grüße aus Köln",
}  # fmt: skip


@pytest.mark.parametrize("times", [1, 200])
@pytest.mark.parametrize("encoding", OLD)
def test_text_in_an_old_encoding_goes(tmp_path: Path, encoding: str, times: int) -> None:
    """It is text, of which it is said that it is not UTF-8, and nothing that cannot be known."""
    path = tmp_path / "note.txt"
    path.write_bytes(OLD[encoding].encode(encoding) * times)
    verdict = inspect_file(path)
    assert verdict.mime_type == "text/plain"
    assert verdict.label == "plain text (not UTF-8)"
    assert [notice.code for notice in verdict.notices] == ["not_utf8"]


def test_text_of_mainframes_is_called_that(tmp_path: Path) -> None:
    """EBCDIC is text to libmagic; a phone shows nothing of it."""
    path = tmp_path / "note.txt"
    path.write_bytes("See you on Saturday, all of you. ".encode("cp500") * 5)
    verdict = inspect_file(path)
    assert verdict.reason is Reason.NOT_TEXT
    assert "EBCDIC" in verdict.detail
