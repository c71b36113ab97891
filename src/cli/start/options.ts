/** The options of `peer start`: those of the command line, else those that the data folder remembers. */
import { type Command, Option } from 'commander'
import { PeerError } from '../../base/errors.ts'
import { announcedAddress } from '../../mesh/announce.ts'
import { defaultPort } from '../../peer/home.ts'
import { type PeerOptions, readOptions } from '../../peer/options-file.ts'
import { peerName } from '../../peer/peer-name.ts'
import { each, wholeNumberFrom } from '../arguments.ts'
import { type LogLevel, logLevels } from '../log/peer-log.ts'
import { type Precision, precisionOption } from '../precision.ts'
import { ageMs, sizeBytes } from '../quantities.ts'
import type { CommonOptions } from '../session.ts'

export interface StartOptions extends CommonOptions {
  join?: string
  joinFile?: string
  name?: string
  port?: number
  listen?: string[]
  announce?: string[]
  backend: 'auto' | 'webgpu' | 'wasm'
  gpu: boolean
  workers?: number
  precision: Precision
  mdns: boolean
  retention?: number
  cacheSize?: number
  background?: boolean
  log: 'text' | 'json'
  logLevel: LogLevel
  forgetOptions?: boolean
}

/** More workers than cores only take turns, and no machine has so many cores. */
const workersMax = 512

export function addStartOptions(command: Command): Command {
  return command
    .option('--join <token>', 'join the mesh of this token (peer token prints it); - reads it from standard input')
    .option('--join-file <file>', 'the same, with the token in a file; SHARDMESH_JOIN may hold it as well')
    .option('--name <name>', "what others call this peer (default: the machine's name)")
    .option('--port <port>', 'listen on this TCP port (default: 4601, else any that is free)', portNumber)
    .option(
      '--listen <multiaddr>',
      'where to listen exactly, such as /ip4/192.168.1.5/tcp/4601; may be given several times',
      each,
    )
    .option(
      '--announce <address>',
      'what others reach this peer by besides: a forwarded port, a name; such as 203.0.113.5:4601; may be given several times',
      each,
    )
    .addOption(
      new Option(
        '--backend <backend>',
        'auto: a GPU if there is one, and the CPU; webgpu: any adapter; wasm: the CPU alone',
      )
        .choices(['auto', 'webgpu', 'wasm'])
        .default('auto'),
    )
    .option('--no-gpu', 'the same as --backend wasm')
    .option('--workers <n>', 'CPU workers (default: one a core); 0: WebGPU only', wholeNumberFrom(0, workersMax))
    .addOption(precisionOption())
    .option('--mdns', 'look for peers on the local network (the default)')
    .option('--no-mdns', 'do not look for peers on the local network; use the addresses in tokens alone')
    .option('--retention <age>', 'how long jobs that are over and their results are kept (default: 7d)', ageMs)
    .option(
      '--cache-size <size>',
      'limit for stored blocks, such as 20GB: unpinned blocks are evicted, least recently used first (default: no limit)',
      sizeBytes,
    )
    .option('--background', 'return once the peer is ready; it goes on until peer stop')
    .addOption(new Option('--log <form>', 'how events are printed').choices(['text', 'json']).default('text'))
    .addOption(
      new Option('--log-level <level>', 'the least that is printed and logged').choices([...logLevels]).default('info'),
    )
    .option('--forget-options', 'forget name, port and options of earlier starts; those given now are remembered')
}

function portNumber(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port >= 1 && port <= 65_535) return port
  throw new PeerError({
    code: 'PORT_INVALID',
    kind: 'input',
    message: `--port ${JSON.stringify(text)} is no TCP port: a whole number from 1 to 65535 is expected`,
  })
}

export interface ChosenOptions {
  options: PeerOptions
  /** What comes from an earlier start, as one would give it now. */
  remembered: string[]
}

/** What was given, else what is remembered. @throws PeerError CONFIG_INVALID, NAME_INVALID, OPTIONS_CONFLICT */
export async function chooseOptions(folder: string, given: StartOptions, command: Command): Promise<ChosenOptions> {
  const before = given.forgetOptions ? {} : await readOptions(folder)
  const isGiven = (key: keyof StartOptions) => command.getOptionValueSource(key) === 'cli'
  if (isGiven('port') && isGiven('listen')) {
    throw new PeerError({
      code: 'OPTIONS_CONFLICT',
      kind: 'input',
      message:
        '--port and --listen exclude each other: the port can stand in the multiaddr, as in /ip4/0.0.0.0/tcp/4700',
    })
  }
  if (isGiven('name')) peerName(given.name)
  const now: PeerOptions = {}
  if (isGiven('name')) now.name = given.name?.trim()
  if (isGiven('port')) now.port = given.port
  if (isGiven('listen')) now.listen = given.listen
  if (isGiven('announce')) now.announce = given.announce
  for (const address of now.announce ?? []) announcedAddress(address, defaultPort)
  if (isGiven('backend')) now.backend = given.backend
  if (isGiven('gpu') && !given.gpu) now.backend = 'wasm'
  if (isGiven('workers')) now.workers = given.workers
  if (isGiven('precision')) now.precision = given.precision
  if (isGiven('mdns')) now.mdns = given.mdns
  if (isGiven('retention')) now.retentionMs = given.retention
  if (isGiven('cacheSize')) now.cacheBytes = given.cacheSize
  const old = { ...before }
  // Where to listen is one choice, made by either option.
  if (now.port !== undefined || now.listen !== undefined)
    for (const key of ['port', 'listen', 'foundPort'] as const) delete old[key]
  const remembered = (Object.keys(old) as (keyof PeerOptions)[])
    .filter(key => key !== 'foundPort' && now[key] === undefined)
    .map(key => asOption(key, old))
  return { options: { ...old, ...now }, remembered }
}

function asOption(key: keyof PeerOptions, { [key]: value }: PeerOptions): string {
  if (key === 'mdns') return value ? '--mdns' : '--no-mdns'
  if (key === 'retentionMs') return `--retention ${Number(value) / 3_600_000}h`
  if (key === 'cacheBytes') return `--cache-size ${value}B`
  return [value]
    .flat()
    .map(one => `--${key} ${one}`)
    .join(' ')
}
