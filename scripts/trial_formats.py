"""How much of a text survives each format: texts -> files by LibreOffice -> read again.

    python -m scripts.trial_formats FOLDER

FOLDER holds texts, Markdown or HTML files. Needs LibreOffice (`soffice`); a mail is made by Python.
Prints a line for each format: words in order, and headings, list items and rows of tables found
again word for word.
"""

import html
import subprocess
import sys
from collections import Counter
from difflib import SequenceMatcher
from email.message import EmailMessage
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from index.documents import Block, BlockKind, Document
from index.readers.formats import read

FORMATS = ("pdf", "docx", "odt", "rtf", "eml")
KINDS = (BlockKind.HEADING, BlockKind.LIST_ITEM, BlockKind.TABLE_ROW)
READ = frozenset({".txt", ".md", ".html"})


def main(folder: Path) -> None:
    originals = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix in READ}
    with TemporaryDirectory() as name:
        made = Path(name)
        for stem, path in originals.items():
            page = _page(read(path))
            (made / f"{stem}.html").write_text(page, encoding="utf-8")
            (made / f"{stem}.eml").write_bytes(_mail(page))
        _convert(made, "odt", "html", "--writer")
        for kind in ("pdf", "docx", "rtf"):
            _convert(made, kind, "odt")
        for kind in FORMATS:
            began = perf_counter()
            copies = {stem: read(made / f"{stem}.{kind}") for stem in originals}
            seconds = perf_counter() - began
            pairs = [(read(path), copies[stem]) for stem, path in originals.items()]
            print(f"{kind:5} {_words(pairs)}  {_blocks(pairs)}  {seconds:.2f} s")


def _convert(folder: Path, kind: str, source: str, *options: str) -> None:
    files = sorted(map(str, folder.glob(f"*.{source}")))
    command = ["soffice", "--headless", "--convert-to", kind, "--outdir", str(folder), *options]
    subprocess.run([*command, *files], check=True, capture_output=True)


def _page(document: Document) -> str:
    """The document as a page that LibreOffice can open."""
    body = "".join(
        _marked_up(kind, list(blocks), document.text)
        for kind, blocks in groupby(document.blocks, key=lambda block: block.kind)
    )
    return f'<html lang="nb"><head><meta charset="utf-8"></head><body>{body}</body></html>'


def _marked_up(kind: BlockKind, blocks: list[Block], text: str) -> str:
    texts = [html.escape(text[b.start : b.end]).replace("\n", "<br>") for b in blocks]
    match kind:
        case BlockKind.HEADING:
            pairs = zip(blocks, texts, strict=True)
            return "".join(f"<h{b.level}>{words}</h{b.level}>" for b, words in pairs)
        case BlockKind.LIST_ITEM:
            return "<ul>" + "".join(f"<li>{words}</li>" for words in texts) + "</ul>"
        case BlockKind.TABLE_ROW:
            rows = (words.replace(" | ", "</td><td>") for words in texts)
            return "<table>" + "".join(f"<tr><td>{row}</td></tr>" for row in rows) + "</table>"
    return "".join(f"<p>{words}</p>" for words in texts)


def _mail(page: str) -> bytes:
    message = EmailMessage()
    message["From"] = "avsender@example.org"
    message["Subject"] = "Prøve"
    message.set_content(page, subtype="html")
    return message.as_bytes()


def _words(pairs: list[tuple[Document, Document]]) -> str:
    """The share of the originals' words that stand in the copies in the same order."""
    kept = total = 0
    for original, copy in pairs:
        words = _block_words(original)
        matcher = SequenceMatcher(None, words, _block_words(copy), autojunk=False)
        kept += sum(match.size for match in matcher.get_matching_blocks())
        total += len(words)
    return f"words {kept / total:.4f} of {total}"


def _block_words(document: Document) -> list[str]:
    """The words of all blocks: without bullets, which each format writes in its own way."""
    return [word for b in document.blocks for word in document.text[b.start : b.end].split()]


def _blocks(pairs: list[tuple[Document, Document]]) -> str:
    kept: Counter[BlockKind] = Counter()
    total: Counter[BlockKind] = Counter()
    for original, copy in pairs:
        there, again = _texts(original), _texts(copy)
        for kind in KINDS:
            total[kind] += there[kind].total()
            kept[kind] += (there[kind] & again[kind]).total()
    return "  ".join(f"{kind} {kept[kind]} of {total[kind]}" for kind in KINDS)


def _texts(document: Document) -> dict[BlockKind, Counter[str]]:
    texts: dict[BlockKind, Counter[str]] = {kind: Counter() for kind in BlockKind}
    for block in document.blocks:
        texts[block.kind][" ".join(document.text[block.start : block.end].split())] += 1
    return texts


if __name__ == "__main__":
    main(Path(sys.argv[1]))
