/** `peer start`: runs a peer until Ctrl-C. */
import { type Command, Option } from 'commander'
import pc from 'picocolors'
import { shortPeer } from '../../base/ids.ts'
import { dataFolder } from '../../peer/home.ts'
import { wholeNumber } from '../arguments.ts'
import { type Precision, precisionOption } from '../precision.ts'
import { ageMs, sizeBytes } from '../quantities.ts'
import { type CommonOptions, common } from '../session.ts'

interface StartOptions extends CommonOptions {
  join?: string
  name?: string
  listen?: string[]
  backend: 'auto' | 'webgpu' | 'wasm'
  gpu: boolean
  workers?: number
  precision: Precision
  mdns: boolean
  retention?: number
  cacheSize?: number
}

export function addStart(peer: Command): void {
  common(peer.command('start'))
    .description('start a peer; the first one makes a mesh and prints the token that lets others join')
    .option('--join <token>', 'join the mesh of this token (peer token prints it)')
    .option('--name <name>', "what others call this peer (default: the machine's name)")
    .option('--listen <multiaddr...>', 'where to listen, such as /ip4/0.0.0.0/tcp/4601 (default: port 4601, else any)')
    .addOption(
      new Option(
        '--backend <backend>',
        'auto: a GPU if there is one, and the CPU; webgpu: any adapter; wasm: the CPU alone',
      )
        .choices(['auto', 'webgpu', 'wasm'])
        .default('auto'),
    )
    .option('--no-gpu', 'the same as --backend wasm')
    .option('--workers <n>', 'CPU workers (default: one a core); 0: WebGPU only', wholeNumber)
    .addOption(precisionOption())
    .option('--no-mdns', 'do not look for peers on the local network; use the addresses in tokens alone')
    .option('--retention <age>', 'how long jobs that are over and their results are kept (default: 7d)', ageMs)
    .option(
      '--cache-size <size>',
      'beyond it blocks that no job pins go, the one unused for longest first, such as 20GB (default: no bound)',
      sizeBytes,
    )
    .action(start)
}

async function start(options: StartOptions): Promise<void> {
  const { startPeer } = await import('../../peer/peer.ts')
  const { serveApi } = await import('../../api/server.ts')
  const peer = await startPeer({
    data: dataFolder(options.data),
    join: options.join,
    name: options.name,
    listen: options.listen,
    backend: options.gpu ? options.backend : 'wasm',
    workers: options.workers,
    precision: options.precision,
    mdns: options.mdns,
    retentionMs: options.retention,
    diskBytesMax: options.cacheSize,
    onWarning: line => process.stderr.write(`${pc.yellow('!')} ${line}\n`),
  })
  const api = await serveApi(peer, peer.home.socketPath).catch(async thrown => {
    await peer.stop()
    throw thrown
  })

  const stopped = new Promise<void>(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
  })
  const info = await peer.info()
  const lines = [
    `${pc.bold('peer')} ${shortPeer(info.peer)}  ·  ${pc.bold(info.name)}  ·  mesh ${pc.bold(info.mesh)}${peer.home.created ? ' (new)' : ''}`,
    `computes with ${info.device}`,
    ...info.addresses.map(address => `listening on ${address.replace(/\/p2p\/.*$/, '')}`),
    'join from another machine:',
    `  peer start --join ${info.token}`,
    pc.dim('Ctrl-C leaves the mesh'),
  ]
  process.stdout.write(`${lines.map(line => `  ${line}`).join('\n')}\n`)

  await stopped
  process.stdout.write('\n  leaving the mesh\n')
  await api.stop()
  await peer.stop()
  process.exit(0)
}
