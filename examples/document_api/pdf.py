"""A minimal PDF writer: lines of Helvetica on A4 pages, after ISO 32000-1."""

from collections.abc import Mapping, Sequence

ESCAPES = str.maketrans({character: f"\\{character}" for character in "\\()"})
# The second line tells whoever copies the file that it is not text (7.5.2).
HEADER = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
TREE = (
    b"<< /Type /Pages /Kids [%b] /Count %d"
    b" /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> >>"
)
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
PAGE = b"<< /Type /Page /Parent 2 0 R /Contents %d 0 R >>"
TEXT = b"BT /F1 10 Tf 12 TL 50 790 Td\n%b\nET"


def render(title: str, pages: int, data: Mapping[str, object]) -> bytes:
    """Return a PDF whose pages are titled and numbered; the first one shows the data."""
    sheets = [[f"{title}, page {number} of {pages}"] for number in range(1, pages + 1)]
    for name, value in data.items():
        sheets[0] += [f"{name}:", str(value)]
    return write(sheets)


def write(sheets: Sequence[Sequence[str]]) -> bytes:
    """Return a PDF with one page for each list of lines."""
    pages = range(4, 4 + 2 * len(sheets), 2)
    tree = TREE % (b" ".join(b"%d 0 R" % page for page in pages), len(sheets))
    objects = [CATALOG, tree, FONT]
    for page, lines in zip(pages, sheets, strict=True):
        objects += [PAGE % (page + 1), _stream(TEXT % b"\n".join(map(_line, lines)))]
    return _file(objects)


def _line(text: str) -> bytes:
    # What Windows-1252 cannot spell, Helvetica without an embedded font cannot draw.
    return b"(%b) Tj T*" % text.translate(ESCAPES).encode("cp1252", errors="replace")


def _stream(content: bytes) -> bytes:
    return b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content)


def _file(objects: Sequence[bytes]) -> bytes:
    file = bytearray(HEADER)
    # An entry of the table has 20 bytes; the first one heads the list of free objects (7.5.4).
    table = b"0000000000 65535 f \n"
    for number, content in enumerate(objects, 1):
        table += b"%010d 00000 n \n" % len(file)
        file += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    size = len(objects) + 1
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(file))
    return b"%bxref\n0 %d\n%b%b" % (bytes(file), size, table, trailer)
