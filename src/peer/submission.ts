/**
 * The owner's side of a job: checks what can be checked, signs the spec, then reads the inputs into shards
 * while the mesh already computes. The inputs stream: memory does not grow with them.
 */
import { randomBytes } from 'node:crypto'
import { PeerError } from '../base/errors.ts'
import type { JobId } from '../base/ids.ts'
import { type InputFile, listInputs } from '../data/readers/inputs.ts'
import { type CutShard, cutShards } from '../data/sharding.ts'
import type { BlockStore } from '../data/store/types.ts'
import { encodeSignedSpec } from '../jobs/wire/spec.ts'
import { prepareClassify } from '../jobs/workloads/classify/prepare.ts'
import { itemsPerShard } from '../jobs/workloads/classify/spec.ts'
import { sign } from '../mesh/identity.ts'
import type { BlockExchange } from './block-exchange.ts'
import type { BlockHolds } from './block-holds.ts'
import type { ClassifyRequest, Submitted } from './control.ts'
import type { LocalEvent } from './driver.ts'
import type { JobBook } from './job-book.ts'

export interface SubmissionDeps {
  identity: Uint8Array
  self: string
  store: BlockStore
  exchange: BlockExchange
  holds: BlockHolds
  book: JobBook
  dispatch: (event: LocalEvent) => void
}

export interface Submissions {
  submit(request: ClassifyRequest): Promise<Submitted>
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
      const { index, block } = await deps.book.append(job, shards)
      deps.dispatch({ type: 'manifest', job, index, block, shards: shards.map(shard => ({ items: shard.items })) })
    }
    try {
      for await (const shard of cutShards(inputs, deps.holds.storeFor(job), { itemsPerShard: items })) {
        if (signal.aborted) return
        batch.push(shard)
        if (batch.length >= manifestShardsMax || performance.now() - sentMs > manifestMs) await flush()
      }
      await flush()
      deps.dispatch({ type: 'inputs-end', job })
    } catch (thrown) {
      if (!signal.aborted)
        deps.dispatch({ type: 'abort', job, reason: thrown instanceof Error ? thrown.message : String(thrown) })
    } finally {
      reading.delete(job)
    }
  }

  return {
    async submit(request) {
      const prepared = await prepareClassify(request, deps.store)
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
      const job = await deps.exchange.put(spec)
      await deps.book.readSpec(job, deps.self)
      const abort = new AbortController()
      reading.set(job, abort)
      deps.dispatch({ type: 'submit', job, priority: 0 })
      void read(job, inputs, itemsPerShard(prepared.spec.models.length, prepared.spec.labels.length), abort.signal)
      return {
        job,
        models: prepared.spec.models.map(model => ({ name: model.name, labels: model.classes.length })),
        notes: prepared.notes,
      }
    },
    end: job => reading.get(job)?.abort(),
    stop() {
      for (const abort of reading.values()) abort.abort()
    },
  }
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
