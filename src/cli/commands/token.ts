/** `peer token`: the join token alone, for scripts. */
import type { Command } from 'commander'
import pc from 'picocolors'
import { PeerError } from '../../base/errors.ts'
import { kindAt } from '../../base/named-file.ts'
import { writeWhole } from '../../base/whole-file.ts'
import { announcedAddress } from '../../mesh/announce.ts'
import { dataFolder, defaultPort, hasMesh, openHome } from '../../peer/home.ts'
import { readOptions } from '../../peer/options-file.ts'
import { tokenNote } from '../../peer/token-note.ts'
import { each } from '../arguments.ts'
import { type CommonOptions, common, isNoPeer, withRunningPeer } from '../session.ts'

interface TokenOptions extends CommonOptions {
  out?: string
  announce?: string[]
}

export function addToken(peer: Command): void {
  common(peer.command('token'))
    .description('print the token that lets another machine join; whoever has it can join')
    .option('--out <file>', 'write it into a file that its owner alone can read, for --join-file')
    .option(
      '--announce <address>',
      'put this address into the token, first: a forwarded port, a name; such as 203.0.113.5:4601; may be given several times',
      each,
    )
    .addHelpText(
      'after',
      `
Examples:
  peer token
  peer token --announce 203.0.113.5:4601
  peer token --out TOKEN_FILE`,
    )
    .action(async (options: TokenOptions) => {
      if (options.out?.trim() === '') {
        const message = '--out is empty: give the name of a file, or leave it out for standard output'
        throw new PeerError({ code: 'OUT_MISSING', kind: 'input', message })
      }
      const made = await token(options)
      const text = `${made.token}\n`
      if (made.note) process.stderr.write(`${pc.yellow('!')} ${made.note}\n`)
      if (options.out === undefined) process.stdout.write(text)
      else await writeSecretly(options.out, text)
    })
}

/** Mode 0600 from the first byte on, also where a file is there already. */
async function writeSecretly(file: string, text: string): Promise<void> {
  try {
    const kind = await kindAt(file)
    if (kind !== undefined && kind !== 'file') throw new Error(`it is a ${kind}`)
    await writeWhole(file, text)
  } catch (thrown) {
    throw new PeerError({
      code: 'OUT_UNUSABLE',
      kind: 'input',
      message: `--out ${file} cannot be written: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
      cause: thrown,
    })
  }
}

async function token(options: TokenOptions): Promise<{ token: string; note?: string }> {
  const announce = (port?: number) => (options.announce ?? []).map(one => announcedAddress(one, port ?? defaultPort))
  announce()
  const { decodeToken, encodeToken } = await import('../../mesh/token.ts')
  const made = ({ secret, addresses }: { secret: Uint8Array; addresses: string[] }, port?: number) => {
    const all = [...new Set([...announce(port), ...addresses])]
    return { token: encodeToken({ secret, addresses: all }), note: tokenNote(all) }
  }
  try {
    return await withRunningPeer(options, async client => {
      const { token, listening } = await client.info()
      return made(decodeToken(token), Number(/\/tcp\/(\d+)/.exec(listening[0] ?? '')?.[1]) || undefined)
    })
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
  const { port, foundPort } = await readOptions(folder).catch(() => ({ port: undefined, foundPort: undefined }))
  return made({ secret: home.secret, addresses: home.dial }, port ?? foundPort)
}
