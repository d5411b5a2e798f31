/** What a frame carries (RFC 6455 §5.2). */
export const Opcode = {
  Continuation: 0x0,
  Text: 0x1,
  Binary: 0x2,
  Close: 0x8,
  Ping: 0x9,
  Pong: 0xa,
} as const;

/** One of the six opcodes that RFC 6455 §5.2 defines; all others are reserved. */
export type Opcode = (typeof Opcode)[keyof typeof Opcode];

/** Opcodes of control frames: they are never fragmented and carry at most 125 bytes (§5.5). */
export type ControlOpcode = typeof Opcode.Close | typeof Opcode.Ping | typeof Opcode.Pong;

/** Opcodes of data frames: what messages are made of (§5.6). */
export type DataOpcode = Exclude<Opcode, ControlOpcode>;

/** Whether a frame with this opcode is a control frame: its highest bit is set (§5.5). */
export function isControl(opcode: Opcode): opcode is ControlOpcode {
  return opcode >= Opcode.Close;
}

/** Whether RFC 6455 §5.2 gives this four-bit value a meaning. */
export function isDefined(opcode: number): opcode is Opcode {
  return opcode <= Opcode.Binary || (opcode >= Opcode.Close && opcode <= Opcode.Pong);
}
