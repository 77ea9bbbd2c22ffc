"""What runs a network tells nobody of it: seen by a proxy that all requests of a process would go through."""

import os
import socket
import subprocess
import sys
import threading

import pytest

from networks import identity

SECONDS = 20  # in which onnxruntime 1.32 asks three times, where nothing forbids it
DRAW = """
import os, sys, time
import numpy as np
from anidata.lineart.styles import onnx
before = dict(os.environ)
onnx.draw(np.zeros((8, 8, 3), np.uint8), onnx.Config(path=sys.argv[1]))
assert dict(os.environ) == before
"""
BARE = "import onnxruntime, time\n"
WAIT = f"time.sleep({SECONDS})\n"


class Proxy:
    """Answers nothing, and keeps the first line of each request."""

    def __init__(self):
        self.asked = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(200).split(b"\r\n")[0])

    def started(self, code, *words):
        url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy"), url)
        allowed = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
        return subprocess.Popen([sys.executable, "-c", code, *words], env=allowed | proxies)


@pytest.mark.slow
def test_a_network_is_run_without_a_word_to_anybody(tmp_path):
    ours, bare = Proxy(), Proxy()
    runs = [ours.started(DRAW + WAIT, identity(tmp_path / "n.onnx")), bare.started(BARE + WAIT)]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    assert ours.asked == []
    if not bare.asked:
        pytest.skip("this onnxruntime tells nobody anyway")
