import type { Message } from './client';

/** One open connection of a client. */
export interface CompressingClient {
  send(message: Message): unknown;
  receive(): Promise<Message>;
  close(): unknown;
}

export interface CompressingLibrary {
  /** Whether it compresses what it sends; all inflate. */
  readonly compresses: boolean;
  connect(url: string): Promise<CompressingClient>;
}
