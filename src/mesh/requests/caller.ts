/**
 * The asking end of a stream. Keeps the credit window: at most `window.requestsMax` requests and about
 * `window.requestBytesMax` bytes of them are with the server and unanswered; the rest wait here, so that
 * neither side's memory grows with what the other would like to send.
 *
 * A request that its caller gave up is cancelled at the server, and returns its credit when the server ends it.
 */
import { PeerError } from '../../base/errors.ts'
import { type PeerKey, shortPeer } from '../../base/ids.ts'
import type { Offence } from '../types.ts'
import { announcedLength, Body } from './body.ts'
import { FrameWriter } from './frame-writer.ts'
import { type Frame, FrameReader, frameType, pushJudged, violation } from './frames.ts'
import type { Pipe, PipeUser } from './pipe.ts'
import { decodeError } from './remote-error.ts'
import { window } from './window.ts'

interface Call {
  id: number
  protocol: string
  body: Uint8Array
  /** What it takes of the window. */
  bytes: number
  /** Absent once the caller was answered or gave up. */
  settle?: { resolve: (reply: Uint8Array) => void; reject: (reason: unknown) => void }
  unlisten: () => void
  reply?: Body
}

export interface CallerInit {
  peer: PeerKey
  pipe: Pipe
  /** Bytes came in: the peer lives. */
  heard: () => void
  /** It broke the protocol; the stream ends. */
  offended: (offence: Offence) => void
  /** A part of a large reply came in. */
  moved: () => void
  /** The stream is over; every call was rejected. */
  closed: () => void
}

const encoder = new TextEncoder()
const nothing = new Uint8Array(0)

export class Caller implements PipeUser {
  readonly #init: CallerInit
  readonly #reader: FrameReader
  readonly #writer: FrameWriter
  /** With the server, by id; those given up stay until the server ends them. */
  readonly #sent = new Map<number, Call>()
  #waiting: Call[] = []
  #sentBytes = 0
  #nextId = 1
  #over: PeerError | undefined

  constructor(init: CallerInit) {
    this.#init = init
    this.#reader = new FrameReader(frame => this.#onFrame(frame))
    this.#writer = new FrameWriter(init.pipe)
    init.pipe.attach(this)
  }

  /** Sends one request. Rejects with `signal`'s reason when that aborts, else with a PeerError. */
  call(protocol: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    if (signal.aborted) return Promise.reject(signal.reason)
    if (this.#over) return Promise.reject(this.#over)
    if (this.#waiting.length >= window.waitingMax) return Promise.reject(this.#tooBusy())
    return new Promise((resolve, reject) => {
      const onAbort = () => this.#giveUp(call, signal.reason)
      const call: Call = {
        id: this.#nextId,
        protocol,
        body,
        bytes: body.byteLength,
        settle: { resolve, reject },
        unlisten: () => signal.removeEventListener('abort', onAbort),
      }
      this.#nextId = this.#nextId === 0xffffffff ? 1 : this.#nextId + 1
      signal.addEventListener('abort', onAbort)
      this.#waiting.push(call)
      this.#sendWaiting()
    })
  }

  /** Ends the stream and every call with `reason`. */
  close(reason: PeerError): void {
    this.#end(reason)
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
    this.#end(reason instanceof PeerError ? reason : this.#lost(reason))
  }

  #end(reason: PeerError): void {
    if (this.#over) return
    this.#over = reason
    this.#writer.close()
    const calls = [...this.#sent.values(), ...this.#waiting]
    this.#sent.clear()
    this.#waiting = []
    for (const call of calls) settleWith(call)?.reject(reason)
    this.#init.closed()
  }

  #sendWaiting(): void {
    let taken = 0
    for (const call of this.#waiting) {
      const fits = this.#sent.size === 0 || this.#sentBytes + call.bytes <= window.requestBytesMax
      if (!fits || this.#sent.size >= window.requestsMax) break
      taken++
      this.#sent.set(call.id, call)
      this.#sentBytes += call.bytes
      this.#writer.enqueue(frameType.request, call.id, requestHead(call), call.body)
      // The writer holds it until it is sent; a given-up call must not.
      call.body = nothing
    }
    if (taken > 0) this.#waiting = this.#waiting.slice(taken)
  }

  #giveUp(call: Call, reason: unknown): void {
    settleWith(call)?.reject(reason)
    if (call.reply) call.reply.bytes = undefined
    if (!this.#sent.has(call.id)) {
      this.#waiting = this.#waiting.filter(other => other !== call)
    } else if (this.#writer.drop(call.id) === 'unsent') {
      // The server never heard of it, and so will not end it.
      this.#return(call)
    } else {
      this.#writer.enqueue(frameType.cancel, call.id, nothing, nothing)
    }
  }

  #onFrame({ type, id, payload }: Frame): void {
    const call = this.#sent.get(id)
    if (!call) throw violation('an answer that nobody asked for')
    if (type === frameType.error) {
      this.#return(call)
      settleWith(call)?.reject(decodeError(payload, this.#init.peer))
    } else if (type === frameType.reply && !call.reply) {
      call.reply = new Body(announcedLength(payload), call.settle !== undefined)
      this.#addToReply(call, call.reply, payload.subarray(4))
    } else if (type === frameType.chunk && call.reply) {
      this.#addToReply(call, call.reply, payload)
    } else {
      throw violation('a frame out of turn')
    }
  }

  #addToReply(call: Call, reply: Body, part: Uint8Array): void {
    reply.add(part)
    if (reply.length >= window.largeBytes) this.#init.moved()
    if (!reply.whole) return
    this.#return(call)
    if (reply.bytes) settleWith(call)?.resolve(reply.bytes)
  }

  /** The server ended the call: its credit is free. */
  #return(call: Call): void {
    this.#sent.delete(call.id)
    this.#sentBytes -= call.bytes
    if (this.#waiting.length > 0) this.#sendWaiting()
  }

  #lost(cause: unknown): PeerError {
    const { peer } = this.#init
    return new PeerError({
      code: 'CONNECTION_LOST',
      kind: 'transport',
      message: `the connection to ${shortPeer(peer)} was lost before it answered: ask another peer, or again once it is back`,
      retry: 'elsewhere',
      details: { peer },
      cause,
    })
  }

  #tooBusy(): PeerError {
    const { peer } = this.#init
    return new PeerError({
      code: 'TOO_MANY_REQUESTS',
      kind: 'resource',
      message: `${window.waitingMax} requests already wait for ${shortPeer(peer)}: wait for some of them, or ask another peer`,
      retry: 'later',
      details: { peer },
    })
  }
}

/** Takes the call's promise functions, once. */
function settleWith(call: Call): Call['settle'] {
  const { settle } = call
  call.settle = undefined
  call.unlisten()
  return settle
}

function requestHead(call: Call): Uint8Array {
  const name = encoder.encode(call.protocol)
  const head = new Uint8Array(5 + name.byteLength)
  new DataView(head.buffer).setUint32(0, call.body.byteLength)
  head[4] = name.byteLength
  head.set(name, 5)
  return head
}
