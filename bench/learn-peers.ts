/**
 * The same rounds as jobs of a mesh: one peer process of one worker, and two of one each. A round's time comes from the job's
 * live state, once the shards lie where they stay; memory is the most that each process had resident since its start.
 */
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '../src/api/client.ts'
import { median } from '../src/base/statistics.ts'
import { npyHeader } from '../src/data/writers/npy.ts'
import type { TrainInit } from '../src/learn/options.ts'
import { startMeshOfProcesses } from '../test/e2e/mesh-of-processes.ts'

export interface PeersRound {
  /** Of one round. */
  seconds: number
  /** What all peers' processors worked for it; NaN, as below, where the system does not tell. */
  cpuSeconds: number
  /** Of a peer before its first job. */
  idleMiB: number
  /** By peer. */
  peakMiB: number[]
}

export interface RowsFile {
  path: string
  remove(): Promise<void>
}

/** @param x [rows, features] */
export async function writeRows(x: Float32Array, features: number): Promise<RowsFile> {
  const folder = await mkdtemp(join(tmpdir(), 'shardmesh-bench-learn-'))
  const path = join(folder, 'rows.npy')
  const file = await open(path, 'w')
  await file.write(npyHeader('float32', [x.length / features, features]))
  const piece = 4 * 1024 * 1024
  for (let at = 0; at < x.length; at += piece) await file.write(Uint8Array.from(bytesOf(x.subarray(at, at + piece))))
  await file.close()
  return { path, remove: () => rm(folder, { recursive: true, force: true }) }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength)

/** Rounds that are not counted: the summary, the first with the shards' way to the device, and tiers of compilation. */
const warmRounds = 4

/**
 * @param trainings one after the other on the same mesh
 * @returns for each what a round took
 */
export async function measurePeers(
  peers: number,
  rows: RowsFile,
  trainings: readonly TrainInit[],
  rounds: number,
  rowsPerShard: number,
): Promise<PeersRound[]> {
  const mesh = await startMeshOfProcesses(Array.from({ length: peers }, () => ({ workers: 1 })))
  const pids = mesh.peers.map(peer => peer.pid)
  try {
    const measured: PeersRound[] = []
    const [idleMiB] = await Promise.all(pids.map(peakOf))
    for (const init of trainings) {
      const options = { ...init, roundsMax: warmRounds + rounds }
      const request = { inputs: [rows.path], cwd: '/', options, table: { rowsPerShard } }
      const { job } = await mesh.clients[0].submit({ workload: 'train', ...request })
      const round = await paceOf(mesh.clients[0], job, () => cpuOf(pids))
      measured.push({ ...round, idleMiB, peakMiB: await Promise.all(pids.map(peakOf)) })
    }
    return measured
  } finally {
    await mesh.stop()
  }
}

/** Seconds of a round once all is warm, from what the job's watchers are told. */
async function paceOf(client: Client, job: string, cpu: () => Promise<number>) {
  const begun: { round: number; ms: number; cpu: number }[] = []
  for await (const state of client.watch(job)) {
    if (state.round >= warmRounds && state.round !== begun.at(-1)?.round)
      begun.push({ round: state.round, ms: performance.now(), cpu: await cpu() })
    if (state.outcome && state.phase !== 'final') throw new Error(`the training ended as ${state.phase}`)
  }
  const last = begun.at(-1)
  if (!last || last.round - begun[0].round < 2) throw new Error('too few rounds were seen: take more')
  // What is told of a job lags behind it by up to a tenth of a second: pairs far apart.
  const half = Math.floor(begun.length / 2)
  const paces = begun
    .slice(0, begun.length - half)
    .map((from, i) => (begun[i + half].ms - from.ms) / (begun[i + half].round - from.round))
  const cpuSeconds = (last.cpu - begun[0].cpu) / (last.round - begun[0].round)
  return { seconds: median(paces) / 1000, cpuSeconds }
}

/** MiB that the process had resident at most since it began; Linux alone tells. */
async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1] ?? Number.NaN) / 1024
}

/** Seconds that these processes have worked; the system counts hundredths. */
async function cpuOf(pids: readonly number[]): Promise<number> {
  let sum = 0
  for (const pid of pids) {
    // After the name, which may hold blanks: fields 14 and 15 of proc(5).
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ')')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    sum += (Number(fields[11] ?? Number.NaN) + Number(fields[12] ?? Number.NaN)) / 100
  }
  return sum
}
