/** What watchers are shown: from the leader's own books where this peer leads, else from the newest digest. */
import type { JobId } from '../../base/ids.ts'
import { sharesOf } from './digest.ts'
import { allRead, type Job, type State } from './state.ts'
import type { JobPhase, JobView } from './types.ts'

function phaseOf(job: Job): JobPhase {
  if (job.outcome) return job.outcome.phase
  if (job.leader) return job.leader.stage === 'merging' ? 'merging' : 'running'
  if (job.ballot.counter === 0) return 'open'
  return job.seen?.phase === 'merging' ? 'merging' : 'running'
}

/** Progress by the leader's books or by the newest digest. */
function progress(job: Job): Pick<JobView, 'shardsDone' | 'itemsDone' | 'errors' | 'shares'> {
  const { leader, seen } = job
  if (leader) {
    const { results, itemsDone, errors } = leader
    return { shardsDone: results.size, itemsDone, errors, shares: sharesOf(leader) }
  }
  const { shardsDone = 0, itemsDone = 0, errors = 0, shares = [] } = seen ?? {}
  return { shardsDone, itemsDone, errors, shares: shares.map(share => ({ ...share })) }
}

/** One job as this peer knows it; undefined when it knows no such job or not yet whose it is. */
export function view(state: State, id: JobId, nowMs: number): JobView | undefined {
  const job = state.jobs.get(id)
  if (!job || job.owner === undefined) return undefined
  const led = job.ballot.counter > 0
  // The owner knows of inputs before the leader does.
  const shardsTotal = Math.max(job.items.length, job.seen?.shards ?? 0)
  const itemsTotal = Math.max(job.itemsTotal, job.seen?.itemsTotal ?? 0)
  // A final job has every shard, whatever the last digest that came through still said.
  const all = job.outcome?.phase === 'final' ? { shardsDone: shardsTotal, itemsDone: itemsTotal } : {}
  return {
    job: id,
    owner: job.owner,
    phase: phaseOf(job),
    ballot: led ? job.ballot : undefined,
    leader: led ? job.ballot.peer : undefined,
    ...progress(job),
    ...all,
    shardsTotal,
    itemsTotal,
    round: Math.max(job.round.round, job.seen?.round?.round ?? 0),
    complete: allRead(job) || (job.seen?.complete ?? false),
    outcome: job.outcome,
    sinceMs: Math.max(0, (job.outcome ? job.endedMs : nowMs) - job.startedMs),
  }
}

/** Every job that this peer knows and whose owner it knows, oldest first. */
export function views(state: State, nowMs: number): JobView[] {
  const all: JobView[] = []
  for (const id of state.jobs.keys()) {
    const one = view(state, id, nowMs)
    if (one) all.push(one)
  }
  return all
}
