import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { blockId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import { decodeManifest, encodeManifest, type Manifest } from '../../../src/jobs/wire/manifest.ts'
import type { Sign, Verify } from '../../../src/jobs/wire/signed.ts'
import { decodeSignedSpec, encodeSignedSpec, type JobSpec } from '../../../src/jobs/wire/spec.ts'
import { id } from './samples.ts'

/** Stands in for real keys: whoever knows the name can sign; enough to see that the right bytes are signed. */
const sign =
  (peer: string): Sign =>
  bytes =>
    new Uint8Array(createHmac('sha512', peer).update(bytes).digest())
const verify: Verify = async (peer, bytes, signature) =>
  Buffer.compare(createHmac('sha512', peer).update(bytes).digest(), signature) === 0

const spec: JobSpec = {
  workload: 'classify',
  body: { models: [{ name: 'a', weight: 0.5, absent: undefined }], bytes: Uint8Array.of(1, 2) },
  submitter: 'owner',
  nonce: 'ab12',
  createdMs: 1_700_000_000_000,
  priority: 0,
}

describe('a signed spec', () => {
  test('comes back as it was, without absent members; the same spec gives the same id', async () => {
    const block = await encodeSignedSpec(spec, sign('owner'))
    const body = { models: [{ name: 'a', weight: 0.5 }], bytes: Uint8Array.of(1, 2) }
    expect(await decodeSignedSpec(block, verify)).toEqual({ ...spec, body })
    expect(blockId(await encodeSignedSpec({ ...spec }, sign('owner')))).toBe(blockId(block))
    expect(blockId(await encodeSignedSpec({ ...spec, nonce: 'ab13' }, sign('owner')))).not.toBe(blockId(block))
  })

  test('is refused when another signed it, or a byte of it changed', async () => {
    const forged = await encodeSignedSpec(spec, sign('thief'))
    await expect(decodeSignedSpec(forged, verify)).rejects.toMatchObject({
      kind: 'integrity',
      code: 'SIGNATURE_INVALID',
    })
    const block = await encodeSignedSpec(spec, sign('owner'))
    for (let at = 0; at < block.length; at += 3) {
      const damaged = block.slice()
      damaged[at] ^= 1
      await expect(decodeSignedSpec(damaged, verify)).rejects.toMatchObject({ name: 'PeerError' })
    }
  })

  test('a larger one than a block is not made', async () => {
    const body = { labels: Array.from({ length: 5 }, () => 'x'.repeat(limits.blockBytes)) }
    await expect(encodeSignedSpec({ ...spec, body }, sign('owner'))).rejects.toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
    })
  })
})

describe('a manifest', () => {
  const first: Manifest = {
    job: id('job'),
    index: 0,
    shards: [{ items: 3, bytes: 99, blocks: [id('a'), id('b')] }],
    last: false,
  }
  const second: Manifest = { job: id('job'), index: 1, previous: id('first'), shards: [], last: true }

  test('comes back as it was', async () => {
    for (const manifest of [first, second]) {
      expect(await decodeManifest(await encodeManifest(manifest, sign('owner')), verify, 'owner')).toEqual(manifest)
    }
  })

  test('is refused when the owner did not sign it, or its chain makes no sense', async () => {
    const forged = await encodeManifest(first, sign('thief'))
    await expect(decodeManifest(forged, verify, 'owner')).rejects.toMatchObject({ kind: 'integrity' })
    for (const broken of [
      { ...first, previous: id('x') },
      { ...second, previous: undefined },
    ]) {
      const block = await encodeManifest(broken, sign('owner'))
      await expect(decodeManifest(block, verify, 'owner')).rejects.toMatchObject({ kind: 'protocol' })
    }
  })

  test('is refused when a shard is larger than the bounds', async () => {
    const blocks = new Array(limits.shardBlocksMax + 1).fill(id('a'))
    for (const shard of [
      { items: limits.shardItemsMax + 1, bytes: 1, blocks: [] },
      { items: 1, bytes: -1, blocks: [] },
      { items: 1, bytes: 1, blocks },
    ]) {
      const block = await encodeManifest({ ...first, shards: [shard] }, sign('owner'))
      await expect(decodeManifest(block, verify, 'owner')).rejects.toMatchObject({ kind: 'protocol' })
    }
  })

  test('is no spec, though the same peer signed it', async () => {
    const block = await encodeManifest(first, sign('owner'))
    await expect(decodeSignedSpec(block, verify)).rejects.toMatchObject({ kind: 'protocol' })
  })
})
