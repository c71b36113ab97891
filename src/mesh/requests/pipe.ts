/**
 * What requests need of a transport: an ordered, reliable pair of byte streams that can say "not now". A
 * libp2p stream is made into one in `../node.ts`; the tests join two of them in memory.
 */
export interface Pipe {
  /** Takes `pieces` over, in their order; nobody may write to them any more. False: it is full, wait for `drained`. */
  write(pieces: Uint8Array[]): boolean
  /** Attaches the one user of this pipe; bytes that came before are delivered then. */
  attach(user: PipeUser): void
  /** Ends the pipe now; unsent bytes may be lost. `user.closed` follows. */
  abort(reason: Error): void
}

export interface PipeUser {
  /** The bytes are valid only during the call. What it throws ends the pipe with that reason. */
  data(bytes: Uint8Array): void
  drained(): void
  /** Called once; nothing follows it. */
  closed(reason?: Error): void
}
