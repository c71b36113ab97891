/**
 * Two machines with one cable, as two network namespaces: peers meet in networks of every kind, by a token's addresses or by
 * mDNS. Needs root and `ip netns`; nothing leaves the namespaces.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { decodeToken, encodeToken } from '../../src/mesh/token.ts'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] })
const spaces = [`smt-a-${process.pid}`, `smt-b-${process.pid}`]

function canMakeNetworks(): boolean {
  try {
    ip('netns', 'add', spaces[0])
    ip('netns', 'del', spaces[0])
    return true
  } catch {
    console.warn('skipped 8 tests: networks of two machines, because they take root and ip netns')
    return false
  }
}

const can = canMakeNetworks()
const running: ChildProcess[] = []
const folders: string[] = []

afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill('SIGKILL')
  }
  if (can) for (const space of spaces) ip('netns', 'del', space)
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})

/** A bare cable; each line of `setup` is run on both sides, `N` being 1 here and 2 there. */
function cable(setup: string[]): void {
  for (const space of spaces) ip('netns', 'add', space)
  ip('link', 'add', 'smt0', 'type', 'veth', 'peer', 'name', 'smt1')
  spaces.forEach((space, i) => {
    ip('link', 'set', `smt${i}`, 'netns', space, 'name', 'eth0')
    for (const line of ['link set lo up', 'link set eth0 up', ...setup])
      ip('-n', space, ...line.replaceAll('N', String(i + 1)).split(' '))
  })
}

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'shardmesh-networks-'))
  folders.push(made)
  return made
}

interface Running {
  output(): string
  data: string
  says(pattern: RegExp): Promise<string>
}

async function start(side: 0 | 1, args: string[], data?: string): Promise<Running> {
  const home = data ?? (await folder())
  const command = [process.execPath, main, 'start', '--data', home, '--name', 'ab'[side], '--no-gpu', '--workers', '1']
  const child = spawn('ip', ['netns', 'exec', spaces[side], ...command, ...args], {
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.push(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', chunk => {
      output += chunk
    })
  const says = async (pattern: RegExp) => {
    while (!pattern.test(output)) {
      if (child.exitCode !== null) throw new Error(`the peer ended: ${output}`)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    return pattern.exec(output)?.[1] ?? ''
  }
  await says(/Ctrl-C/)
  return { data: home, output: () => output, says }
}

const bridge = [
  'link add docker0 type veth peer name docker0x',
  'link set docker0 up',
  'link set docker0x up',
  'addr add 172.17.0.1/16 dev docker0',
]

test.skipIf(!can).each([
  ['a public address', ['addr add 172.40.0.N/24 dev eth0']],
  ['IPv6 alone', ['addr add fd00::N/64 dev eth0 nodad']],
  ['global IPv6 alone', ['addr add 2a01:4f8::N/64 dev eth0 nodad']],
  ['169.254 alone', ['addr add 169.254.3.N/16 dev eth0']],
  ['link-local IPv6 alone', []],
])('%s: the token of the first brings the second', async (_, setup) => {
  cable(setup)
  if (!setup.join().includes('.')) await addressed()
  const a = await start(0, ['--no-mdns'])
  const token = await a.says(/--join (\S+)/)
  const b = await start(1, ['--no-mdns', '--join', token])
  await b.says(/a joined/)
})

/** Until the interfaces have tried out their IPv6 addresses. */
async function addressed(): Promise<void> {
  for (const space of spaces)
    while (/tentative/.test(String(ip('-n', space, 'addr'))) || !/fe80/.test(String(ip('-n', space, 'addr'))))
      await new Promise(resolve => setTimeout(resolve, 100))
}

test.skipIf(!can).each([
  ['without a router', ['addr add 192.168.77.N/24 dev eth0']],
  ['beside a bridge of one address', [...bridge, 'addr add 192.168.77.N/24 dev eth0']],
  ['with IPv6 alone', []],
])('%s: found by mDNS', async (_, setup) => {
  cable(setup)
  if (setup.length === 0) await addressed()
  const a = await start(0, [])
  const { secret } = decodeToken(await a.says(/--join (\S+)/))
  // The token holds an address where nobody is.
  const b = await start(1, ['--join', encodeToken({ secret, addresses: ['/ip4/192.168.78.9/tcp/4601'] })])
  await b.says(/a joined/)
  expect(b.output()).not.toContain('another peer answers')
})
