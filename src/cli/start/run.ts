/** Runs a peer in this process until it is asked to end: the log, the socket, the banner, the signals. */
import pc from 'picocolors'
import { shortPeer } from '../../base/ids.ts'
import type { PeerInfo } from '../../peer/control.ts'
import { defaultPort } from '../../peer/home.ts'
import { optionsFileOf, type PeerOptions, writeOptions } from '../../peer/options-file.ts'
import type { Peer } from '../../peer/peer.ts'
import { inJournal, logFileOf, openPeerLog, type PeerLog } from '../log/peer-log.ts'
import { sayIfLong } from '../waiting.ts'
import { catchRefusals } from './last-resort.ts'
import type { ChosenOptions, StartOptions } from './options.ts'
import { listenForEnd } from './signals.ts'

export interface RunInit {
  folder: string
  join?: string
  given: StartOptions
  chosen: ChosenOptions
  /** Takes the banner instead of the terminal: the peer runs in the background. */
  ready?: (banner: string) => void
}

/** Resolves when the peer has ended. @throws PeerError where it cannot start */
export async function runPeer(init: RunInit): Promise<void> {
  const { folder, given, chosen } = init
  const ending = listenForEnd()
  // Nobody made the folder yet: lines of the start wait until it is known to be usable.
  let log: PeerLog | undefined
  const early: Parameters<PeerLog['event']>[0][] = []
  const told = (message: string) => {
    const event = { type: 'warning' as const, atMs: Date.now(), message }
    if (log) log.event(event)
    else early.push(event)
  }
  catchRefusals(told)
  const { startPeer } = await import('../../peer/peer.ts')
  const { serveApi } = await import('../../api/server.ts')
  const { port, foundPort, ...options } = chosen.options
  const starting = startPeer({
    data: folder,
    join: init.join,
    name: options.name,
    listen: options.listen,
    announce: options.announce,
    port,
    likelyPort: foundPort,
    backend: options.backend,
    workers: options.workers,
    precision: options.precision,
    mdns: options.mdns,
    retentionMs: options.retentionMs,
    diskBytesMax: options.cacheBytes,
    logFile: logFileOf(folder),
    onEvent: event => (log ? void log.event(event) : void early.push(event)),
  })
  // Until it runs there is nothing to end in order; from then on there is.
  let started = false
  void ending.asked.then(() => {
    if (started) return
    process.stderr.write('peer: stopped\n')
    process.exit(130)
  })
  const peer = await sayIfLong('the peer to start: its data, its devices and its mesh', starting).catch(thrown => {
    // What came before may say why.
    for (const event of early)
      if (event.type === 'warning') process.stderr.write(`${pc.yellow('!')} ${event.message}\n`)
    throw thrown
  })
  started = true
  const api = await serveApi(peer, peer.home.socketPath, { stop: () => ending.ask('peer stop') }).catch(
    async thrown => {
      await peer.stop()
      throw thrown
    },
  )

  const info = await peer.info()
  const found = foundPortOf(info, chosen.options)
  await writeOptions(folder, { ...chosen.options, foundPort: found }).catch(thrown => early.push(unremembered(thrown)))
  const out = init.ready
    ? undefined
    : { write: (line: string, level: string) => (atStderr(level) ? process.stderr : process.stdout).write(line) }
  const atStderr = (level: string) => given.log === 'text' && (level === 'warn' || level === 'error')
  log = openPeerLog({ folder, level: given.logLevel, format: given.log, out })
  // A log is no place for the token, nor is the journal.
  const secret = given.log === 'json' || inJournal()
  const banner = bannerOf({ peer, info, chosen, found, secret, background: init.ready !== undefined })
  if (init.ready) init.ready(banner)
  else if (given.log === 'text') process.stdout.write(banner)
  const { peer: self, name, mesh, version, addresses, device } = info
  const facts = { event: 'started', peer: self, name, mesh, version, addresses, device, data: folder }
  log.say(`peer ${name} started in mesh ${mesh}`, facts)
  for (const event of early.splice(0)) log.event(event)

  const by = await ending.asked
  if (!init.ready && given.log === 'text') process.stdout.write('\n  leaving the mesh\n')
  log.say(`leaving the mesh: ${by}`, { event: 'stopping', by })
  await api.stop()
  await peer.stop()
  log.say('stopped', { event: 'stopped' })
  await log.close()
}

const unremembered = (thrown: unknown) => ({
  type: 'warning' as const,
  atMs: Date.now(),
  message: `the options of this start are not remembered: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
})

/** The port that was found, where 4601 or the one of last time was taken. */
function foundPortOf({ listening }: PeerInfo, { port, listen }: PeerOptions): number | undefined {
  if (port !== undefined || listen !== undefined) return undefined
  const actual = Number(/\/tcp\/(\d+)/.exec(listening[0] ?? '')?.[1])
  return actual > 0 && actual !== defaultPort ? actual : undefined
}

function addressLines({ addresses, listening }: PeerInfo): string[] {
  const plain = addresses.map(address => address.replace(/\/p2p\/.*$/, ''))
  return plain.map(address => `${listening.includes(address) ? 'listening on' : 'announced as'} ${address}`)
}

interface BannerInit {
  peer: Peer
  info: PeerInfo
  chosen: ChosenOptions
  found: number | undefined
  secret: boolean
  background: boolean
}

function bannerOf({ peer, info, chosen, found, secret, background }: BannerInit): string {
  const before = chosen.options.foundPort
  const taken =
    found === before ? `the usual port ${defaultPort} was taken before` : `port ${before ?? defaultPort} is taken`
  const lines = [
    `${pc.bold('peer')} ${shortPeer(info.peer)}  ·  ${pc.bold(info.name)}  ·  mesh ${pc.bold(info.mesh)}${peer.home.created ? ' (new)' : ''}`,
    `computes with ${info.device}`,
    ...addressLines(info),
    ...(found === undefined ? [] : [`${taken}: port ${found} is kept for the next start`]),
    ...(chosen.remembered.length === 0
      ? []
      : [
          `as started before: ${chosen.remembered.join(' ')}`,
          pc.dim(`  (kept in ${optionsFileOf(info.data)}; --forget-options forgets it)`),
        ]),
    'join from another machine:',
    `  peer start --join ${secret ? 'TOKEN   (peer token prints it)' : info.token}`,
    ...(info.tokenNote === undefined ? [] : [pc.yellow(info.tokenNote)]),
    pc.dim(`log: ${logFileOf(info.data)}`),
    pc.dim(background ? 'in the background: peer status shows it, peer stop ends it' : 'Ctrl-C leaves the mesh'),
  ]
  return `${lines.map(line => `  ${line}`).join('\n')}\n`
}
