import { stopAll } from '../../scenarios/support/server';
import { UTF8 } from './6-utf8';
import { titled } from './case';

afterEach(stopAll);

describe('6 UTF-8 handling', () => {
  it.each(titled(UTF8))('%s', (_title, { run }) => run());
});
