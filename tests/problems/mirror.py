"""A small OpenML on this machine, for tests that must not reach for the network."""

import gzip
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen


@dataclass
class Mirror:
    """A server of one small data set, which answers as openml.org does.

    Attributes:
        rows: the lines of the ARFF file.
        columns: how many pixels a row has, as it is told.
        class_first: whether the class comes before the pixels.
        md5: what the description says of the file; by default the truth.
        format: the key under which the description says that it is an ARFF file.
        packed: how the ARFF file is compressed.
        status: of every answer.
        asked: the paths that were asked for.
    """

    rows: list[str] = field(default_factory=list)
    columns: int = 12
    md5: str = ""
    status: int = 200
    format: str = "format"
    packed: Callable[[bytes], bytes] = gzip.compress
    class_first: bool = False
    asked: list[str] = field(default_factory=list)

    def attributes(self) -> list[tuple[str, str, str, str]]:
        pixels = [(f"pixel{i}", "real", "numeric", "false") for i in range(self.columns)]
        classes = [("class", "{0,1,2}", "nominal", "true")]
        return classes + pixels if self.class_first else pixels + classes

    def arff(self) -> bytes:
        head = [f"@ATTRIBUTE {name} {kind}" for name, kind, *_ in self.attributes()]
        return "\n".join(["% as OpenML writes it", "@RELATION tiny", *head, "@DATA", *self.rows, ""]).encode()

    def answer(self, path: str) -> bytes:
        plain = {"is_ignore": "false", "is_row_identifier": "false", "number_of_missing_values": "0"}
        features = [
            {"name": name, "data_type": kind, "is_target": target, **plain}
            for name, _, kind, target in self.attributes()
        ]
        description = {
            "name": "tiny",
            "version": "1",
            "description": "A tiny data set.",
            self.format: "ARFF",
            "status": "active",
            "url": "https://www.openml.org/data/v1/download/1/tiny.arff",
            "md5_checksum": self.md5 or hashlib.md5(self.arff()).hexdigest(),
        }
        return {
            "/api/v1/json/data/77": json.dumps({"data_set_description": description}).encode(),
            "/api/v1/json/data/features/77": json.dumps({"data_features": {"feature": features}}).encode(),
            "/api/v1/json/data/qualities/77": json.dumps({"data_qualities": {"quality": []}}).encode(),
            "/data/v1/download/1/tiny.arff": self.arff(),
        }[path]

    @contextmanager
    def served(self) -> Iterator[tuple["Mirror", Callable[[Request], Any]]]:
        """Itself, and what stands for `urlopen`: it asks a server on this machine in the place of openml.org."""

        def answer(request: BaseHTTPRequestHandler):
            self.asked.append(request.path)
            request.send_response(self.status)
            request.send_header("Content-Encoding", "gzip")
            request.end_headers()
            pack = self.packed if request.path.endswith(".arff") else gzip.compress
            request.wfile.write(pack(self.answer(request.path)))

        methods = {"do_GET": answer, "log_message": lambda *_: None}
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (BaseHTTPRequestHandler,), methods))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def opened(request: Request):
            asked = urlsplit(request.full_url)
            assert asked.netloc.endswith("openml.org")
            here = f"http://127.0.0.1:{server.server_port}{asked.path}"
            return urlopen(Request(here, headers=dict(request.header_items())))

        try:
            yield self, opened
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
