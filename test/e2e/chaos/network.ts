/**
 * The network that peers under test live in: a network namespace for each, on a bridge of their own, so that cables
 * can be cut and made bad; on loopback where namespaces are not allowed. Invariant: `close` leaves nothing behind, and
 * opening sweeps what a harness that was killed left.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface ChaosNetwork {
  readonly kind: 'namespaces' | 'loopback'
  /** Where peer `i` listens: the same address at every start. */
  listen(i: number): string
  /** The command under which peer `i` runs. */
  under(i: number): string[]
  /** Nothing passes between `group` and the others. Throws where cables cannot be cut. */
  cut(group: number[]): Promise<void>
  heal(): Promise<void>
  /** From now on 5% of packets are lost, and all are 50 ms late, each way. False where it cannot be had. */
  lossy(): Promise<boolean>
  /** Packets that were lost on purpose so far. */
  lost(): Promise<number>
  close(): Promise<void>
}

const port = 4601
const prefix = 'smchaos'

async function ip(...args: string[]): Promise<string> {
  return (await run('ip', args)).stdout
}

/** Of harnesses whose process is gone. */
async function sweep(): Promise<void> {
  for (const line of (await ip('netns', 'list')).split('\n')) {
    const found = /^smchaos(\d+)[bp]\d*/.exec(line)
    if (found && !isAlive(Number(found[1]))) await ip('netns', 'del', found[0]).catch(() => {})
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Namespaces where root may make them, else loopback. */
export async function openNetwork(count: number): Promise<ChaosNetwork> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return loopback(count)
  try {
    await sweep()
    return await namespaces(count)
  } catch (thrown) {
    console.warn(`network namespaces cannot be made (${String(thrown).split('\n')[0]}): the peers run on loopback`)
    return loopback(count)
  }
}

const delayMs = 50
const loss = 0.05

async function netem(names: string[]): Promise<boolean> {
  try {
    for (const name of names) {
      const netem = ['netem', 'delay', `${delayMs}ms`, 'loss', `${100 * loss}%`]
      await run('tc', ['-n', name, 'qdisc', 'add', 'dev', 'eth0', 'root', ...netem])
    }
    return true
  } catch {
    return false
  }
}

/** As the kernel counts them, on every cable. */
async function netemLost(names: string[]): Promise<number> {
  let lost = 0
  for (const name of names) {
    const { stdout } = await run('tc', ['-s', '-n', name, 'qdisc', 'show', 'dev', 'eth0'])
    lost += Number(/dropped (\d+)/.exec(stdout)?.[1] ?? 0)
  }
  return lost
}

/** A program between each cable and the bridge, where the kernel has no netem; undefined without Python. */
async function startRelay(
  hub: string,
  names: string[],
  plug: (port: string, bridge: string) => Promise<void>,
): Promise<ChildProcess | undefined> {
  for (const [i, name] of names.entries()) {
    // Whole packets, so that one is lost and not forty at once.
    await ip('-n', name, 'link', 'set', 'eth0', 'gso_max_segs', '1', 'gso_max_size', '1500')
    await ip('-n', hub, 'link', 'add', `r${i}`, 'type', 'veth', 'peer', 'name', `w${i}`)
    await ip('-n', hub, 'link', 'set', `r${i}`, 'up')
    await ip('-n', hub, 'link', 'set', `v${i}`, 'nomaster')
    await plug(`w${i}`, 'whole')
    await ip('-n', hub, 'link', 'set', `w${i}`, 'up')
  }
  const pairs = names.map((_, i) => `v${i}:r${i}`)
  const program = fileURLToPath(new URL('./lossy.py', import.meta.url))
  const args = ['netns', 'exec', hub, 'python3', program, String(delayMs), String(loss), '1', ...pairs]
  const child = spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ready = await new Promise<boolean>(resolve => {
    child.stdout.once('data', () => resolve(true))
    child.once('exit', () => resolve(false))
    child.once('error', () => resolve(false))
  })
  return ready ? child : undefined
}

let opened = 0

async function namespaces(count: number): Promise<ChaosNetwork> {
  const id = `${prefix}${process.pid}`
  const part = opened++
  const hub = `${id}b${part}`
  const names = Array.from({ length: count }, (_, i) => `${id}p${part}${String(i).padStart(2, '0')}`)
  const cable = (i: number) => `v${i}`
  let relay: ChildProcess | undefined
  let relayed = 0
  const closeNow = () => {
    relay?.kill('SIGKILL')
    for (const name of [...names, hub]) spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' })
  }
  // Also when the process ends in the middle.
  process.once('exit', closeNow)
  const close = async () => {
    process.off('exit', closeNow)
    closeNow()
  }
  try {
    await ip('netns', 'add', hub)
    for (const bridge of ['whole', 'apart']) {
      await ip('-n', hub, 'link', 'add', bridge, 'type', 'bridge')
      await ip('-n', hub, 'link', 'set', bridge, 'up')
    }
    for (const [i, name] of names.entries()) {
      await ip('netns', 'add', name)
      await ip('-n', hub, 'link', 'add', cable(i), 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
      await ip('-n', hub, 'link', 'set', cable(i), 'master', 'whole', 'up')
      await ip('-n', name, 'addr', 'add', `10.77.0.${i + 1}/24`, 'dev', 'eth0')
      await ip('-n', name, 'link', 'set', 'eth0', 'up')
      await ip('-n', name, 'link', 'set', 'lo', 'up')
    }
  } catch (thrown) {
    await close()
    throw thrown
  }
  const plug = async (port: string, bridge: string) => {
    await ip('-n', hub, 'link', 'set', port, 'master', bridge)
  }
  return {
    kind: 'namespaces',
    listen: i => `/ip4/10.77.0.${i + 1}/tcp/${port}`,
    under: i => ['ip', 'netns', 'exec', names[i]],
    async cut(group) {
      for (const i of group) await plug(cable(i), 'apart')
    },
    async heal() {
      for (const i of names.keys()) await plug(cable(i), 'whole')
    },
    async lossy() {
      if (await netem(names)) return true
      relay = await startRelay(hub, names, plug)
      relay?.stdout?.on('data', (said: Buffer) => {
        relayed = Number(said.toString().trim().split('\n').at(-1)) || relayed
      })
      return relay !== undefined
    },
    lost: async () => (relay ? relayed : netemLost(names)),
    close,
  }
}

async function loopback(count: number): Promise<ChaosNetwork> {
  const ports = await Promise.all(Array.from({ length: count }, freePort))
  return {
    kind: 'loopback',
    listen: i => `/ip4/127.0.0.1/tcp/${ports[i]}`,
    under: () => [],
    async cut() {
      throw new Error('on loopback nothing can be cut: run it as root, where network namespaces are allowed')
    },
    heal: async () => {},
    lossy: async () => false,
    lost: async () => 0,
    close: async () => {},
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}
