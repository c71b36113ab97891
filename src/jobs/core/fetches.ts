/**
 * Getting the signed spec and the manifests: asked of one peer at a time, of the next one after a failure, with a
 * growing wait. Manifests are read strictly in order, so that a shard's number means the same on every peer.
 */
import type { PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { backoffMs } from './config.ts'
import { type Fetch, headOf, type Job, type Turn } from './state.ts'
import type { Event, ManifestHead } from './types.ts'

/** Others worth asking besides owner, leader and informant. */
const otherSourcesMax = 8

function source(turn: Turn, job: Job, failures: number): PeerKey | undefined {
  const { self } = turn.config
  const live = (peer: PeerKey | undefined) => peer !== undefined && peer !== self && turn.state.peers.has(peer)
  const sources: PeerKey[] = []
  const add = (peer: PeerKey | undefined) => {
    if (peer !== undefined && live(peer) && !sources.includes(peer)) sources.push(peer)
  }
  // The informant and the leader certainly have it, and spare the owner; the owner is the last certain one.
  add(job.offer?.from)
  add(job.targetFrom)
  add(job.ballot.peer)
  add(job.owner)
  const named = sources.length
  for (const peer of turn.state.peers.keys()) {
    if (sources.length >= named + otherSourcesMax) break
    add(peer)
  }
  return sources.length === 0 ? undefined : sources[failures % sources.length]
}

/** Whether to ask now; counts an answer that never came as a failure. */
function due(turn: Turn, fetch: Fetch): boolean {
  if (turn.nowMs < fetch.dueMs) return false
  if (fetch.inFlight) fetch.failures++
  return true
}

const newFetch = (): Fetch => ({ failures: 0, dueMs: Number.NEGATIVE_INFINITY, inFlight: false, upTo: 0 })

function ask(turn: Turn, job: Job, fetch: Fetch): PeerKey | undefined {
  const from = source(turn, job, fetch.failures)
  fetch.inFlight = from !== undefined
  fetch.dueMs = turn.nowMs + (from === undefined ? turn.config.retryMs : turn.config.fetchMs)
  return from
}

/** Asks for the signed spec unless it is here or on its way. */
export function wantSpec(turn: Turn, job: Job): void {
  if (job.specKnown) return
  job.specFetch ??= newFetch()
  if (!due(turn, job.specFetch)) return
  const from = ask(turn, job, job.specFetch)
  if (from !== undefined) turn.effects.push({ type: 'fetch-spec', job: job.id, from })
}

/** Asks for the manifests that were heard of and not read, unless they are on their way. */
export function wantManifests(turn: Turn, job: Job): void {
  if (job.known.count >= job.target.count) return
  job.manifestFetch ??= newFetch()
  if (!due(turn, job.manifestFetch)) return
  const from = ask(turn, job, job.manifestFetch)
  if (from === undefined) return
  job.manifestFetch.upTo = job.target.count
  turn.effects.push({ type: 'fetch-manifest', job: job.id, known: job.known, manifest: job.target, from })
}

/** Asks for the parameters of the round that this peer was told of, unless they are here or on their way. */
export function wantParams(turn: Turn, job: Job): void {
  if (job.paramsHere) return
  job.paramsFetch ??= newFetch()
  if (!due(turn, job.paramsFetch)) return
  const from = ask(turn, job, job.paramsFetch)
  if (from !== undefined) turn.effects.push({ type: 'fetch-params', job: job.id, round: job.round, from })
}

/** Nobody is there who could have anything of the job. */
export const nobodyToAsk = (turn: Turn, job: Job): boolean => source(turn, job, 0) === undefined

/** A fetch failed: the next one asks somebody else after a wait. */
export function fetchFailed(turn: Turn, fetch: Fetch | undefined): void {
  if (!fetch?.inFlight) return
  fetch.inFlight = false
  fetch.dueMs = turn.nowMs + backoffMs(turn.config, fetch.failures)
  fetch.failures++
}

/** A peer is back: it may have what could not be fetched, so nobody waits out the time that had grown. */
export function hastenFetches(turn: Turn, job: Job): void {
  for (const fetch of [job.specFetch, job.manifestFetch, job.paramsFetch]) {
    if (fetch && !fetch.inFlight) fetch.dueMs = Math.min(fetch.dueMs, turn.nowMs)
  }
}

/** Hears of a chain of manifests; a longer one replaces a shorter one. */
export function adoptHead(job: Job, head: ManifestHead, complete: boolean, from: PeerKey): void {
  if (head.count > limits.shardsMax || job.ownerRole) return
  if (head.count > job.target.count && !job.complete) {
    job.target = head
    job.targetFrom = from
    job.complete = complete
  } else if (head.count === job.target.count && complete) job.complete = true
}

/** Reads one manifest; false when it is not the next one or would exceed `limits.shardsMax`. */
export function appendManifest(turn: Turn, job: Job, event: Event & { type: 'manifest' }): boolean {
  if (event.index !== job.known.count || job.items.length + event.shards.length > limits.shardsMax) return false
  for (const { items } of event.shards) {
    job.items.push(items)
    job.itemsTotal += items
  }
  job.known = headOf(event.index + 1, event.block)
  if (job.known.count > job.target.count) job.target = job.known
  const fetch = job.manifestFetch
  if (fetch?.inFlight) {
    fetch.dueMs = turn.nowMs + turn.config.fetchMs
    if (job.known.count >= fetch.upTo) job.manifestFetch = undefined
  }
  turn.changed.add(job.id)
  return true
}
