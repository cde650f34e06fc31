"""Files that were cut, overwritten or shuffled: each is read or refused, no more."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from index.errors import UnreadableDocumentError
from index.readers.isolation import IsolatedReader
from tests import test_opendocument as opendocument
from tests.made_files import Writer
from tests.test_office import deck, letter, workbook

Harm = Callable[[bytearray, random.Random], bytes]


def report() -> bytes:
    writer = Writer()
    for number in range(3):
        writer.lines(f"Kapittel {number}", size=18).lines(
            *["Her står det noe om helse."] * 20
        ).page()
    return writer.bytes()


def cut(raw: bytearray, chance: random.Random) -> bytes:
    return bytes(raw[: chance.randrange(len(raw))])


def flipped(raw: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.choice([1, 20, 400])):
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return bytes(raw)


def blanked(raw: bytearray, chance: random.Random) -> bytes:
    at = chance.randrange(len(raw) - 500)
    raw[at : at + 500] = bytes(500)
    return bytes(raw)


def shuffled(raw: bytearray, chance: random.Random) -> bytes:
    at = chance.randrange(len(raw))
    return bytes(raw[at:] + raw[:at])


@pytest.mark.parametrize("harm", [cut, flipped, blanked, shuffled])
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, harm: Harm) -> None:
    chance = random.Random(harm.__name__)
    files = {
        ".pdf": report(),
        ".docx": letter(),
        ".pptx": deck(),
        ".xlsx": workbook(),
        ".odt": opendocument.letter(),
        ".ods": opendocument.workbook(),
    }
    refused = 0
    with IsolatedReader() as reader:
        for number in range(15):
            for extension, raw in files.items():
                path = tmp_path / f"{number}{extension}"
                path.write_bytes(harm(bytearray(raw), chance))
                try:
                    reader.read(path)
                except UnreadableDocumentError as error:
                    refused += 1
                    assert "unforeseen" not in str(error), path
                    assert "crashed" not in str(error), path
    assert refused
