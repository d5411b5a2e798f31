// A client that opens a socket and answers what it is asked; to be stopped from outside.
import { WebSocket } from 'ws';

new WebSocket(`ws://127.0.0.1:${process.argv[2]}/w`).on('error', () => process.exit(1));
