import type { StandardSchemaV1 } from '@standard-schema/spec';
import * as v from 'valibot';
import { z } from 'zod';
import { isSchema, makeCodec } from '../../lib/express/codec';
import { thrownBy } from './harness';

const Say = z.object({ text: z.string().max(5) });

type Validate = StandardSchemaV1['~standard']['validate'];

/** The least that is a Standard Schema. */
function schema(validate: Validate): StandardSchemaV1 {
  return { '~standard': { version: 1, vendor: 'test', validate } };
}

describe('what is a schema', () => {
  it.each<[string, unknown, boolean]>([
    ['zod', Say, true],
    ['valibot', v.object({}), true],
    ['a bare one', schema((value) => ({ value })), true],
    [
      'a function that is one',
      Object.assign(
        () => undefined,
        schema((value) => ({ value })),
      ),
      true,
    ],
    ['a function', () => true, false],
    ['an object', {}, false],
    ['null', null, false],
    ['undefined', undefined, false],
    ['a word', 'string', false],
    ['one with a wrong property', { '~standard': true }, false],
    ['one with null for it', { '~standard': null }, false],
    ['one that cannot validate', { '~standard': { version: 1 } }, false],
  ])('%s', (_what, value, expected) => {
    expect(isSchema(value)).toBe(expected);
  });
});

describe('receive', () => {
  it('is not there without a schema', () => {
    expect(makeCodec(undefined, undefined)).toEqual({ decode: undefined, encode: undefined });
  });

  it.each<[string, StandardSchemaV1]>([
    ['zod', Say],
    ['valibot', v.object({ text: v.pipe(v.string(), v.maxLength(5)) })],
  ])('gives the value, the issues, or says that it is not JSON: %s', (_name, receive) => {
    const { decode } = makeCodec(receive, undefined);
    expect(decode?.('{"text":"hi"}')).toEqual({ kind: 'value', value: { text: 'hi' } });
    expect(decode?.('{"text":"longer"}')).toMatchObject({
      kind: 'invalid',
      issues: [expect.objectContaining({ message: expect.any(String) })],
    });
    expect(decode?.('{"text":')).toEqual({ kind: 'not json' });
    expect(decode?.('')).toEqual({ kind: 'not json' });
  });

  it('gives what the schema makes of the message', () => {
    const { decode } = makeCodec(z.string().transform(Number), undefined);
    expect(decode?.('"12"')).toEqual({ kind: 'value', value: 12 });
  });

  it('waits for a schema that is asynchronous', async () => {
    const receive = schema(async (value) =>
      value === 1 ? { value } : { issues: [{ message: 'not one' }] },
    );
    const { decode } = makeCodec(receive, undefined);
    await expect(decode?.('1')).resolves.toEqual({ kind: 'value', value: 1 });
    await expect(decode?.('2')).resolves.toEqual({
      kind: 'invalid',
      issues: [{ message: 'not one' }],
    });
  });

  it('leaves to the caller what a schema throws', () => {
    const { decode } = makeCodec(
      schema(() => {
        throw new Error('broken schema');
      }),
      undefined,
    );
    expect(() => decode?.('1')).toThrow('broken schema');
  });

  it('takes 1 MiB of brackets for no JSON, or for no message, and does not throw', () => {
    const { decode } = makeCodec(Say, undefined);
    expect(decode?.('['.repeat(1_048_576))).toEqual({ kind: 'not json' });
  });
});

describe('send', () => {
  it('writes what the schema makes of the message as JSON', () => {
    const { encode } = makeCodec(undefined, z.object({ at: z.date().transform(Number) }));
    expect(encode?.({ at: new Date(5) })).toBe('{"at":5}');
  });

  it.each<[string, StandardSchemaV1, unknown, string]>([
    ['a field', Say, { text: 'longer' }, 'message does not fit the send schema: text: '],
    ['the whole', Say, 5, 'message does not fit the send schema: Invalid input'],
    [
      'a path of keys and of objects with a key, and an issue without',
      schema(() => ({
        issues: [
          { message: 'wrong', path: ['a', { key: 0 }, Symbol('b')] },
          { message: 'bad', path: [] },
          { message: 'worse' },
        ],
      })),
      {},
      'message does not fit the send schema: a.0.Symbol(b): wrong; bad; worse',
    ],
    [
      'a schema that is asynchronous',
      schema(async (value) => ({ value })),
      {},
      'a `send` schema must not be asynchronous',
    ],
    ['what JSON cannot say', z.undefined(), undefined, 'message cannot be written as JSON'],
  ])('refuses %s', (_what, send, value, message) => {
    const { encode } = makeCodec(undefined, send);
    const error = thrownBy(() => encode?.(value));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.code).toBe('ERR_WS_INVALID_MESSAGE');
    expect(error.message.startsWith(message)).toBe(true);
  });
});
