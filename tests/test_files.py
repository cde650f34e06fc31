"""Hashes of files, and files that cannot be opened."""

import hashlib
from pathlib import Path

import pytest

from index.errors import InaccessibleFileError
from index.files import accessed, sha256_of


@pytest.mark.parametrize("content", [b"", b"bl\xc3\xa5b\xc3\xa6r", b"x" * 3_000_000])
def test_the_hash_is_that_of_the_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fil"
    path.write_bytes(content)
    assert sha256_of(path) == hashlib.sha256(content).hexdigest()
    assert accessed(path.read_bytes) == content


def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(InaccessibleFileError, match="cannot open the file: No such file"):
        accessed((tmp_path / "borte").stat)
