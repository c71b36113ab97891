/**
 * Sends messages over a pipe, a batch of frames in one write. Small messages, of one frame, overtake large ones;
 * large ones go one after the other, so that the first is whole early and the next request can come meanwhile
 * (in turns they would all end together, and the line would fall silent). Every batch leaves room for a frame of
 * a large one, so that none starves. Keeps at most one batch outside the queue while the pipe is full, so that memory is
 * bounded by what the queue's users are allowed to enqueue.
 */
import { type FrameType, frameHeaderBytes, framePayloadBytesMax, frameType, writeHeader } from './frames.ts'
import type { Pipe } from './pipe.ts'

interface Outgoing {
  type: FrameType
  id: number
  /** Goes before the body in the first frame. */
  head: Uint8Array
  body: Uint8Array
  /** Body bytes sent. */
  sent: number
  started: boolean
  done?: () => void
}

/**
 * One write to the transport. A pipe that is full wakes us once per write, a turn of the event loop later: a
 * write must be worth that. 256 KiB delays a small message by 2 ms at 1 Gbit/s.
 */
const batchBytesMax = 256 * 1024
/** Less than this of a large body is not worth a frame; the next batch takes more of it. */
const sliverBytes = 4096
/** What travels in one frame, and overtakes: 64 KiB delay another one by half a millisecond at 1 Gbit/s. */
const smallBytesMax = 60 * 1024
/** Of a batch, kept for a large message while small ones keep coming. */
const largeShareBytes = 64 * 1024
/** A part of a body below this is cheaper copied than sent as a piece of its own. */
const copyBytesMax = 4096
const nothing = new Uint8Array(0)

export class FrameWriter {
  readonly #pipe: Pipe
  #small: Outgoing[] = []
  #large: Outgoing[] = []
  #full = false
  #closed = false
  #scheduled: NodeJS.Immediate | undefined

  constructor(pipe: Pipe) {
    this.#pipe = pipe
  }

  /** Queues a message; `done` is called when its last byte was given to the pipe. `head` must fit into one frame. */
  enqueue(type: FrameType, id: number, head: Uint8Array, body: Uint8Array, done?: () => void): void {
    if (this.#closed) return
    const queue = head.byteLength + body.byteLength <= smallBytesMax ? this.#small : this.#large
    queue.push({ type, id, head, body, sent: 0, started: false, done })
    // Not at once: what else is queued in this turn of the event loop shares the write.
    if (!this.#full) this.#scheduled ??= setImmediate(() => this.#pump())
  }

  /** Drops what waits of message `id`, and says how much of it had been sent: nothing, a part, or all (or never queued). */
  drop(id: number): 'unsent' | 'partly' | 'gone' {
    const message = [...this.#small, ...this.#large].find(queued => queued.id === id)
    if (!message) return 'gone'
    this.#small = this.#small.filter(queued => queued !== message)
    this.#large = this.#large.filter(queued => queued !== message)
    return message.started ? 'partly' : 'unsent'
  }

  drained(): void {
    this.#full = false
    if (this.#waits) this.#scheduled ??= setImmediate(() => this.#pump())
  }

  close(): void {
    this.#closed = true
    this.#small = []
    this.#large = []
    if (this.#scheduled) clearImmediate(this.#scheduled)
  }

  get #waits(): boolean {
    return this.#small.length + this.#large.length > 0
  }

  #pump(): void {
    this.#scheduled = undefined
    while (!this.#full && !this.#closed && this.#waits) {
      const finished: (() => void)[] = []
      const batch = this.#batch(finished)
      this.#full = !this.#pipe.write(batch)
      for (const done of finished) done()
    }
  }

  #batch(finished: (() => void)[]): Uint8Array[] {
    const frames: Taken[] = []
    let bytes = 0
    const take = (message: Outgoing, room: number, leastBytes: number): boolean => {
      const frame = takeFrame(message, room - bytes, leastBytes)
      if (!frame) return false
      frames.push(frame)
      bytes += frame.bytes
      if (message.sent < message.body.byteLength) return true
      if (message.done) finished.push(message.done)
      return true
    }
    const reserved = this.#large.length > 0 ? largeShareBytes : 0
    let small = 0
    while (small < this.#small.length && take(this.#small[small], batchBytesMax - reserved, smallBytesMax)) small++
    this.#small = this.#small.slice(small)
    while (this.#large.length > 0 && take(this.#large[0], batchBytesMax, sliverBytes)) {
      if (this.#large[0].sent === this.#large[0].body.byteLength) this.#large.shift()
    }
    return this.#encode(frames)
  }

  /**
   * Headers, heads and small bodies in one array, so that a batch of many messages is one piece; parts of large bodies
   * where they lie, as copying each byte once more costs a tenth of a transfer.
   */
  #encode(frames: Taken[]): Uint8Array[] {
    let copied = 0
    for (const { message, first, take } of frames) {
      copied += frameHeaderBytes + (first ? message.head.byteLength : 0) + (take < copyBytesMax ? take : 0)
    }
    // Not zeroed: every byte is written below.
    const copies = new Uint8Array(Buffer.allocUnsafeSlow(copied).buffer)
    const view = new DataView(copies.buffer)
    const pieces: Uint8Array[] = []
    let offset = 0
    let begin = 0
    for (const { message, first, from, take } of frames) {
      const head = first ? message.head : nothing
      writeHeader(view, offset, first ? message.type : frameType.chunk, message.id, head.byteLength + take)
      offset += frameHeaderBytes
      copies.set(head, offset)
      offset += head.byteLength
      const part = message.body.subarray(from, from + take)
      if (take < copyBytesMax) {
        copies.set(part, offset)
        offset += take
      } else {
        pieces.push(copies.subarray(begin, offset), part)
        begin = offset
      }
    }
    if (offset > begin) pieces.push(copies.subarray(begin))
    return pieces
  }
}

interface Taken {
  message: Outgoing
  first: boolean
  /** The part of the body: `take` bytes from `from` on. */
  from: number
  take: number
  /** With header and head. */
  bytes: number
}

/** The next frame of `message`, if at least `leastBytes` of its body, or all of them, fit into `room`; marks it as sent. */
function takeFrame(message: Outgoing, room: number, leastBytes: number): Taken | undefined {
  const head = message.started ? 0 : message.head.byteLength
  const left = message.body.byteLength - message.sent
  const payload = Math.min(room - frameHeaderBytes, framePayloadBytesMax) - head
  if (payload < 0 || payload < Math.min(left, leastBytes)) return undefined
  const take = Math.min(left, payload)
  const frame = { message, first: !message.started, from: message.sent, take, bytes: frameHeaderBytes + head + take }
  message.started = true
  message.sent += take
  return frame
}
