/**
 * Every file of a data folder, damaged by a seed, at rest and under a running peer. The peer starts or goes on, or says one
 * line; what differs afterwards (who it is, its mesh, its jobs, their results) is said.
 */
import { createHash } from 'node:crypto'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { PeerError } from '../../src/base/errors.ts'
import type { Control, JobRequest } from '../../src/peer/control.ts'
import type { Peer, PeerInit } from '../../src/peer/peer.ts'
import { damage, seeds } from '../fixtures/damage.ts'
import { end, type SomePeers, somePeers } from './some-peers.ts'

let some: SomePeers
let sound: string
let before: Seen
const quiet: Partial<PeerInit> = { compute: false, join: undefined }

/** What a user sees of a peer. */
interface Seen {
  self: string
  mesh: string
  results: Map<string, string>
}

beforeAll(async () => {
  some = await somePeers(150)
  const peer = await some.start('sound')
  sound = peer.home.folder
  const { inputs, cwd } = some.request
  const features: JobRequest = { workload: 'features', inputs, cwd, features: { kind: 'hog', height: 64, width: 64 } }
  for (const request of [some.request, features, some.request]) await end(peer, (await peer.submit(request)).job)
  await some.stop(peer)
  // Some openings make tables of logs.
  for (let round = 0; round < 2; round++) await some.stop(await some.start('sound', quiet))
  const again = await some.start('sound', quiet)
  before = await look(again, [])
  await some.stop(again)
  expect(before.results.size).toBe(3)
})
afterEach(() => some.stopAll())
afterAll(() => some.end())

/** A result that cannot be read says so: that is a line as well. */
async function look(peer: Peer, lines: string[]): Promise<Seen> {
  const { peer: self, mesh } = await peer.info()
  const results = new Map<string, string>()
  for (const { job, phase } of await peer.jobs()) {
    if (phase !== 'final') continue
    try {
      results.set(job, await digest(peer, job))
    } catch (thrown) {
      lines.push(lineOf(thrown))
    }
  }
  return { self, mesh, results }
}

async function digest(control: Control, job: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const item of control.results(job)) {
    if (item.type === 'bytes') hash.update(item.bytes)
    else hash.update(JSON.stringify(item, (_, value) => (ArrayBuffer.isView(value) ? [...(value as never)] : value)))
  }
  return hash.digest('hex')
}

/** An error for the user is one line; anything else is a bug. */
function lineOf(thrown: unknown): string {
  if (!(thrown instanceof PeerError)) throw thrown
  expect(thrown.message).not.toMatch(/\n| {4}at |broken invariant/)
  return thrown.message
}

function expectTold(seen: Seen, lines: string[], done: string): void {
  for (const [job, digest] of seen.results) expect(digest, `${done}: job ${job}`).toBe(before.results.get(job))
  const same = seen.self === before.self && seen.mesh === before.mesh && seen.results.size === before.results.size
  if (!same)
    expect(
      lines,
      `${done}: ${JSON.stringify([seen.self === before.self, seen.mesh === before.mesh, seen.results.size])}`,
    ).not.toEqual([])
  for (const line of lines) expect(line, done).not.toMatch(/\n/)
}

async function copyOf(name: string): Promise<string> {
  const folder = join(some.scratch, name)
  await cp(sound, folder, { recursive: true, filter: file => !file.endsWith('.sock') })
  return folder
}

const start = (name: string, lines: string[]) => some.start(name, { ...quiet, onWarning: line => lines.push(line) })

test('damaged at rest', { timeout: 600_000 }, async () => {
  for (const seed of seeds(16)) {
    const name = `rest-${seed}`
    const folder = await copyOf(name)
    const { done } = await damage(folder, seed)
    const lines: string[] = []
    try {
      const peer = await start(name, lines)
      expectTold(await look(peer, lines), lines, done)
      await some.stop(peer)
    } catch (thrown) {
      if (!(thrown instanceof PeerError)) throw new Error(done, { cause: thrown })
      lineOf(thrown)
    }
    await rm(folder, { recursive: true, force: true })
  }
})

test('damaged under a running peer, which is started again', { timeout: 600_000 }, async () => {
  for (const seed of seeds(10)) {
    const name = `runs-${seed}`
    const folder = await copyOf(name)
    const lines: string[] = []
    const peer = await start(name, lines)
    const { done } = await damage(folder, seed)
    await new Promise(resolve => setTimeout(resolve, 30))
    expectTold(await look(peer, lines), lines, done)
    await some.stop(peer)
    try {
      const again = await start(name, lines)
      expectTold(await look(again, lines), lines, done)
      await some.stop(again)
    } catch (thrown) {
      if (!(thrown instanceof PeerError)) throw new Error(done, { cause: thrown })
      lineOf(thrown)
    }
    await rm(folder, { recursive: true, force: true })
  }
})

test('folders of a data folder that vanish', { timeout: 120_000 }, async () => {
  for (const gone of ['records', 'blocks', 'blocks/small']) {
    const name = `gone-${gone.replace('/', '-')}`
    const folder = await copyOf(name)
    await rm(join(folder, gone), { recursive: true })
    const lines: string[] = []
    const peer = await start(name, lines)
    expect(lines.join('\n'), gone).toMatch(/is gone, and a new one is begun|not whole here any more/)
    await some.stop(peer)
  }
})

test('without the identity its results can be fetched, and that it is new is said', { timeout: 60_000 }, async () => {
  const folder = await copyOf('nobody')
  await rm(join(folder, 'identity'))
  const lines: string[] = []
  const peer = await start('nobody', lines)
  const seen = await look(peer, lines)
  expect(seen.self).not.toBe(before.self)
  expect(seen.results).toEqual(before.results)
  expect(lines).toEqual([expect.stringMatching(/^the identity in .* is another than before: /)])
  await some.stop(peer)
})

test('all of it removed under a running peer is said then, and at the next start', { timeout: 60_000 }, async () => {
  const folder = await copyOf('emptied')
  const lines: string[] = []
  const peer = await start('emptied', lines)
  for (const name of ['identity', 'mesh.json', 'records', 'blocks']) await rm(join(folder, name), { recursive: true })
  await expect.poll(() => lines.join('\n'), { timeout: 10_000 }).toMatch(/records .* are gone, and new ones begun/)
  await some.stop(peer)
  const later: string[] = []
  await some.stop(await start('emptied', later))
  expect(later.join('\n')).toMatch(/the identity in .* is another than before/)
})

test('an identity and a mesh of which one bit is wrong are no others', async () => {
  for (const [file, code, at] of [
    ['identity', 'IDENTITY_DAMAGED', 20],
    ['identity', 'IDENTITY_DAMAGED', 50],
    ['mesh.json', 'MESH_FILE_DAMAGED', 20],
  ] as const) {
    const folder = await copyOf(`bit-${file}-${at}`)
    const bytes = await readFile(join(folder, file))
    bytes[at] ^= 1
    await writeFile(join(folder, file), bytes)
    await expect(start(`bit-${file}-${at}`, [])).rejects.toMatchObject({ code })
  }
})
