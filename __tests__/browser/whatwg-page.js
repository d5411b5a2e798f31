/*
 * Runs in the browser: what the WebSocket interface of a page shows of this library's sockets. Each
 * check returns plain data, which whatwg.test.ts looks at.
 */

const toUrl = (path) => `${location.origin.replace('http', 'ws')}${path}`;

/** A socket whose events are kept, and can be waited for. */
function connect(path, protocols = []) {
  const socket = new WebSocket(path.startsWith('ws:') ? path : toUrl(path), protocols);
  const events = [];
  const waiting = [];
  const settle = () => {
    for (const each of waiting) {
      const found = events.filter(({ type }) => type === each.type)[each.index];
      if (found !== undefined) each.resolve(found);
    }
  };
  for (const type of ['open', 'message', 'error', 'close']) {
    socket[`on${type}`] = (event) => {
      events.push(event);
      settle();
    };
  }
  /** The event of this type that comes at this place among those of its type. */
  const event = (type, index = 0) =>
    new Promise((resolve) => {
      waiting.push({ type, index, resolve });
      settle();
    });
  return { socket, events, event };
}

async function open(path, protocols) {
  const connection = connect(path, protocols);
  await connection.event('open');
  return connection;
}

/** How a connection ended, and all that was told of it. */
async function ending({ socket, events, event }) {
  const { code, reason, wasClean } = await event('close');
  const { readyState } = socket;
  return { code, reason, wasClean, readyState, events: events.map(({ type }) => type) };
}

/** Bytes that are nowhere the same for long. */
function pattern(length) {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8)) & 0xff);
}

/** Text of this many bytes as UTF-8, with characters of one to four. */
function text(length) {
  const unit = 'aé€😀'; // 1 + 2 + 3 + 4 bytes
  return unit.repeat(length / 10) + 'x'.repeat(length % 10);
}

function areEqual(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

globalThis.checks = {
  constants() {
    const { CONNECTING, OPEN, CLOSING, CLOSED } = WebSocket;
    return [CONNECTING, OPEN, CLOSING, CLOSED];
  },

  async states() {
    const connection = connect('/echo');
    const { socket, event } = connection;
    const states = [socket.readyState];
    await event('open');
    states.push(socket.readyState);
    socket.close(1000, 'done');
    states.push(socket.readyState);
    await event('close');
    states.push(socket.readyState);
    return states;
  },

  async handlers() {
    const { socket, events, event } = await open('/echo');
    const heard = [];
    const over = new Promise((resolve) => {
      socket.addEventListener('message', ({ type }) => heard.push(type));
      socket.addEventListener('close', ({ type }) => resolve(heard.push(type)));
    });
    socket.send('hello');
    const { data, origin } = await event('message');
    socket.close();
    await over;
    return { data, isOurs: origin === toUrl(''), events: events.map(({ type }) => type), heard };
  },

  async close(path, ...how) {
    const connection = await open(path);
    if (how.length > 0) connection.socket.close(...how[0]);
    return ending(connection);
  },

  refused(path, protocols) {
    return ending(connect(path, protocols));
  },

  async terms(path, protocols) {
    const { socket } = await open(path, protocols);
    const { protocol, extensions, url, binaryType } = socket;
    socket.close();
    return { protocol, extensions, isUrl: url === toUrl(path), binaryType };
  },

  async buffered() {
    const { socket, event } = await open('/echo');
    const amounts = [socket.bufferedAmount];
    socket.send('€'.repeat(1000));
    socket.send(new Uint8Array(500));
    amounts.push(socket.bufferedAmount);
    await event('message', 1);
    amounts.push(socket.bufferedAmount);
    socket.close();
    return amounts;
  },

  async binaryTypes() {
    const { socket, event } = await open('/echo');
    const seen = [];
    for (const [index, type] of ['blob', 'arraybuffer'].entries()) {
      socket.binaryType = type;
      socket.send(Uint8Array.of(1, 2, 3));
      const { data } = await event('message', index);
      const bytes = data instanceof Blob ? await data.arrayBuffer() : data;
      seen.push([data.constructor.name, ...new Uint8Array(bytes)]);
    }
    socket.close();
    return seen;
  },

  /** Everything `send` takes, and whether exactly its bytes came back. */
  async kinds() {
    const { socket, event } = await open('/echo');
    socket.binaryType = 'arraybuffer';
    const bytes = pattern(64);
    const { buffer } = bytes;
    const kinds = {
      blob: [new Blob([bytes.subarray(0, 10), bytes.subarray(10)]), bytes],
      arrayBuffer: [buffer, bytes],
      uint8Array: [bytes.subarray(3, 17), bytes.subarray(3, 17)],
      uint16Array: [new Uint16Array(buffer, 4, 5), bytes.subarray(4, 14)],
      float64Array: [new Float64Array(buffer, 8, 2), bytes.subarray(8, 24)],
      dataView: [new DataView(buffer, 5, 7), bytes.subarray(5, 12)],
    };
    const same = {};
    let index = 0;
    for (const [name, [data, expected]] of Object.entries(kinds)) {
      socket.send(data);
      const answer = await event('message', index++);
      same[name] = areEqual(new Uint8Array(answer.data), expected);
    }
    socket.send('a string: é€😀');
    same.string = (await event('message', index)).data === 'a string: é€😀';
    socket.close();
    return same;
  },

  /** A message of this length each way, as text and as bytes. */
  async length(length) {
    const { socket, event } = await open('/echo');
    socket.binaryType = 'arraybuffer';
    const words = text(length);
    const bytes = pattern(length);
    socket.send(words);
    socket.send(bytes);
    const said = (await event('message', 0)).data;
    const sent = (await event('message', 1)).data;
    socket.close();
    return {
      length: new TextEncoder().encode(words).length,
      text: said === words,
      binary: areEqual(new Uint8Array(sent), bytes),
    };
  },

  /** What the server sends by itself, in the order it was sent. */
  async greeting() {
    const { socket, event } = await open('/greets');
    const said = [];
    for (const index of [0, 1, 2]) {
      const { data } = await event('message', index);
      said.push(data instanceof Blob ? new TextDecoder().decode(await data.arrayBuffer()) : data);
    }
    socket.close();
    return said;
  },
};
