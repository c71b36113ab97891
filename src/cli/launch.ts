#!/usr/bin/env node
/**
 * The `peer` command's first step. It runs on an older Node as well: libp2p needs Node 22.12, so where this
 * one is older, the Node that npm installed beside this package takes over.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const [major, minor] = process.versions.node.split('.').map(Number)

function installedNode(): string | undefined {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve('node/package.json'))
    const binary = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    return existsSync(binary) ? binary : undefined
  } catch {
    return undefined
  }
}

function handOver(binary: string): void {
  // The channel is there so that either process notices when the other one is gone.
  const child = spawn(binary, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    // In a process group of its own, so that a Ctrl-C at the terminal reaches it once: from here.
    detached: true,
    env: { ...process.env, SHARDMESH_LAUNCHED: '1' },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    if (signal) process.exit(128 + (signal === 'SIGINT' ? 2 : signal === 'SIGTERM' ? 15 : 9))
    process.exit(code ?? 1)
  })
}

if (major > 22 || (major === 22 && minor >= 12)) {
  await import('./main.js' as string)
} else {
  const binary = installedNode()
  if (binary) handOver(binary)
  else {
    console.error(
      `peer: this is Node ${process.versions.node}; shardmesh needs 22.12 or newer. ` +
        'Run npm install in its folder again (it brings its own Node), or install a newer Node.',
    )
    process.exit(2)
  }
}
