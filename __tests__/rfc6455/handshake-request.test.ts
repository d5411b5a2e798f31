import { handshake } from '../scenarios/support/peer';
import { stopAll } from '../scenarios/support/server';
import { answerEveryWay, valuesOf } from './support/answers';
import { echoTarget, type Fields } from './support/target';

/* RFC 6455 §4.1 and §4.2.1: what a server has to see in an opening handshake, else it refuses. */

afterEach(stopAll);

const REQUEST = handshake('/echo');

/** A handshake with this field twice, or besides. */
const also = (line: string): string => REQUEST.replace('\r\n\r\n', `\r\n${line}\r\n\r\n`);
const withFields = (fields: Fields): string => handshake('/echo', fields);

type Row = readonly [what: string, request: string];

async function expectOpen(request: string): Promise<void> {
  const answer = await answerEveryWay(await echoTarget(), request);
  expect(answer.status).toBe(101);
}

async function expectRefused(request: string, status: number): Promise<void> {
  const answer = await answerEveryWay(await echoTarget(), request);
  expect(answer.status).toBe(status);
  expect(valuesOf(answer, 'connection')).toEqual(['close']);
  expect(valuesOf(answer, 'sec-websocket-accept')).toEqual([]);
}

/** Some other answer of HTTP: what does not ask for a WebSocket is a request like any other. */
async function expectPlain(request: string): Promise<void> {
  const answer = await answerEveryWay(await echoTarget(), request);
  expect(answer.status).toBe(404);
  expect(valuesOf(answer, 'sec-websocket-accept')).toEqual([]);
}

describe('§4.2.1 item 1: GET, HTTP/1.1, and a resource name', () => {
  it('takes a resource name with a query (§3)', () => expectOpen(handshake('/echo?a=1&b=%C3%A4')));

  it.each<[string, string, number]>([
    ['POST', REQUEST.replace('GET ', 'POST '), 405],
    ['HEAD', REQUEST.replace('GET ', 'HEAD '), 405],
    ['OPTIONS', REQUEST.replace('GET ', 'OPTIONS '), 405],
    ['HTTP/1.0', REQUEST.replace('HTTP/1.1', 'HTTP/1.0'), 400],
    ['a fragment, which must not be in it (§3)', REQUEST.replace('/echo ', '/echo#a '), 400],
  ])('refuses %s', (_what, request, status) => expectRefused(request, status));
});

describe('§4.2.1 item 2: Host', () => {
  it.each<Row>([
    ['without one', withFields({ Host: undefined })],
    ['with two', also('Host: other.example.com')],
  ])('refuses a handshake %s', (_what, request) => expectRefused(request, 400));
});

describe('§4.2.1 item 3: Upgrade with the value websocket', () => {
  it.each(['websocket', 'WebSocket', 'WEBSOCKET'])('takes %s, in any case', (value) =>
    expectOpen(withFields({ Upgrade: value })),
  );

  it.each(['websocket/13', 'websockets', 'h2c', 'web socket'])(
    'opens nothing for %s, and answers as for any request',
    (value) => expectPlain(withFields({ Upgrade: value })),
  );
});

describe('§4.2.1 item 4: Connection with the token Upgrade', () => {
  it.each(['Upgrade', 'upgrade', 'UPGRADE', 'keep-alive, Upgrade', 'upgrade,x', 'a , upgrade '])(
    'takes %s, in any case and any list',
    (value) => expectOpen(withFields({ Connection: value })),
  );

  it.each(['close', 'x-upgrade', 'upgraded', 'keep-alive'])(
    'opens nothing for %s, and answers as for any request',
    (value) => expectPlain(withFields({ Connection: value })),
  );
});

describe('§4.2.1 item 5: Sec-WebSocket-Key, base64 of 16 bytes', () => {
  it.each<Row>([
    ['none', withFields({ 'Sec-WebSocket-Key': undefined })],
    ['an empty one', withFields({ 'Sec-WebSocket-Key': '' })],
    ['15 bytes', withFields({ 'Sec-WebSocket-Key': 'AQIDBAUGBwgJCgsMDQ4P' })],
    ['17 bytes', withFields({ 'Sec-WebSocket-Key': 'AQIDBAUGBwgJCgsMDQ4PEBE=' })],
    ['no base64', withFields({ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25j*Q==' })],
    ['two keys (§11.3.1)', also('Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==')],
  ])('refuses %s', (_what, request) => expectRefused(request, 400));

  it('takes white space around it', () =>
    expectOpen(withFields({ 'Sec-WebSocket-Key': '\t dGhlIHNhbXBsZSBub25jZQ== \t' })));
});

describe('§4.2.1 item 6: Sec-WebSocket-Version 13', () => {
  it.each<Row>([
    ['none', withFields({ 'Sec-WebSocket-Version': undefined })],
    ...['0', '7', '8', '12', '14', '25', '013', '+13', '13.0', '13, 8', '256', '9999'].map(
      (version): Row => [version, withFields({ 'Sec-WebSocket-Version': version })],
    ),
  ])('refuses %s and names what it knows (§4.4)', async (_what, request) => {
    const answer = await answerEveryWay(await echoTarget(), request);
    expect(answer.status).toBe(426);
    expect(valuesOf(answer, 'sec-websocket-version')).toEqual(['13']);
  });

  it('refuses two fields of it (§11.3.5)', () =>
    expectRefused(also('Sec-WebSocket-Version: 13'), 400));
});

describe('§4.2.1 items 7 to 10: what may be there', () => {
  it('takes a handshake without an Origin, from a client that is no browser', () =>
    expectOpen(REQUEST));

  it('takes an Origin of its own', () =>
    expectOpen(withFields({ Origin: 'http://server.example.com' })));

  it('takes subprotocols and extensions in several fields (§11.3.2, §11.3.4)', () =>
    expectOpen(
      also(
        'Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Protocol: other\r\n' +
          'Sec-WebSocket-Extensions: foo\r\nSec-WebSocket-Extensions: bar; baz=2, x;y="z"',
      ),
    ));

  it.each<Row>([
    ['subprotocols that are no tokens (§4.1 item 10)', also('Sec-WebSocket-Protocol: a b')],
    ['the same subprotocol twice (§4.1 item 10)', also('Sec-WebSocket-Protocol: chat, chat')],
    ['extensions that break the grammar (§9.1)', also('Sec-WebSocket-Extensions: foo; =1')],
    [
      'an extension parameter that is no token (§9.1)',
      also('Sec-WebSocket-Extensions: x; y="a b"'),
    ],
  ])('refuses %s', (_what, request) => expectRefused(request, 400));

  it('ignores fields it does not know, and takes cookies', () =>
    expectOpen(also('Cookie: a=1; b=2\r\nX-Unknown: yes\r\nSec-WebSocket-Unknown: 1')));

  it('takes the fields in any order and any case', () =>
    expectOpen(
      'GET /echo HTTP/1.1\r\nsec-websocket-version: 13\r\nSEC-WEBSOCKET-KEY: ' +
        'dGhlIHNhbXBsZSBub25jZQ==\r\nconnection: upgrade\r\nUPGRADE: websocket\r\nhost: a\r\n\r\n',
    ));
});
