/** Training and scoring by peers that are processes, one of which is killed in a middle round: the same bits. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { parse } from 'csv-parse/sync'
import { afterAll, expect, test } from 'vitest'
import { type Client, connectClient } from '../../src/api/client.ts'
import { packageRoot } from '../../src/base/package-root.ts'
import { type PeerProcess, startPeerProcess } from '../../src/cli/demo/peer-process.ts'
import type { JobRequest, ResultItem } from '../../src/peer/control.ts'
import { socketPathOf } from '../../src/peer/home.ts'
import { runFeatures } from '../learn/ort.ts'
import { type ProcessMesh, startMeshOfProcesses, until } from './mesh-of-processes.ts'

const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-learn-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const csv = join(scratch, 'digits.csv')
writeFileSync(csv, gunzipSync(readFileSync(join(packageRoot, 'test/fixtures/learning/data/digits.csv.gz'))))

const training: JobRequest = {
  workload: 'train',
  inputs: [csv],
  cwd: scratch,
  options: { method: 'softmax', divide: 16 },
  table: { label: '-1', rowsPerShard: 50 },
}

async function resultOf(client: Client, job: string): Promise<ResultItem[]> {
  const items: ResultItem[] = []
  for await (const item of client.results(job)) items.push(item)
  return items
}

/** The model's file, once the job is done. */
async function modelOf(client: Client, job: string): Promise<Buffer> {
  await until(async () => (await client.job(job)).outcome !== undefined, 'the training ends', 120_000)
  const items = await resultOf(client, job)
  expect(items[0]).toMatchObject({ type: 'model', method: 'softmax', rows: 1797 })
  return Buffer.concat(items.flatMap(item => (item.type === 'bytes' ? [item.bytes] : [])))
}

/** Two peers that are started, killed and started again with the same data folders. */
async function startTwo(): Promise<PeerProcess[]> {
  const processes: PeerProcess[] = []
  for (const name of ['one', 'two']) {
    const base = { data: join(scratch, name), name, backend: 'wasm' as const, workers: 1, mdns: false }
    processes.push(await startPeerProcess({ ...base, listen: '/ip4/127.0.0.1/tcp/0', join: processes[0]?.token }))
  }
  return processes
}

async function withClient<T>(name: string, run: (client: Client) => Promise<T>): Promise<T> {
  const client = await connectClient(socketPathOf(join(scratch, name)))
  try {
    return await run(client)
  } finally {
    await client.close()
  }
}

async function withMesh<T>(peers: number, run: (mesh: ProcessMesh) => Promise<T>): Promise<T> {
  const mesh = await startMeshOfProcesses(Array.from({ length: peers }, () => ({})))
  try {
    return await run(mesh)
  } finally {
    await mesh.stop()
  }
}

test('a peer that is killed in a middle round costs no bit of the model, and the mesh scores with it', async () => {
  const alone = await withMesh(1, async ({ clients: [client] }) => modelOf(client, (await client.submit(training)).job))
  await withMesh(2, async ({ peers, clients: [client] }) => {
    const { job } = await client.submit(training)
    await until(async () => {
      const { round, shares } = await client.job(job)
      return round >= 3 && shares.filter(share => share.itemsDone > 0).length === 2
    }, 'both peers compute in a middle round')
    await peers[1].kill('SIGKILL')
    const model = await modelOf(client, job)
    expect(model.equals(alone)).toBe(true)
    expect((await client.job(job)).objective?.name).toContain('loss')

    const file = join(scratch, 'digits.onnx')
    writeFileSync(file, model)
    const scored = await client.submit({
      workload: 'score',
      inputs: [csv],
      cwd: scratch,
      models: [file],
      table: { label: '-1', rowsPerShard: 200 },
    })
    await until(async () => (await client.job(scored.job)).outcome !== undefined, 'the scoring ends')
    const [header, ...parts] = await resultOf(client, scored.job)
    expect(header).toMatchObject({ type: 'columns', key: 'row', rows: 1797, errors: 0 })
    const labels = parts.flatMap(part => {
      if (part.type !== 'rows') return []
      const width = part.rows.numbers.length / part.rows.rows
      return Array.from({ length: part.rows.rows }, (_, row) => part.rows.numbers[row * width])
    })
    const records: string[][] = parse(readFileSync(csv))
    const digits = records.map(row => row.map(Number)).filter(row => row.every(Number.isFinite))
    const theirs = await runFeatures(
      model,
      digits.map(row => row.slice(0, -1)),
    )
    expect(labels).toEqual(theirs.label)
    const right = labels.filter((label, row) => label === digits[row].at(-1)).length
    expect(right / digits.length).toBeGreaterThan(0.95)
  })
}, 240_000)

test('a mesh that is killed whole goes on at its last round, with the same bits', async () => {
  const alone = await withMesh(1, async ({ clients: [client] }) => modelOf(client, (await client.submit(training)).job))
  let processes = await startTwo()
  try {
    const job = await withClient('one', async client => {
      const { job } = await client.submit(training)
      await until(async () => (await client.job(job)).round >= 10, 'ten rounds')
      return job
    })
    for (const one of processes) one.kill('SIGKILL')
    await Promise.all(processes.map(one => one.stop()))
    processes = await startTwo()
    await withClient('one', async client => {
      // Not from the beginning: at most the round that was computed is computed again.
      await until(async () => (await client.job(job)).shares.some(share => share.itemsDone > 0), 'the job goes on')
      expect((await client.job(job)).round).toBeGreaterThanOrEqual(9)
      expect((await modelOf(client, job)).equals(alone)).toBe(true)
    })
  } finally {
    await Promise.all(processes.map(one => one.stop()))
  }
}, 240_000)
