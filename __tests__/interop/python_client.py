"""Opens WebSockets with python3-websockets, as it is told on standard input.

A command is a line of JSON and is answered by one: the result, or {"error": ...}. One connection is
open at a time.
"""

import asyncio
import base64
import json
import sys

import websockets


def encode(message):
    if isinstance(message, str):
        return {"text": message}
    return {"base64": base64.b64encode(message).decode()}


def decode(message):
    return message["text"] if "text" in message else base64.b64decode(message["base64"])


class Client:
    websocket = None

    async def open(self, url, protocols):
        offer = protocols or None
        self.websocket = await websockets.connect(url, subprotocols=offer, max_size=None)
        return self.websocket.subprotocol or ""

    async def send(self, message):
        await self.websocket.send(decode(message))

    async def send_fragments(self, parts):
        await self.websocket.send([decode(part) for part in parts])

    async def receive(self):
        return encode(await self.websocket.recv())

    async def ping(self, payload):
        # What ping() returns is done when the pong has come.
        await (await self.websocket.ping(decode(payload)))

    async def close(self, code, reason):
        await self.websocket.close(code, reason)

    async def closed(self):
        await self.websocket.wait_closed()
        return [self.websocket.close_code, self.websocket.close_reason]


async def main():
    client = Client()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        try:
            result = await getattr(client, command["call"])(*command["args"])
            answer = {"result": result}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


asyncio.run(main())
