import { mkdtemp, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDiskStore } from '../../../src/data/store/disk-store.ts'
import { storeError } from '../../../src/data/store/errors.ts'
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
