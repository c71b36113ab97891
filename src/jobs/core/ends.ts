/**
 * How peers come to agree on jobs that are over. Gossip tells of an end for a few seconds; who was away or parted then
 * learns of it here: two peers that meet, and now and then any two, compare sums over what they remember, list the jobs of
 * the buckets that differ, and tell each other what the other lacks or has otherwise (anti-entropy: Demers and others, 1987).
 * What both say of one job is settled by `betterOutcome`, so that it does not matter who tells whom.
 */
import type { JobId, PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { absorb } from './outcome.ts'
import { ensureJob } from './registry.ts'
import type { Job, State, Turn } from './state.ts'
import type { EndedJob, EndsMessage } from './types.ts'

/** Jobs fall into buckets by the first two digits of their id, which is a hash. */
const bucketsMax = 64
/** Between two exchanges that this peer begins, while others wait for one. */
const nextMs = 150
/** Jobs told of in one message, and asked for. */
export const endsPerMessageMax = 256

const bucketOf = (job: JobId) => Number.parseInt(job.slice(0, 2), 16) % bucketsMax

/** Of everything that peers are to say alike of an ended job: FNV-1a, 32 bits. */
export function markOf({ id, outcome, seen }: Job): number {
  const counted = seen?.shares.reduce((sum, share) => sum + share.itemsDone, 0)
  const end = outcome && [
    outcome.phase,
    outcome.byTime === true,
    outcome.ballot.counter,
    outcome.ballot.peer,
    outcome.result ?? outcome.reason,
  ]
  const text = [id, ...(end ?? []), seen?.shardsDone, counted, seen?.complete].join(' ')
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

const agoMs = ({ clockMs = 0 }: State, job: Job) => Math.max(0, clockMs - job.endedMs)

/** Ended jobs that may be told of, which ended in the last `withinMs`. */
function* ended(state: State, withinMs: number): Iterable<Job> {
  for (const job of state.jobs.values()) if (job.outcome && job.seen && agoMs(state, job) <= withinMs) yield job
}

function sums(state: State, withinMs: number): number[] {
  const all = new Array<number>(bucketsMax).fill(0)
  for (const job of ended(state, withinMs)) {
    const bucket = bucketOf(job.id)
    all[bucket] = (all[bucket] ^ markOf(job)) >>> 0
  }
  return all
}

function tell(turn: Turn, to: PeerKey, message: EndsMessage): void {
  turn.effects.push({ type: 'send-ends', to, message })
}

function tellEnds(turn: Turn, to: PeerKey, jobs: readonly Job[], want: readonly JobId[]): void {
  const ends: EndedJob[] = jobs.flatMap(job => (job.seen ? [{ end: job.seen, agoMs: agoMs(turn.state, job) }] : []))
  for (let at = 0; at < Math.max(ends.length, want.length, 1); at += endsPerMessageMax) {
    const part = {
      ends: ends.slice(at, at + endsPerMessageMax),
      want: want.slice(at, at + endsPerMessageMax),
    }
    if (part.ends.length + part.want.length > 0) tell(turn, to, { type: 'told', ...part })
  }
}

/** A peer is there that was not: what each remembers is compared soon. */
export function meet(turn: Turn, peer: PeerKey): void {
  const { ends } = turn.state
  if (peer !== turn.config.self && !ends.met.includes(peer)) ends.met.push(peer)
}

/** What was to be compared with a peer did not get through: once more, if it is still there. */
export function onEndsFailed(turn: Turn, to: PeerKey): void {
  turn.state.ends.dueMs = Math.max(turn.state.ends.dueMs, turn.nowMs + turn.config.retryMs)
  if (turn.state.peers.has(to)) meet(turn, to)
}

/** Begins an exchange: with who was met, else every `endsMs` with the next peer in turn. */
export function tickEnds(turn: Turn): void {
  const { ends, peers } = turn.state
  if (turn.nowMs < ends.dueMs) return
  let next: PeerKey | undefined
  while (next === undefined && ends.met.length > 0) {
    const met = ends.met.shift()
    if (met !== undefined && peers.has(met)) next = met
  }
  if (next === undefined) {
    if (turn.nowMs - ends.roundMs < turn.config.endsMs || ![...turn.state.jobs.values()].some(isEnded)) return
    ends.roundMs = turn.nowMs
    const others = [...peers.keys()].filter(peer => peer !== turn.config.self).sort()
    next = others[ends.round++ % Math.max(1, others.length)]
    if (next === undefined) return
  }
  ends.dueMs = turn.nowMs + nextMs
  const withinMs = Math.min(turn.config.rememberMs, Number.MAX_SAFE_INTEGER)
  tell(turn, next, { type: 'sums', withinMs, sums: sums(turn.state, withinMs) })
}

export function onEnds(turn: Turn, from: PeerKey, message: EndsMessage): void {
  switch (message.type) {
    case 'sums':
      return compare(turn, from, message.withinMs, message.sums)
    case 'list':
      return answer(turn, from, message)
    case 'told':
      for (const one of message.ends) learn(turn, from, one)
      return tellEnds(turn, from, message.want.map(job => turn.state.jobs.get(job)).filter(isEnded), [])
  }
}

const isEnded = (job: Job | undefined): job is Job => job?.outcome !== undefined

/** Who remembers for a shorter time says over what both compare. */
function compare(turn: Turn, from: PeerKey, theirMs: number, theirs: readonly number[]): void {
  const withinMs = Math.min(theirMs, turn.config.rememberMs)
  const mine = sums(turn.state, withinMs)
  if (withinMs < theirMs) return tell(turn, from, { type: 'sums', withinMs, sums: mine })
  const buckets = mine.flatMap((sum, bucket) => (sum === theirs[bucket] ? [] : [bucket]))
  if (buckets.length === 0) return
  const marks = [...ended(turn.state, withinMs)]
    .filter(job => buckets.includes(bucketOf(job.id)))
    .slice(0, limits.jobsMax)
    .map(job => ({ job: job.id, mark: markOf(job) }))
  tell(turn, from, { type: 'list', withinMs, buckets, marks })
}

/** Tells what the other lacks or has otherwise, and asks for what is lacking or otherwise here. */
function answer(turn: Turn, from: PeerKey, { withinMs, buckets, marks }: EndsMessage & { type: 'list' }): void {
  const theirs = new Map(marks.map(({ job, mark }) => [job, mark]))
  const tellThem = [...ended(turn.state, withinMs)].filter(
    job => buckets.includes(bucketOf(job.id)) && theirs.get(job.id) !== markOf(job),
  )
  const want = marks
    .filter(({ job, mark }) => {
      const mine = turn.state.jobs.get(job)
      return !mine?.outcome || markOf(mine) !== mark
    })
    .map(({ job }) => job)
  tellEnds(turn, from, tellThem, want)
}

/** What is not known here is taken up while there is room: it pushes nothing out. */
function learn(turn: Turn, from: PeerKey, { end, agoMs }: EndedJob): void {
  const { jobs, clockMs = 0 } = turn.state
  if (!end.outcome || agoMs > turn.config.rememberMs) return
  if (!jobs.has(end.job) && jobs.size >= limits.jobsMax) return
  const job = ensureJob(turn, end.job, end.owner)
  if (!job || job.owner !== end.owner) return
  const before = job.outcome
  absorb(turn, job, from, end.outcome, end)
  // It ended when the other says, by the clock here, so that it is not remembered for ever by being told on.
  if (job.outcome && job.outcome !== before)
    job.endedMs = before ? Math.min(job.endedMs, clockMs - agoMs) : clockMs - agoMs
}
