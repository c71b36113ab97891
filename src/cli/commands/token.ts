/** `peer token`: the join token alone, for scripts. */
import { rename, rm, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { PeerError } from '../../base/errors.ts'
import { dataFolder, hasMesh, openHome } from '../../peer/home.ts'
import { type CommonOptions, common, isNoPeer, withRunningPeer } from '../session.ts'

export function addToken(peer: Command): void {
  common(peer.command('token'))
    .description('print the token that lets another machine join; whoever has it can join')
    .option('--out <file>', 'write it into a file that its owner alone can read, for --join-file')
    .addHelpText(
      'after',
      `
Examples:
  peer token
  peer token --out TOKEN_FILE`,
    )
    .action(async (options: CommonOptions & { out?: string }) => {
      const text = `${await token(options)}\n`
      if (options.out === undefined) process.stdout.write(text)
      else await writeSecretly(options.out, text)
    })
}

/** Mode 0600 from the first byte on, also where a file is there already. */
async function writeSecretly(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}.new`
  try {
    await writeFile(draft, text, { mode: 0o600, flag: 'wx' })
    await rename(draft, file)
  } catch (thrown) {
    await rm(draft, { force: true })
    throw new PeerError({
      code: 'OUT_UNUSABLE',
      kind: 'input',
      message: `--out ${file} cannot be written: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
      cause: thrown,
    })
  }
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
