import type { Target } from '../law';
import { decoder } from './decoder';
import { deflate } from './deflate';
import { handshake } from './handshake';
import { header } from './header';

export const TARGETS: readonly Target[] = [decoder, handshake, header, deflate];
