/** What goes wrong, one entry a row of the matrix: when, to whom, and how it is put right again. */
import type { JobSummary } from '../../../src/peer/control.ts'
import type { SmallDisk } from '../../fixtures/small-disk.ts'
import { until } from '../mesh-of-processes.ts'
import { lied } from './liar-says.ts'
import type { ChaosNetwork } from './network.ts'
import { type ChaosPeer, type ChaosPeers, knowEachOther } from './peers.ts'
import type { JobWatch } from './watch.ts'

export interface Scene {
  network: ChaosNetwork
  peers: ChaosPeers
  watch: JobWatch
  job: string
  submitter: ChaosPeer
  /** What the odd peer's data folder is on. */
  disk?: SmallDisk
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
  /** When all is over: why the fault proves nothing; undefined where it took place. */
  missed?: () => Promise<string | undefined>
}

/** The peer that is unlike the others: neither the first of the mesh nor the one that submits. */
export const oddPeer = 1

export interface Fault {
  readonly name: string
  /** It is none: whenever it comes is soon enough. */
  readonly harmless?: boolean
  /** Of the items, so much is done at least when it strikes; default a quarter. */
  readonly strikeShare?: number
  /** Other peers hold the inputs before the fault. */
  readonly copies?: number
  /** The odd peer's data folder is on a disk of so many megabytes. */
  readonly smallDiskMebibytes?: number
  /** A module beside this one that the odd peer loads before its own. */
  readonly preload?: './liar.ts' | './no-decoder.ts'
  /** The odd peer may have so many files open. */
  readonly descriptors?: number
  readonly needsNamespaces?: boolean
  /** Every peer is ended and started: none can say right afterwards how the job stands. */
  readonly restarts?: boolean
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

/** Leaves the odd peer's disk no byte until it pauses: what it frees of its cache is taken too. */
async function filled(scene: Scene): Promise<Struck> {
  const { disk, peers, watch, job } = scene
  if (!disk) throw new Error('the odd peer has no disk of its own')
  const odd = peers.all[oddPeer]
  const asked = peers.living().find(peer => peer !== odd)
  const pausedOf = async () => (await asked?.client.peers())?.find(peer => peer.peer === odd.key)?.paused
  const startMs = performance.now()
  let paused: string | undefined
  let over = false
  while (paused === undefined && !over) {
    await disk.fill()
    await pause(20)
    paused = await pausedOf()
    over = (await asked?.client.job(job))?.outcome !== undefined
  }
  const { itemsDone, itemsTotal } = (await asked?.client.job(job)) ?? { itemsDone: 0, itemsTotal: 0 }
  const { warnings } = await odd.client.info()
  const said = warnings.find(warning => warning.startsWith('paused: ') && warning.includes('full'))
  if (paused !== undefined) {
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
    scene.note(`paused after ${seconds} s at ${itemsDone} of ${itemsTotal}`)
  }
  let pausedToTheEnd: string | undefined
  const after = watch
    .until(summary => summary.outcome !== undefined, 600_000)
    .then(async () => {
      pausedToTheEnd = await pausedOf()
      await disk.empty()
      await timed(scene, 'goes on after', () =>
        until(async () => (await pausedOf()) === undefined, 'the peer goes on', rejoinMsMax),
      )
    })
  return {
    victims: [],
    after,
    async missed() {
      if (paused === undefined || over) return 'the job was over before the peer with the full disk paused'
      if (said === undefined) return 'the peer did not say that its disk is full'
      return pausedToTheEnd === undefined ? 'the peer went on before the job was over' : undefined
    },
  }
}

/** Whether two peers of different halves have lost each other. */
async function apart(here: ChaosPeer[], there: ChaosPeer[]): Promise<boolean> {
  const keys = new Set(there.map(peer => peer.key))
  for (const peer of here) {
    const seen = await peer.client.peers()
    if (seen.some(other => keys.has(other.peer) && other.connected)) return false
  }
  return true
}

/** Hangs `peer` for a while, as a laptop's lid does. */
async function stopped(scene: Scene, peer: ChaosPeer): Promise<void> {
  peer.process.kill('SIGSTOP')
  await pause(stopMs)
  peer.process.kill('SIGCONT')
  await rejoined(scene)
}

export const faults: Fault[] = [
  { name: 'nothing', harmless: true, strike: async () => ({ victims: [] }) },
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
      const half = [leader, worker]
      const others = scene.peers.living().filter(peer => !half.includes(peer))
      await scene.network.cut(half.map(peer => peer.index))
      let wasApart = false
      const after = pause(cutMs).then(async () => {
        wasApart = (await apart(half, others)) && (await apart(others, half))
        await scene.network.heal()
        await rejoined(scene)
      })
      return { victims: [], after, missed: async () => (wasApart ? undefined : 'the halves never lost each other') }
    },
  },
  {
    name: 'lossy',
    needsNamespaces: true,
    prepare: network => network.lossy(),
    async strike({ network, note }) {
      const before = await network.lost()
      return {
        victims: [],
        async missed() {
          const lost = (await network.lost()) - before
          note(`${lost} packets lost`)
          return lost > 0 ? undefined : 'no packet was lost'
        },
      }
    },
  },
  {
    name: 'submitter-leaves',
    copies: 1,
    async strike(scene) {
      await until(
        async () => {
          const { copies, outcome } = await scene.submitter.client.job(scene.job)
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
    restarts: true,
    async strike(scene) {
      await Promise.all(scene.peers.living().map(peer => scene.peers.kill(peer)))
      for (const peer of scene.peers.all) await scene.peers.restart(peer)
      return { victims: [] }
    },
  },
  // Early: a peer first frees what it only caches, and pauses once nothing of that is left.
  { name: 'disk-full', smallDiskMebibytes: 64, strikeShare: 0.05, strike: filled },
  {
    name: 'liar',
    preload: './liar.ts',
    async strike({ peers, note }) {
      const { process } = peers.all[oddPeer]
      return {
        victims: [],
        async missed() {
          const lies = process.output().split(lied).length - 1
          note(`${lies} lies`)
          return lies > 0 ? undefined : 'it told no lie'
        },
      }
    },
  },
  // Both are so from the start: what counts is that nobody else is the worse for it, and that the peer says so.
  {
    name: 'no-decoder',
    preload: './no-decoder.ts',
    async strike({ peers }) {
      return { victims: [], missed: async () => saysNot(peers, /cannot decode images/) }
    },
  },
  {
    name: 'few-descriptors',
    descriptors: 64,
    async strike() {
      return { victims: [] }
    },
  },
]

/** Why it proves nothing: another peer does not see what the odd one says of itself. */
async function saysNot(peers: ChaosPeers, words: RegExp): Promise<string | undefined> {
  const odd = peers.all[oddPeer]
  const asked = peers.living().find(peer => peer !== odd)
  const seen = (await asked?.client.peers())?.find(peer => peer.peer === odd.key)
  return words.test(seen?.trouble ?? '')
    ? undefined
    : `the others see of the odd peer: ${seen?.trouble ?? 'no trouble'}`
}
