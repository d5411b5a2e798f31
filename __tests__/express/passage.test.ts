import express, { type Request } from 'express';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket as NetSocket } from 'node:net';
import type { Exchange } from '../../lib/express/exchange';
import { enterApp, isInPassage, makeExit, type AtExit } from '../../lib/express/passage';

/** What a passage needs of an exchange; its app runs when the test says so. */
function anExchange(): Exchange & { isPending: boolean; runApp: jest.Mock } {
  const request = new IncomingMessage(new NetSocket()) as Request;
  return { request, isPending: true, runApp: jest.fn() } as never;
}

/** Comes to an exit and says whether it was passed on from there. */
function reach(exit: object, request: Request): string {
  const next = jest.fn();
  void makeExit(exit)(request, new ServerResponse(request) as never, next);
  expect(next.mock.calls.flat()).toEqual([]);
  return next.mock.calls.length === 1 ? 'passed on' : 'kept';
}

describe('a request', () => {
  it('that is no upgrade passes every exit', () => {
    const { request } = anExchange();
    expect(isInPassage(request)).toBe(false);
    expect(reach({}, request)).toBe('passed on');
  });
});

describe('an upgrade', () => {
  const here = { name: 'here' };
  const takes: AtExit = (exit) => (exit === here ? 'taken' : 'passed');

  it('goes into the app, and is known there by its request', () => {
    const exchange = anExchange();
    const known: boolean[] = [];
    exchange.runApp.mockImplementation(() => known.push(isInPassage(exchange.request)));
    enterApp(exchange, takes);
    expect(known).toEqual([true]);
  });

  it('passes the exits of others and leaves at its own, once', () => {
    const exchange = anExchange();
    const atExit = jest.fn(takes);
    enterApp(exchange, atExit);
    const ways = [{}, here, here, {}].map((exit) => reach(exit, exchange.request));
    expect(ways).toEqual(['passed on', 'kept', 'passed on', 'passed on']);
    expect(atExit).toHaveBeenCalledTimes(2);
    expect(isInPassage(exchange.request)).toBe(false);
  });

  it('hands on the way back into the app', () => {
    const exchange = anExchange();
    const next = jest.fn();
    enterApp(exchange, (_exit, back) => (back('error'), 'taken'));
    void makeExit(here)(exchange.request, {} as never, next);
    expect(next.mock.calls).toEqual([['error']]);
  });

  it('goes no further when it was decided meanwhile', () => {
    const exchange = anExchange();
    const atExit = jest.fn(takes);
    enterApp(exchange, atExit);
    exchange.isPending = false;
    expect(reach(here, exchange.request)).toBe('kept');
    expect(reach({}, exchange.request)).toBe('kept');
    expect(atExit).not.toHaveBeenCalled();
  });
});

it('an exit is middleware that an app takes', () => {
  expect(() => express().use(makeExit({}))).not.toThrow();
});
