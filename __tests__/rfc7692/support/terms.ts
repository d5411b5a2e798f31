/** What is agreed on, as the client reads it from the server's answer (RFC 7692 §7.1). */
export interface Terms {
  readonly serverTakeover: boolean;
  readonly clientTakeover: boolean;
  readonly serverBits: number;
  readonly clientBits: number;
}

/** The values of `Sec-WebSocket-Extensions` in a head. */
export function extensionsOf(head: string): string[] {
  return [...head.matchAll(/^sec-websocket-extensions: *(.*?) *\r?$/gim)].map(
    ([, value]) => value!,
  );
}

/** Reads an answer strictly; `undefined` when no extension was agreed on. */
export function termsOf(head: string): Terms | undefined {
  const values = extensionsOf(head);
  if (values.length === 0) return undefined;
  // §5.1, RFC 6455 §4.2.2: one field, and of one offer one element.
  expect(values).toHaveLength(1);
  const [name, ...elements] = values[0]!.split(';').map((element) => element.trim());
  expect(name).toBe('permessage-deflate');
  const parameters = new Map(elements.map((element) => parameterOf(element)));
  expect(parameters.size).toBe(elements.length);
  const bits = (key: string): number => Number(parameters.get(key) ?? 15);
  return {
    serverTakeover: !parameters.has('server_no_context_takeover'),
    clientTakeover: !parameters.has('client_no_context_takeover'),
    serverBits: bits('server_max_window_bits'),
    clientBits: bits('client_max_window_bits'),
  };
}

/** §7.1: the four parameters of an answer, and what values they have there. */
const ALLOWED =
  /^(?:(?:server|client)_no_context_takeover|(?:server|client)_max_window_bits=(?:[89]|1[0-5]))$/;

function parameterOf(element: string): [name: string, value: string | undefined] {
  expect(element).toMatch(ALLOWED);
  const [name, value] = element.split('=');
  return [name!, value];
}
