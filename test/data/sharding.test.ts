import { chmod, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode } from '@ipld/dag-cbor'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import { prng } from '../../src/base/prng.ts'
import type { InputFile } from '../../src/data/readers/inputs.ts'
import { type CutShard, cutShards, readShard, type ShardItem } from '../../src/data/sharding.ts'
import { createMemoryStore } from '../../src/data/store/memory-store.ts'
import type { BlockStore } from '../../src/data/store/types.ts'

const MiB = 1024 * 1024
let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shardmesh-shards-'))
})
afterAll(() => rm(root, { recursive: true }))

let count = 0
async function file(bytes: Uint8Array | number): Promise<InputFile> {
  const name = join(root, `${count++}`)
  const random = prng(count)
  await writeFile(name, typeof bytes === 'number' ? new Uint8Array(bytes).fill(random.int(255)) : bytes)
  return { path: `in/${count}.jpg`, file: name }
}

async function blocksOf(store: BlockStore, shard: CutShard): Promise<Uint8Array[]> {
  return Promise.all(shard.blocks.map(async id => (await store.get(id))!))
}

async function cutAndRead(entries: InputFile[], init = {}): Promise<{ shards: CutShard[]; items: ShardItem[] }> {
  const store = createMemoryStore()
  const shards: CutShard[] = []
  const items: ShardItem[] = []
  for await (const shard of cutShards(entries, store, init)) {
    shards.push(shard)
    const read = readShard(await blocksOf(store, shard)).items
    expect(read.length).toBe(shard.items)
    expect(read.reduce((sum, item) => sum + (item.bytes?.length ?? 0), 0)).toBe(shard.bytes)
    items.push(...read)
  }
  return { shards, items }
}

test('every file comes back, in order, whatever the sizes', async () => {
  const random = prng(7)
  const sizes = [1, MiB - 1, 1, MiB, MiB + 1, 3 * MiB + 5, ...Array.from({ length: 60 }, () => 1 + random.int(90_000))]
  const entries = await Promise.all(
    sizes.map(size => file(Uint8Array.from({ length: size }, (_, i) => (i * size) >>> 3))),
  )
  const { items, shards } = await cutAndRead(entries, { itemsPerShard: 16 })
  expect(items.map(item => item.path)).toEqual(entries.map(entry => entry.path))
  for (const [i, item] of items.entries()) {
    expect(item.bytes?.length).toBe(sizes[i])
    expect(item.bytes?.every((byte, at) => byte === (((at * sizes[i]) >>> 3) & 255))).toBe(true)
  }
  // The same files give the same blocks, so that a second submission finds them.
  expect((await cutAndRead(entries, { itemsPerShard: 16 })).shards).toEqual(shards)
})

test('shards are cut by count and by bytes', async () => {
  const entries = await Promise.all([300, 300, 500, 200, 2000, 1, 1].map(file))
  const cut = async (init: object) => (await cutAndRead(entries, init)).shards.map(shard => [shard.items, shard.bytes])
  expect(await cut({ itemsPerShard: 3 })).toEqual([
    [3, 1100],
    [3, 2201],
    [1, 1],
  ])
  expect(await cut({ bytesPerShard: 1000 })).toEqual([
    [2, 600],
    [2, 700],
    [1, 2000],
    [2, 2],
  ])
  expect(await cut({})).toEqual([[7, 3302]])
})

test('what cannot be read is an item with the reason', async () => {
  const large = await file(1)
  await truncate(large.file, limits.inputBytesMax + 1)
  const secret = await file(5)
  await chmod(secret.file, 0)
  const entries = [
    await file(3),
    { path: 'gone.jpg', file: join(root, 'gone') },
    { path: 'folder.jpg', file: root },
    { path: 'null.jpg', file: '/dev/null' },
    await file(0),
    large,
    secret,
    await file(4),
  ]
  const { items } = await cutAndRead(entries)
  const anyone = process.getuid?.() === 0 // root reads everything
  expect(items.map(item => item.error)).toEqual([
    undefined,
    'no such file',
    'is a folder',
    'not a plain file',
    'empty file',
    'larger than 256 MiB',
    anyone ? undefined : 'permission denied',
    undefined,
  ])
  expect(items.map(item => item.bytes?.length)).toEqual([
    3,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    anyone ? 5 : undefined,
    4,
  ])
})

test('a table never outgrows a block', async () => {
  const long = 'p'.repeat(4000)
  const entries = Array.from({ length: 600 }, (_, i) => ({ path: `${long}${i}`, file: join(root, 'none') }))
  const { shards } = await cutAndRead([...entries, { path: 'p'.repeat(5000), file: root }], { itemsPerShard: 65_536 })
  expect(shards.length).toBe(3)
})

test('no input makes no shard', async () => {
  expect((await cutAndRead([])).shards).toEqual([])
})

test('a shard from a peer is checked in every length', async () => {
  const store = createMemoryStore()
  const entries = await Promise.all([MiB, 700_000, 5].map(file))
  const blocks: Uint8Array[] = []
  for await (const shard of cutShards(entries, store)) blocks.push(...(await blocksOf(store, shard)))
  expect(readShard(blocks).items).toHaveLength(3)
  const item = { path: 'a', bytes: 3 }
  const table = (...items: unknown[]) => encode({ version: 1, items })
  const wrong: Uint8Array[][] = [
    [],
    blocks.slice(1),
    blocks.slice(0, -1),
    [...blocks, new Uint8Array(1)],
    [blocks[0], blocks[2], blocks[1]],
    [blocks[0], blocks[1], blocks[2].subarray(1)],
    [new Uint8Array(0)],
    [new Uint8Array(100_000).fill(0x81)],
    [encode({ version: 2, items: [] })],
    [table({ ...item, bytes: -3 })],
    [table({ ...item, bytes: 0 })],
    [table({ ...item, bytes: 2 ** 40 })],
    [table({ ...item, bytes: 1.5 })],
    [table({ ...item, error: 'x' }), new Uint8Array(3)],
    [table({ ...item, path: 'x'.repeat(5000) }), new Uint8Array(3)],
    [table({ ...item, more: 1 }), new Uint8Array(3)],
    [table({ bytes: 3 }), new Uint8Array(3)],
  ]
  for (const one of wrong) expect(() => readShard(one)).toThrow(expect.objectContaining({ code: 'SHARD_INVALID' }))
  expect(readShard([table(item), new Uint8Array(3)]).items).toEqual([{ path: 'a', bytes: new Uint8Array(3) }])
})

test('whoever stops early leaves no file open', async () => {
  const entries = await Promise.all(Array.from({ length: 40 }, () => file(600_000)))
  for await (const shard of cutShards(entries, createMemoryStore(), { itemsPerShard: 1 })) {
    expect(shard.items).toBe(1)
    break
  }
})
