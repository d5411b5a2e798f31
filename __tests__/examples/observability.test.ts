import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { build as buildTraced, traceSockets } from '../../examples/opentelemetry';
import { build as buildMeasured } from '../../examples/prometheus';
import { openClient } from '../scenarios/support/client';
import { handshake, Peer } from '../scenarios/support/peer';
import { afterTest, deferred, listen, stopAll, until } from '../scenarios/support/server';
import { ask, refusal, run } from './support';

afterEach(stopAll);

/** The key of RFC 6455 §1.3 is 16 bytes; this is none. */
const BAD_KEY = { 'Sec-WebSocket-Key': 'x' };

describe('prometheus', () => {
  const scrape = async (port: number): Promise<{ type: string | null; lines: string[] }> => {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    const text = await response.text();
    const lines = text.split('\n').filter((line) => line.startsWith('websocket_'));
    return { type: response.headers.get('content-type'), lines };
  };

  it('finds what metrics() says, by route, and the same when it asks again', async () => {
    const { inside, ...built } = buildMeasured();
    const site = await run(built);
    const port = await listen(inside);
    const client = await openClient(`ws://127.0.0.1:${site.port}/echo/a`);
    expect(await ask(client, 'Hello')).toBe('Hello');
    expect((await refusal(site, '/echo/b', BAD_KEY)).status).toBe(400);
    await until(() => '400' in (built.sockets.metrics().routes[0]?.handshakes ?? {}));
    const { type, lines } = await scrape(port);
    expect(type).toMatch(/^text\/plain;.* version=0\.0\.4/);
    const route = 'route="/echo/:room"';
    expect(lines).toEqual([
      'websocket_pending_handshakes 0',
      `websocket_connections{${route}} 1`,
      `websocket_buffered_bytes{${route}} 0`,
      `websocket_handshakes_total{${route},status="101"} 1`,
      `websocket_handshakes_total{${route},status="400"} 1`,
      `websocket_handshakes_total{${route},status="aborted"} 0`,
      `websocket_messages_total{${route},direction="received"} 1`,
      `websocket_messages_total{${route},direction="sent"} 1`,
      `websocket_bytes_total{${route},direction="received"} 11`,
      `websocket_bytes_total{${route},direction="sent"} 7`,
      `websocket_lost_messages_total{${route},reason="backpressure"} 0`,
    ]);
    expect((await scrape(port)).lines).toEqual(lines);
    client.close(4001);
    await site.hasOpen(0);
    const after = (await scrape(port)).lines;
    expect(after).toContain(`websocket_connections{${route}} 0`);
    expect(after).toContain(`websocket_closes_total{${route},code="4xxx"} 1`);
  });
});

describe('opentelemetry', () => {
  /** A server whose spans are collected as they end. */
  async function traced() {
    const exporter = new InMemorySpanExporter();
    const spanProcessors = [new SimpleSpanProcessor(exporter)];
    const provider = new BasicTracerProvider({ spanProcessors });
    afterTest(traceSockets(provider.getTracer('test')));
    const auth = (key: unknown): unknown => {
      if (key === 'throw') throw new Error('thrown on purpose');
      return key === 'wait' ? new Promise(() => waiting.resolve()) : {};
    };
    const waiting = deferred();
    const site = await run(buildTraced(auth));
    const ended = async (count: number): Promise<readonly ReadableSpan[]> => {
      await until(() => exporter.getFinishedSpans().length >= count);
      return exporter.getFinishedSpans();
    };
    return { site, ended, isWaiting: waiting.promise };
  }

  it('gets a span of the handshake, and a linked one of the socket with its close', async () => {
    const { site, ended } = await traced();
    const client = await openClient(`ws://127.0.0.1:${site.port}/echo/a?key=secret`);
    const [first] = await ended(1);
    expect(first).toMatchObject({
      name: 'GET /echo/:room',
      kind: SpanKind.SERVER,
      status: { code: SpanStatusCode.UNSET },
      attributes: {
        'http.request.method': 'GET',
        'url.path': '/echo/a',
        'http.route': '/echo/:room',
        'http.response.status_code': 101,
      },
    });
    client.close(1000);
    const [, second] = await ended(2);
    expect(second).toMatchObject({
      name: 'WebSocket /echo/:room',
      links: [{ context: { spanId: first?.spanContext().spanId } }],
      events: [{ name: 'close', attributes: { code: 1000, wasClean: true } }],
    });
  });

  it('gets what user code throws, and limits, as events of the socket', async () => {
    const { site, ended } = await traced();
    const client = await openClient(`ws://127.0.0.1:${site.port}/echo/a`);
    client.send('fail');
    const [, failed] = await ended(2);
    expect(failed?.events.map(({ name }) => name)).toEqual(['exception', 'close']);
    const large = await openClient(`ws://127.0.0.1:${site.port}/echo/a`);
    large.on('error', () => undefined).send(Buffer.alloc(1_048_577));
    const [, , , limited] = await ended(4);
    expect(limited?.events[0]).toMatchObject({ name: 'limit', attributes: { name: 'maxPayload' } });
  });

  it('gets refusals, errors and clients that leave', async () => {
    const { site, ended, isWaiting } = await traced();
    await refusal(site, '/echo/a', BAD_KEY);
    await refusal(site, '/none');
    await refusal(site, '/echo/a?key=throw');
    const peer = await Peer.connect(site.port);
    peer.write(handshake('/echo/a?key=wait'));
    await isWaiting;
    peer.reset();
    const spans = await ended(4);
    const ERROR = SpanStatusCode.ERROR;
    expect(
      spans.map(({ name, status, attributes, events }) => [
        name,
        status.code,
        attributes['http.response.status_code'],
        events.map((event) => event.name),
      ]),
    ).toEqual([
      ['GET /echo/:room', SpanStatusCode.UNSET, 400, []],
      ['GET', SpanStatusCode.UNSET, 404, []],
      ['GET /echo/:room', ERROR, 500, ['exception']],
      ['GET /echo/:room', ERROR, undefined, ['aborted']],
    ]);
  });

  it('gets nothing any more when it was stopped', async () => {
    const { site, ended } = await traced();
    const exporter = new InMemorySpanExporter();
    const spanProcessors = [new SimpleSpanProcessor(exporter)];
    traceSockets(new BasicTracerProvider({ spanProcessors }).getTracer('stopped'))();
    await openClient(`ws://127.0.0.1:${site.port}/echo/a`);
    await ended(1);
    expect(exporter.getFinishedSpans()).toEqual([]);
  });
});

describe('run directly', () => {
  const ROOT = join(__dirname, '../..');
  const project = mkdtempSync(join(tmpdir(), 'observability-'));
  beforeAll(() => symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'), 'dir'));
  afterAll(() => rmSync(project, { recursive: true }));

  it.each([
    ['prometheus', /listening on .*metrics on/s],
    ['opentelemetry', /listening on/],
  ])('%s listens', async (name, said) => {
    const source = readFileSync(join(ROOT, `examples/${name}.ts`), 'utf8');
    const module = ModuleKind.CommonJS;
    const compilerOptions = { module, target: ScriptTarget.ES2022, esModuleInterop: true };
    const { outputText } = transpileModule(source, { compilerOptions });
    const path = join(project, `${name}.js`);
    writeFileSync(
      path,
      outputText.replace('require("attach-websocket")', `require(${JSON.stringify(ROOT)})`),
    );
    const child = spawn(process.execPath, [path], { env: { PORT: '0', METRICS_PORT: '0' } });
    afterTest(() => child.kill('SIGKILL'));
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => (output += String(chunk)));
    }
    while (!said.test(output)) {
      await Promise.race([once(child.stdout, 'data'), once(child, 'close')]);
      if (child.exitCode !== null) throw new Error(output);
    }
  });
});
