/** `peer` started by an older Node, as on a machine whose own Node is 20: the Node beside the package takes over. */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { until } from './mesh-of-processes.ts'

const launcher = join(packageRoot, 'dist/cli/launch.js')

function olderNode(): string | undefined {
  const older = ['/usr/bin/node', '/usr/local/bin/node'].find(path => {
    if (!existsSync(path)) return false
    const [major, minor] = execFileSync(path, ['--version'], { encoding: 'utf8' }).slice(1).split('.').map(Number)
    return major < 22 || (major === 22 && minor < 12)
  })
  const usable = older !== undefined && existsSync(launcher)
  if (!usable) console.warn('SKIPPED 1 test: no older Node on this machine, or dist is not built')
  return usable ? older : undefined
}

const node = olderNode()

function launch(args: string[]) {
  const child = spawn(node as string, [launcher, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ran = { child, output: '', code: undefined as number | null | undefined }
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', chunk => {
      ran.output += chunk
    })
  }
  child.on('close', code => {
    ran.code = code
  })
  return ran
}

test.skipIf(!node)('a peer starts, commands end by themselves, and a signal ends the peer', async () => {
  const data = await mkdtemp(join(tmpdir(), 'shardmesh-launch-'))
  try {
    const peer = launch([
      'start',
      '--data',
      data,
      '--no-mdns',
      '--no-gpu',
      '--workers',
      '1',
      '--listen',
      '/ip4/127.0.0.1/tcp/0',
    ])
    await until(async () => peer.output.includes('--join'), 'the peer is up')
    const peers = launch(['peers', '--data', data, '--json'])
    await until(async () => peers.code !== undefined, 'the command ends', 10_000)
    expect(peers.code).toBe(0)
    expect(JSON.parse(peers.output)).toHaveLength(1)
    peer.child.kill('SIGINT')
    await until(async () => peer.code !== undefined, 'the peer leaves', 10_000)
    expect(peer.code).toBe(0)
    expect(peer.output).toContain('leaving the mesh')

    // A launcher that is killed takes its peer with it.
    const second = launch([
      'start',
      '--data',
      data,
      '--no-mdns',
      '--no-gpu',
      '--workers',
      '1',
      '--listen',
      '/ip4/127.0.0.1/tcp/0',
    ])
    await until(async () => second.output.includes('--join'), 'the second peer is up')
    second.child.kill('SIGKILL')
    await until(async () => second.code !== undefined, 'both are gone: the pipes are closed', 10_000)
  } finally {
    await rm(data, { recursive: true, force: true })
  }
})
