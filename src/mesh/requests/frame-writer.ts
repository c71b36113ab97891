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

/**
 * One write to the transport. A pipe that is full wakes us once per write, a turn of the event loop later: a
 * write must be worth that. 256 KiB delays a small message by 2 ms at 1 Gbit/s.
 */
const batchBytesMax = 256 * 1024
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

  /** Takes one frame of each waiting message in turn, round and round, until the batch is full. */
  #batch(finished: (() => void)[]): Uint8Array {
    const frames: Taken[] = []
    let bytes = 0
    while (this.#queue.length > 0) {
      const unfinished: Outgoing[] = []
      let index = 0
      for (; index < this.#queue.length; index++) {
        const message = this.#queue[index]
        const frame = takeFrame(message, batchBytesMax - bytes)
        if (!frame) break
        frames.push(frame)
        bytes += frame.bytes
        if (message.sent < message.body.byteLength) unfinished.push(message)
        else if (message.done) finished.push(message.done)
      }
      const whole = index === this.#queue.length
      // Those that had their turn come after those that had none.
      this.#queue = whole ? unfinished : this.#queue.slice(index).concat(unfinished)
      if (!whole) break
    }
    return this.#encode(frames, bytes)
  }

  #encode(frames: Taken[], bytes: number): Uint8Array {
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

interface Taken {
  message: Outgoing
  first: boolean
  /** The part of the body: `take` bytes from `from` on. */
  from: number
  take: number
  /** With header and head. */
  bytes: number
}

/** The next frame of `message` if it is worth its header in the `room` that is left; marks it as sent. */
function takeFrame(message: Outgoing, room: number): Taken | undefined {
  const head = message.started ? 0 : message.head.byteLength
  const left = message.body.byteLength - message.sent
  const payload = Math.min(room - frameHeaderBytes, framePayloadBytesMax) - head
  // A sliver of a large body is not worth a frame; the next batch takes more of it.
  if (payload < Math.min(left, 4096) || payload < 0) return undefined
  const take = Math.min(left, payload)
  const frame = { message, first: !message.started, from: message.sent, take, bytes: frameHeaderBytes + head + take }
  message.started = true
  message.sent += take
  return frame
}
