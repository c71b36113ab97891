/**
 * Drives the pure protocol core with real effects: takes an event, reduces, stores what must be remembered, performs what
 * comes out, in order. The core never waits; what an effect leads to comes back as another event.
 */
import { PeerError } from '../../base/errors.ts'
import type { BlockId, JobId, PeerKey } from '../../base/ids.ts'
import { partyOf } from '../../base/trouble.ts'
import { defaultConfig } from '../../jobs/core/config.ts'
import { standstillWord } from '../../jobs/core/owner.ts'
import { initialState, reduce, view, views } from '../../jobs/core/reduce.ts'
import type { Effect, EndsMessage, Event, JobOutcome, JobView, StreamMessage } from '../../jobs/core/types.ts'
import { decodeDigest, encodeDigest } from '../../jobs/wire/digest.ts'
import { decodeEnds, encodeEnds } from '../../jobs/wire/ends.ts'
import { decodeEnvelope } from '../../jobs/wire/envelope.ts'
import type { Mesh, PeerRecord } from '../../mesh/types.ts'
import type { BlockExchange } from '../blocks/block-exchange.ts'
import type { BlockHolds } from '../blocks/block-holds.ts'
import type { LanePool } from '../lanes/pool.ts'
import { createEffectQueue } from './effect-queue.ts'
import { createExecutor, type Executor } from './executor.ts'
import type { JobBook } from './job-book.ts'
import { createJobFetches } from './job-fetches.ts'
import type { Journal, KeptJob } from './journal.ts'
import type { LocalEvent } from './local-event.ts'
import { createMergeRunner } from './merge-runner.ts'
import { createOutbox, jobProtocol } from './outbox.ts'
import { createRoundBlocks } from './round-blocks.ts'

/** What peers say of jobs that are over. */
const endsProtocol = '/shardmesh/ends/1'
export const jobTopic = 'shardmesh/jobs/1'

export interface DriverDeps {
  /** What people call this peer. */
  name: string
  mesh: Mesh
  exchange: BlockExchange
  book: JobBook
  pool: LanePool
  holds: BlockHolds
  journal: Journal
  /** Ended jobs are remembered this long. */
  rememberMs: number
  /** Items a second that this peer's lanes did in an earlier run, or 0. */
  knownRate: number
  /** A job's view changed. */
  changed: (job: JobId) => void
  /** The parameters of a job's next round are here. */
  roundBegins: (job: JobId, parameters: BlockId) => void
  ended: (job: JobId, outcome: JobOutcome) => void
  /** A shard that this peer held is no longer its own. */
  returned?: (job: JobId) => void
  /** The job is forgotten: nothing of it is wanted any more. */
  forgotten: (job: JobId) => void
  /** The disk refuses what must be remembered. */
  refused: (thrown: unknown) => void
  /** Runs what needs room on the disk, again once there is some. */
  patiently: <T>(work: () => Promise<T>) => Promise<T>
  warning: (message: string) => void
}

export interface Driver {
  readonly executor: Executor
  /** Takes up what was kept before a restart, then listens to the mesh. Call it once, first. */
  start(kept: readonly KeptJob[]): void
  dispatch(event: LocalEvent): void
  /**
   * While paused this peer stands still, so that others take what it leads and computes: no time passes for it, and it
   * neither asks nor answers. It still hears how jobs end, and frees what they held.
   */
  pause(paused: boolean): void
  /** What this peer itself can do; it leads and computes as well. */
  setSelf(status: { itemsPerSecond: number; slots: number }): void
  view(job: JobId): JobView | undefined
  views(): JobView[]
  /** Jobs that ended longer than `ms` ago. */
  endedBefore(ms: number): JobId[]
  /** Another peer leads the job and has said that it knows of all its inputs. */
  ledElsewhere(job: JobId): boolean
  stop(): Promise<void>
}

/** The core's deadlines are hundreds of milliseconds; a tick of 50 ms keeps them sharp and costs nothing. */
const tickMs = 50

export function createDriver(deps: DriverDeps): Driver {
  const { mesh, exchange, book } = deps
  const config = { ...defaultConfig(mesh.self), rememberMs: deps.rememberMs }
  let state = initialState(config)
  const inbox: LocalEvent[] = []
  let draining = false
  let stopped = false
  let paused = false
  /** What happened here while it was paused. */
  const missed: LocalEvent[] = []
  const offs: (() => void)[] = []
  let timer: NodeJS.Timeout | undefined

  const queue = createEffectQueue({ journal: deps.journal, perform, refused: deps.refused })

  const rounds = createRoundBlocks(deps.holds)

  const outbox = createOutbox({
    mesh,
    block: id => exchange.local(id),
    failed: (to, message) => dispatch({ type: 'send-failed', to, message }),
  })

  const executor = createExecutor({
    book,
    exchange,
    pool: deps.pool,
    holders,
    holds: deps.holds,
    knownRate: deps.knownRate,
    ran: (job, ran) => {
      rounds.partial(job, ran.result.block)
      dispatch({ type: 'ran', job, ...ran })
    },
    failed(job, shard, error, round) {
      const party = partyOf(error)
      const unfit = party === 'peer'
      dispatch({
        type: 'run-failed',
        job,
        shard,
        reason: unfit ? `${deps.name} ${error.message}` : error.message,
        retryable: party !== 'job',
        // The blocks that it needs are elsewhere: the shard itself was not tried.
        missing: party === 'way',
        unfit,
        round,
      })
    },
    patiently: deps.patiently,
  })

  const merging = createMergeRunner({
    book,
    exchange,
    holders,
    use: async (job, block) => void (await deps.holds.use(job, block)),
    sink: job => ({ put: bytes => deps.patiently(() => deps.holds.storeFor(job).put(bytes)) }),
    patiently: deps.patiently,
    merged: (job, ballot, result) => dispatch({ type: 'merged', job, ballot, result }),
    roundMerged: (job, ballot, round, params) => {
      rounds.parameters(job, params)
      deps.roundBegins(job, params)
      dispatch({ type: 'round-merged', job, ballot, round, params })
    },
    failed: (job, ballot, reason) => dispatch({ type: 'merge-failed', job, ballot, reason }),
    lost: (job, shard, round, wrong) => dispatch({ type: 'result-lost', job, shard, round, wrong }),
  })

  /** The submitter has every input; the leader and the assignees have some. */
  function holders(job: JobId): PeerKey[] {
    const seen = view(state, job, Date.now())
    const named = [book.get(job)?.spec.submitter, seen?.leader, ...(seen?.shares.map(share => share.peer) ?? [])]
    return named.filter(peer => peer !== undefined && peer !== mesh.self) as PeerKey[]
  }

  const fetches = createJobFetches({
    book,
    exchange,
    holds: deps.holds,
    rounds,
    holders,
    dispatch,
    roundBegins: deps.roundBegins,
    warning: deps.warning,
  })

  function dispatch(event: LocalEvent): void {
    if (stopped) return
    if (paused && !endsJob(event)) {
      if (isOwn(event)) missed.push(event)
      else if (event.type === 'message' && event.message.type === 'digest') {
        const word = standstillWord(state, mesh.self, event.message)
        if (word) outbox.send(event.message.ballot.peer, word)
      }
      return
    }
    inbox.push(event)
    if (draining) return
    draining = true
    try {
      for (let next = inbox.shift(); next; next = inbox.shift()) {
        const reduced = reduce(config, state, { ...next, nowMs: Date.now() } as Event)
        state = reduced.state
        queue.add(reduced.effects)
      }
    } finally {
      draining = false
    }
  }

  function perform(effect: Effect): void {
    switch (effect.type) {
      case 'send':
        return send(effect.to, effect.message)
      case 'gossip':
        return void mesh.publish(jobTopic, encodeDigest(effect.message)).catch(() => {}) // a hint; the next one follows
      case 'send-ends':
        return sendEnds(effect.to, effect.message)
      case 'fetch-spec':
        return fetches.spec(effect)
      case 'fetch-manifest':
        return fetches.manifest(effect)
      case 'fetch-params':
        return fetches.params(effect)
      case 'run':
        return executor.run(effect.job, effect.shard, effect.round)
      case 'abandon':
        deps.returned?.(effect.job)
        return executor.abandon(effect.job, effect.shard)
      case 'merge-shard':
        return merging.shard(effect.job, effect.ballot, effect.result, effect.holders, effect.round)
      case 'merge-end':
        return merging.end(effect.job, effect.ballot, effect.shards, effect.round)
      case 'merge-drop':
        return merging.drop(effect.job)
      case 'changed':
        return deps.changed(effect.job)
      case 'keep':
      case 'keep-results':
        return // the queue has stored it
      case 'forget':
        if (effect.record) deps.forgotten(effect.job)
        return
      case 'forget-results':
        return rounds.next(effect.job)
      case 'ended':
        executor.end(effect.job)
        rounds.end(effect.job)
        merging.drop(effect.job)
        return deps.ended(effect.job, effect.outcome)
    }
  }

  function send(to: PeerKey, message: StreamMessage): void {
    if (to === mesh.self) dispatch({ type: 'message', from: to, message })
    else outbox.send(to, message)
  }

  /** A peer of an older version does not know the protocol: it is not asked again, until it is met anew. */
  function sendEnds(to: PeerKey, message: EndsMessage): void {
    mesh.request(to, endsProtocol, encodeEnds(message)).catch((thrown: unknown) => {
      if (thrown instanceof PeerError && thrown.kind === 'transport') dispatch({ type: 'ends-failed', to })
    })
  }

  function listen(): void {
    mesh.serve(endsProtocol, async (from, body) => {
      if (paused) throw standstill()
      dispatch({ type: 'ends', from, message: decodeEnds(body) })
      return new Uint8Array()
    })

    mesh.serve(jobProtocol, async (from, body) => {
      if (paused) throw standstill()
      const { messages, blocks } = decodeEnvelope(body)
      for (const message of messages) {
        if (message.type !== 'results') continue
        // Of a job that is over or unknown, nothing is kept; nor is a block that no message speaks of.
        const known = view(state, message.job, Date.now())
        if (!known || known.outcome) continue
        for (const { block } of message.results) {
          const bytes = blocks.get(block)
          if (!bytes) continue
          await deps.holds.storeFor(message.job).put(bytes)
          rounds.partial(message.job, block)
        }
      }
      for (const message of messages) dispatch({ type: 'message', from, message })
      return new Uint8Array()
    })

    mesh.subscribe(jobTopic, (from, bytes) => {
      try {
        dispatch({ type: 'message', from, message: decodeDigest(bytes) })
      } catch (thrown) {
        mesh.offended(from, 'malformed')
        deps.warning(`dropped gossip of ${from}: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
      }
    })
    offs.push(mesh.on('up', up))
    offs.push(mesh.on('down', peer => dispatch({ type: 'peer-down', peer })))
    for (const record of mesh.peers()) up(record)
    timer = setInterval(() => dispatch({ type: 'tick' }), tickMs)
  }

  function up({ peer, status, connected }: PeerRecord): void {
    if (connected && peer !== mesh.self)
      dispatch({
        type: 'peer-up',
        peer,
        itemsPerSecond: status.itemsPerSecond,
        slots: status.slots,
        passing: status.passing,
      })
  }

  /** As the core's `restore` wants it: the record, then the manifests that are here. */
  function restore({ job, kept, results }: KeptJob): void {
    const record = book.get(job)
    dispatch({ type: 'restore', job, kept: { ...kept, specKnown: kept.specKnown && record !== undefined }, results })
    if (!record || kept.outcome) return
    let at = 0
    record.manifests.forEach((block, index) => {
      const shards = record.shards.slice(at, at + record.counts[index])
      dispatch({ type: 'manifest', job, index, block, shards: shards.map(({ items }) => ({ items })) })
      at += record.counts[index]
    })
  }

  return {
    executor,
    start(kept) {
      for (const one of kept) restore(one)
      listen()
    },
    dispatch,
    pause(now) {
      if (now === paused) return
      paused = now
      if (paused) return
      const connected = mesh.peers().filter(record => record.connected)
      const live = new Set([mesh.self, ...connected.map(record => record.peer)])
      for (const peer of [...state.peers.keys()]) if (!live.has(peer)) dispatch({ type: 'peer-down', peer })
      for (const record of connected) up(record)
      for (const event of missed.splice(0)) dispatch(event)
    },
    setSelf: ({ itemsPerSecond, slots }) => dispatch({ type: 'peer-up', peer: mesh.self, itemsPerSecond, slots }),
    view: job => view(state, job, Date.now()),
    views: () => views(state, Date.now()),
    endedBefore: ms =>
      [...state.jobs.values()].flatMap(job => (job.outcome && Date.now() - job.endedMs > ms ? [job.id] : [])),
    ledElsewhere(id) {
      const job = state.jobs.get(id)
      const { seen } = job ?? {}
      if (!job || !seen || job.leader || !job.complete) return false
      return seen.ballot.peer !== mesh.self && seen.complete && seen.manifest.count >= job.known.count
    },
    async stop() {
      stopped = true
      clearInterval(timer)
      for (const off of offs) off()
      await queue.stop()
    },
  }
}

/** What a paused peer hears all the same. */
function endsJob(event: LocalEvent): boolean {
  if (event.type === 'cancel' || event.type === 'restore') return true
  return event.type === 'message' && event.message.type === 'digest' && event.message.outcome !== undefined
}

/** What comes from this peer itself and would not come again. */
function isOwn({ type }: LocalEvent): boolean {
  return type !== 'tick' && type !== 'message' && type !== 'peer-up' && type !== 'peer-down'
}

function standstill(): PeerError {
  return new PeerError({
    code: 'STORE_FULL',
    kind: 'resource',
    message: 'this peer cannot store what it would promise: its disk refuses',
    retry: 'elsewhere',
  })
}
