/**
 * The owner's side of a job: checks what can be checked, signs the spec, then reads the inputs into shards
 * while the mesh already computes. The inputs stream: memory does not grow with them. A peer that was stopped in the
 * middle reads on where it was, for where shards are cut depends on the files and the options alone.
 */
import { randomBytes } from 'node:crypto'
import { PeerError } from '../base/errors.ts'
import type { JobId } from '../base/ids.ts'
import { type InputFile, listInputs } from '../data/readers/inputs.ts'
import { type CutShard, cutShards, readShardPaths } from '../data/sharding.ts'
import type { BlockStore } from '../data/store/types.ts'
import { encodeSignedSpec } from '../jobs/wire/spec.ts'
import { prepareClassify } from '../jobs/workloads/classify/prepare.ts'
import { itemsPerShard } from '../jobs/workloads/classify/spec.ts'
import { sign } from '../mesh/identity.ts'
import type { BlockExchange } from './block-exchange.ts'
import type { BlockHolds } from './block-holds.ts'
import type { ClassifyRequest, Submitted } from './control.ts'
import type { LocalEvent } from './driver.ts'
import type { JobBook, JobRecord } from './job-book.ts'
import type { Journal, KeptJob, KeptRequest } from './journal.ts'
import type { Spread } from './spread.ts'

export interface SubmissionDeps {
  identity: Uint8Array
  self: string
  store: BlockStore
  exchange: BlockExchange
  holds: BlockHolds
  book: JobBook
  journal: Journal
  spread: Spread
  /** Runs what needs room on the disk, again once there is some. */
  patiently: <T>(work: () => Promise<T>) => Promise<T>
  dispatch: (event: LocalEvent) => void
}

export interface Submissions {
  submit(request: ClassifyRequest): Promise<Submitted>
  /** Reads on the inputs of this peer's own job, which it had not read to the end when it stopped. */
  resume(kept: KeptJob): void
  /** Stops reading the inputs of a job that is over. */
  end(job: JobId): void
  stop(): void
}

/** Manifest blocks go out this often while inputs are read: soon enough to keep the mesh busy, few enough to stay cheap. */
const manifestMs = 200
const manifestShardsMax = 512

export function createSubmissions(deps: SubmissionDeps): Submissions {
  const reading = new Map<JobId, AbortController>()

  async function read(job: JobId, inputs: AsyncIterable<InputFile>, items: number, signal: AbortSignal): Promise<void> {
    let batch: CutShard[] = []
    let sentMs = 0
    const flush = async () => {
      if (batch.length === 0) return
      const shards = batch
      batch = []
      sentMs = performance.now()
      const { index, block } = await deps.patiently(() => deps.book.append(job, shards))
      deps.dispatch({ type: 'manifest', job, index, block, shards: shards.map(shard => ({ items: shard.items })) })
    }
    const store = { put: (bytes: Uint8Array) => deps.patiently(() => deps.holds.storeFor(job).put(bytes)) }
    for await (const shard of cutShards(inputs, store, { itemsPerShard: items })) {
      if (signal.aborted) return
      batch.push(shard)
      if (batch.length >= manifestShardsMax || performance.now() - sentMs > manifestMs) await flush()
    }
    await flush()
    if (!signal.aborted) deps.dispatch({ type: 'inputs-end', job })
  }

  function start(job: JobId, inputs: () => AsyncIterable<InputFile>, items: number): void {
    const abort = new AbortController()
    reading.set(job, abort)
    read(job, inputs(), items, abort.signal)
      .catch((thrown: unknown) => {
        const reason = thrown instanceof Error ? thrown.message : String(thrown)
        if (!abort.signal.aborted) deps.dispatch({ type: 'abort', job, reason })
      })
      .finally(() => reading.delete(job))
  }

  /** The last path of the shards that are cut already. */
  async function lastPath(record: JobRecord): Promise<string | undefined> {
    const table = record.shards.at(-1)?.blocks[0]
    const bytes = table === undefined ? undefined : await deps.exchange.local(table)
    return bytes && readShardPaths(bytes).at(-1)
  }

  /** The inputs behind those that the known shards have. */
  async function* rest(record: JobRecord, { inputs, cwd }: KeptRequest): AsyncIterable<InputFile> {
    const done = record.shards.reduce((sum, shard) => sum + shard.items, 0)
    const expected = await lastPath(record)
    let place = 0
    for await (const input of listInputs(inputs, { cwd })) {
      place++
      if (place === done && expected !== undefined && input.path.slice(0, expected.length) !== expected) throw changed()
      if (place > done) yield input
    }
    if (place < done) throw changed()
  }

  return {
    async submit(request) {
      // Held under a name of their own until the job has its id: nothing may sweep them meanwhile.
      const draft = `draft ${randomBytes(8).toString('hex')}`
      try {
        const prepared = await prepareClassify(request, deps.holds.storeFor(draft))
        // The first file is asked for now: a wrong path or an empty folder is told before any work starts.
        const inputs = await peek(listInputs(request.inputs, { cwd: request.cwd }))
        const spec = await encodeSignedSpec(
          {
            workload: 'classify',
            body: prepared.spec,
            submitter: deps.self,
            nonce: randomBytes(16).toString('hex'),
            createdMs: Date.now(),
            priority: 0,
          },
          bytes => sign(deps.identity, bytes),
        )
        const job = await deps.holds.storeFor(draft).put(spec)
        await deps.book.readSpec(job, deps.self)
        for (const { file } of prepared.spec.models) for (const block of file.blocks) await deps.holds.hold(job, block)
        const most = itemsPerShard(prepared.spec.models.length, prepared.spec.labels.length)
        const items = Math.min(most, request.itemsPerShard ?? most)
        const { inputs: named, cwd, copies = 0, attached = false } = request
        deps.journal.keepRequest(job, { inputs: named, cwd, itemsPerShard: items, copies, attached })
        deps.dispatch({ type: 'submit', job, priority: 0 })
        start(job, () => inputs, items)
        deps.spread.inputs(job, copies)
        return {
          job,
          models: prepared.spec.models.map(model => ({ name: model.name, labels: model.classes.length })),
          notes: prepared.notes,
        }
      } finally {
        await deps.holds.release(draft)
      }
    },
    resume({ job, kept, request }) {
      const record = deps.book.get(job)
      if (!record || !request || kept.outcome || kept.owner !== deps.self) return
      if (request.attached) return deps.dispatch({ type: 'cancel', job })
      deps.spread.inputs(job, request.copies)
      if (kept.complete) return
      // Only from the end of the chain that others may know of.
      if (record.manifests.length < kept.known.count) {
        deps.dispatch({ type: 'abort', job, reason: 'the list of its inputs was lost in a restart: submit it again' })
        return
      }
      deps.dispatch({ type: 'submit', job, priority: kept.priority })
      start(job, () => rest(record, request), request.itemsPerShard)
    },
    end: job => reading.get(job)?.abort(),
    stop() {
      for (const abort of reading.values()) abort.abort()
    },
  }
}

function changed(): PeerError {
  return new PeerError({
    code: 'INPUT_CHANGED',
    kind: 'input',
    message: 'its inputs are not the same files any more as before the restart: submit it again',
  })
}

/** The same stream, once its first element is there; throws what getting that one throws. */
async function peek<T>(source: AsyncIterable<T>): Promise<AsyncIterable<T>> {
  const iterator = source[Symbol.asyncIterator]()
  const first = await iterator.next()
  if (first.done) throw new PeerError({ code: 'INPUT_NONE', kind: 'input', message: 'there is nothing to classify' })
  return (async function* () {
    yield first.value
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value
  })()
}
