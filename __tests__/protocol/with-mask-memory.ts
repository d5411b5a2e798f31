import { join } from 'node:path';
import * as maskMemoryModule from '../../lib/protocol/mask-memory';
import type { MaskMemory } from '../../lib/protocol/mask-memory';

/** The modules that use it. */
interface Modules {
  readonly mask: typeof import('../../lib/protocol/mask');
  readonly 'read-image': typeof import('../../lib/protocol/read-image');
  readonly relay: typeof import('../../lib/protocol/relay');
}

/** A module of `lib/protocol/` as it is where WebAssembly gives this: `undefined` where it is missing. */
export function loadWith<Name extends keyof Modules>(
  name: Name,
  maskMemory: MaskMemory | undefined,
): Modules[Name] {
  let loaded!: Modules[Name];
  jest.isolateModules(() => {
    jest.doMock('../../lib/protocol/mask-memory', () => ({ ...maskMemoryModule, maskMemory }));
    loaded = jest.requireActual<Modules[Name]>(join(__dirname, '../../lib/protocol', name));
    jest.dontMock('../../lib/protocol/mask-memory');
  });
  return loaded;
}
