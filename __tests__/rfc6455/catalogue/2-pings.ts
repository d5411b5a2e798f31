import { Buffer } from 'node:buffer';
import * as every from '../../protocol/every-way';
import { hex } from '../../support/bytes';
import { ping, pong } from '../support/frames';
import { vectorCase, type Case } from './case';

const HELLO = Buffer.from('Hello, world!');
const BYTES = hex('00 ff fe fd fc fb 00 ff');
const LONGEST = Buffer.alloc(125, 0xfe);
const TEN = Array.from({ length: 10 }, (_, i) => Buffer.from(`payload-${i}`));

const ponged = (payload: Buffer): string => every.pong(payload.toString('hex'));

/** 2 pings and pongs. */
export const PINGS: readonly Case[] = [
  vectorCase('2.1', 'answers a ping without payload', [ping()], [every.pong()]),
  vectorCase('2.2', 'answers a ping with text in it', [ping(HELLO)], [ponged(HELLO)]),
  vectorCase('2.3', 'answers a ping with bytes in it', [ping(BYTES)], [ponged(BYTES)]),
  vectorCase('2.4', 'answers a ping of 125 bytes', [ping(LONGEST)], [ponged(LONGEST)]),
  vectorCase(
    '2.5',
    'fails the connection at a ping of 126 bytes',
    [ping(Buffer.alloc(126, 0xfe))],
    [every.closed(1002)],
  ),
  vectorCase(
    '2.6',
    'answers a ping of 125 bytes that comes byte by byte',
    every.cut(ping(LONGEST), [...ping(LONGEST).keys()]),
    [ponged(LONGEST)],
  ),
  vectorCase('2.7', 'says nothing to a pong that nobody asked for', [pong()], []),
  vectorCase('2.8', 'says nothing to such a pong with payload', [pong('unsolicited')], []),
  vectorCase(
    '2.9',
    'answers the ping behind such a pong, and not the pong',
    [pong('unsolicited'), ping('our own')],
    [ponged(Buffer.from('our own'))],
  ),
  vectorCase('2.10', 'answers ten pings in their order', TEN.map(ping), TEN.map(ponged)),
  vectorCase(
    '2.11',
    'answers ten pings that come byte by byte',
    TEN.map(ping).flatMap((bytes) => every.cut(bytes, [...bytes.keys()])),
    TEN.map(ponged),
  ),
];
