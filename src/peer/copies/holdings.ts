/**
 * Which jobs a peer holds whole, in its own words: a holder is who says so now, not who promised once. Invariant: a peer
 * says that it holds a job's inputs or its result only while every block of it is here and pinned, so that it counts as
 * a copy; how many copies are wanted travels with the copies and outlives the job's end, because its result wants as many.
 */
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import { type BlockId, isBlockId, type JobId, type PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { BlockStore } from '../../data/store/types.ts'
import type { JobView, ManifestHead, Message } from '../../jobs/core/types.ts'
import { decodeValue, encodeValue } from '../../jobs/wire/fields.ts'
import type { Mesh } from '../../mesh/types.ts'
import { type BlockExchange, hereOnly } from '../blocks/block-exchange.ts'
import type { BlockHolds } from '../blocks/block-holds.ts'
import type { JobBook } from '../driver/job-book.ts'
import type { Journal } from '../driver/journal.ts'
import { resultHere } from '../results.ts'
import { blocksOf, chainOf } from './job-blocks.ts'

export const holdingsProtocol = '/shardmesh/holdings/1'

/** What of a job is held: its inputs, networks included, while it runs; its result once it has one. */
export interface HoldingOf {
  job: JobId
  kind: 'inputs' | 'result'
}

/** The owner's word to a peer that has every piece of the inputs. */
export interface WholeInputs {
  /** Other peers than the owner that shall hold everything. */
  wanted: number
  /** The whole chain of manifests. */
  manifest: ManifestHead
}

export interface HoldingsDeps {
  mesh: Mesh
  store: BlockStore
  exchange: BlockExchange
  holds: BlockHolds
  book: JobBook
  journal: Journal
  view: (job: JobId) => JobView | undefined
  /** Whether `from` may have copies of the job's inputs made. */
  mayCopyInputs: (from: PeerKey, job: JobView) => boolean
  /** Tells the core what the job's owner says. */
  hear: (from: PeerKey, message: Message) => void
}

export interface Holdings {
  /** Whether this peer holds it whole; looks at every block. */
  has(of: HoldingOf): Promise<boolean>
  /** What this peer was told of the inputs that it holds whole; undefined where it does not. */
  inputs(job: JobId): WholeInputs | undefined
  /** Copies that were asked for, as `WholeInputs` counts them; undefined where nobody said. */
  wanted(job: JobId): number | undefined
  /** Notes how many copies are wanted; on disk with the next commit. */
  want(job: JobId, wanted: number): void
  /** Asks `peer` which of these it holds whole. Throws PeerError. */
  ask(peer: PeerKey, of: readonly HoldingOf[]): Promise<boolean[]>
  /** Tells `peer` that it has all inputs now. Throws PeerError where it disagrees. */
  tell(peer: PeerKey, job: JobId, whole: WholeInputs): Promise<void>
  /** After a restart, from the names that the journal kept. */
  restore(job: JobId, names: readonly string[]): void
  /** The job is over: its inputs are nobody's to hold. */
  end(job: JobId): void
  forget(job: JobId): void
}

const jobForm = z.string().refine(isBlockId, 'not a job id')
const form = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('ask'),
    of: z.array(z.object({ job: jobForm, kind: z.enum(['inputs', 'result']) })).max(limits.jobsMax),
  }),
  z.object({
    type: z.literal('whole'),
    job: jobForm,
    wanted: z.int().min(1).max(limits.peersMax),
    count: z.int().min(0).max(limits.shardsMax),
    head: z.string().refine(isBlockId, 'not a block id').optional(),
  }),
])
const bytesMax = limits.jobsMax * 120

const wholeName = ({ wanted, manifest }: WholeInputs) => `whole-${wanted}-${manifest.count}-${manifest.head ?? ''}`

/** As `wholeName` writes it, and `wanted-2`; undefined for other names. */
function namesNumber(name: string, what: 'wanted' | 'whole'): number | undefined {
  const found = /^(wanted|whole)-(\d{1,9})(-|$)/.exec(name)
  return found?.[1] === what ? Math.min(Number(found[2]), limits.peersMax) : undefined
}

export function createHoldings(deps: HoldingsDeps): Holdings {
  const { mesh, store, exchange, holds, book, journal } = deps
  const here = hereOnly(exchange, incomplete)
  const wholes = new Map<JobId, WholeInputs>()
  const wants = new Map<JobId, number>()

  async function allHere(job: JobId, blocks: readonly BlockId[]): Promise<boolean> {
    for (const block of blocks) if (!holds.held(job, block) || !(await store.has(block))) return false
    return true
  }

  async function hasInputs(job: JobId, head: ManifestHead): Promise<boolean> {
    const record = book.get(job)
    if (!record) return false
    if (!(await allHere(job, await blocksOf(record, { kind: 'files', block: job }, here)))) return false
    for (const block of await chainOf(record, job, head, here)) {
      if (!(await allHere(job, await blocksOf(record, { kind: 'inputs', block }, here)))) return false
    }
    return true
  }

  async function has({ job, kind }: HoldingOf): Promise<boolean> {
    try {
      const outcome = deps.view(job)?.outcome
      if (kind === 'result') {
        const blocks = outcome?.result === undefined ? [] : await resultHere(exchange, outcome.result)
        return blocks.length > 0 && (await allHere(job, blocks))
      }
      const whole = wholes.get(job)
      return whole !== undefined && outcome === undefined && (await hasInputs(job, whole.manifest))
    } catch (thrown) {
      if (thrown instanceof PeerError) return false
      throw thrown
    }
  }

  async function beTold(from: PeerKey, job: JobId, whole: WholeInputs): Promise<void> {
    const view = deps.view(job)
    if (!view || view.outcome || !deps.mayCopyInputs(from, view)) {
      throw refusal('COPY_REFUSED', 'the job is in another state here')
    }
    if (!(await hasInputs(job, whole.manifest))) throw incomplete()
    want(job, whole.wanted)
    journal.keepCopy(job, wholeName(whole))
    await journal.commit()
    if (deps.view(job)?.outcome) return
    wholes.set(job, whole)
    // Whoever leads from here on must know all inputs, and those who knew may all be gone.
    deps.hear(view.owner, { type: 'manifest', job, manifest: whole.manifest, complete: true })
  }

  function want(job: JobId, wanted: number): void {
    if (wants.get(job) === wanted) return
    wants.set(job, wanted)
    journal.keepCopy(job, `wanted-${wanted}`)
  }

  mesh.serve(holdingsProtocol, async (from, body) => {
    const parsed = form.safeParse(decodeValue(body, bytesMax))
    if (!parsed.success) {
      throw new PeerError({
        code: 'MESSAGE_INVALID',
        kind: 'protocol',
        message: 'a question about copies breaks the rules',
      })
    }
    const { data } = parsed
    if (data.type === 'whole') {
      const { job, wanted, count, head } = data
      await beTold(from, job, { wanted, manifest: { count, head } })
      return new Uint8Array()
    }
    const answer = new Uint8Array(data.of.length)
    for (const [at, of] of data.of.entries()) answer[at] = (await has(of)) ? 1 : 0
    return answer
  })

  return {
    has,
    inputs: job => wholes.get(job),
    wanted: job => wants.get(job),
    want,
    async ask(peer, of) {
      const answers: boolean[] = []
      for (let at = 0; at < of.length; at += limits.jobsMax) {
        const part = of.slice(at, at + limits.jobsMax)
        const reply = await mesh.request(peer, holdingsProtocol, encodeValue({ type: 'ask', of: part }))
        for (const place of part.keys()) answers.push(reply[place] === 1)
      }
      return answers
    },
    async tell(peer, job, { wanted, manifest: { count, head } }) {
      const said =
        head === undefined ? { type: 'whole', job, wanted, count } : { type: 'whole', job, wanted, count, head }
      await mesh.request(peer, holdingsProtocol, encodeValue(said), { timeoutMs: tellMs })
    },
    restore(job, names) {
      for (const name of names) {
        const wanted = namesNumber(name, 'wanted') ?? namesNumber(name, 'whole')
        if (wanted === undefined) continue
        wants.set(job, Math.max(wanted, wants.get(job) ?? 0))
        if (namesNumber(name, 'whole') === undefined) continue
        const [, , count, head] = name.split('-')
        wholes.set(job, { wanted, manifest: { count: Number(count), head: isBlockId(head) ? head : undefined } })
      }
    },
    end: job => void wholes.delete(job),
    forget(job) {
      wholes.delete(job)
      wants.delete(job)
    },
  }
}

/** Its chain of manifests is read again, a signature each. */
const tellMs = 60_000

const incomplete = () => refusal('COPY_INCOMPLETE', 'a block of the copy is not here')

function refusal(code: string, message: string): PeerError {
  return new PeerError({ code, kind: 'resource', message, retry: 'elsewhere' })
}
