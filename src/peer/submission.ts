/**
 * The owner's side of a job: checks what can be checked, signs the spec, then reads the inputs into shards
 * while the mesh already computes. The inputs stream: memory does not grow with them. A peer that was stopped in the
 * middle reads on where it was, for where shards are cut depends on the files and the options alone.
 */
import { randomBytes } from 'node:crypto'
import type { JobId } from '../base/ids.ts'
import type { CutShard } from '../data/sharding.ts'
import type { BlockStore } from '../data/store/types.ts'
import { newReport, type TableReport } from '../data/tables/options.ts'
import { encodeSignedSpec } from '../jobs/wire/spec.ts'
import { titleOf } from '../jobs/wire/title.ts'
import { type JobRequest, parseJobRequest } from '../jobs/workloads/requests.ts'
import { sign } from '../mesh/identity.ts'
import type { BlockExchange } from './blocks/block-exchange.ts'
import type { BlockHolds } from './blocks/block-holds.ts'
import type { Checkpoints } from './checkpoints.ts'
import type { PassedOverFiles, SkippedRows, Submitted } from './control.ts'
import type { Spread } from './copies/spread.ts'
import type { JobBook } from './driver/job-book.ts'
import type { Journal, KeptJob } from './driver/journal.ts'
import type { LocalEvent } from './driver/local-event.ts'
import { type Submitter, type Submitters, submissionStopped } from './submitter/submitter.ts'

export interface SubmissionDeps {
  /** How many other peers are connected. */
  others: () => number
  identity: Uint8Array
  self: string
  store: BlockStore
  exchange: BlockExchange
  holds: BlockHolds
  book: JobBook
  journal: Journal
  spread: Spread
  checkpoints: Checkpoints
  /** Runs what needs room on the disk, again once there is some. */
  patiently: <T>(work: () => Promise<T>) => Promise<T>
  dispatch: (event: LocalEvent) => void
  submitters: Submitters
  warning: (message: string) => void
}

export interface Submissions {
  /** Throws SUBMIT_STOPPED where `signal` aborts before the job is there. */
  submit(request: JobRequest, signal?: AbortSignal): Promise<Submitted>
  /** Reads on the inputs of this peer's own job, which it had not read to the end when it stopped. */
  resume(kept: KeptJob): void
  /** Stops reading the inputs of a job that is over. */
  end(job: JobId): void
  /** Rows of a job's tables that were left out, as far as this peer has read them since its start. */
  skipped(job: JobId): SkippedRows | undefined
  /** Files of the inputs' folders that are of another kind, as far as this peer has listed them since its start. */
  passedOver(job: JobId): PassedOverFiles | undefined
  forget(job: JobId): void
  stop(): void
}

/** The shards of inputs whose first one was found. */
type OpenedInputs = Awaited<ReturnType<Submitter['open']>>

/** Manifest blocks go out this often while inputs are read: soon enough to keep the mesh busy, few enough to stay cheap. */
const manifestMs = 200
const manifestShardsMax = 512

export function createSubmissions(deps: SubmissionDeps): Submissions {
  const reading = new Map<JobId, AbortController>()
  const submitters = new Set<Submitter>()
  let stopped = false
  const reports = new Map<JobId, TableReport>()

  const storeOf = (job: JobId) => ({
    put: (bytes: Uint8Array) => deps.patiently(() => deps.holds.storeFor(job).put(bytes)),
  })

  /** A thread for one submission; it ends with `close`. */
  function openSubmitter(): Submitter {
    const submitter = deps.submitters.open()
    submitters.add(submitter)
    if (stopped) submitter.close()
    const close = () => {
      submitters.delete(submitter)
      submitter.close()
    }
    return { ...submitter, close }
  }

  async function read(job: JobId, shards: AsyncIterable<CutShard>, signal: AbortSignal): Promise<void> {
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
    for await (const shard of shards) {
      if (signal.aborted) return
      batch.push(shard)
      if (batch.length >= manifestShardsMax || performance.now() - sentMs > manifestMs) await flush()
    }
    await flush()
    if (!signal.aborted) deps.dispatch({ type: 'inputs-end', job })
  }

  function start(job: JobId, submitter: Submitter, open: () => Promise<OpenedInputs>): void {
    const abort = new AbortController()
    const report = newReport()
    abort.signal.addEventListener('abort', submitter.close)
    reading.set(job, abort)
    reports.set(job, report)
    open()
      .then(shards => read(job, shards(storeOf(job), report), abort.signal))
      .then(() => {
        if (report.skipped > 0)
          deps.warning(`job ${job.slice(0, 8)}: ${report.skipped} rows were left out; the first: ${report.reasons[0]}`)
      })
      .catch((thrown: unknown) => {
        const reason = thrown instanceof Error ? thrown.message : String(thrown)
        if (!abort.signal.aborted) deps.dispatch({ type: 'abort', job, reason })
      })
      .finally(() => {
        submitter.close()
        if (reading.get(job) === abort) reading.delete(job)
      })
  }

  return {
    async submit(given, signal) {
      const request = parseJobRequest(given)
      const submitter = openSubmitter()
      signal?.addEventListener('abort', submitter.close)
      if (signal?.aborted) submitter.close()
      // Held under a name of their own until the job has its id: nothing may sweep them meanwhile.
      const draft = `draft ${randomBytes(8).toString('hex')}`
      try {
        const prepared = await submitter.prepare(request, deps.holds.storeFor(draft))
        const { workload, body, files, models, notes, source, checkpoint } = prepared
        const names = 'inputs' in request ? request.inputs : []
        const { cwd, copies = 0, attached = false, priority = 0 } = request
        // The first file is asked for now: a wrong path or an empty folder is told before any work starts.
        const opened = await submitter.open({ source, names, cwd })
        const spec = await encodeSignedSpec(
          {
            workload,
            body,
            submitter: deps.self,
            nonce: randomBytes(16).toString('hex'),
            createdMs: Date.now(),
            priority,
            title: titleOf(
              names,
              models.map(model => model.name),
              request.name,
            ),
          },
          bytes => sign(deps.identity, bytes),
        )
        if (signal?.aborted) throw submissionStopped()
        const job = await deps.holds.storeFor(draft).put(spec)
        await deps.book.readSpec(job, deps.self)
        for (const { blocks } of files) for (const block of blocks) await deps.holds.hold(job, block)
        const kept = { inputs: names, cwd, source, copies, attached }
        deps.journal.keepRequest(job, checkpoint === undefined ? kept : { ...kept, checkpoint })
        if (checkpoint !== undefined) deps.checkpoints.begin(job, checkpoint)
        deps.dispatch({ type: 'submit', job, priority })
        start(job, submitter, async () => opened)
        deps.spread.inputs(job, copies)
        return { job, models, notes: [...notes, ...copiesNote(copies, deps.others())] }
      } catch (thrown) {
        submitter.close()
        throw thrown
      } finally {
        signal?.removeEventListener('abort', submitter.close)
        await deps.holds.release(draft)
      }
    },
    resume({ job, kept, request }) {
      const record = deps.book.get(job)
      if (!record || !request || kept.outcome || kept.owner !== deps.self) return
      if (request.attached) return deps.dispatch({ type: 'cancel', job })
      deps.spread.inputs(job, request.copies, true)
      if (request.checkpoint !== undefined) deps.checkpoints.begin(job, request.checkpoint)
      if (kept.complete) return
      // Only from the end of the chain that others may know of.
      if (record.manifests.length < kept.known.count) {
        deps.dispatch({ type: 'abort', job, reason: 'the list of its inputs was lost in a restart: submit it again' })
        return
      }
      deps.dispatch({ type: 'submit', job, priority: kept.priority })
      const { source, inputs: names, cwd } = request
      const submitter = openSubmitter()
      const known = record.shards.map(({ items, blocks }) => ({ items, blocks }))
      start(job, submitter, () => submitter.open({ source, names, cwd }, known))
    },
    end: job => reading.get(job)?.abort(),
    skipped(job) {
      const report = reports.get(job)
      return report && report.skipped > 0 ? { rows: report.skipped, first: report.reasons[0] } : undefined
    },
    passedOver(job) {
      const { files, first } = reports.get(job)?.passedOver ?? { files: 0 }
      return first === undefined ? undefined : { files, first }
    },
    forget: job => void reports.delete(job),
    stop() {
      stopped = true
      deps.submitters.close()
      for (const abort of reading.values()) abort.abort()
      for (const submitter of [...submitters]) submitter.close()
    },
  }
}

/** More copies than there are peers to hold them. */
function copiesNote(wanted: number, others: number): string[] {
  if (wanted <= others) return []
  const there =
    others === 0 ? 'no other peer is' : others === 1 ? 'only 1 other peer is' : `only ${others} other peers are`
  return [
    `${wanted} other ${wanted === 1 ? 'peer is' : 'peers are'} to hold the inputs, and ${there} connected: the missing copies are made when more peers come`,
  ]
}
