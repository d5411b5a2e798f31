import type { StandardSchemaV1 } from '@standard-schema/spec';
import { typeError } from '../protocol/errors';
import { isThenable } from '../socket/user-code';
import type { Decoded, Issue, MessageCodec } from '../socket/settings';

/** What the `receive` and `send` schemas of a route make of its messages. */
export function makeCodec(
  receive: StandardSchemaV1 | undefined,
  send: StandardSchemaV1 | undefined,
): MessageCodec {
  return {
    decode: receive === undefined ? undefined : (text) => decode(receive, text),
    encode: send === undefined ? undefined : (value) => encode(send, value),
  };
}

/** Whether this has the one property that makes a Standard Schema (standardschema.dev, version 1). */
export function isSchema(value: unknown): value is StandardSchemaV1 {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  // Checked just below, whatever it is.
  const standard = (value as Partial<StandardSchemaV1>)['~standard'] as unknown;
  return typeof standard === 'object' && standard !== null && 'validate' in standard;
}

function decode(schema: StandardSchemaV1, text: string): Decoded | Promise<Decoded> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'not json' };
  }
  const result = schema['~standard'].validate(value);
  return isThenable(result) ? Promise.resolve(result).then(toDecoded) : toDecoded(result);
}

function toDecoded(result: StandardSchemaV1.Result<unknown>): Decoded {
  return result.issues === undefined
    ? { kind: 'value', value: result.value }
    : { kind: 'invalid', issues: result.issues };
}

function encode(schema: StandardSchemaV1, value: unknown): string {
  const result = schema['~standard'].validate(value);
  if (isThenable(result)) {
    throw typeError('a `send` schema must not be asynchronous', 'ERR_WS_INVALID_MESSAGE');
  }
  if (result.issues !== undefined) {
    throw typeError(
      `message does not fit the send schema: ${result.issues.map(describeIssue).join('; ')}`,
      'ERR_WS_INVALID_MESSAGE',
    );
  }
  // `undefined` for what JSON cannot say, which the types of JSON.stringify do not tell.
  const text = JSON.stringify(result.value) as string | undefined;
  if (text === undefined) {
    throw typeError('message cannot be written as JSON', 'ERR_WS_INVALID_MESSAGE');
  }
  return text;
}

function describeIssue({ message, path }: Issue): string {
  const at = path?.map((segment) => String(typeof segment === 'object' ? segment.key : segment));
  return at === undefined || at.length === 0 ? message : `${at.join('.')}: ${message}`;
}
