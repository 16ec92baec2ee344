"""A device as the web client is one: it resumes from its position, and asked to
reconnect it has the next socket before it gives up the last one."""

import json
import threading
import time
import uuid

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import connect


class Device:
    def __init__(self, url, user):
        self.url = url.replace("http", "ws") + "/ws"
        self.user = user
        self.cursors = {}
        self.applied = {}
        self.answers = {}
        self.causes, self.resets, self.refused = [], [], []
        self.connects = 0
        self.is_live = threading.Event()
        self.ended = False
        self.socket = None
        threading.Thread(target=self.live, daemon=True).start()

    def open(self):
        headers = {"Authorization": f"Bearer {self.user['access_token']}"}
        socket = connect(self.url, additional_headers=headers, max_size=None, open_timeout=10, ping_interval=None)
        socket.send(json.dumps({"type": "hello", "payload": {"cursors": self.cursors}}))
        self.connects += 1
        return socket

    def live(self):
        while not self.ended:
            try:
                self.socket = self.socket or self.open()
                self.hear(json.loads(self.socket.recv(timeout=90)))
            except ConnectionClosed as closed:
                self.causes.append(closed.rcvd.code if closed.rcvd else 1006)
                self.lose()
            except InvalidStatus as refused:
                self.refused.append(refused.response.status_code)
                self.lose()
            except (OSError, TimeoutError, WebSocketException) as why:
                self.refused.append(type(why).__name__)
                self.lose()

    def lose(self):
        self.is_live.clear()
        self.socket = None
        time.sleep(0.2)

    def hear(self, frame):
        kind, conversation = frame["type"], frame.get("conversation_id")
        if kind == "conversations":
            for it in frame["payload"]["items"]:
                self.cursors.setdefault(it["id"], {"seq": it["last_seq"], "event_id": it["last_event_id"]})
        elif kind == "live":
            self.is_live.set()
        elif kind == "conversation.reset":
            it = frame["payload"]["conversation"]
            self.resets.append(frame["payload"]["reason"])
            self.applied = {place: at for place, at in self.applied.items() if place[0] != it["id"]}
            self.cursors[conversation or it["id"]] = {"seq": it["last_seq"], "event_id": it["last_event_id"]}
        elif kind == "reconnect":
            time.sleep(frame["payload"]["after_ms"] / 1000)
            old, self.socket = self.socket, None
            self.socket = self.open()
            old.close()
        elif kind in ("ack", "error"):
            self.answers[frame["id"]] = frame
        elif "seq" in frame:
            before = self.cursors.get(conversation, {"seq": 0})["seq"]
            if frame["seq"] > before:
                assert frame["seq"] == before + 1, f"a hole: {before} → {frame['seq']}"
                self.cursors[conversation] = {"seq": frame["seq"], "event_id": frame["event_id"]}
                self.applied[conversation, frame["seq"]] = time.monotonic()

    def write(self, conversation, body, key=None):
        """Does not wait for the answer, whose number this is."""
        number = uuid.uuid4().int % 10**9
        payload = {"conversation_id": conversation, "client_msg_id": key or str(uuid.uuid4()), "body": body}
        self.socket.send(json.dumps({"type": "message.send", "id": number, "payload": payload}))
        return number

    def send(self, conversation, body="hello", key=None, limit=15):
        """The answer, or None."""
        assert self.is_live.wait(limit), "it is not live"
        try:
            number = self.write(conversation, body, key)
        except (ConnectionClosed, AttributeError):
            return None
        end = time.monotonic() + limit
        while time.monotonic() < end and number not in self.answers:
            time.sleep(0.01)
        return self.answers.get(number)

    def close(self):
        self.ended = True
        if self.socket:
            self.socket.close()
