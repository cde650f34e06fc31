"""Networks that are cut."""

import subprocess
import sys
import threading

import httpx
import psycopg
import pytest

from tests.cluster.network import Network, separated, why_not
from tests.cluster.postgresql import PostgreSQL

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

CONNECT = """
import psycopg, sys
print(psycopg.connect(sys.argv[1], connect_timeout=2).execute("SELECT 1").fetchone())
"""
KEEP_CONNECTED = """
import psycopg, sys
with psycopg.connect(sys.argv[1]) as connection:
    for line in sys.stdin:
        print(connection.execute("SELECT %s", [line.strip()]).fetchone()[0], flush=True)
"""


def connect(network: Network, url: str) -> str:
    """What a new process inside gets of the server, or sees of its absence."""
    command = [*network.before, sys.executable, "-c", CONNECT, url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_packets_are_lost_until_the_link_is_mended(postgresql: PostgreSQL) -> None:
    url = postgresql.url("postgres")
    with separated([postgresql.port]) as network:
        seen = network.through(url)
        assert connect(network, seen) == "(1,)\n"
        assert "Connection refused" in connect(network, url), "this machine's loopback is not seen"
        network.cut(postgresql.port)
        assert "timeout expired" in connect(network, seen)
        psycopg.connect(url).close()
        network.mend(postgresql.port)
        assert connect(network, seen) == "(1,)\n"


def test_open_connections_outlive_a_cut(postgresql: PostgreSQL) -> None:
    with separated([postgresql.port]) as network:
        command = [*network.before, sys.executable, "-c", KEEP_CONNECTED]
        with subprocess.Popen(
            [*command, network.through(postgresql.url("postgres"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as inside:
            assert inside.stdin
            assert inside.stdout
            answers = iter(inside.stdout)
            print("first", file=inside.stdin, flush=True)
            assert next(answers) == "first\n"
            network.cut(postgresql.port)
            print("second", file=inside.stdin, flush=True)
            late: list[str] = []
            waiting = threading.Thread(target=lambda: late.append(next(answers)))
            waiting.start()
            waiting.join(1)
            assert not late
            network.mend(postgresql.port)
            waiting.join(20)
            assert late == ["second\n"]
            inside.stdin.close()


def test_what_listens_inside_is_reached_from_here(postgresql: PostgreSQL) -> None:
    with separated([postgresql.port]) as network:
        command = [*network.before, sys.executable, "-u", "-m", "http.server", "0"]
        with subprocess.Popen(
            [*command, "--bind", "127.0.0.1"], stdout=subprocess.PIPE, text=True
        ) as inside:
            assert inside.stdout
            announced = inside.stdout.readline().split("(")[1].split(")")[0]
            try:
                with pytest.raises(httpx.ConnectError):
                    httpx.get(announced)
                assert httpx.get(network.reached(announced)).status_code == 200
            finally:
                inside.terminate()
