/**
 * Frames: how many requests and replies share one stream. A message is cut into frames of at most
 * `framePayloadBytesMax`, so that a small one need not wait for a large one to end.
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
import type { Offence } from '../types.ts'

export const frameType = { request: 1, reply: 2, chunk: 3, cancel: 4, error: 5 } as const
export type FrameType = (typeof frameType)[keyof typeof frameType]

export interface Frame {
  type: FrameType
  id: number
  /** Valid only during the call that hands it over: copy what must last. */
  payload: Uint8Array
}

export const frameHeaderBytes = 9
/** A frame fills the batch that one write hands to the transport (see the writer): headers cost nothing. */
export const framePayloadBytesMax = 256 * 1024

/** Writes a frame's header at `offset` of `into`. */
export function writeHeader(into: DataView, offset: number, type: FrameType, id: number, length: number): void {
  into.setUint8(offset, type)
  into.setUint32(offset + 1, id)
  into.setUint32(offset + 5, length)
}

/** A stream that says what the protocol does not allow; it is closed, the connection stays. */
export function violation(what: string, offence: Offence = 'bad-frame'): PeerError {
  return new PeerError({
    code: 'BAD_FRAME',
    kind: 'protocol',
    message: `a peer broke the request protocol (${what}): run the same release on every machine`,
    details: { offence },
  })
}

/** The offence of a violation; undefined of any other thrown thing. */
function offenceOf(thrown: unknown): Offence | undefined {
  if (!(thrown instanceof PeerError) || thrown.code !== 'BAD_FRAME') return undefined
  return thrown.details.offence === 'oversized' ? 'oversized' : 'bad-frame'
}

/** Pushes what came; where it breaks the rules, `offended` hears of it before whoever pushes does. */
export function pushJudged(reader: FrameReader, bytes: Uint8Array, offended: (offence: Offence) => void): void {
  try {
    reader.push(bytes)
  } catch (thrown) {
    const offence = offenceOf(thrown)
    if (offence) offended(offence)
    throw thrown
  }
}

/**
 * Cuts a stream of bytes, in whatever pieces they come, into frames. A body's bytes are handed over where they lie:
 * what has come of a `chunk` is a chunk of its own, and what follows the beginning of a `reply` as well; other frames
 * are handed over whole.
 * `push` throws PeerError `BAD_FRAME` for an unknown type or a length above the limit, before anything is kept.
 */
export class FrameReader {
  readonly #header = new Uint8Array(frameHeaderBytes)
  readonly #view = new DataView(this.#header.buffer)
  #headerFill = 0
  /** Of the open frame, bytes that are still to come. */
  #left = 0
  /** Collects a frame that must be whole; absent while one is handed over in parts. */
  #whole: Uint8Array | undefined
  #type: FrameType = frameType.chunk
  #id = 0
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
        this.#open(bytes.byteLength - offset)
      }
      const part = bytes.subarray(offset, offset + this.#left)
      if (part.byteLength === 0 && this.#left > 0) return
      offset += part.byteLength
      this.#take(part)
    }
  }

  #fillHeader(bytes: Uint8Array, offset: number): number {
    const take = Math.min(bytes.byteLength - offset, frameHeaderBytes - this.#headerFill)
    this.#header.set(bytes.subarray(offset, offset + take), this.#headerFill)
    this.#headerFill += take
    return take
  }

  /** The header is whole, and `here` bytes after it have come. */
  #open(here: number): void {
    const length = this.#view.getUint32(5)
    if (length > framePayloadBytesMax) throw violation(`a frame of ${length} bytes`, 'oversized')
    const type = frameTypeOf(this.#view.getUint8(0))
    if (type === undefined) throw violation(`frame type ${this.#view.getUint8(0)}`)
    this.#type = type
    this.#id = this.#view.getUint32(1)
    this.#left = length
    const inParts = type === frameType.chunk || (type === frameType.reply && here >= replyHeadBytes)
    this.#whole = inParts || here >= length ? undefined : new Uint8Array(length)
  }

  #take(part: Uint8Array): void {
    const whole = this.#whole
    whole?.set(part, whole.byteLength - this.#left)
    this.#left -= part.byteLength
    const over = this.#left === 0
    if (over) this.#headerFill = 0
    if (whole && !over) return
    const type = this.#type
    this.#type = frameType.chunk
    this.#onFrame({ type, id: this.#id, payload: whole ?? part })
  }
}

/** What a reply says before its body begins. */
const replyHeadBytes = 4

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
