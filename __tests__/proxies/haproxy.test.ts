import { HAPROXY } from './process';
import { describeProxy } from './suite';

// Every test starts a process.
jest.setTimeout(60_000);

describeProxy(HAPROXY);
