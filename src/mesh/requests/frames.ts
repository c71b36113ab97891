/**
 * Frames: how many requests and replies share one stream. A message is cut into frames of at most
 * `framePayloadBytesMax`, so that a small one need not wait for a large one.
 *
 *   u8 type · u32 id · u32 length · payload[length]          (big endian)
 *
 *   request  u32 body length · u8 protocol length · protocol · the body's beginning     caller to server
 *   reply    u32 body length · the body's beginning                                     server to caller
 *   chunk    the body's next part                                                       both
 *   cancel   nothing                                                                    caller to server
 *   error    dag-cbor {code, kind, message, retry, details}                             server to caller
 *
 * Every request gets exactly one ending, a whole reply or an error, cancelled ones too: that is what returns
 * its credit. Each side numbers the requests of the streams that it opened.
 */
import { PeerError } from '../../base/errors.ts'

export const frameType = { request: 1, reply: 2, chunk: 3, cancel: 4, error: 5 } as const
export type FrameType = (typeof frameType)[keyof typeof frameType]

export interface Frame {
  type: FrameType
  id: number
  /** Valid only during the call that hands it over: copy what must last. */
  payload: Uint8Array
}

export const frameHeaderBytes = 9
/** Small enough to interleave at 1 Gbit/s within half a millisecond, large enough that headers cost nothing. */
export const framePayloadBytesMax = 60 * 1024

/** Writes a frame's header at `offset` of `into`. */
export function writeHeader(into: DataView, offset: number, type: FrameType, id: number, length: number): void {
  into.setUint8(offset, type)
  into.setUint32(offset + 1, id)
  into.setUint32(offset + 5, length)
}

/** A stream that says what the protocol does not allow; it is closed, the connection stays. */
export function violation(what: string): PeerError {
  return new PeerError({
    code: 'BAD_FRAME',
    kind: 'protocol',
    message: `a peer broke the request protocol (${what}): run the same release on every machine`,
  })
}

/**
 * Cuts a stream of bytes, in whatever pieces they come, into frames.
 * `push` throws PeerError `BAD_FRAME` for an unknown type or a length above the limit, before anything is kept.
 */
export class FrameReader {
  readonly #header = new Uint8Array(frameHeaderBytes)
  readonly #view = new DataView(this.#header.buffer)
  #headerFill = 0
  #payload = new Uint8Array(0)
  #payloadFill = 0
  readonly #onFrame: (frame: Frame) => void

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame
  }

  push(bytes: Uint8Array): void {
    let offset = 0
    while (offset < bytes.byteLength) {
      if (this.#headerFill < frameHeaderBytes) {
        offset += this.#fillHeader(bytes, offset)
        if (this.#headerFill < frameHeaderBytes) return
        const length = this.#checkedLength()
        // The usual case: the whole payload is here, and is handed over where it lies.
        if (bytes.byteLength - offset >= length) {
          this.#emit(bytes.subarray(offset, offset + length))
          offset += length
          continue
        }
        this.#payload = new Uint8Array(length)
        this.#payloadFill = 0
      }
      const take = Math.min(bytes.byteLength - offset, this.#payload.byteLength - this.#payloadFill)
      this.#payload.set(bytes.subarray(offset, offset + take), this.#payloadFill)
      this.#payloadFill += take
      offset += take
      if (this.#payloadFill === this.#payload.byteLength) this.#emit(this.#payload)
    }
  }

  #fillHeader(bytes: Uint8Array, offset: number): number {
    const take = Math.min(bytes.byteLength - offset, frameHeaderBytes - this.#headerFill)
    this.#header.set(bytes.subarray(offset, offset + take), this.#headerFill)
    this.#headerFill += take
    return take
  }

  #checkedLength(): number {
    const length = this.#view.getUint32(5)
    if (length > framePayloadBytesMax) throw violation(`a frame of ${length} bytes`)
    if (frameTypeOf(this.#view.getUint8(0)) === undefined) throw violation(`frame type ${this.#view.getUint8(0)}`)
    return length
  }

  #emit(payload: Uint8Array): void {
    this.#headerFill = 0
    const type = frameTypeOf(this.#view.getUint8(0))
    if (type !== undefined) this.#onFrame({ type, id: this.#view.getUint32(1), payload })
  }
}

function frameTypeOf(byte: number): FrameType | undefined {
  switch (byte) {
    case frameType.request:
    case frameType.reply:
    case frameType.chunk:
    case frameType.cancel:
    case frameType.error:
      return byte
    default:
      return undefined
  }
}
