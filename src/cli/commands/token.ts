/** `peer token`: the join token alone, for scripts. */
import type { Command } from 'commander'
import { PeerError } from '../../base/errors.ts'
import { dataFolder, hasMesh, openHome } from '../../peer/home.ts'
import { type CommonOptions, common, isNoPeer, withRunningPeer } from '../session.ts'

export function addToken(peer: Command): void {
  common(peer.command('token'))
    .description('print the token that lets another machine join; whoever has it can join')
    .action(async (options: CommonOptions) => {
      process.stdout.write(`${await token(options)}\n`)
    })
}

async function token(options: CommonOptions): Promise<string> {
  try {
    return await withRunningPeer(options, async client => (await client.info()).token)
  } catch (thrown) {
    if (!isNoPeer(thrown)) throw thrown
  }
  const folder = dataFolder(options.data)
  if (!(await hasMesh(folder))) {
    throw new PeerError({
      code: 'NO_MESH',
      kind: 'input',
      message: `${folder} belongs to no mesh yet; peer start makes one`,
    })
  }
  const home = await openHome(folder)
  return home.token(home.dial)
}
