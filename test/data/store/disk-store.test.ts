import { mkdtemp, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
