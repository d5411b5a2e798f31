import * as v from 'valibot';
import { z } from 'zod';
import { route } from '../../lib';
import { exactly } from './exactly';

/*
 * What comes in is the output of the `receive` schema, what goes out the input of the `send` schema;
 * without schemas, text is a string and binary a Buffer.
 */

route('/plain', (socket) => {
  socket.on('message', (data, isBinary) => {
    exactly<string | Buffer>()(data);
    exactly<boolean>()(isBinary);
    exactly<boolean>()(socket.send(data));
  });
  socket.send('text', { fin: false, binary: true, compress: false });
  socket.send(new Uint8Array(1));
  socket.send(new ArrayBuffer(1), (error) => {
    exactly<Error | undefined>()(error ?? undefined);
  });
  socket.send(new DataView(new ArrayBuffer(1)), {}, () => undefined);
  // @ts-expect-error -- an object needs a send schema
  socket.send({ text: 'hello' });
  // @ts-expect-error -- a number is no message
  socket.send(1);
  // @ts-expect-error -- unknown option
  socket.send('text', { mask: true });
});

route('/plain', {
  message(socket, data) {
    exactly<string | Buffer>()(data);
    socket.send(data);
  },
});

const zodIn = z.object({ text: z.string(), at: z.string().transform((text) => new Date(text)) });
const zodOut = z.object({ from: z.string(), count: z.number().default(1) });

route(
  '/zod',
  { receive: zodIn, send: zodOut },
  {
    message(socket, data) {
      exactly<string>()(data.text);
      exactly<Date>()(data.at);
      socket.send({ from: data.text });
      socket.send({ from: data.text, count: 2 });
      socket.to('room').send({ from: data.text });
      // @ts-expect-error -- `from` is a string
      socket.send({ from: 1 });
      // @ts-expect-error -- `from` is missing
      socket.send({});
      // @ts-expect-error -- the schema takes no plain text
      socket.send('text');
      // @ts-expect-error -- neither does a room
      socket.to('room').send('text');
      // @ts-expect-error -- the message has no such property
      String(data.body);
    },
    invalid(socket, issues) {
      exactly<string | undefined>()(issues[0]?.message);
      socket.close(1008);
    },
  },
);

route(
  '/valibot',
  {
    receive: v.object({ text: v.string(), size: v.optional(v.number(), 1) }),
    send: v.variant('type', [
      v.object({ type: v.literal('said'), text: v.string() }),
      v.object({ type: v.literal('left') }),
    ]),
  },
  {
    message(socket, { text, size }) {
      exactly<string>()(text);
      exactly<number>()(size);
      socket.send({ type: 'said', text });
      socket.send({ type: 'left' });
      // @ts-expect-error -- no such variant
      socket.send({ type: 'joined' });
      // @ts-expect-error -- `text` is missing
      socket.send({ type: 'said' });
    },
  },
);

route('/receive alone', { receive: z.string() }, (socket) => {
  socket.on('message', (data) => {
    exactly<string>()(data);
  });
  socket.send(Buffer.alloc(1));
});

route(
  '/send alone',
  { send: z.number() },
  {
    message(socket, data) {
      exactly<string | Buffer>()(data);
      socket.send(1);
      // @ts-expect-error -- the schema takes numbers
      socket.send('1');
    },
  },
);

route('/iterator', { receive: zodIn }, async (socket) => {
  for await (const message of socket) exactly<Date>()(message.at);
});

route('/iterator', async (socket) => {
  for await (const message of socket) exactly<string | Buffer>()(message);
});

// @ts-expect-error -- a schema is a Standard Schema
route('/wrong', { receive: { text: 'string' } }, () => undefined);
