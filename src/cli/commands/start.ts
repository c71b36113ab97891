/** `peer start`: runs a peer until Ctrl-C, or in the background until `peer stop`. */
import type { Command } from 'commander'
import { PeerError } from '../../base/errors.ts'
import { dataFolder } from '../../peer/home.ts'
import { common } from '../session.ts'
import { isBackground, startInBackground, tell } from '../start/background.ts'
import { joinToken } from '../start/join-token.ts'
import { addStartOptions, chooseOptions, type StartOptions } from '../start/options.ts'
import { runPeer } from '../start/run.ts'

export function addStart(peer: Command): void {
  addStartOptions(common(peer.command('start')))
    .description('start a peer; the first one makes a mesh and prints the token that lets others join')
    .addHelpText(
      'after',
      `
Examples:
  peer start
  peer start --join TOKEN
  peer start --background --name kiwi
  peer start --backend wasm --workers 4 --port 4700`,
    )
    .action(start)
}

async function start(options: StartOptions, command: Command): Promise<void> {
  const folder = dataFolder(options.data)
  if (isBackground()) return inBackground(folder, options, command)
  const chosen = await chooseOptions(folder, options, command)
  const join = await joinToken(options)
  if (options.background) {
    const banner = await startInBackground(folder, join)
    process.stdout.write(banner)
    process.exit(0)
  }
  await runPeer({ folder, join, given: options, chosen })
  process.exit(0)
}

async function inBackground(folder: string, given: StartOptions, command: Command): Promise<void> {
  try {
    const chosen = await chooseOptions(folder, given, command)
    const join = await joinToken(given)
    delete process.env.SHARDMESH_JOIN // what the peer starts needs no password
    await runPeer({ folder, join, given, chosen, ready: banner => void tell({ banner }) })
    process.exit(0)
  } catch (thrown) {
    if (process.connected)
      await tell({ error: PeerError.from(thrown, { code: 'PEER_NOT_STARTED', kind: 'resource' }).toJSON() })
    process.exit(1)
  }
}
