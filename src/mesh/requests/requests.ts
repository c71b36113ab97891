/**
 * One request, one reply, over any number of peers: a long-lived stream for each peer that is asked, opened at
 * the first request and again after it was lost; a request to oneself is served here. A request ends exactly
 * once: with its reply, with the handler's error, by its time limit, by its signal, or with its connection.
 */
import { PeerError } from '../../base/errors.ts'
import { type PeerKey, shortPeer } from '../../base/ids.ts'
import type { Offence, RequestHandler, RequestOptions } from '../types.ts'
import { Caller } from './caller.ts'
import type { Pipe } from './pipe.ts'
import { asHandlerError } from './remote-error.ts'
import { checkSize, Server, unknownProtocol } from './server.ts'
import { window } from './window.ts'

export interface RequestsDeps {
  self: PeerKey
  /** A fresh stream to `peer`. Throws PeerError when it cannot be reached. */
  open: (peer: PeerKey) => Promise<Pipe>
  /** Bytes came from `peer`. */
  heard: (peer: PeerKey) => void
  /** `peer` broke the protocol. */
  offended: (peer: PeerKey, offence: Offence) => void
}

export interface Requests {
  request(peer: PeerKey, protocol: string, body: Uint8Array, options?: RequestOptions): Promise<Uint8Array>
  serve(protocol: string, handler: RequestHandler): void
  /** Serves a stream that `peer` opened. */
  accept(peer: PeerKey, pipe: Pipe): void
  /** Ends every stream and request; later ones are refused. */
  stop(): void
}

const timeoutMsDefault = 10_000
/** How often a limit that waits while anything comes is extended at most. */
const idleTimesMax = 10

export function createRequests(deps: RequestsDeps): Requests {
  const handlers = new Map<string, RequestHandler>()
  const callers = new Map<PeerKey, Promise<Caller>>()
  const open = new Set<Caller | Server>()
  /** When a part of a large reply came last. */
  const movedMs = new Map<PeerKey, number>()
  let stopped: PeerError | undefined

  async function connect(peer: PeerKey): Promise<Caller> {
    const pipe = await deps.open(peer)
    const caller: Caller = new Caller({
      peer,
      pipe,
      heard: () => deps.heard(peer),
      offended: offence => deps.offended(peer, offence),
      moved: () => movedMs.set(peer, performance.now()),
      closed: () => {
        movedMs.delete(peer)
        callers.delete(peer)
        open.delete(caller)
      },
    })
    open.add(caller)
    if (stopped) caller.close(stopped)
    return caller
  }

  /** The stream to `peer`, shared by all that ask for it while it is being opened. */
  function callerOf(peer: PeerKey): Promise<Caller> {
    const known = callers.get(peer)
    if (known) return known
    const caller = connect(peer)
    callers.set(peer, caller)
    caller.catch(() => callers.delete(peer))
    return caller
  }

  async function send(peer: PeerKey, protocol: string, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    if (peer === deps.self) {
      const handler = handlers.get(protocol)
      if (!handler) throw unknownProtocol(protocol)
      try {
        const reply = await handler(peer, body, signal)
        checkSize('reply', protocol, reply)
        return reply
      } catch (thrown) {
        throw asHandlerError(thrown)
      }
    }
    const caller = await callerOf(peer)
    return caller.call(protocol, body, signal)
  }

  return {
    async request(peer, protocol, body, options = {}) {
      if (stopped) throw stopped
      checkSize('request', protocol, body)
      const limit = new Deadline(peer, protocol, options, () => movedMs.get(peer) ?? 0)
      try {
        return await limit.race(send(peer, protocol, body, limit.signal))
      } finally {
        limit.clear()
      }
    },
    serve(protocol, handler) {
      if (new TextEncoder().encode(protocol).byteLength > window.protocolBytesMax || handlers.has(protocol)) {
        throw new Error(`broken invariant: ${protocol} is short and served once`)
      }
      handlers.set(protocol, handler)
    },
    accept(peer, pipe) {
      const server: Server = new Server({
        peer,
        pipe,
        handler: protocol => handlers.get(protocol),
        heard: () => deps.heard(peer),
        offended: offence => deps.offended(peer, offence),
        closed: () => open.delete(server),
      })
      open.add(server)
      if (stopped) server.close(stopped)
    },
    stop() {
      stopped ??= new PeerError({ code: 'MESH_STOPPED', kind: 'aborted', message: 'this peer has left the mesh' })
      for (const end of [...open]) end.close(stopped)
      callers.clear()
    },
  }
}

/** A request's time limit and its caller's signal, as one signal whose reason is a PeerError. */
class Deadline {
  readonly #controller = new AbortController()
  #timer: NodeJS.Timeout
  readonly #outer: AbortSignal | undefined
  readonly #onAbort: () => void

  constructor(peer: PeerKey, protocol: string, options: RequestOptions, movedMs: () => number) {
    const { signal, timeoutMs = timeoutMsDefault, untilIdle = false } = options
    this.#onAbort = () => this.#controller.abort(aborted(protocol, signal?.reason))
    this.#outer = signal
    const endMs = performance.now() + idleTimesMax * timeoutMs
    const expire = () => {
      const leftMs = untilIdle ? Math.min(endMs, movedMs() + timeoutMs) - performance.now() : 0
      if (leftMs > 0) this.#timer = setTimeout(expire, leftMs)
      else this.#controller.abort(timedOut(peer, protocol, timeoutMs))
    }
    this.#timer = setTimeout(expire, timeoutMs)
    if (signal?.aborted) this.#onAbort()
    else signal?.addEventListener('abort', this.#onAbort)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** `work`'s outcome, or the signal's reason if that comes first; what `work` does later is nobody's business. */
  race(work: Promise<Uint8Array>): Promise<Uint8Array> {
    const { signal } = this
    return new Promise((resolve, reject) => {
      if (signal.aborted) reject(signal.reason)
      else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      work.then(resolve, reject)
    })
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#outer?.removeEventListener('abort', this.#onAbort)
  }
}

function timedOut(peer: PeerKey, protocol: string, timeoutMs: number): PeerError {
  return new PeerError({
    code: 'REQUEST_TIMEOUT',
    kind: 'transport',
    message: `${shortPeer(peer)} did not answer ${protocol} within ${timeoutMs / 1000} s: ask another peer, or again later`,
    retry: 'elsewhere',
    details: { peer, protocol, timeoutMs },
  })
}

function aborted(protocol: string, cause: unknown): PeerError {
  if (cause instanceof PeerError) return cause
  return new PeerError({ code: 'ABORTED', kind: 'aborted', message: `the request ${protocol} was aborted`, cause })
}
