/**
 * Whose shard computes next on this peer. Every job's leases wait here until the driver has room, so that a job of higher
 * priority overtakes whatever was leased before, and jobs of one priority share the lanes equally by time: the one that was
 * given least goes next (start-time fair queueing: Goyal, Vin and Cheng, 1996). Strict between priorities: while a higher
 * job has work for this peer, a lower one gets none; what already computes is not interrupted.
 * Invariant: a job's `running` is the number of its shards that the driver was told to run and has not answered for.
 */
import { inRound } from './rounds.ts'
import type { Job, Turn } from './state.ts'

/** Weight of a shard's newly measured time against the earlier ones. */
const timeBlend = 0.25

/** The shard is no longer this peer's to compute. True when the driver was already told to. */
export function letGo(turn: Turn, job: Job, shard: number): boolean {
  const running = job.held.get(shard) ?? false
  if (running) job.running--
  if (job.held.delete(shard)) turn.schedule = true
  return running
}

export function noteShardTime(job: Job, elapsedMs: number): void {
  if (!(elapsedMs >= 0 && elapsedMs < Number.POSITIVE_INFINITY)) return
  job.shardMs = job.shardMs === 0 ? elapsedMs : job.shardMs * (1 - timeBlend) + elapsedMs * timeBlend
}

/** The job had no lease here and is about to: who had nothing to do meanwhile has saved up no claim on the lanes. */
export function joinLanes(turn: Turn, job: Job): void {
  let leastMs = Number.POSITIVE_INFINITY
  for (const other of turn.state.jobs.values()) {
    if (other !== job && other.held.size > 0) leastMs = Math.min(leastMs, other.usedMs)
  }
  if (leastMs !== Number.POSITIVE_INFINITY) job.usedMs = Math.max(job.usedMs, leastMs)
}

/** The first leased shard that could start: in the order of the grants. */
function nextShard(job: Job): number | undefined {
  if (!job.specKnown || !job.paramsHere) return undefined
  for (const [shard, running] of job.held) if (!running && shard < job.items.length) return shard
  return undefined
}

/** Shards that the driver is given at most for each slot, however short they are. */
const shardsPerSlotMax = 64

/** Hands shards to the driver while it has room. */
export function schedule(turn: Turn): void {
  const { config, state } = turn
  const slots = Math.max(1, state.peers.get(config.self)?.slots ?? 1)
  const jobs: Job[] = []
  let running = 0
  let runningMs = 0
  for (const job of state.jobs.values()) {
    if (job.held.size === 0) continue
    running += job.running
    runningMs += job.running * job.shardMs
    jobs.push(job)
  }
  const hasRoom = ({ shardMs }: Job) =>
    running < slots * config.aheadPerSlot ||
    (shardMs > 0 && runningMs + shardMs <= slots * config.aheadMs && running < slots * shardsPerSlotMax)
  if (!jobs.some(hasRoom)) return
  const before = (a: Job, b: Job) => a.priority > b.priority || (a.priority === b.priority && a.usedMs < b.usedMs)
  for (;;) {
    let best: { job: Job; shard: number } | undefined
    for (const job of jobs) {
      if (best && !before(job, best.job)) continue
      const shard = nextShard(job)
      if (shard !== undefined) best = { job, shard }
    }
    if (!best || !hasRoom(best.job)) return
    start(turn, best.job, best.shard)
    running++
    runningMs += best.job.shardMs
  }
}

function start(turn: Turn, job: Job, shard: number): void {
  job.held.set(shard, true)
  job.running++
  // A job whose shards are not measured yet is charged something, so that it does not take every lane at first.
  job.usedMs += job.shardMs || 1
  turn.effects.push({ type: 'run', job: job.id, shard, ...inRound(job.round) })
}
