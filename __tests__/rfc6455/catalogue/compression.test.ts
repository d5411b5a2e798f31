import { stopAll } from '../../scenarios/support/server';
import { COMPRESSION, NEGOTIATED_COMPRESSION } from './12-13-compression';
import { titled } from './case';

afterEach(stopAll);

describe('12 compression', () => {
  it.each(titled(COMPRESSION))('%s', (_title, { run }) => run());
});

describe('13 compression as negotiated', () => {
  it.each(titled(NEGOTIATED_COMPRESSION))('%s', (_title, { run }) => run());
});
