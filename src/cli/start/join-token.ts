/** Where a join token comes from: it is a password, and words of a command line can be read by every user of the machine. */
import { text } from 'node:stream/consumers'
import { PeerError } from '../../base/errors.ts'
import { readNamedText } from '../../base/named-file.ts'
import { decodeToken } from '../../mesh/token.ts'
import { sayIfLong } from '../waiting.ts'

/** A token has a few hundred characters; a file that is larger is the wrong one. */
const charsMax = 64 * 1024

/** The token of `--join`, `--join -`, `--join-file` or SHARDMESH_JOIN, checked; undefined without any. @throws PeerError */
export async function joinToken(options: { join?: string; joinFile?: string }): Promise<string | undefined> {
  if (options.join !== undefined && options.joinFile !== undefined) {
    throw wrong('JOIN_TWICE', '--join and --join-file exclude each other: give the token once')
  }
  const token = await given(options)
  if (token === undefined) return undefined
  if (token.text.trim() === '')
    throw wrong('TOKEN_INVALID', `${token.from} is empty: a join token is expected, as peer token prints it`)
  try {
    decodeToken(token.text)
  } catch (thrown) {
    if (!(thrown instanceof PeerError)) throw thrown
    throw wrong(thrown.code, `${token.from}: ${thrown.message}`)
  }
  return token.text
}

async function given({ join, joinFile }: { join?: string; joinFile?: string }) {
  if (join === '-')
    return {
      from: 'standard input',
      text: (await sayIfLong('the token on standard input', text(process.stdin))).slice(0, charsMax),
    }
  if (join !== undefined) return { from: '--join', text: join }
  if (joinFile !== undefined) return { from: joinFile, text: await read(joinFile) }
  const variable = process.env.SHARDMESH_JOIN
  // An empty variable is as good as none.
  return variable ? { from: 'SHARDMESH_JOIN', text: variable } : undefined
}

async function read(file: string): Promise<string> {
  try {
    return await sayIfLong(
      `the token from ${file}`,
      readNamedText(file, { as: `--join-file ${file}`, bytesMax: charsMax, pipes: true }),
    )
  } catch (thrown) {
    throw wrong('JOIN_FILE', (thrown as Error).message)
  }
}

const wrong = (code: string, message: string) => new PeerError({ code, kind: 'input', message })
