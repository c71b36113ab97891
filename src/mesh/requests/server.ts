/**
 * The answering end of a stream. Works on at most `window.servedMax` requests at once and queues the rest,
 * whose number and bytes the caller's credit bounds; a caller that exceeds it loses the stream. A request is
 * over, and its place free, only when its reply was given to the transport: replies do not pile up.
 */
import { PeerError } from '../../base/errors.ts'
import type { PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { Offence, RequestHandler } from '../types.ts'
import { announcedLength, Body } from './body.ts'
import { FrameWriter } from './frame-writer.ts'
import { type Frame, FrameReader, frameType, pushJudged, violation } from './frames.ts'
import type { Pipe, PipeUser } from './pipe.ts'
import { encodeError } from './remote-error.ts'
import { window } from './window.ts'

interface Served {
  id: number
  protocol: string
  body: Body
  /** What it takes of the window. */
  bytes: number
  cancel: AbortController
  /** Counted among the `servedMax`. */
  running: boolean
}

export interface ServerInit {
  peer: PeerKey
  pipe: Pipe
  handler: (protocol: string) => RequestHandler | undefined
  heard: () => void
  /** The caller broke the protocol; the stream ends. */
  offended: (offence: Offence) => void
  closed: () => void
}

const decoder = new TextDecoder('utf-8', { fatal: true })
const nothing = new Uint8Array(0)

export class Server implements PipeUser {
  readonly #init: ServerInit
  readonly #reader: FrameReader
  readonly #writer: FrameWriter
  /** Begun and not ended, by id. */
  readonly #open = new Map<number, Served>()
  #queue: Served[] = []
  #running = 0
  #openBytes = 0
  #over = false

  constructor(init: ServerInit) {
    this.#init = init
    this.#reader = new FrameReader(frame => this.#onFrame(frame))
    this.#writer = new FrameWriter(init.pipe)
    init.pipe.attach(this)
  }

  close(reason: PeerError): void {
    this.closed(reason)
    this.#init.pipe.abort(reason)
  }

  data(bytes: Uint8Array): void {
    this.#init.heard()
    pushJudged(this.#reader, bytes, this.#init.offended)
  }

  drained(): void {
    this.#writer.drained()
  }

  closed(reason?: Error): void {
    if (this.#over) return
    this.#over = true
    this.#writer.close()
    const requests = [...this.#open.values()]
    this.#open.clear()
    this.#queue = []
    for (const served of requests) served.cancel.abort(reason ?? cancelled())
    this.#init.closed()
  }

  #onFrame({ type, id, payload }: Frame): void {
    const served = this.#open.get(id)
    if (type === frameType.request && !served) {
      this.#begin(id, payload)
    } else if (type === frameType.chunk && served && !served.body.whole) {
      served.body.add(payload)
      if (served.body.whole) this.#ready(served)
    } else if (type === frameType.cancel) {
      // Unknown when the answer crossed the cancel on its way.
      if (served) this.#cancel(served)
    } else {
      throw violation('a frame out of turn')
    }
  }

  #begin(id: number, payload: Uint8Array): void {
    const length = announcedLength(payload)
    const nameEnd = 5 + (payload[4] ?? 0)
    if (payload.byteLength < nameEnd || nameEnd - 5 > window.protocolBytesMax) throw violation('a bad protocol name')
    const overBytes = this.#open.size > 0 && this.#openBytes + length > window.requestBytesMax
    if (overBytes || this.#open.size >= window.requestsMax) throw violation('more requests than its credit')
    const served: Served = {
      id,
      protocol: nameIn(payload.subarray(5, nameEnd)),
      body: new Body(length),
      bytes: length,
      cancel: new AbortController(),
      running: false,
    }
    this.#open.set(id, served)
    this.#openBytes += length
    served.body.add(payload.subarray(nameEnd))
    if (served.body.whole) this.#ready(served)
  }

  #ready(served: Served): void {
    if (this.#running < window.servedMax) this.#run(served)
    else this.#queue.push(served)
  }

  #run(served: Served): void {
    served.running = true
    this.#running++
    const body = served.body.bytes ?? nothing
    served.body.bytes = undefined
    this.#answer(served, body).then(
      reply => this.#reply(served, reply),
      thrown => this.#fail(served, thrown),
    )
  }

  async #answer(served: Served, body: Uint8Array): Promise<Uint8Array> {
    const handler = this.#init.handler(served.protocol)
    if (!handler) throw unknownProtocol(served.protocol)
    const reply = await handler(this.#init.peer, body, served.cancel.signal)
    checkSize('reply', served.protocol, reply)
    return reply
  }

  #reply(served: Served, reply: Uint8Array): void {
    if (served.cancel.signal.aborted) {
      this.#fail(served, cancelled())
      return
    }
    const head = new Uint8Array(4)
    new DataView(head.buffer).setUint32(0, reply.byteLength)
    this.#writer.enqueue(frameType.reply, served.id, head, reply, () => this.#end(served))
  }

  #fail(served: Served, thrown: unknown): void {
    if (!this.#open.has(served.id)) return
    this.#writer.enqueue(frameType.error, served.id, encodeError(thrown), nothing)
    this.#end(served)
  }

  #cancel(served: Served): void {
    const { running } = served
    if (served.cancel.signal.aborted) return
    served.cancel.abort(cancelled())
    if (!running) {
      // Still arriving or queued.
      this.#queue = this.#queue.filter(other => other !== served)
      this.#fail(served, cancelled())
    } else if (this.#writer.drop(served.id) !== 'gone') {
      this.#fail(served, cancelled())
    }
    // Else the handler still runs; it is told, and ends the request when it returns.
  }

  #end(served: Served): void {
    if (!this.#open.delete(served.id)) return
    this.#openBytes -= served.bytes
    if (!served.running) return
    this.#running--
    const next = this.#queue.shift()
    if (next) this.#run(next)
  }
}

function nameIn(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw violation('a bad protocol name')
  }
}

function cancelled(): PeerError {
  return new PeerError({ code: 'ABORTED', kind: 'aborted', message: 'the request was cancelled' })
}

export function unknownProtocol(protocol: string): PeerError {
  return new PeerError({
    code: 'UNKNOWN_PROTOCOL',
    kind: 'protocol',
    message: `the peer does not serve ${protocol}: run the same release on every machine`,
    retry: 'elsewhere',
    details: { protocol },
  })
}

/** Throws PeerError `MESSAGE_TOO_LARGE` for a body above `limits.messageBytesMax`. */
export function checkSize(what: 'request' | 'reply', protocol: string, body: Uint8Array): void {
  if (body.byteLength <= limits.messageBytesMax) return
  throw new PeerError({
    code: 'MESSAGE_TOO_LARGE',
    kind: 'protocol',
    message: `a ${what} of ${protocol} has ${body.byteLength} bytes, at most ${limits.messageBytesMax} may be sent: send it in parts`,
    details: { expected: limits.messageBytesMax, got: body.byteLength },
  })
}
