import { isControl, isDefined, Opcode } from '../../lib/protocol/opcode';

describe('§5.2 opcodes', () => {
  it.each([
    ['continuation', Opcode.Continuation, 0x0],
    ['text', Opcode.Text, 0x1],
    ['binary', Opcode.Binary, 0x2],
    ['close', Opcode.Close, 0x8],
    ['ping', Opcode.Ping, 0x9],
    ['pong', Opcode.Pong, 0xa],
  ])('gives %s its number', (_name, opcode, number) => {
    expect(opcode).toBe(number);
  });

  it.each([0x0, 0x1, 0x2, 0x8, 0x9, 0xa])('gives %i a meaning', (opcode) => {
    expect(isDefined(opcode)).toBe(true);
  });

  it.each([0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf])('reserves %i', (opcode) => {
    expect(isDefined(opcode)).toBe(false);
  });
});

describe('§5.5 control frames', () => {
  it('are close, ping and pong', () => {
    const opcodes = Object.entries(Opcode).filter(([, opcode]) => isControl(opcode));
    expect(opcodes.map(([name]) => name)).toEqual(['Close', 'Ping', 'Pong']);
  });
});
