/**
 * Where a peer's control socket lies: in the data folder; a Unix socket's path is at most 107 bytes, so that a deep folder's
 * socket lies in a folder of this user's own under XDG_RUNTIME_DIR, TMPDIR or /tmp, and the data folder says where. Invariant:
 * that folder is this user's, no link, and closed to others, or it is not used: who could put a socket there would be obeyed.
 */
import { createHash } from 'node:crypto'
import { closeSync, readSync } from 'node:fs'
import { chmod, lstat, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { PeerError } from '../base/errors.ts'
import { openNamedSync } from '../base/named-file.ts'
import { writeWhole } from '../base/whole-file.ts'

const pathBytesMax = 100
/** In the data folder: the path of the socket that lies elsewhere. */
const pointerName = 'socket-path'

const fits = (path: string) => Buffer.byteLength(path) <= pathBytesMax
/** os.userInfo throws for a user without an entry in the system's list. */
const uid = () => process.getuid?.() ?? 0
const nameOf = (folder: string) => `${createHash('sha256').update(folder).digest('hex').slice(0, 16)}.sock`

function candidates(folder: string): { parent: string; path: string }[] {
  const above = [process.env.XDG_RUNTIME_DIR, process.env.TMPDIR, tmpdir(), '/tmp'].filter(
    one => one && isAbsolute(one),
  )
  return [...new Set(above as string[])]
    .map(one => join(one, `shardmesh-${uid()}`))
    .map(parent => ({ parent, path: join(parent, nameOf(folder)) }))
    .filter(({ path }) => fits(path))
}

/** Where the socket of the peer with this data folder is, whatever this process's environment. */
export function socketPathOf(folder: string): string {
  const inside = join(folder, 'peer.sock')
  if (fits(inside)) return inside
  try {
    const path = pointerIn(folder)
    if (isAbsolute(path) && fits(path)) return path
  } catch {
    // No peer ran here yet.
  }
  return candidates(folder)[0]?.path ?? inside
}

function pointerIn(folder: string): string {
  const file = openNamedSync(join(folder, pointerName))
  try {
    const bytes = new Uint8Array(4096)
    return Buffer.from(bytes.subarray(0, readSync(file, bytes)))
      .toString()
      .trim()
  } finally {
    closeSync(file)
  }
}

/** Chooses the place, and makes and checks the folder. @throws PeerError SOCKET_FOLDER */
export async function makeSocketPath(folder: string): Promise<string> {
  const inside = join(folder, 'peer.sock')
  if (fits(inside)) return inside
  const refused: string[] = []
  for (const { parent, path } of candidates(folder)) {
    const wrong = await claim(parent)
    if (wrong === undefined) {
      await writePointer(folder, path)
      return path
    }
    refused.push(`${parent} ${wrong}`)
  }
  throw new PeerError({
    code: 'SOCKET_FOLDER',
    kind: 'resource',
    message: `no safe place for the peer's socket (${refused.join('; ')}): use a data folder with a shorter path`,
  })
}

async function writePointer(folder: string, path: string): Promise<void> {
  const pointer = join(folder, pointerName)
  await writeWhole(pointer, `${path}\n`)
}

/** Undefined where the folder is this user's alone; else why it is not used. */
async function claim(folder: string): Promise<string | undefined> {
  try {
    await mkdir(folder, { mode: 0o700 })
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') return `cannot be made (${(thrown as Error).message})`
  }
  const facts = await lstat(folder)
  if (facts.isSymbolicLink()) return 'is a link'
  if (!facts.isDirectory()) return 'is not a folder'
  if (process.platform === 'win32') return undefined
  if (facts.uid !== uid()) return `belongs to user ${facts.uid}`
  if ((facts.mode & 0o077) !== 0) await chmod(folder, 0o700)
  return undefined
}

/** A folder of this user's alone for what ends with the machine's run; undefined where none is safe. */
export async function runtimeFolder(): Promise<string | undefined> {
  for (const { parent } of candidates('')) if ((await claim(parent)) === undefined) return parent
  return undefined
}
