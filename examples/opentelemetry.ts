/*
 * Spans of OpenTelemetry from the diagnostics channels: one for each handshake, and one for each
 * socket, with an event for whatever happens to it and for its close.
 *
 * Any SDK will do; this file prints the spans. Nothing in the routes knows of it.
 */
import {
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  type Exception,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import {
  BasicTracerProvider,
  ConsoleSpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import express from 'express';
import { subscribe, unsubscribe, type ChannelListener } from 'node:diagnostics_channel';
import { createServer } from 'node:http';
import { attachWebSocket, route, type Diagnostics } from 'attach-websocket';

type Name = keyof Diagnostics;
type Handshake = Diagnostics['attach-websocket:handshake:start'];

/** Makes spans of all handshakes and sockets of this process, until the returned function is called. */
export function traceSockets(tracer: Tracer): () => void {
  const handshakes = new WeakMap<Handshake, Span>();
  const connections = new WeakMap<object, Span>();
  const stops: (() => void)[] = [];
  // Listeners must not throw: they run in the middle of the handshake, or of a message.
  const on = <N extends Name>(name: N, listener: (message: Diagnostics[N]) => void) => {
    const channelListener: ChannelListener = (message) => listener(message as Diagnostics[N]);
    subscribe(name, channelListener);
    stops.push(() => unsubscribe(name, channelListener));
  };

  on('attach-websocket:handshake:start', (handshake) => {
    const { request, url } = handshake;
    const caller = propagation.extract(ROOT_CONTEXT, request.headers);
    const attributes = { 'http.request.method': request.method ?? '', 'url.path': url };
    const span = tracer.startSpan('GET', { kind: SpanKind.SERVER, attributes }, caller);
    handshakes.set(handshake, span);
  });
  on('attach-websocket:handshake:error', (handshake) => {
    handshakes.get(handshake)?.recordException(handshake.error as Exception);
  });
  on('attach-websocket:handshake:end', (handshake) => {
    const { path, status, socket } = handshake;
    const span = handshakes.get(handshake);
    if (span === undefined) return;
    if (path !== undefined) span.updateName(`GET ${path}`).setAttribute('http.route', path);
    if (status !== undefined) span.setAttribute('http.response.status_code', status);
    else span.addEvent('aborted');
    if (status === undefined || status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
    if (socket === undefined) return;
    // It may live for days, and is exported when it ends: so it is a trace of its own, and linked.
    const links = [{ context: span.spanContext() }];
    connections.set(socket, tracer.startSpan(`WebSocket ${path ?? ''}`, { root: true, links }));
  });
  on('attach-websocket:error', ({ socket, error }) => {
    if (socket !== undefined) connections.get(socket)?.recordException(error as Exception);
  });
  on('attach-websocket:limit', ({ socket, name }) => {
    if (socket !== undefined) connections.get(socket)?.addEvent('limit', { name });
  });
  on('attach-websocket:close', ({ socket, code, wasClean }) => {
    const span = connections.get(socket);
    span?.addEvent('close', { code, wasClean });
    span?.end();
  });
  return () => {
    for (const stop of stops) stop();
  };
}

/** `mayEnter`: looks at `?key=`. */
export function build(mayEnter: (key: unknown) => unknown = () => true) {
  const app = express();
  const server = createServer(app);
  const sockets = attachWebSocket(app, server, [
    route(
      '/echo/:room',
      { auth: (req) => mayEnter(req.query['key']) },
      {
        message(socket, data) {
          if (data === 'fail') throw new Error('failed');
          socket.send(data);
        },
      },
    ),
  ]);
  return { server, sockets };
}

if (require.main === module) {
  const { PORT = '3000' } = process.env;
  const exporter = new SimpleSpanProcessor(new ConsoleSpanExporter());
  const provider = new BasicTracerProvider({ spanProcessors: [exporter] });
  traceSockets(provider.getTracer('attach-websocket'));
  const { server } = build();
  server.listen(Number(PORT), () => console.log('listening on', server.address()));
}
