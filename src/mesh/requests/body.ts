/** A body on its way in: allocated once, filled part by part, handed out only when it is whole. */
import { limits } from '../../base/limits.ts'
import { violation } from './frames.ts'

export class Body {
  readonly length: number
  /** `[length]`; absent when nobody wants the body any more, and it is only counted. */
  bytes: Uint8Array | undefined
  #received = 0

  /** Throws PeerError `BAD_FRAME` above `limits.messageBytesMax`. */
  constructor(length: number, wanted = true) {
    if (length > limits.messageBytesMax) throw violation(`a message of ${length} bytes`, 'oversized')
    this.length = length
    // Not zeroed: it is handed out once every byte was written.
    this.bytes = wanted ? new Uint8Array(Buffer.allocUnsafeSlow(length).buffer) : undefined
  }

  get whole(): boolean {
    return this.#received === this.length
  }

  /** Copies `part`. Throws PeerError `BAD_FRAME` when it is more than was announced. */
  add(part: Uint8Array): void {
    if (this.#received + part.byteLength > this.length) throw violation('more of a message than was announced')
    this.bytes?.set(part, this.#received)
    this.#received += part.byteLength
  }
}

/** Reads the u32 that opens a request's and a reply's payload. */
export function announcedLength(payload: Uint8Array): number {
  if (payload.byteLength < 4) throw violation('a message without a length')
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getUint32(0)
}
