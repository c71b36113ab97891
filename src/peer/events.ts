/**
 * What happens on a peer, as typed events: for the log, for a program that uses the library, for a page. Invariant: an event
 * never holds the mesh's secret or a token, and a handler that throws stops neither the peer nor the other handlers.
 *
 * ```ts
 * const peer = await startPeer({ data, onEvent: event => console.log(event.type) })
 * const off = peer.events.on(event => { if (event.type === 'job-done') … })
 * ```
 */
import type { JobId, PeerKey } from '../base/ids.ts'

/** What the events of one job say of it. */
export interface JobFacts {
  /** The job’s id. */
  job: JobId
  /** classify, embed, features, score, train, probe; `unknown` where nobody who knows could be asked. */
  workload: string
  /** The peer that submitted it. */
  owner: PeerKey
  /** What people call that peer. */
  ownerName: string
}

/** Who computed a job that is over, and how long it took. */
export interface JobEnd extends JobFacts {
  /** Items that were computed. */
  items: number
  /** Items that could not be read. */
  errors: number
  /** How long the job took, in milliseconds. */
  elapsedMs: number
  /** Peers that computed some of it, the one that did most first. */
  by: { peer: PeerKey; name: string; items: number }[]
}

/** Something that happened on a peer, told apart by `type`. */
export type PeerEvent = {
  /** Milliseconds since 1970. */
  atMs: number
} & (
  | { type: 'peer-joined'; peer: PeerKey; name: string; device: string }
  | { type: 'peer-gone'; peer: PeerKey; name: string }
  | ({ type: 'job-begun'; resumed: boolean } & JobFacts)
  | ({ type: 'job-done' } & JobEnd)
  | ({ type: 'job-failed'; reason: string } & JobEnd)
  | ({ type: 'job-cancelled' } & JobEnd)
  /** Shards that this peer held and does not compute: their leader gave them to another peer. */
  | { type: 'shards-returned'; job: JobId; shards: number }
  | { type: 'paused'; reason: string }
  | { type: 'resumed' }
  /** Somebody who does not have this mesh's secret dialled, from `from`. */
  | { type: 'stranger-refused'; from: string }
  /** A compute lane died; its work goes to the other lanes. */
  | { type: 'backend-lost'; backend: 'wasm' | 'webgpu'; device: string; reason: string }
  | { type: 'warning'; message: string }
)

/** An event without its time, which the bus adds. */
export type NewEvent = PeerEvent extends infer E ? (E extends { atMs: number } ? Omit<E, 'atMs'> : never) : never

/** A peer’s events. */
export interface PeerEvents {
  /** Calls `handler` for every event from now on. Returns a function that ends the subscription. */
  on(handler: (event: PeerEvent) => void): () => void
}

export interface EventBus extends PeerEvents {
  emit(event: NewEvent): void
}

export function createEventBus(): EventBus {
  const handlers = new Set<(event: PeerEvent) => void>()
  return {
    on(handler) {
      handlers.add(handler)
      return () => handlers.delete(handler)
    },
    emit(event) {
      const whole = { atMs: Date.now(), ...event } as PeerEvent
      for (const handler of [...handlers]) {
        try {
          handler(whole)
        } catch {
          // It is the handler's mistake, and the peer goes on.
        }
      }
    },
  }
}
