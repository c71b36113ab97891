/** Records through kills, damage and a full disk. */
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ClassicLevel } from 'classic-level'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openRecordStore, type RecordStore } from '../../../src/data/store/record-store.ts'
import { onSmallDisk } from '../../fixtures/small-disk.ts'

let root: string
let count = 0
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shardmesh-records-'))
})
afterAll(() => rm(root, { recursive: true }))
const fresh = () => join(root, `records-${count++}`)
const text = (value: Uint8Array) => Buffer.from(value).toString()
const record = (key: string, value: string) => ({ key, value: Buffer.from(value) })

async function all(store: RecordStore, prefix = ''): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for await (const [key, value] of store.entries(prefix)) found[key] = text(value)
  return found
}

test('gives back what was written, by prefix and in the order of the keys', async () => {
  const folder = fresh()
  const store = await openRecordStore(folder, () => {})
  await store.write([record('b/2', 'two'), record('a', ''), record('b/1', 'one'), record('c', 'x')])
  await store.write([{ key: 'c' }, record('b/2', 'zwei'), { key: 'never' }])
  await store.flush()
  await store.close()
  const again = await openRecordStore(folder, () => {})
  expect(Object.entries(await all(again, 'b/'))).toEqual([
    ['b/1', 'one'],
    ['b/2', 'zwei'],
  ])
  expect(Object.keys(await all(again))).toEqual(['a', 'b/1', 'b/2', 'synced'])
  await again.clear('b/')
  expect(await all(again, 'b/')).toEqual({})
  await again.close()
})

test('what comes after the end is refused, and the folder is free for the next', async () => {
  const folder = fresh()
  const store = await openRecordStore(folder, () => {})
  await store.write([record('a', 'one')])
  await store.close()
  for (const value of ['two', 'three'])
    await expect(store.write([record('a', value)])).rejects.toMatchObject({ code: 'STORE_CLOSED', kind: 'aborted' })
  const again = await openRecordStore(folder, () => {})
  expect(await all(again)).toEqual({ a: 'one' })
  await again.close()
})

test('a second process is refused with a line that says what to do', async () => {
  const folder = fresh()
  const store = await openRecordStore(folder, () => {})
  await expect(openRecordStore(folder, () => {})).rejects.toMatchObject({
    code: 'PEER_RUNNING',
    message: expect.stringMatching(/^a peer already runs with this data folder; [^\n]+$/),
  })
  await store.close()
})

test('what was acknowledged before SIGKILL is there, and batches are whole', { timeout: 60_000 }, async () => {
  const folder = fresh()
  const writer = `
    import { openRecordStore } from ${JSON.stringify(fileURLToPath(new URL('../../../src/data/store/record-store.ts', import.meta.url)))}
    const store = await openRecordStore(${JSON.stringify(folder)}, () => {})
    for (let n = 0; ; n++) {
      const value = Buffer.alloc(1000, n)
      await store.write([{ key: 'x/' + n, value }, { key: 'y/' + n, value }])
      process.stdout.write(n + '\\n')
    }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', writer], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', chunk => {
    out += chunk
    if (out.split('\n').length > 300) child.kill('SIGKILL')
  })
  await new Promise(resolve => child.on('close', resolve))
  const acknowledged = Number(out.split('\n').at(-2))
  expect(acknowledged).toBeGreaterThan(100)
  const store = await openRecordStore(folder, () => {})
  const found = await all(store)
  for (let n = 0; n <= acknowledged; n++) expect(found[`x/${n}`]).toHaveLength(1000)
  const places = (prefix: string) =>
    Object.keys(found)
      .filter(key => key.startsWith(prefix))
      .map(key => key.slice(2))
  expect(places('x/')).toEqual(places('y/'))
  await store.close()
})

test('a damaged record is set aside with a line, and the others stay', async () => {
  const folder = fresh()
  const store = await openRecordStore(folder, () => {})
  await store.write([record('job/1', 'one'), record('job/2', 'two'), record('job/3', 'three')])
  await store.close()
  const raw = new ClassicLevel<string, Uint8Array>(folder, { valueEncoding: 'view' })
  await raw.put('job/2', Uint8Array.of(9, 9, 9, 9, 1, 2))
  await raw.put('job/3', Uint8Array.of(1))
  await raw.close()
  const lines: string[] = []
  const again = await openRecordStore(folder, line => lines.push(line))
  expect(await all(again, 'job/')).toEqual({ 'job/1': 'one' })
  expect(lines).toHaveLength(2)
  expect(lines[0]).toMatch(/^the record job\/2 in .* is damaged: it is set aside[^\n]*$/)
  await again.setAside('job/1')
  expect(await all(again, 'job/')).toEqual({})
  await again.close()
})

test('a store whose files are damaged opens all the same', async () => {
  const harms: [string, (folder: string) => Promise<void>][] = [
    ['CURRENT', folder => rm(join(folder, 'CURRENT'))],
    ['MANIFEST', async folder => truncate(join(folder, await file(folder, /^MANIFEST/)), 3)],
    ['log', async folder => writeFile(join(folder, await file(folder, /\.log$/)), Buffer.alloc(100, 7))],
    [
      'all',
      async folder => void (await Promise.all((await readdir(folder)).map(name => writeFile(join(folder, name), 'x')))),
    ],
  ]
  for (const [what, harm] of harms) {
    const folder = fresh()
    const store = await openRecordStore(folder, () => {})
    await store.write([record('a', 'one')])
    await store.close()
    await harm(folder)
    const again = await openRecordStore(folder, () => {})
    await again.write([record('b', 'two')])
    expect(await all(again, 'b'), what).toEqual({ b: 'two' })
    await again.close()
  }
})

async function file(folder: string, pattern: RegExp): Promise<string> {
  const name = (await readdir(folder)).find(one => pattern.test(one))
  if (!name) throw new Error(`no ${pattern} in ${folder}`)
  return name
}

test('a full disk is said, nothing written before is lost, and writing goes on once there is room', async context => {
  await onSmallDisk(context, 4, async disk => {
    const folder = join(disk.folder, 'records')
    const store = await openRecordStore(folder, () => {})
    await store.write([record('before', 'safe')])
    await disk.fill()
    const much = { key: 'much', value: new Uint8Array(2 * 1024 * 1024) }
    await expect(store.write([much])).rejects.toMatchObject({ code: 'STORE_FULL', kind: 'resource' })
    await expect(store.write([much])).rejects.toMatchObject({ code: 'STORE_FULL', kind: 'resource' })
    await disk.empty()
    await store.write([record('after', 'safe too')])
    await store.close()
    const again = await openRecordStore(folder, () => {})
    expect(await all(again)).toEqual({ before: 'safe', after: 'safe too' })
    await again.close()
  })
})
