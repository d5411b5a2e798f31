import { Peer } from '../scenarios/support/peer';
import { clientFrame } from '../support/bytes';
import type { Route } from '../../lib';
import type { Lib } from './children/control-support';

/** A route that does this with its socket when told 'go', and then says 'end'. */
export function onGo(lib: Lib, act: (socket: never) => void): Route {
  return lib.route('/go', (socket) => {
    socket.on('message', () => {
      act(socket as never);
      socket.send('end');
    });
  });
}

export const GO = clientFrame({ first: 0x81, payload: 'go' });

/** The frames up to 'end', as hex. */
export async function framesUntilEnd(peer: Peer): Promise<string[]> {
  const frames: string[] = [];
  for (;;) {
    const { first, payload } = await peer.readFrame();
    if (payload.toString() === 'end') return frames;
    frames.push(`${first.toString(16)} ${payload.toString('hex')}`);
  }
}
