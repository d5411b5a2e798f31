import { Buffer } from 'node:buffer';
import * as every from '../../protocol/every-way';
import { fragments } from '../support/frames';
import { vectorCase, type Case } from './case';

/** 10 miscellaneous. */
export const MISC: readonly Case[] = [
  vectorCase(
    '10.1.1',
    'echoes a text of 65536 bytes in 51 fragments of 1300',
    fragments(0x1, Buffer.alloc(65_536, '*'), 1300),
    [every.text('*'.repeat(65_536))],
  ),
];
