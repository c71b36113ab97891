/**
 * What this peer has read of each job: its signed spec, and the shards that its chain of manifests lists.
 * Both come as blocks whose signatures are checked here, once; the protocol core only sees the facts.
 */
import { assert, PeerError } from '../base/errors.ts'
import type { BlockId, JobId, PeerKey } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { ManifestHead } from '../jobs/core/types.ts'
import { decodeManifest, encodeManifest, type Manifest, type ShardEntry } from '../jobs/wire/manifest.ts'
import { decodeSignedSpec, type JobSpec } from '../jobs/wire/spec.ts'
import { sign, verify } from '../mesh/identity.ts'
import type { BlockExchange } from './block-exchange.ts'

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
  /** The owner appends shards to its own job; resolves to the new block's place and id. */
  append(job: JobId, shards: ShardEntry[]): Promise<{ index: number; block: BlockId }>
  /** The job is over: its list of shards is not needed any more, what it was stays known. */
  close(job: JobId): void
}

export function createJobBook(exchange: BlockExchange, identity: Uint8Array): JobBook {
  const records = new Map<JobId, JobRecord>()

  /** From the newest block back to the last known one: each block names its predecessor. */
  async function walk(record: JobRecord, job: JobId, target: ManifestHead, from: PeerKey) {
    const chain: { block: BlockId; manifest: Manifest }[] = []
    let block = target.head
    for (let index = target.count - 1; index >= record.manifests.length; index--) {
      if (block === undefined) throw broken(job, `block ${index} is not named`)
      const manifest = await decodeManifest(
        await exchange.get(block, [from, record.spec.submitter]),
        verify,
        record.spec.submitter,
      )
      if (manifest.job !== job || manifest.index !== index) throw broken(job, `block ${index} belongs elsewhere`)
      chain.unshift({ block, manifest })
      block = manifest.previous
    }
    const known = record.manifests.at(-1)
    if (chain.length > 0 && block !== known) throw broken(job, 'its blocks do not continue what is known')
    return chain
  }

  return {
    get: job => records.get(job),

    async readSpec(job, from) {
      const known = records.get(job)
      if (known) return known
      const spec = await decodeSignedSpec(await exchange.get(job, [from]), verify)
      const record: JobRecord = { spec, manifests: [], counts: [], shards: [] }
      records.set(job, record)
      return record
    },

    async readManifests(job, manifest, from, onBlock) {
      const record = records.get(job) ?? (await this.readSpec(job, from))
      for (const next of await walk(record, job, manifest, from)) {
        if (next.manifest.index !== record.manifests.length) continue // another read was quicker
        if (record.shards.length + next.manifest.shards.length > limits.shardsMax)
          throw broken(job, 'it has too many shards')
        record.manifests.push(next.block)
        record.counts.push(next.manifest.shards.length)
        record.shards.push(...next.manifest.shards)
        onBlock(next.manifest.index, next.block, next.manifest.shards)
      }
    },

    async append(job, shards) {
      const record = records.get(job)
      assert(record, 'an owner knows its own job')
      const index = record.manifests.length
      const manifest: Manifest = { job, index, previous: record.manifests.at(-1), shards }
      const block = await exchange.put(await encodeManifest(manifest, bytes => sign(identity, bytes)))
      record.manifests.push(block)
      record.counts.push(shards.length)
      record.shards.push(...shards)
      return { index, block }
    },

    close(job) {
      const record = records.get(job)
      if (record) record.shards = []
    },
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
