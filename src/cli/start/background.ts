/** `peer start --background`: the same command as a process of its own, which tells once whether it is ready. */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { PeerError, type PeerErrorInit } from '../../base/errors.ts'
import { makeFolder } from '../../base/make-folder.ts'
import { checkDataFolder } from '../../peer/data-folder.ts'
import { logFileOf } from '../log/peer-log.ts'

/** Set for the process in the background. */
const variable = 'SHARDMESH_BACKGROUND'

type Told = { banner: string } | { error: PeerErrorInit }

export const isBackground = () => process.env[variable] === '1' && process.send !== undefined

/** In the background: tells the one that waits, and lets it go. */
export function tell(told: Told): Promise<void> {
  return new Promise(resolve => {
    process.send?.(told, () => {
      process.disconnect()
      resolve()
    })
  })
}

/**
 * Starts the process and resolves with its banner once the peer is ready. The token goes through its environment.
 * @throws PeerError that of the peer, or PEER_NOT_STARTED
 */
export async function startInBackground(folder: string, token: string | undefined): Promise<string> {
  await checkDataFolder(folder)
  const log = logFileOf(folder)
  await makeFolder(dirname(log), 0o700)
  // What a crash prints is kept there; events are in the log.
  const output = openSync(join(dirname(log), 'crash.log'), 'w', 0o600)
  const env: NodeJS.ProcessEnv = { ...process.env, [variable]: '1' }
  delete env.SHARDMESH_LAUNCHED
  if (token === undefined) delete env.SHARDMESH_JOIN
  else env.SHARDMESH_JOIN = token
  const child = spawn(process.execPath, [...process.execArgv, ...withoutToken(process.argv.slice(1))], {
    detached: true,
    stdio: ['ignore', output, output, 'ipc'],
    env,
  })
  closeSync(output)
  const told = await new Promise<Told | number>((resolve, reject) => {
    child.once('message', message => resolve(message as Told))
    child.once('exit', code => resolve(code ?? -1))
    child.once('error', reject)
  })
  if (typeof told === 'number') {
    throw new PeerError({
      code: 'PEER_NOT_STARTED',
      kind: 'resource',
      message: `the peer ended before it was ready; ${join(dirname(log), 'crash.log')} may say why`,
    })
  }
  if ('error' in told) throw new PeerError(told.error)
  if (child.connected) child.disconnect()
  child.unref()
  return told.banner
}

/** The token was read already, and stands in nobody's list of processes. */
function withoutToken(args: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--join' || args[i] === '--join-file') i++
    else if (!/^--join(-file)?=/.test(args[i])) kept.push(args[i])
  }
  return kept
}
