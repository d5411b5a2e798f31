import * as library from '../lib';
import { LiveAttachment } from '../lib/express/attachment';
import { attachWebSocket } from '../lib/express/attach';
import { isWebSocketUpgrade } from '../lib/express/gate';
import { reject } from '../lib/express/rejection';
import { route } from '../lib/express/route';
import { wsRouter } from '../lib/express/ws-router';
import { CloseCode } from '../lib/protocol/close';

describe('the public names', () => {
  it('are these values and no others', () => {
    expect({ ...library }).toEqual({
      attachWebSocket,
      route,
      reject,
      CloseCode,
      isWebSocketUpgrade,
      wsRouter,
    });
  });

  it('leave the classes behind them inside', () => {
    expect(Object.values(library)).not.toContain(LiveAttachment);
  });
});
