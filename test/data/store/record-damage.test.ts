/** Every file of a record store, damaged by a seed: it opens, says what is lost, never gives a wrong value, and goes on. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openRecordStore, type RecordStore } from '../../../src/data/store/record-store.ts'
import { damage, seeds } from '../../fixtures/damage.ts'

let root: string
let sound: string
const written = new Map<string, string>()
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shardmesh-damage-'))
  sound = join(root, 'sound')
  // Three openings make two tables and a log.
  for (let round = 0; round < 3; round++) {
    const store = await openRecordStore(sound, () => {})
    const changes = Array.from({ length: 60 }, (_, n) => ({
      key: `job/${round}-${n}`,
      value: Buffer.from(`${n} `.repeat(50 + n)),
    }))
    for (const { key, value } of changes) written.set(key, value.toString())
    await store.write(changes)
    await store.close()
  }
})
afterAll(() => rm(root, { recursive: true }))

async function values(store: RecordStore): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for await (const [key, value] of store.entries('job/')) found.set(key, Buffer.from(value).toString())
  return found
}

/** Long enough for the system to tell of a change; a slower one is met where it is read. */
const noticed = () => new Promise(resolve => setTimeout(resolve, 30))

function expectTold(found: Map<string, string>, lines: string[], what: string) {
  for (const [key, value] of found) expect(value, what).toBe(written.get(key))
  if (found.size < written.size) expect(lines.join('\n'), `${what}: ${found.size} of ${written.size}`).not.toBe('')
  for (const line of lines) expect(line, what).not.toMatch(/\n/)
}

test('damaged while it is closed', async () => {
  for (const seed of seeds(25)) {
    const folder = join(root, `at-rest-${seed}`)
    await cp(sound, folder, { recursive: true, preserveTimestamps: true })
    const { done } = await damage(folder, seed)
    const lines: string[] = []
    const store = await openRecordStore(folder, line => lines.push(line))
    expectTold(await values(store), lines, done)
    await store.write([{ key: 'new', value: Buffer.from('x') }])
    expect(await store.get('new'), done).toHaveLength(1)
    await store.close()
    await rm(folder, { recursive: true })
  }
})

test('damaged while it is open, and opened again', async () => {
  for (const seed of seeds(15)) {
    const folder = join(root, `open-${seed}`)
    await cp(sound, folder, { recursive: true, preserveTimestamps: true })
    const lines: string[] = []
    const store = await openRecordStore(folder, line => lines.push(line))
    const { done } = await damage(folder, seed)
    await noticed()
    expectTold(await values(store), lines, done)
    for (let n = 0; n < 3; n++) await store.write([{ key: `new/${n}`, value: new Uint8Array(1000) }])
    await store.flush()
    await store.close()
    const again = await openRecordStore(folder, line => lines.push(line))
    expectTold(await values(again), lines, done)
    expect(await again.get('new/2'), done).toHaveLength(1000)
    await again.close()
    await rm(folder, { recursive: true })
  }
})

test('gone while it is open', async () => {
  const folder = join(root, 'gone')
  await cp(sound, folder, { recursive: true })
  const lines: string[] = []
  const store = await openRecordStore(folder, line => lines.push(line))
  await rm(folder, { recursive: true })
  await expect.poll(() => lines, { timeout: 10_000 }).toHaveLength(1)
  for (let n = 0; n < 40; n++) await store.write([{ key: `new/${n}`, value: new Uint8Array(200_000).fill(n) }])
  await store.close()
  const again = await openRecordStore(folder, line => lines.push(line))
  expectTold(await values(again), lines, 'gone')
  expect(lines[0]).toMatch(/are gone, and new ones begun/)
  expect(await again.get('new/39')).toHaveLength(200_000)
  await again.close()
})
