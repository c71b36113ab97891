#!/usr/bin/env node
/**
 * The `peer` command's first step. It runs on an older Node as well: where this one is too old for
 * libp2p, the Node that npm installed beside this package takes over.
 */
import { spawn } from 'node:child_process'
import { installedNode, isNewEnough, tooOld } from '../base/node-version.ts'

function handOver(binary: string): void {
  // The channel is there so that either process notices when the other one is gone.
  const child = spawn(binary, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    // In a process group of its own, so that a Ctrl-C at the terminal reaches it once: from here.
    detached: true,
    env: { ...process.env, SHARDMESH_LAUNCHED: '1' },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  child.on('error', error => {
    // Such a Node is made for glibc; Alpine's musl cannot start it.
    console.error(`peer: ${tooOld()}, and the one that npm installed does not start here (${error.message})`)
    process.exit(2)
  })
  child.on('exit', (code, signal) => {
    if (signal) process.exit(128 + (signal === 'SIGINT' ? 2 : signal === 'SIGTERM' ? 15 : 9))
    process.exit(code ?? 1)
  })
}

if (isNewEnough()) {
  await import('./main.js' as string)
} else {
  const binary = installedNode()
  if (binary) handOver(binary)
  else {
    console.error(
      `peer: ${tooOld()}. npm can bring one: run npm install again without --omit=optional; or install a newer Node.`,
    )
    process.exit(2)
  }
}
