/**
 * What this peer must remember of its jobs, on disk: the protocol core's records, and how the inputs of its own jobs are
 * read on. Invariant: once `commit` has resolved, a restart finds everything that was noted before the call; nothing that
 * promises it to others is done earlier. A record that makes no sense is set aside with a line, and costs that job
 * alone. What is noted reaches the disk itself within `flushMs`: a killed process loses nothing, a machine that loses
 * its power at most that long, which other peers' copies and a second computation make good.
 */
import { z } from 'zod'
import { type BlockId, isBlockId, type JobId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { RecordChange, RecordStore } from '../../data/store/record-store.ts'
import type { JobKept, ShardResult } from '../../jobs/core/types.ts'
import { decodeValue, encodeValue } from '../../jobs/wire/fields.ts'
import { decodeKept, decodeKeptResults, encodeKept, encodeKeptResults } from '../../jobs/wire/kept.ts'
import { type InputSource, inputSourceSchema } from '../../jobs/workloads/inputs.ts'

/** What reading a job's inputs on needs, at the peer that submitted it. */
export interface KeptRequest {
  inputs: string[]
  cwd: string
  source: InputSource
  /** A process that is the peer itself submitted it and waited: a restart cancels the job. */
  attached: boolean
  /** Other peers that shall hold the inputs, so that the submitter may leave. */
  copies: number
  /** Where a training's state goes after each round. */
  checkpoint?: string
}

/** A job as it was when this peer stopped. */
export interface KeptJob {
  job: JobId
  kept: JobKept
  results: ShardResult[]
  request?: KeptRequest
  /** Pieces of the job of which this peer promised to hold a copy. */
  copies: string[]
  /** Its owner dropped it: what it left is not wanted any more. */
  dropped: boolean
}

export interface Journal {
  /** Notes what `commit` will write. */
  keep(job: JobId, kept: JobKept): void
  keepResults(job: JobId, results: readonly ShardResult[]): void
  keepRequest(job: JobId, request: KeptRequest): void
  /** A promise to hold a piece of the job until it is over. */
  keepCopy(job: JobId, piece: string): void
  keepDropped(job: JobId): void
  /** What the job needed while it ran; with `record`, everything. */
  forget(job: JobId, record: boolean): void
  /** The results kept so far are of an earlier round. */
  forgetResults(job: JobId): void
  /** True while something is noted and not yet on disk. */
  readonly dirty: boolean
  /** Writes what was noted, all or nothing. Throws PeerError of kind `resource`; what was noted stays noted. */
  commit(): Promise<void>
  /** Everything that is remembered, oldest job first. */
  load(): Promise<KeptJob[]>
  close(): Promise<void>
}

const requestForm = z.object({
  inputs: z.array(z.string().max(4096)).max(100_000),
  cwd: z.string().max(4096),
  attached: z.boolean(),
  source: inputSourceSchema,
  copies: z.int().min(0).max(limits.peersMax),
  checkpoint: z.string().max(4096).optional(),
})
const requestBytesMax = 64 * 1024 * 1024

const prefix = 'job/'
const keyOf = (job: JobId, rest: string) => `${prefix}${job}/${rest}`
/** Records of results are numbered as they come, in as many digits as sort as numbers do: of a shard the later one counts. */
const resultsKey = (job: JobId, number: number) => keyOf(job, `results/${String(number).padStart(12, '0')}`)
const resultsPerRecord = 1024
const flushMs = 1000
const nothing = new Uint8Array(0)

/** A name that is no UTF-8 (see byte-names.ts) cannot be written as text: it stands as JSON, behind what no path begins with. */
const storedName = (name: string) => (name.isWellFormed() ? name : `\0${JSON.stringify(name)}`)
const givenName = (stored: string): string => (stored.startsWith('\0') ? String(JSON.parse(stored.slice(1))) : stored)

/** `holds`: whether a block is still here; a result whose block is gone is no result. */
export function createJournal(
  records: RecordStore,
  holds: (block: BlockId) => Promise<boolean>,
  warn: (line: string) => void,
): Journal {
  let noted: RecordChange[] = []
  let clears: string[] = []
  /** Results that are in none of the records noted yet. */
  const brought = new Map<JobId, ShardResult[]>()
  let resultRecords = 0
  let writes = 0
  let last: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    records.flush().catch(() => {}) // a disk that fails is told by the next write
  }, flushMs)
  timer.unref()

  const note = (key: string, value?: Uint8Array) => void noted.push({ key, value })

  function noteResults(): void {
    for (const [job, results] of brought) {
      for (let at = 0; at < results.length; at += resultsPerRecord) {
        note(resultsKey(job, resultRecords++), encodeKeptResults(results.slice(at, at + resultsPerRecord)))
      }
    }
    brought.clear()
  }

  async function write(): Promise<void> {
    noteResults()
    const changes = noted
    const cleared = clears
    noted = []
    clears = []
    try {
      for (const key of cleared) await records.clear(key)
      await records.write(changes)
    } catch (thrown) {
      noted = [...changes, ...noted]
      clears = [...cleared, ...clears]
      throw thrown
    }
  }

  /** What is cleared of a job always includes its results. */
  function clear(job: JobId, rests: readonly string[]): void {
    brought.delete(job)
    const gone = rests.map(rest => keyOf(job, rest))
    clears.push(...gone)
    noted = noted.filter(change => !gone.some(key => change.key.startsWith(key)))
  }

  /** One record into its job; throws what decoding throws. */
  async function read(one: KeptJob, kind: string, rest: string, value: Uint8Array): Promise<void> {
    if (kind === 'kept') one.kept = decodeKept(value)
    else if (kind === 'results') {
      one.results.push(...decodeKeptResults(value))
      if (/^\d+$/.test(rest)) resultRecords = Math.max(resultRecords, Number(rest) + 1)
    } else if (kind === 'request') {
      const { inputs, cwd, ...request } = requestForm.parse(decodeValue(value, requestBytesMax))
      one.request = { ...request, inputs: inputs.map(givenName), cwd: givenName(cwd) }
    } else if (kind === 'copy') one.copies.push(rest)
    else if (kind === 'dropped') one.dropped = true
  }

  /** By shard, of each the last that was kept, without those whose blocks are gone. */
  async function stillHere(results: readonly ShardResult[]): Promise<ShardResult[]> {
    const here: ShardResult[] = []
    for (const result of new Map(results.map(one => [one.shard, one])).values()) {
      if (await holds(result.block)) here.push(result)
    }
    return here.sort((a, b) => a.shard - b.shard)
  }

  return {
    keep: (job, kept) => note(keyOf(job, 'kept'), encodeKept(kept)),
    keepResults(job, results) {
      const others = brought.get(job)
      if (others) others.push(...results)
      else brought.set(job, [...results])
    },
    keepRequest(job, { inputs, cwd, ...request }) {
      note(keyOf(job, 'request'), encodeValue({ ...request, inputs: inputs.map(storedName), cwd: storedName(cwd) }))
    },
    keepCopy: (job, piece) => note(keyOf(job, `copy/${piece}`), nothing),
    keepDropped: job => note(keyOf(job, 'dropped'), nothing),
    forget: (job, record) =>
      clear(job, record ? [''] : ['results/', 'copy/inputs', 'copy/files', 'copy/whole', 'request']),
    forgetResults: job => clear(job, ['results/']),
    get dirty() {
      return noted.length + brought.size + clears.length + writes > 0
    },
    commit() {
      writes++
      // After the one that is under way: whoever asked for that one, this call's notes may be among its own.
      const next = last.then(write).finally(() => writes--)
      last = next.catch(() => {}) // it is the caller's
      return next
    },
    async load() {
      const jobs = new Map<JobId, KeptJob & { found: boolean }>()
      for await (const [key, value] of records.entries(prefix)) {
        const [, job, kind, rest = ''] = key.split('/')
        if (!isBlockId(job)) continue
        let one = jobs.get(job)
        if (!one) {
          one = { job, kept: unknown, results: [], copies: [], dropped: false, found: false }
          jobs.set(job, one)
        }
        try {
          await read(one, kind, rest, value)
          if (kind === 'kept') one.found = true
        } catch {
          await records.setAside(key)
        }
      }
      for (const [job, { found, kept }] of jobs) {
        if (!found) {
          // Its record was damaged or never written: the rest belongs to nothing.
          jobs.delete(job)
          warn(`job ${job.slice(0, 8)}: what was remembered of it is damaged or gone, and the job is forgotten here`)
          await records.clear(keyOf(job, ''))
        } else if (kept.outcome) await records.clear(keyOf(job, 'results/'))
      }
      if (jobs.size > limits.jobsMax) warn(`${jobs.size} jobs are kept here; the newest ${limits.jobsMax} are shown`)
      const sorted = [...jobs.values()].sort((a, b) => a.kept.startedMs - b.kept.startedMs)
      return Promise.all(
        sorted.slice(-limits.jobsMax).map(async ({ found: _, ...one }) => ({
          ...one,
          results: one.kept.outcome ? [] : await stillHere(one.results),
        })),
      )
    },
    async close() {
      clearInterval(timer)
      await records.flush().catch(() => {}) // as above
      await records.close()
    },
  }
}

/** Stands in until the job's own record is read. */
const unknown: JobKept = {
  priority: 0,
  startedMs: 0,
  ballot: { counter: 0, peer: '' },
  specKnown: false,
  known: { count: 0 },
  target: { count: 0 },
  complete: false,
  endedMs: 0,
}
