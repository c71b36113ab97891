import { mkdtemp, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blockId } from '../../../src/base/ids.ts'
import { prng } from '../../../src/base/prng.ts'
import { openDiskStore } from '../../../src/data/store/disk-store.ts'
import { storeError } from '../../../src/data/store/errors.ts'
import { onSmallDisk } from '../../fixtures/small-disk.ts'
import { blockStoreCompliance, randomBytes } from './compliance.ts'

let root: string
let count = 0
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shardmesh-store-'))
})
afterAll(() => rm(root, { recursive: true }))
const fresh = () => join(root, `store-${count++}`)

blockStoreCompliance('the disk store', () => openDiskStore(fresh(), { cacheBytes: 1500 }))
blockStoreCompliance('the disk store without a cache', () => openDiskStore(fresh(), { cacheBytes: 0 }))

blockStoreCompliance('the disk store with small blocks as records', () =>
  openDiskStore(fresh(), { cacheBytes: 0, smallBytesMax: 4096 }),
)

test('small blocks are records, whatever else happens to them', async () => {
  const folder = fresh()
  const [small, edge, large] = [100, 4096, 4097].map(bytes => randomBytes(bytes, bytes))
  let store = await openDiskStore(folder)
  await store.put(small) // by an earlier version: a file, and it stays one
  await store.close()
  store = await openDiskStore(folder, { cacheBytes: 0, smallBytesMax: 4096 })
  for (const bytes of [small, edge, large, edge]) await store.put(bytes)
  const places = await readdir(folder)
  expect(places.filter(name => /^[0-9a-f]{2}$/.test(name)).sort()).toEqual(
    [blockId(small).slice(0, 2), blockId(large).slice(0, 2)].sort(),
  )
  expect(await store.size()).toBe(100 + 4096 + 4097)
  await store.close()

  // Damaged like any other block: absent, and mended when it is put again.
  const raw = new ClassicLevel<string, Uint8Array>(join(folder, 'small'), { valueEncoding: 'view' })
  await raw.put(blockId(edge), randomBytes(1, 4100))
  await raw.close()
  const lines: string[] = []
  const again = { cacheBytes: 0, smallBytesMax: 4096, onWarning: (line: string) => lines.push(line) }
  store = await openDiskStore(folder, again)
  expect(lines).toHaveLength(1)
  expect(await store.get(blockId(edge))).toBeUndefined()
  for (const bytes of [small, edge, large]) {
    await store.put(bytes)
    expect(Buffer.from((await store.get(blockId(bytes)))!).equals(bytes)).toBe(true)
    await store.delete(blockId(bytes))
    expect(await store.has(blockId(bytes))).toBe(false)
  }
  await store.close()
  store = await openDiskStore(folder, again)
  expect(store.list()).toEqual([])
  await store.close()
})

test('finds its blocks again after the process is gone', async () => {
  const folder = fresh()
  const bytes = randomBytes(1, 300)
  const id = await (await openDiskStore(folder)).put(bytes)
  const again = await openDiskStore(folder)
  expect(await again.size()).toBe(300)
  expect(Buffer.from((await again.get(id))!).equals(bytes)).toBe(true)
})

test('takes a damaged or shortened block for absent, and mends it when it is put again', async () => {
  const folder = fresh()
  const bytes = randomBytes(2, 300)
  const id = await (await openDiskStore(folder)).put(bytes)
  const file = join(folder, id.slice(0, 2), id)
  const damage = [() => writeFile(file, randomBytes(3, 300)), () => truncate(file, 299), () => writeFile(file, '')]
  for (const harm of damage) {
    await harm()
    const store = await openDiskStore(folder, { cacheBytes: 0 })
    expect(await store.get(id)).toBeUndefined()
    expect(await store.has(id)).toBe(false)
    await store.put(bytes)
    expect(Buffer.from((await store.get(id))!).equals(bytes)).toBe(true)
    expect(await store.size()).toBe(300)
  }
})

test('clears away what a dead process left half written, and nothing else', async () => {
  const folder = fresh()
  await openDiskStore(folder)
  await writeFile(join(folder, 'tmp', 'old'), 'half')
  await utimes(join(folder, 'tmp', 'old'), 1, 1)
  await writeFile(join(folder, 'tmp', 'young'), 'half')
  await openDiskStore(folder)
  expect(await readdir(join(folder, 'tmp'))).toEqual(['young'])
})

test('says in one line that its folder cannot be used', async () => {
  const file = fresh()
  await writeFile(file, '')
  for (const folder of [file, join(file, 'inside')]) {
    await expect(openDiskStore(folder)).rejects.toMatchObject({ kind: 'resource', code: 'STORE_UNUSABLE' })
  }
  const full = storeError('/data', Object.assign(new Error('write'), { code: 'ENOSPC' }))
  expect(full).toMatchObject({ kind: 'resource', code: 'STORE_FULL', retry: 'later' })
  expect(full.message).toMatch(/^cannot keep blocks in \/data: the disk is full: [^\n]+$/)
})

test('beyond its bound the blocks unused for longest go, and pinned ones stay', async () => {
  const pins = new Set<string>()
  const folder = fresh()
  const store = await openDiskStore(folder, { cacheBytes: 0, bytesMax: 1000, pinned: id => pins.has(id) })
  // A simple twin: a list in the order of use.
  const twin: string[] = []
  const blocks = Array.from({ length: 20 }, (_, i) => randomBytes(100 + i, 100))
  const random = prng(4)
  for (const i of [0, 3]) pins.add(blockId(blocks[i]))
  for (let step = 0; step < 300; step++) {
    const bytes = blocks[random.int(blocks.length)]
    const id = blockId(bytes)
    const known = twin.indexOf(id)
    if (random.next() < 0.5) {
      await store.put(bytes)
      if (known >= 0) twin.splice(known, 1)
      twin.push(id)
      for (let at = 0; twin.length > 10; ) {
        if (!pins.has(twin[at])) twin.splice(at, 1)
        else twin.push(...twin.splice(at, 1))
      }
    } else {
      expect((await store.get(id)) !== undefined, `step ${step}`).toBe(known >= 0)
      if (known >= 0) twin.push(...twin.splice(known, 1))
    }
    expect(store.list().map(one => one.id)).toEqual(twin)
    expect(await store.size()).toBeLessThanOrEqual(1000)
  }
  // With nothing that may go it grows rather than loses.
  for (const bytes of blocks) {
    pins.add(blockId(bytes))
    await store.put(bytes)
  }
  expect(await store.size()).toBe(2000)
  expect((await openDiskStore(folder)).list()).toHaveLength(20)
})

test('on a full disk what is only cached makes room, and pinned blocks end in a clear error', async context => {
  await onSmallDisk(context, 4, async disk => {
    const pins = new Set<string>()
    const store = await openDiskStore(join(disk.folder, 'blocks'), { cacheBytes: 0, pinned: id => pins.has(id) })
    const old = randomBytes(1, 500_000)
    await store.put(old)
    await disk.fill()
    const young = randomBytes(2, 400_000)
    await store.put(young)
    expect(await store.has(blockId(old))).toBe(false)
    pins.add(blockId(young))
    await expect(store.put(randomBytes(3, 450_000))).rejects.toMatchObject({ code: 'STORE_FULL', retry: 'later' })
    expect(blockId((await store.get(blockId(young)))!)).toBe(blockId(young))
    await disk.empty()
    await store.put(randomBytes(3, 450_000))
  })
})

test('what came from elsewhere is kept if it is what it should be, on the thread or beside it', async () => {
  const folder = fresh()
  const bounded = { cacheBytes: 0, smallBytesMax: 4096 }
  let store = await openDiskStore(folder, bounded)
  const lengths = [0, 100, 4096, 4097, 128 * 1024 - 1, 128 * 1024, 1024 * 1024]
  const blocks = lengths.map((length, seed) => randomBytes(seed + 1, length))
  const taken = await Promise.all(blocks.map(bytes => store.take?.(bytes.slice(), blockId(bytes))))
  for (const [i, bytes] of blocks.entries()) expect(Buffer.compare(taken[i]!, bytes)).toBe(0)
  const all = lengths.reduce((sum, length) => sum + length, 0)
  expect(await store.size()).toBe(all)
  // Taken again, at once, and as a part of something larger.
  const last = blocks[6]
  const twice = await Promise.all([1, 2].map(() => store.take?.(last.slice(), blockId(last))))
  for (const bytes of twice) expect(Buffer.compare(bytes!, last)).toBe(0)
  const other = randomBytes(77, 200_000)
  const larger = new Uint8Array(300_000)
  larger.set(other, 50)
  expect(await store.take?.(larger.subarray(50, 200_050), blockId(other))).toBeDefined()
  // Another block's bytes leave nothing behind, and the right ones are kept later.
  for (const length of [100, 5000, 300_000]) {
    const [wrong, right] = [randomBytes(91, length), randomBytes(92, length)]
    expect(await store.take?.(wrong.slice(), blockId(right))).toBeUndefined()
    expect(await store.has(blockId(right))).toBe(false)
    expect(await store.has(blockId(wrong))).toBe(false)
    expect(await store.take?.(right.slice(), blockId(right))).toBeDefined()
    await store.delete(blockId(right))
  }
  expect(await readdir(join(folder, 'tmp'))).toEqual([])
  await store.close()
  store = await openDiskStore(folder, bounded)
  for (const bytes of blocks) expect(Buffer.compare((await store.get(blockId(bytes)))!, bytes)).toBe(0)
  expect(await store.size()).toBe(all + other.length)
  await store.close()
})

test('what came from elsewhere makes room on a full disk, or is refused with a reason', async context => {
  await onSmallDisk(context, 4, async disk => {
    let pinned: (id: string) => boolean = () => false
    const store = await openDiskStore(join(disk.folder, 'blocks'), { cacheBytes: 0, pinned: id => pinned(id) })
    const blocks = Array.from({ length: 8 }, (_, i) => randomBytes(i + 1, 1024 * 1024))
    for (const bytes of blocks) expect(await store.take?.(bytes.slice(), blockId(bytes))).toBeDefined()
    expect(await store.has(blockId(blocks[7]))).toBe(true)
    expect(await store.has(blockId(blocks[0]))).toBe(false)
    pinned = () => true
    const refused = store.take?.(blocks[0].slice(), blockId(blocks[0]))
    await expect(refused).rejects.toMatchObject({ code: 'STORE_FULL', kind: 'resource' })
    expect(await store.has(blockId(blocks[0]))).toBe(false)
    expect(await readdir(join(disk.folder, 'blocks', 'tmp'))).toEqual([])
    await store.close()
  })
})
