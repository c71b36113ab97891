/**
 * Sends messages over a pipe, fairly: of all that wait, each gives one frame in turn, and a batch of frames
 * goes out in one write. Keeps at most one batch outside the queue while the pipe is full, so that memory is
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

/** One write to the transport: about what noise and yamux cut frames to. */
const batchBytesMax = frameHeaderBytes + framePayloadBytesMax
const nothing = new Uint8Array(0)

export class FrameWriter {
  readonly #pipe: Pipe
  #queue: Outgoing[] = []
  #full = false
  #closed = false
  #scheduled: NodeJS.Immediate | undefined

  constructor(pipe: Pipe) {
    this.#pipe = pipe
  }

  /** Queues a message; `done` is called when its last byte was given to the pipe. `head` must fit into one frame. */
  enqueue(type: FrameType, id: number, head: Uint8Array, body: Uint8Array, done?: () => void): void {
    if (this.#closed) return
    this.#queue.push({ type, id, head, body, sent: 0, started: false, done })
    // Not at once: what else is queued in this turn of the event loop shares the write.
    if (!this.#full) this.#scheduled ??= setImmediate(() => this.#pump())
  }

  /** Drops what waits of message `id`, and says how much of it had been sent: nothing, a part, or all (or never queued). */
  drop(id: number): 'unsent' | 'partly' | 'gone' {
    const message = this.#queue.find(queued => queued.id === id)
    if (!message) return 'gone'
    this.#queue = this.#queue.filter(queued => queued !== message)
    return message.started ? 'partly' : 'unsent'
  }

  drained(): void {
    this.#full = false
    if (this.#queue.length > 0) this.#scheduled ??= setImmediate(() => this.#pump())
  }

  close(): void {
    this.#closed = true
    this.#queue = []
    if (this.#scheduled) clearImmediate(this.#scheduled)
  }

  #pump(): void {
    this.#scheduled = undefined
    while (!this.#full && !this.#closed && this.#queue.length > 0) {
      const finished: (() => void)[] = []
      const batch = this.#batch(finished)
      this.#full = !this.#pipe.write(batch)
      for (const done of finished) done()
    }
  }

  /** Takes one frame of each waiting message in turn, until the batch is full. */
  #batch(finished: (() => void)[]): Uint8Array {
    const frames: { message: Outgoing; first: boolean; from: number; take: number }[] = []
    let bytes = 0
    let index = 0
    while (index < this.#queue.length) {
      const message = this.#queue[index]
      const head = message.started ? 0 : message.head.byteLength
      const room = batchBytesMax - bytes - frameHeaderBytes - head
      const left = message.body.byteLength - message.sent
      // A sliver of a large body is not worth a frame; the next batch takes it whole.
      if (room < Math.min(left, 4096) || room < 0) break
      const take = Math.min(left, room)
      frames.push({ message, first: !message.started, from: message.sent, take })
      bytes += frameHeaderBytes + head + take
      message.started = true
      message.sent += take
      index++
    }
    const served = this.#queue.slice(0, index)
    const rest = this.#queue.slice(index)
    const unfinished = served.filter(message => message.sent < message.body.byteLength)
    for (const message of served) {
      if (message.sent === message.body.byteLength && message.done) finished.push(message.done)
    }
    this.#queue = rest.length === 0 ? unfinished : rest.concat(unfinished)
    return this.#encode(frames, bytes)
  }

  #encode(frames: { message: Outgoing; first: boolean; from: number; take: number }[], bytes: number): Uint8Array {
    const batch = new Uint8Array(bytes)
    const view = new DataView(batch.buffer)
    let offset = 0
    for (const { message, first, from, take } of frames) {
      const head = first ? message.head : nothing
      writeHeader(view, offset, first ? message.type : frameType.chunk, message.id, head.byteLength + take)
      offset += frameHeaderBytes
      batch.set(head, offset)
      offset += head.byteLength
      batch.set(message.body.subarray(from, from + take), offset)
      offset += take
    }
    return batch
  }
}
