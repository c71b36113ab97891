/** One cell of the matrix: peers, a job, a fault in its middle, and what came of it. */
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { saveResult } from '../../../src/cli/save-result.ts'
import type { JobSummary } from '../../../src/peer/control.ts'
import { mountSmallDisk, type SmallDisk } from '../../fixtures/small-disk.ts'
import { until } from '../mesh-of-processes.ts'
import { type Fault, oddPeer } from './faults.ts'
import { type ChaosNetwork, openNetwork } from './network.ts'
import { type ChaosPeer, type ChaosPeers, startPeers } from './peers.ts'
import { watchJob } from './watch.ts'
import type { ChaosWork } from './workloads.ts'

export interface Cell {
  fault: string
  work: string
  /** Why it was not run. */
  skipped?: string
  /** The fault took place while the job ran: one that came too late proves nothing. */
  struck: boolean
  completed: boolean
  /** Every item has one row, and no other has. */
  exact: boolean
  /** Of the rows, in their order. */
  hash?: string
  seconds?: number
  /** From the fault to the first lease of orphaned work; absent where nothing is orphaned. */
  leasedSeconds?: number
  peakBytes: number
  notes: string[]
}

export interface CellInit {
  fault: Fault
  work: ChaosWork
  peers: number
  /** The cell fails after this. */
  limitMs: number
}

/** Of its items, at least so much is done when the fault strikes. */
const strikeShare = 0.25
const rollsMax = 8

export async function runCell({ fault, work, peers: count, limitMs }: CellInit): Promise<Cell> {
  const cell: Cell = {
    fault: fault.name,
    work: work.name,
    struck: false,
    completed: false,
    exact: false,
    peakBytes: 0,
    notes: [],
  }
  const network = await openNetwork(count)
  const folder = await mkdtemp(join(tmpdir(), 'shardmesh-chaos-'))
  let peers: ChaosPeers | undefined
  const disk = fault.smallDiskMebibytes === undefined ? undefined : await mountSmallDisk(fault.smallDiskMebibytes)
  try {
    if (fault.needsNamespaces && network.kind !== 'namespaces') return { ...cell, skipped: 'needs network namespaces' }
    if (fault.smallDiskMebibytes !== undefined && !disk) return { ...cell, skipped: 'needs a mount' }
    if (fault.prepare && !(await fault.prepare(network)))
      return { ...cell, skipped: 'needs netem in the kernel, or python3' }
    const { preload, descriptors } = fault
    const env = preload && { NODE_OPTIONS: `--import=${fileURLToPath(new URL(preload, import.meta.url))}` }
    const few = descriptors && ['sh', '-c', `ulimit -n ${descriptors}; exec "$@"`, 'sh']
    peers = await startPeers({
      network,
      count,
      folder,
      dataOf: index => (disk && index === oddPeer ? join(disk.folder, 'data') : undefined),
      envOf: index => (index === oddPeer ? env : undefined),
      underOf: index => (few && index === oddPeer ? few : []),
    })
    await strikeAndWait({ cell, fault, work, network, peers, folder, disk, limitMs })
  } catch (thrown) {
    cell.notes.push(thrown instanceof Error ? thrown.message : String(thrown))
  } finally {
    await peers?.stop().catch((thrown: unknown) => cell.notes.push(`ending: ${String(thrown)}`))
    cell.peakBytes = peers?.peakBytes() ?? 0
    await network.close()
    await disk?.unmount()
    await rm(folder, { recursive: true, force: true })
  }
  return cell
}

interface Stage {
  cell: Cell
  fault: Fault
  work: ChaosWork
  network: ChaosNetwork
  peers: ChaosPeers
  folder: string
  disk: SmallDisk | undefined
  limitMs: number
}

async function strikeAndWait({ cell, fault, work, network, peers, folder, disk, limitMs }: Stage): Promise<void> {
  const submitter = peers.all[peers.all.length - 1]
  const startMs = performance.now()
  const { job, wastedMs } = await submitted(submitter, peers.all[oddPeer], work, fault)
  const watch = watchJob(peers, job)
  try {
    const due = (summary: JobSummary) =>
      summary.leader !== undefined &&
      summary.itemsDone >= (fault.strikeShare ?? strikeShare) * work.items &&
      summary.itemsDone > 0
    const before = await watch.until((summary, peer) => peer === submitter && due(summary), limitMs)
    if (!before) throw new Error('the job did not get going')
    const note = (text: string) => cell.notes.push(text)
    const scene = { network, peers, watch, job, submitter, disk, before, note }
    const overBefore = before.outcome !== undefined || (await isOver(peers, [], job))
    const { victims, after, missed } = await fault.strike(scene)
    // Who was killed is asked no more, who hangs does not answer; a restarted mesh was asked before.
    const overAfter = fault.restarts ? overBefore : await isOver(peers, victims, job)
    // What goes wrong while it is put right is said, and the job's end waited for all the same.
    const right = after?.catch((thrown: unknown) => scene.note(`afterwards: ${String(thrown)}`))
    const leased: { value?: number } = victims.length > 0 ? watch.releasedMs(victims, before.leader ?? '') : {}
    // A peer that was restarted has another client; one that is gone, none.
    const ended = await watch.until(summary => summary.outcome !== undefined, limitMs)
    cell.seconds = (performance.now() - startMs - wastedMs) / 1000
    await right
    if (leased.value !== undefined) cell.leasedSeconds = leased.value / 1000
    const late = !fault.harmless && (overBefore || overAfter) ? 'the job was over when it struck' : undefined
    const nothing = victims.length > 0 && leased.value === undefined ? 'no orphaned work was leased again' : undefined
    const why = late ?? nothing ?? (await missed?.())
    cell.struck = why === undefined
    if (why !== undefined) cell.notes.push(`PROVES NOTHING: ${why}`)
    if (!ended) throw new Error(`the job did not end within ${limitMs / 1000} s`)
    if (ended.outcome?.phase !== 'final') throw new Error(`the job ${ended.outcome?.phase}: ${ended.outcome?.reason}`)
    const asked = submitter.alive ? peers.all[submitter.index] : peers.living()[0]
    await until(async () => (await asked.client.job(job)).outcome !== undefined, 'the result is known', 20_000)
    const out = join(folder, 'predictions.csv')
    await saveResult(asked.client.results(job), out)
    cell.completed = true
    Object.assign(cell, await judged(out, work.items))
  } finally {
    watch.stop()
  }
}

/** Whether a peer that is neither gone nor among the victims knows of the job's end. */
async function isOver(peers: ChaosPeers, victims: ChaosPeer[], job: string): Promise<boolean> {
  const asked = peers.living().filter(peer => !victims.includes(peer))
  const answers = await Promise.all(asked.map(peer => peer.client.job(job).catch(() => undefined)))
  return answers.some(answer => answer?.outcome !== undefined)
}

/** Submits until another peer leads than the submitter, which some faults end, and than the odd one: chance decides who does. */
async function submitted(submitter: ChaosPeer, odd: ChaosPeer, work: ChaosWork, fault: Fault) {
  const beganMs = performance.now()
  for (let roll = 0; ; roll++) {
    const wastedMs = performance.now() - beganMs
    const { job } = await submitter.client.submit({ ...work.request, copies: fault.copies })
    let leader: string | undefined
    await until(async () => {
      leader = (await submitter.client.job(job)).leader
      return leader !== undefined
    }, 'the job has a leader')
    const unlike = fault.preload !== undefined || fault.smallDiskMebibytes !== undefined
    const isOdd = unlike && leader === odd.key
    if ((leader !== submitter.key && !isOdd) || roll === rollsMax) return { job, wastedMs }
    await submitter.client.cancel(job)
  }
}

async function judged(csv: string, items: number): Promise<{ exact: boolean; hash: string }> {
  const text = await readFile(csv, 'utf8')
  const paths = text
    .trimEnd()
    .split('\n')
    .slice(1)
    .map(line => line.split(',')[0])
  const exact = paths.length === items && new Set(paths).size === items
  return { exact, hash: createHash('sha256').update(text).digest('hex') }
}
