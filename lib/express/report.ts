import { callSafely } from '../socket/user-code';
import type { AttachOptions, ErrorOrigin } from './options';
import { publishError } from './diagnostics';
import { describePath } from './matcher';

/** C0 and C1 controls: what an error says must not forge lines of a log. */
// eslint-disable-next-line no-control-regex -- exactly these are meant
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]+/g;

/**
 * Tells of an error of user code: the route's `error` hook, else `onError`, else one line on
 * stderr. What these throw themselves goes to stderr, and no further. Whoever subscribes to the channel
 * hears of either.
 */
export function reportError(
  error: unknown,
  origin: ErrorOrigin,
  onError: AttachOptions['onError'],
): void {
  const { handlers } = origin.route;
  publishError(error, origin);
  const onFailure = (second: unknown): void => {
    publishError(second, origin);
    print(error, origin);
    print(second, origin);
  };
  if (handlers.error !== undefined) {
    void callSafely(() => handlers.error?.(error, origin.socket), onFailure);
  } else if (onError !== undefined) {
    void callSafely(() => onError(error, origin), onFailure);
  } else {
    print(error, origin);
  }
}

function print(error: unknown, { route }: ErrorOrigin): void {
  const line = `attach-websocket: error in ${describePath(route.path)}: ${describe(error)}`;
  process.stderr.write(`${line.replaceAll(CONTROLS, ' ')}\n`);
}

/** The message and the place; whatever was thrown, this does not throw. */
function describe(error: unknown): string {
  try {
    if (!(error instanceof Error)) return String(error);
    const place = error.stack?.split('\n').find((line) => line.trimStart().startsWith('at '));
    return `${String(error)}${place === undefined ? '' : ` (${place.trim()})`}`;
  } catch {
    return 'something that cannot be shown';
  }
}
