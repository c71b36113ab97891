/**
 * What this peer has read of each job: its signed spec, and the shards that its chain of manifests lists.
 * Both come as blocks whose signatures are checked here, once; the protocol core only sees the facts.
 */
import { assert, PeerError } from '../../base/errors.ts'
import type { BlockId, JobId, PeerKey } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { ManifestHead } from '../../jobs/core/types.ts'
import { decodeManifest, encodeManifest, type Manifest, type ShardEntry } from '../../jobs/wire/manifest.ts'
import { decodeSignedSpec, type JobSpec } from '../../jobs/wire/spec.ts'
import { sign, verify } from '../../mesh/identity.ts'
import { type BlockExchange, hereOnly } from '../blocks/block-exchange.ts'
import type { BlockHolds } from '../blocks/block-holds.ts'

export interface JobRecord {
  spec: JobSpec
  /** Manifest blocks read, in order. */
  manifests: BlockId[]
  /** Shards that each of them lists. */
  counts: number[]
  shards: ShardEntry[]
}

export interface JobBook {
  get(job: JobId): JobRecord | undefined
  /** The job's signed spec, from here or from `from`. Throws when it cannot be had or is not sound. */
  readSpec(job: JobId, from: PeerKey): Promise<JobRecord>
  /** Reads the blocks between what is known and `manifest`, oldest first; `onBlock` is called after each. */
  readManifests(
    job: JobId,
    manifest: ManifestHead,
    from: PeerKey,
    onBlock: (index: number, block: BlockId, shards: ShardEntry[]) => void,
  ): Promise<void>
  /**
   * Takes up a job after a restart from what is here: its spec, and its manifests up to `head` if all of them are.
   * Undefined when the spec is not here; asks nobody.
   */
  restore(job: JobId, head: ManifestHead): Promise<JobRecord | undefined>
  /** The owner appends shards to its own job; resolves to the new block's place and id. */
  append(job: JobId, shards: ShardEntry[]): Promise<{ index: number; block: BlockId }>
  /** The job is over: its list of shards is not needed any more, what it was stays known. */
  close(job: JobId): void
  /** Nothing of the job is known any more. */
  forget(job: JobId): void
}

type Get = (block: BlockId) => Promise<Uint8Array>

/** Spec and manifests are held for their job: they are small, and the job cannot go on without them. */
export function createJobBook(exchange: BlockExchange, holds: BlockHolds, identity: Uint8Array): JobBook {
  const records = new Map<JobId, JobRecord>()

  const here: Get = hereOnly(exchange)

  /** From the newest block back to the last known one: each block names its predecessor. */
  async function walk(record: JobRecord, job: JobId, target: ManifestHead, get: Get) {
    const chain: { block: BlockId; manifest: Manifest }[] = []
    let block = target.head
    for (let index = target.count - 1; index >= record.manifests.length; index--) {
      if (block === undefined) throw broken(job, `block ${index} is not named`)
      await holds.hold(job, block)
      const manifest = await decodeManifest(await get(block), verify, record.spec.submitter)
      if (manifest.job !== job || manifest.index !== index) throw broken(job, `block ${index} belongs elsewhere`)
      chain.unshift({ block, manifest })
      block = manifest.previous
    }
    const known = record.manifests.at(-1)
    if (chain.length > 0 && block !== known) throw broken(job, 'its blocks do not continue what is known')
    return chain
  }

  async function readSpec(job: JobId, get: Get): Promise<JobRecord> {
    const spec = await decodeSignedSpec(await get(job), verify)
    const known = records.get(job)
    if (known) return known // another read was quicker
    const record: JobRecord = { spec, manifests: [], counts: [], shards: [] }
    records.set(job, record)
    return record
  }

  async function readChain(
    record: JobRecord,
    job: JobId,
    head: ManifestHead,
    get: Get,
    onBlock?: (index: number, block: BlockId, shards: ShardEntry[]) => void,
  ): Promise<void> {
    for (const { block, manifest } of await walk(record, job, head, get)) {
      if (manifest.index !== record.manifests.length) continue // another read was quicker
      if (record.shards.length + manifest.shards.length > limits.shardsMax) throw broken(job, 'it has too many shards')
      record.manifests.push(block)
      record.counts.push(manifest.shards.length)
      record.shards.push(...manifest.shards)
      onBlock?.(manifest.index, block, manifest.shards)
    }
  }

  return {
    get: job => records.get(job),

    async readSpec(job, from) {
      const known = records.get(job)
      if (known) return known
      await holds.hold(job, job)
      return readSpec(job, block => exchange.get(block, [from]))
    },

    async readManifests(job, manifest, from, onBlock) {
      const record = records.get(job) ?? (await this.readSpec(job, from))
      await readChain(record, job, manifest, block => exchange.get(block, [from, record.spec.submitter]), onBlock)
    },

    async restore(job, head) {
      await holds.hold(job, job)
      let record: JobRecord
      try {
        record = await readSpec(job, here)
      } catch (thrown) {
        if (thrown instanceof PeerError) return undefined
        throw thrown
      }
      try {
        await readChain(record, job, head, here)
      } catch (thrown) {
        if (!(thrown instanceof PeerError)) throw thrown // others have what is missing
      }
      return record
    },

    async append(job, shards) {
      const record = records.get(job)
      assert(record, 'an owner knows its own job')
      const index = record.manifests.length
      const manifest: Manifest = { job, index, previous: record.manifests.at(-1), shards }
      const block = await holds.storeFor(job).put(await encodeManifest(manifest, bytes => sign(identity, bytes)))
      record.manifests.push(block)
      record.counts.push(shards.length)
      record.shards.push(...shards)
      return { index, block }
    },

    close(job) {
      const record = records.get(job)
      if (record) records.set(job, { spec: record.spec, manifests: [], counts: [], shards: [] })
    },

    forget: job => void records.delete(job),
  }
}

function broken(job: JobId, why: string): PeerError {
  return new PeerError({
    code: 'MANIFEST_INVALID',
    kind: 'integrity',
    message: `the list of shards of job ${job.slice(0, 8)} is broken: ${why}`,
    retry: 'elsewhere',
  })
}
