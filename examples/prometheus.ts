/*
 * What the sockets do, for Prometheus: GET /metrics says what `sockets.metrics()` knows.
 *
 *   curl -s localhost:9464/metrics | grep ^websocket_
 *
 * On a port of its own, for the numbers are nobody's business outside. Labels are routes, status and
 * close codes, and nothing that a client could invent.
 */
import express, { type RequestHandler } from 'express';
import { createServer } from 'node:http';
import { Counter, Gauge, Registry } from 'prom-client';
import { attachWebSocket, route, type Attachment } from 'attach-websocket';

/** Answers with the metrics of these sockets, and with what else is in the registry. */
export function metricsOf(sockets: Attachment, registry = new Registry()): RequestHandler {
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames = ['route']) =>
    new Gauge({ name: `websocket_${name}`, help, labelNames, registers });
  const counter = (name: string, help: string, label: string) =>
    new Counter({ name: `websocket_${name}_total`, help, labelNames: ['route', label], registers });

  const pending = gauge('pending_handshakes', 'Upgrades under way', []);
  const connections = gauge('connections', 'Open sockets');
  const buffered = gauge('buffered_bytes', 'Bytes that wait to be sent');
  const handshakes = counter('handshakes', 'Upgrades that are over', 'status');
  const messages = counter('messages', 'Messages', 'direction');
  const bytes = counter('bytes', 'Bytes of frames', 'direction');
  const closes = counter('closes', 'Sockets that are closed', 'code');
  const lost = counter('lost_messages', 'Messages that were not sent', 'reason');

  function update(): void {
    const { pendingHandshakes, routes } = sockets.metrics();
    pending.set(pendingHandshakes);
    // They are sums already: what was told the last time goes first.
    for (const metric of [handshakes, messages, bytes, closes, lost]) metric.reset();
    for (const each of routes) {
      const { path } = each;
      const add = (metric: Counter, label: string, sums: object) => {
        for (const [value, sum] of Object.entries(sums) as [string, number][]) {
          metric.inc({ route: path, [label]: value }, sum);
        }
      };
      connections.set({ route: path }, each.connections);
      buffered.set({ route: path }, each.bufferedBytes);
      add(handshakes, 'status', each.handshakes);
      add(messages, 'direction', each.messages);
      add(bytes, 'direction', each.bytes);
      add(closes, 'code', each.closes);
      add(lost, 'reason', { backpressure: each.dropped });
    }
  }

  return async (_req, res) => {
    update();
    res.type(registry.contentType).send(await registry.metrics());
  };
}

export function build() {
  const app = express();
  const server = createServer(app);
  const sockets = attachWebSocket(app, server, [
    route('/echo/:room', { message: (socket, data) => socket.send(data) }),
  ]);
  const inside = createServer(express().get('/metrics', metricsOf(sockets)));
  return { server, inside, sockets };
}

if (require.main === module) {
  const { PORT = '3000', METRICS_PORT = '9464' } = process.env;
  const { server, inside } = build();
  server.listen(Number(PORT), () => console.log('listening on', server.address()));
  const host = '127.0.0.1';
  inside.listen(Number(METRICS_PORT), host, () => console.log('metrics on', inside.address()));
}
