/** What goes wrong, one entry a row of the matrix: when, to whom, and how it is put right again. */
import type { JobSummary } from '../../../src/peer/control.ts'
import { until } from '../mesh-of-processes.ts'
import type { ChaosNetwork } from './network.ts'
import { type ChaosPeer, type ChaosPeers, knowEachOther } from './peers.ts'
import type { JobWatch } from './watch.ts'

export interface Scene {
  network: ChaosNetwork
  peers: ChaosPeers
  watch: JobWatch
  job: string
  submitter: ChaosPeer
  /** The job as some peer saw it when the fault was due. */
  before: JobSummary
  /** Says what happened beside the figures. */
  note(text: string): void
}

export interface Struck {
  /** Peers whose work must be leased again. */
  victims: ChaosPeer[]
  /** Resolves when all is right again. */
  after?: Promise<void>
}

export interface Fault {
  readonly name: string
  /** Other peers hold the inputs before the fault. */
  readonly copies?: number
  /** Peers whose data folder is on a disk of this size. */
  readonly smallDiskBytes?: number
  /** One peer says of each of its results that it is another shard's. */
  readonly liar?: boolean
  readonly needsNamespaces?: boolean
  /** Resolves when it has struck. */
  strike(scene: Scene): Promise<Struck>
  /** Before the job is submitted. False: it cannot be had on this machine. */
  prepare?(network: ChaosNetwork): Promise<boolean>
}

const stopMs = 10_000
const cutMs = 15_000
const rejoinMsMax = 30_000

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

function leaderOf({ peers, before }: Scene): ChaosPeer {
  const leader = peers.byKey(before.leader)
  if (!leader) throw new Error('the job has no leader')
  return leader
}

/** One that has leases, and is neither the leader nor the submitter. */
function workerOf(scene: Scene): ChaosPeer {
  const { peers, before, submitter } = scene
  const leader = leaderOf(scene)
  const busy = before.shares.toSorted((a, b) => b.leased - a.leased).map(share => peers.byKey(share.peer))
  const worker = [...busy, ...peers.living()].find(peer => peer && peer !== leader && peer !== submitter)
  if (!worker) throw new Error('there is no worker besides the leader and the submitter')
  return worker
}

async function timed(scene: Scene, what: string, work: () => Promise<void>): Promise<void> {
  const startMs = performance.now()
  await work()
  scene.note(`${what} ${((performance.now() - startMs) / 1000).toFixed(1)} s`)
}

async function rejoined(scene: Scene): Promise<void> {
  await timed(scene, 'all know all after', () =>
    until(() => knowEachOther(scene.peers.living()), 'the peers know each other again', rejoinMsMax),
  )
}

/** Hangs `peer` for a while, as a laptop's lid does. */
async function stopped(scene: Scene, peer: ChaosPeer): Promise<void> {
  peer.process.kill('SIGSTOP')
  await pause(stopMs)
  peer.process.kill('SIGCONT')
  await rejoined(scene)
}

export const faults: Fault[] = [
  { name: 'nothing', strike: async () => ({ victims: [] }) },
  {
    name: 'kill-worker',
    async strike(scene) {
      const worker = workerOf(scene)
      void scene.peers.kill(worker)
      return { victims: [worker] }
    },
  },
  {
    name: 'kill-leader',
    async strike(scene) {
      const leader = leaderOf(scene)
      void scene.peers.kill(leader)
      return { victims: [leader] }
    },
  },
  {
    name: 'kill-both',
    async strike(scene) {
      const both = [leaderOf(scene), workerOf(scene)]
      for (const victim of both) void scene.peers.kill(victim)
      return { victims: both }
    },
  },
  {
    name: 'stop-worker',
    async strike(scene) {
      const worker = workerOf(scene)
      return { victims: [worker], after: stopped(scene, worker) }
    },
  },
  {
    name: 'stop-leader',
    async strike(scene) {
      const leader = leaderOf(scene)
      return { victims: [leader], after: stopped(scene, leader) }
    },
  },
  {
    name: 'cut',
    needsNamespaces: true,
    async strike(scene) {
      const leader = leaderOf(scene)
      const worker = workerOf(scene)
      await scene.network.cut([leader.index, worker.index])
      const after = pause(cutMs).then(async () => {
        await scene.network.heal()
        await rejoined(scene)
      })
      return { victims: [], after }
    },
  },
  {
    name: 'lossy',
    needsNamespaces: true,
    prepare: network => network.lossy(),
    strike: async () => ({ victims: [] }),
  },
  {
    name: 'submitter-leaves',
    copies: 1,
    async strike(scene) {
      await until(
        async () => {
          const { copies, outcome } = await scene.submitter.client.job(scene.job)
          if (outcome) scene.note('the job was over before others held the inputs')
          return outcome !== undefined || copies?.safe === true
        },
        'others hold the inputs',
        60_000,
      )
      await scene.peers.leave(scene.submitter)
      return { victims: [] }
    },
  },
  {
    name: 'restart-all',
    async strike(scene) {
      await Promise.all(scene.peers.living().map(peer => scene.peers.kill(peer)))
      for (const peer of scene.peers.all) await scene.peers.restart(peer)
      return { victims: [] }
    },
  },
  { name: 'disk-full', smallDiskBytes: 2.5 * 1024 * 1024, strike: async () => ({ victims: [] }) },
  { name: 'liar', liar: true, strike: async () => ({ victims: [] }) },
]
