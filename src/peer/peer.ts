/**
 * The composition root: builds a peer of its parts and ends it again. Everything that a peer is made of is
 * named here, and nowhere else.
 */
import { join } from 'node:path'
import { type DiskStoreInit, openDiskStore } from '../data/store/disk-store.ts'
import { openRecordStore } from '../data/store/record-store.ts'
import type { JobView, Message } from '../jobs/core/types.ts'
import type { Mesh, PeerStatus } from '../mesh/types.ts'
import { createBlockBatches } from './blocks/block-batches.ts'
import { createBlockExchange } from './blocks/block-exchange.ts'
import { createBlockHolds } from './blocks/block-holds.ts'
import { openDiskRoom, withRoom } from './blocks/disk-room.ts'
import { createCheckpoints } from './checkpoints.ts'
import type { Control } from './control.ts'
import { createControl } from './control-local.ts'
import { createAbsences } from './copies/absences.ts'
import { createCopies } from './copies/copies.ts'
import { createDrops } from './copies/drops.ts'
import { createGarbage } from './copies/garbage.ts'
import { createHoldings } from './copies/holdings.ts'
import { createJobKeeper } from './copies/job-keeper.ts'
import { createRecopy } from './copies/recopy.ts'
import { createSpread } from './copies/spread.ts'
import { chooseDevices, type DeviceOptions, describeDevices } from './devices.ts'
import { createDriver, type Driver } from './driver/driver.ts'
import { createJobBook } from './driver/job-book.ts'
import { createJournal } from './driver/journal.ts'
import { eventText } from './event-text.ts'
import { createEventBus, type PeerEvent, type PeerEvents } from './events.ts'
import { type Home, openHome } from './home.ts'
import { createJobEvents } from './job-events.ts'
import { createJobKinds } from './job-kinds.ts'
import { confirmMesh, joinMesh, tellPeers, waitForPeers } from './joining.ts'
import { knownRate, rememberRate } from './known-rates.ts'
import { startPool } from './lanes/pool.ts'
import { createObjectives } from './objectives.ts'
import { claimIdentity } from './one-identity.ts'
import { peerName } from './peer-name.ts'
import { createProgress } from './progress.ts'
import { openSelfHistory } from './self-history.ts'
import { createSubmissions } from './submission.ts'
import { createSubmitters } from './submitter/submitter.ts'
import { version } from './version.ts'

/** How `startPeer` makes a peer. Only `data` is needed. */
export interface PeerInit extends DeviceOptions {
  /** The data folder. */
  data: string
  /** A join token; makes this folder part of its mesh. */
  join?: string
  /** Shown to people; the machine's name when absent. */
  name?: string
  /** Multiaddrs; none: it only dials. Absent: every interface at port 4601, or any port where that one is taken. */
  listen?: string[]
  /** Listens on every interface at this port, or not at all; not with `listen`. */
  port?: number
  /** Without `listen` and `port`: tried before 4601, such as the one that was found last time. */
  likelyPort?: number
  /**
   * What others reach this peer by besides where it listens: a forwarded port, the address of a container's host, a name. Such as
   * `203.0.113.5`, `peer.example.org:443` or a multiaddr; without a port, the one where it listens.
   */
  announce?: string[]
  /** Find peers on the local network; default true. */
  mdns?: boolean
  /** Without a mesh so far: a new one for this run only, that nobody can join later. */
  alone?: boolean
  /** Ended jobs and their results are kept this long; default 7 days. */
  retentionMs?: number
  /** Beyond so many bytes on disk, blocks that no job pins go, the one unused for longest first; default: no bound. */
  diskBytesMax?: number
  /** Copies that were with a peer are made again once it was away this long; default 60 s, so that a restart costs nothing. */
  copyGraceMs?: number
  /** False: it computes nothing, it only submits and holds blocks. Default true. */
  compute?: boolean
  /** Checking a submission (models are decoded, planned and tried) may do nothing to be seen for so long; default 120 s. */
  submitStallMs?: number
  /** A submission comes as soon as the peer runs: the thread that looks at it starts with the peer. Default false. */
  submits?: boolean
  /** It is there for one command alone and does not come back: a job whose inputs it leaves unread ends soon. */
  passing?: boolean
  /** How a block's file is written; tests give one that fails as a full disk does. */
  writeBlock?: DiskStoreInit['write']
  /** Where the caller writes a log of the events; only told by `info`. */
  logFile?: string
  /** Called with one line for what went wrong and what to do. */
  onWarning?: (message: string) => void
  /** Every event from the start on; `Peer.events` gives those from then on. */
  onEvent?: (event: PeerEvent) => void
}

/** A peer that runs in this process. */
export interface Peer extends Control {
  /** Its data folder: its key, its name and the mesh that it belongs to. */
  readonly home: Home
  /** What happens on this peer, from now on. */
  readonly events: PeerEvents
  /** Resolves true once another peer is connected, false after `timeoutMs`. */
  waitForPeers(timeoutMs: number): Promise<boolean>
  /** Leaves the mesh and frees everything; running work goes to other peers. */
  stop(): Promise<void>
}

/** Blocks in memory; the system's own cache of files has the rest, and a peer is to stay under 400 MB. */
const cacheBytes = 64 * 1024 * 1024
/** Results of small shards, tables, specs: a file each would cost more than they have. */
const smallBytes = 64 * 1024
const copyGraceMs = 60_000
const retentionMs = 7 * 24 * 3_600_000
const statusMs = 1000
const submitStallMs = 120_000
const warningsMax = 20
const warned = new Set<PeerEvent['type']>(['warning', 'paused', 'resumed', 'stranger-refused', 'backend-lost'])

function brokenResults(jobs: readonly string[]): string {
  const [what, are] = jobs.length === 1 ? ['the result of job', 'is'] : [`the results of ${jobs.length} jobs:`, 'are']
  const named = jobs.slice(0, 5).map(job => job.slice(0, 8))
  return `${what} ${named.join(', ')}${jobs.length > 5 ? ' …' : ''} ${are} not whole here any more: peer results fetches what is missing from peers that have it`
}

/**
 * Starts a peer in this process; `stop` ends it. Throws PeerError: a wrong option, a data folder that cannot be used or that
 * another peer uses, a port that is taken, a token that is damaged.
 */
export async function startPeer(init: PeerInit): Promise<Peer> {
  const warnings: string[] = []
  const name = peerName(init.name)
  const events = createEventBus()
  if (init.onEvent) events.on(init.onEvent)
  // What a person should know of is remembered for `info`.
  events.on(event => {
    if (!warned.has(event.type)) return
    const message = eventText(event)
    warnings.push(message)
    if (warnings.length > warningsMax) warnings.shift()
    init.onWarning?.(message)
  })
  const warn = (message: string) => {
    if (warnings.at(-1) !== eventText({ type: 'warning', atMs: 0, message })) events.emit({ type: 'warning', message })
  }

  const home = await openHome(init.data, init.join, !init.alone)
  const devices = init.compute === false ? { workers: 0, webgpu: false } : await chooseDevices(init, warn)
  // First of all, for it also tells whether another peer has this folder.
  const records = await openRecordStore(join(home.folder, 'records'), warn)
  const bytesMax = init.diskBytesMax ?? Number.POSITIVE_INFINITY
  const pinned = (block: string) => holds.pinned(block)
  const smallBytesMax = init.writeBlock ? 0 : smallBytes
  const blocks = { cacheBytes, bytesMax, pinned, smallBytesMax, write: init.writeBlock, onWarning: warn }
  const release = await claimIdentity(home).catch(async thrown => {
    await records.close()
    throw thrown
  })
  for (const line of home.notes) warn(line)
  const closeRecords = async (thrown: unknown) => {
    await release()
    await records.close()
    throw thrown
  }
  const history = await openSelfHistory(records, home, warn).catch(closeRecords)
  const disk = await openDiskStore(home.blocksFolder, blocks).catch(closeRecords)
  const room = await openDiskRoom({
    folder: home.folder,
    onChange: paused => {
      events.emit(paused === undefined ? { type: 'resumed' } : { type: 'paused', reason: paused })
      driver?.pause(paused !== undefined)
      refresh()
    },
  })
  const store = withRoom(disk, room)
  const journal = createJournal(records, block => store.has(block), warn)
  const closeFiles = async () => {
    await room.stop()
    await journal.close()
    await store.close()
    await release()
  }
  const pool = await startPool({
    ...devices,
    onWarning: warn,
    onLost: ({ backend, device }, reason) => events.emit({ type: 'backend-lost', backend, device, reason }),
    onChange: () => refresh(),
  }).catch(async thrown => {
    await closeFiles()
    throw thrown
  })

  const { device } = describeDevices(pool.lanes())
  const rateBefore = await knownRate(home.folder, device)
  let driver: Driver | undefined
  const status = (): PeerStatus => ({
    name,
    version,
    ...describeDevices(pool.lanes()),
    itemsPerSecond: driver?.executor.itemsPerSecond() ?? rateBefore,
    load: pool.load(),
    ...(room.paused === undefined ? {} : { slots: 0, paused: room.short }),
    ...(pool.trouble() === undefined ? {} : { trouble: pool.trouble()?.slice(0, 250) }),
    ...(init.passing && { passing: true as const }),
  })

  const stallMs = init.submitStallMs ?? submitStallMs
  const submitters = createSubmitters({ local: block => exchange.local(block), stallMs })
  if (init.submits) submitters.warm()

  let mesh: Mesh | undefined
  try {
    mesh = await joinMesh(home, init, status())
    await confirmMesh(home, mesh, init, warn)
  } catch (thrown) {
    submitters.close()
    await mesh?.stop()
    await pool.stop()
    await closeFiles()
    throw thrown
  }
  mesh.on('warning', warn)
  mesh.on('refused', from => events.emit({ type: 'stranger-refused', from }))

  function refresh(): void {
    const now = status()
    mesh?.setStatus(now)
    driver?.setSelf(now)
  }

  const exchange = createBlockExchange(mesh, store)
  const holds = createBlockHolds(store)
  const book = createJobBook(exchange, holds, home.identity)
  const progress = createProgress({ self: mesh.self, status, peers: () => mesh.peers(), nowMs: () => Date.now() })
  const view = (job: string) => driver?.view(job)
  const changed = (job: string) => {
    control.changed(job)
    jobEvents.changed(job)
  }
  const objectives = createObjectives(book, exchange.local, changed)
  const kinds = createJobKinds({ book, exchange, changed })
  const checkpoints = createCheckpoints(book, exchange.local, warn)
  const connected = (peer: string) => mesh?.peers().some(record => record.peer === peer && record.connected) ?? false
  const graceMs = init.copyGraceMs ?? copyGraceMs
  const absences = createAbsences(mesh, () => recopy.arrived())
  const mayCopyInputs = (from: string, { owner }: JobView) => from === owner || !connected(owner)
  const hear = (from: string, message: Message) => driver?.dispatch({ type: 'message', from, message })
  const copies = createCopies({
    mesh,
    store,
    exchange,
    batches: createBlockBatches(mesh, store),
    holds,
    book,
    journal,
    view,
    bytesMax,
    mayCopyInputs,
    settled: job => keeper.settledOf(job),
    hear,
  })
  const holdings = createHoldings({ mesh, store, exchange, holds, book, journal, view, mayCopyInputs, hear })
  const spread = createSpread({ copies, holdings, book, exchange, absences, view, changed, graceMs })
  const recopy = createRecopy({
    self: mesh.self,
    copies,
    holdings,
    spread,
    absences,
    connected,
    views: () => driver?.views() ?? [],
    changed,
    graceMs,
  })
  const drops = createDrops({ mesh, holds, journal, view, dropped: changed })
  const keeper = createJobKeeper({
    self: mesh.self,
    exchange,
    holds,
    book,
    copies,
    recopy,
    connected,
    isSelf: history.isSelf,
    has: block => store.bytesOf(block) !== undefined,
    view,
    changed,
    dropped: drops.has,
  })
  const keptMs = init.retentionMs ?? retentionMs
  driver = createDriver({
    name,
    mesh,
    exchange,
    book,
    pool,
    holds,
    journal,
    rememberMs: keptMs,
    knownRate: rateBefore,
    changed,
    returned: job => jobEvents.returned(job),
    ended: (job, outcome) => {
      jobEvents.ended(job, outcome)
      submissions.end(job)
      checkpoints.end(job)
      spread.end(job)
      holdings.end(job)
      // What is not remembered is measured again.
      void rememberRate(home.folder, device, status().itemsPerSecond).catch(() => {})
      void keeper.ended(job, outcome).catch(thrown => warn(`job ${job.slice(0, 8)}: ${String(thrown)}`))
    },
    roundBegins: (job, parameters) => {
      objectives.note(job, parameters)
      checkpoints.note(job, parameters)
    },
    forgotten: job => {
      jobEvents.forgotten(job)
      objectives.forget(job)
      kinds.forget(job)
      submissions.forget(job)
      book.forget(job)
      progress.forget(job)
      drops.forget(job)
      keeper.forget(job)
      holdings.forget(job)
      recopy.forget(job)
      void holds.release(job).catch(room.refused)
    },
    refused: room.refused,
    patiently: room.patiently,
    warning: warn,
  })
  const submissions = createSubmissions({
    others: () => mesh.peers().filter(record => record.connected).length,
    identity: home.identity,
    self: mesh.self,
    store,
    exchange,
    holds,
    book,
    journal,
    spread,
    checkpoints,
    patiently: room.patiently,
    dispatch: driver.dispatch,
    submitters,
    warning: warn,
  })
  const garbage = createGarbage({ store, holds, drops, endedBefore: driver.endedBefore, retentionMs: keptMs })
  const control = createControl({
    home,
    isSelf: history.isSelf,
    mesh,
    driver,
    exchange,
    holds,
    drops,
    garbage,
    spread,
    recopy,
    keeper,
    book,
    submissions,
    progress,
    objectives,
    kinds,
    pool,
    status,
    logFile: init.logFile,
    warnings,
  })
  const keptJobs = new Set<string>()
  const jobEvents = createJobEvents({
    emit: events.emit,
    view,
    learn: seen => kinds.learn([seen]),
    summary: control.summary,
    kept: keptJobs,
  })

  const kept = await journal.load()
  for (const { job } of kept) keptJobs.add(job)
  drops.restore(kept)
  for (const job of kept) {
    await keeper.restore(job)
    holdings.restore(job.job, job.copies)
  }
  if (keeper.broken.length > 0) warn(brokenResults(keeper.broken))
  driver.start(kept)
  driver.pause(room.paused !== undefined)
  // Now that every remembered job holds what it needs, the rest is nobody's.
  void garbage.sweep().catch(thrown => warn(thrown instanceof Error ? thrown.message : String(thrown)))
  for (const job of kept) submissions.resume(job)

  // Heartbeats carry load and throughput; and addresses that work are remembered for the next start.
  refresh()
  const timer = setInterval(refresh, statusMs)
  const offPeers = tellPeers(mesh, events, name)
  const offUp = mesh.on('up', () => {
    const addresses = mesh.peers().flatMap(record => (record.connected ? record.addresses.slice(0, 4) : []))
    if (addresses.length > 0) void home.remember(addresses).catch(() => {})
  })

  return {
    ...control.api,
    home,
    events,
    waitForPeers: timeoutMs => waitForPeers(mesh, timeoutMs),
    async stop() {
      clearInterval(timer)
      offUp()
      offPeers()
      jobEvents.stop()
      submissions.stop()
      spread.stop()
      recopy.stop()
      absences.stop()
      drops.stop()
      await room.stop()
      await driver.stop()
      control.stop()
      await mesh.stop()
      await pool.stop()
      await keeper.settled()
      await journal.close()
      await store.close()
      await release()
    },
  }
}
