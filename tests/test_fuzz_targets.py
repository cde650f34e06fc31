"""What takes in strangers' bytes, given a few of all kinds; `make fuzz` gives it many more."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.fuzz_targets import TARGETS

PIECES = st.sampled_from(
    [
        b"--grense\r\n",
        b"--grense--",
        b'Content-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n',
        b'Content-Disposition: form-data; name="collection"\r\n\r\n',
        b"multipart/form-data; boundary=",
        b'{"question": "x"}',
        b'{"model": "kildesvar", "messages": [{"role": "user", "content": "',
        b'"}]}',
        b"https://x.no:443",
        b"../",
        b".txt",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\\par{\\*\\u229 ?",
        b"\\'e5}",
        b"<table><tr><td>",
        b"<li><ol start=9>",
        b"From: a@x.no\nSubject: =?utf-8?B?",
        b"\n\n",
        b"# 1. \xc3\xa5\n",
        b"a;b;c\n",
        b"%PDF-1.4 ",
        b"[x](y)![",
        b"data: \r",
    ]
)
BYTES = st.one_of(
    st.binary(max_size=300),
    st.lists(st.one_of(PIECES, st.binary(max_size=5)), max_size=12).map(b"".join),
)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(raw=BYTES)
def test_it_takes_or_refuses_whatever_comes(name: str, raw: bytes) -> None:
    TARGETS[name](raw)
