/** Large networks are looked at off the main thread: the peer answers meanwhile, the submission can be stopped, and it has an end. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectClient } from '../../src/api/client.ts'
import { serveApi } from '../../src/api/server.ts'
import { blockId } from '../../src/base/ids.ts'
import { startPeerProcess } from '../../src/cli/demo/peer-process.ts'
import { encodeModel } from '../../src/compute/onnx/encode.ts'
import { newReport } from '../../src/data/tables/options.ts'
import { createGraphWriter } from '../../src/learn/export/graph.ts'
import type { Control, JobRequest } from '../../src/peer/control.ts'
import { socketPathOf } from '../../src/peer/home.ts'
import { type Peer, startPeer } from '../../src/peer/peer.ts'
import { createSubmitters } from '../../src/peer/submitter/submitter.ts'
import { peer as command } from '../e2e/peer-command.ts'

const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-submitter-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** Layers of `size` x `size` weights, of which each takes its time to read, to fold and to try. */
function large(layers: number, size: number): Uint8Array {
  const graph = createGraphWriter('large')
  let x = graph.input({ name: 'features', type: 'float32', dims: ['rows', 3] })
  const weights = new Float32Array(size * size).map((_, i) => ((i % 13) - 6) / size)
  x = graph.op('MatMul', [x, graph.constant('first', [3, size], weights.subarray(0, 3 * size))])
  for (let layer = 0; layer < layers; layer++)
    x = graph.op('MatMul', [x, graph.constant(`w${layer}`, [size, size], weights)])
  graph.output(
    { name: 'scores', type: 'float32', dims: ['rows', 1] },
    graph.op('ReduceMean', [x], { axes: [1], keepdims: 1 }),
  )
  return encodeModel(graph.finish())
}

/** A small file that takes hours: products of constants that it makes itself. */
function endless(): Uint8Array {
  const graph = createGraphWriter('endless')
  const rows = graph.input({ name: 'features', type: 'float32', dims: ['rows', 3] })
  const one = graph.constant('one', [1], [1])
  let product = graph.op('Expand', [one, graph.int64('shape', [4000, 4000])])
  for (let n = 0; n < 50; n++) product = graph.op('MatMul', [product, product])
  const sum = graph.op('ReduceMean', [product], { axes: [0, 1], keepdims: 0 })
  const scores = graph.op('Add', [graph.op('ReduceMean', [rows], { axes: [1], keepdims: 1 }), sum])
  graph.output({ name: 'scores', type: 'float32', dims: ['rows', 1] }, scores)
  return encodeModel(graph.finish())
}

writeFileSync(join(scratch, 'rows.csv'), 'a,b,c\n1,2,3\n4,5,6\n')
writeFileSync(join(scratch, 'large.onnx'), large(8, 1500))
writeFileSync(join(scratch, 'endless.onnx'), endless())

const score = (model: string): JobRequest => ({
  workload: 'score',
  inputs: ['rows.csv'],
  cwd: scratch,
  models: [model],
})
const base = { alone: true, mdns: false, listen: [], backend: 'wasm' as const, workers: 1 }

let peer: Peer
beforeAll(async () => {
  peer = await startPeer({ ...base, data: join(scratch, 'one') })
})
afterAll(() => peer.stop())

/** The longest time that the event loop was away, and how long it all took. */
async function stallOf(work: () => Promise<unknown>): Promise<{ longestMs: number; wholeMs: number }> {
  const startMs = performance.now()
  let lastMs = startMs
  let longestMs = 0
  const tick = () => {
    const nowMs = performance.now()
    longestMs = Math.max(longestMs, nowMs - lastMs)
    lastMs = nowMs
  }
  const timer = setInterval(tick, 5)
  try {
    await work()
  } finally {
    tick()
    clearInterval(timer)
  }
  return { longestMs, wholeMs: performance.now() - startMs }
}

test('a network of 72 MB is submitted while the event loop goes on', { timeout: 120_000 }, async () => {
  let job = ''
  const { longestMs, wholeMs } = await stallOf(async () => {
    ;({ job } = await peer.submit(score('large.onnx')))
  })
  // No figure of this machine: what was done on the main thread would be most of the whole.
  expect(longestMs / wholeMs).toBeLessThan(0.5)
  for await (const { outcome } of peer.watch(job)) if (outcome) expect(outcome.phase).toBe('final')
})

test('one that takes hours is stopped by its submitter, and the peer answers meanwhile', async () => {
  const abort = new AbortController()
  const submitted = peer.submit(score('endless.onnx'), abort.signal)
  submitted.catch(() => {}) // seen below
  const { longestMs, wholeMs } = await stallOf(async () => {
    for (let n = 0; n < 100; n++) {
      await peer.jobs()
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  })
  expect(longestMs / wholeMs).toBeLessThan(0.5)
  abort.abort()
  await expect(submitted).rejects.toMatchObject({ code: 'SUBMIT_STOPPED', kind: 'aborted' })
  await expect(peer.submit(score('endless.onnx'), AbortSignal.abort())).rejects.toMatchObject({
    code: 'SUBMIT_STOPPED',
  })
})

test('it has a limit, and a peer that stops does not wait for it', async () => {
  const other = await startPeer({ ...base, data: join(scratch, 'two'), submitStallMs: 1500 })
  await expect(other.submit(score('endless.onnx'))).rejects.toMatchObject({
    code: 'SUBMIT_STALLED',
    message: expect.stringContaining('within 1.5 s'),
  })
  const left = other.submit(score('endless.onnx'))
  left.catch(() => {}) // seen below
  await other.stop()
  await expect(left).rejects.toMatchObject({ code: 'SUBMIT_STOPPED' })
})

test('the command line: Ctrl-C ends the submission at the running peer too', { timeout: 60_000 }, async () => {
  const arrived = Promise.withResolvers<void>()
  const control: Control = {
    ...peer,
    submit(request, signal) {
      arrived.resolve()
      return peer.submit(request, signal)
    },
  }
  const api = await serveApi(control, peer.home.socketPath)
  const before = (await peer.jobs()).length
  const args = ['submit', 'score', 'rows.csv', '--model', 'endless.onnx', '--data', join(scratch, 'one')]
  const ran = await command(args, { cwd: scratch, signal: 'SIGINT', signalAfter: arrived.promise })
  expect([ran.code, ran.stderr]).toEqual([expect.any(Number), expect.stringContaining('stopped')])
  expect(ran.code).not.toBe(0)
  expect(await peer.jobs()).toHaveLength(before)
  await api.stop()
})

test('SIGTERM ends a peer that looks at such a network', { timeout: 60_000 }, async () => {
  const data = join(scratch, 'daemon')
  const daemon = await startPeerProcess({
    data,
    name: 'd',
    listen: '/ip4/127.0.0.1/tcp/0',
    backend: 'wasm',
    workers: 1,
    mdns: false,
  })
  const ended = new Promise(resolve => daemon.child.once('exit', (code, signal) => resolve([code, signal])))
  const client = await connectClient(socketPathOf(data))
  const submission = client.submit(score('endless.onnx'))
  submission.catch(() => {}) // seen below
  // The request is there at once; its network is read and tried meanwhile.
  await new Promise(resolve => setTimeout(resolve, 2000))
  daemon.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
  await expect(submission).rejects.toThrow()
  await client.close()
})

test('a thread that read one submission reads the next, of which the first one can end nothing', async () => {
  writeFileSync(join(scratch, 'bad.csv'), 'a,b\n1,2\noops,3\n4,5\n')
  const submitters = createSubmitters({ local: async () => undefined, stallMs: 60_000 })
  const store = { put: async (bytes: Uint8Array) => blockId(bytes) }
  const train = (file: string): JobRequest => ({
    workload: 'train',
    inputs: [file],
    cwd: scratch,
    options: { method: 'kmeans', k: 2 },
    table: { badRows: 'skip' },
  })
  async function read(file: string, meanwhile = () => {}) {
    const submitter = submitters.open()
    const report = newReport()
    const { source } = await submitter.prepare(train(file), store)
    meanwhile()
    const shards = (await submitter.open({ source, names: [file], cwd: scratch }))(store, report)
    let items = 0
    for await (const shard of shards) items += shard.items
    submitter.close()
    return { submitter, items, skipped: report.skipped }
  }
  const first = await read('bad.csv')
  expect(first).toMatchObject({ items: 2, skipped: 1 })
  const second = await read('rows.csv', () => first.submitter.close())
  expect(second).toMatchObject({ items: 2, skipped: 0 })
  const given = submitters.open()
  given.close()
  await expect(given.prepare(train('rows.csv'), store)).rejects.toMatchObject({ code: 'SUBMIT_STOPPED' })
  expect(await read('bad.csv')).toMatchObject({ items: 2, skipped: 1 })
  submitters.close()
})
