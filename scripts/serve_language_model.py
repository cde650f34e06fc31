"""Serves a language model by the OpenAI protocol, with llama.cpp; for tests and trials.

    python -m scripts.serve_language_model MODEL.gguf [--port 0] [--key KEY] [--context 4096]

Prints the address once it can be reached.
"""

import argparse
import signal
import socket
import sys
from collections.abc import Sequence

import xllamacpp

from index.processors import available_processors


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="serve_language_model", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("model", help="a model in GGUF")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--key", default="", help="asked of everyone, if given")
    parser.add_argument("--context", type=int, default=4096, help="tokens")
    options = parser.parse_args(arguments)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = options.model
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = options.port or _free_port()
    parameters.api_keys = [options.key] if options.key else []
    parameters.n_ctx = options.context
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = available_processors()
    parameters.cpuparams_batch.n_threads = available_processors()
    parameters.verbosity = 1
    server = xllamacpp.Server(parameters)
    print(f"{server.listening_address}/v1", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
