/** Two peers of one name are told, and copies that nobody can hold: through the library. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { drawSamples } from '../../src/cli/demo/draw.ts'
import type { ClassifyRequest } from '../../src/peer/control.ts'
import { type Peer, startPeer } from '../../src/peer/peer.ts'

let scratch: string
const peers: Peer[] = []
const warnings: string[] = []

async function start(folder: string, name: string, join_?: string): Promise<Peer> {
  const quiet = { mdns: false, backend: 'wasm' as const, workers: 1, listen: ['/ip4/127.0.0.1/tcp/0'] }
  const onWarning = (line: string) => void warnings.push(`${folder}: ${line}`)
  const peer = await startPeer({ ...quiet, data: join(scratch, folder), name, join: join_, onWarning })
  peers.push(peer)
  return peer
}

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'shardmesh-namesakes-'))
  await drawSamples(join(scratch, 'images'), { count: 4, seed: 3 })
})
afterAll(async () => {
  for (const peer of peers.reverse()) await peer.stop()
  await rm(scratch, { recursive: true, force: true })
})

test('a peer of the same name is told on both, one of another name is not', async () => {
  const one = await start('one', 'fig')
  const { token, tokenNote } = await one.info()
  // It listens on loopback alone.
  expect(tokenNote).toContain('this machine itself')
  await start('two', 'fig', token)
  await start('three', 'kiwi', token)
  const said = (folder: string) =>
    warnings.filter(line => line.startsWith(folder) && line.includes('is called fig as well'))
  while (said('one').length === 0 || said('two').length === 0) await new Promise(resolve => setTimeout(resolve, 20))
  expect(said('one')).toHaveLength(1)
  expect(said('three')).toEqual([])
})

test('more copies than peers', async () => {
  const [one] = peers
  const models = [join(packageRoot, 'demo/models/shapes-plain')]
  const request: ClassifyRequest = {
    workload: 'classify',
    inputs: ['images'],
    cwd: scratch,
    models,
    merge: 'mean',
    top: 1,
  }
  while ((await one.peers()).filter(({ self, connected }) => !self && connected).length < 2)
    await new Promise(resolve => setTimeout(resolve, 20))
  expect((await one.submit({ ...request, copies: 2 })).notes.join()).not.toContain('to hold the inputs')
  expect((await one.submit({ ...request, copies: 5 })).notes).toContain(
    '5 other peers are to hold the inputs, and only 2 other peers are connected: the missing copies are made when more peers come',
  )
})
