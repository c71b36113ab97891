/** Whether a data folder can be used, before anything waits for it: what is in the way is found and said. */
import { existsSync } from 'node:fs'
import { access, constants, lstat, mkdtemp, readdir, rmdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { PeerError } from '../base/errors.ts'
import { makeFolder } from '../base/make-folder.ts'

export function unusable(folder: string, cause: unknown): PeerError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  // Another folder is another peer: said where there is something to lose.
  const another = existsSync(join(folder, 'identity'))
    ? 'with another one (--data) this machine is a new peer, without the identity, the mesh and the jobs in this one'
    : 'choose another with --data'
  return new PeerError({
    code: 'DATA_FOLDER_UNUSABLE',
    kind: 'resource',
    message: `the data folder ${folder} cannot be used (${reason}); ${another}`,
    details: { folder },
    cause,
  })
}

/**
 * What a peer had here and is gone, while its identity is there: somebody removed it, or a disk is not mounted. Lines for the
 * user.
 */
export async function goneFrom(folder: string): Promise<string[]> {
  if (!existsSync(join(folder, 'identity'))) return []
  const costs = {
    records: 'jobs of earlier starts are forgotten, and their results with them',
    blocks: 'results that were kept here are gone; those that other peers have are fetched from them',
  }
  return Object.entries(costs).flatMap(([name, cost]) =>
    existsSync(join(folder, name)) ? [] : [`${join(folder, name)} is gone, and a new one is begun: ${cost}`],
  )
}

const socketName = 'peer.sock'

/**
 * Makes the folder and its blocks' one; all that is in it is what a peer left there. Returns lines for the user.
 * @throws PeerError DATA_FOLDER_UNUSABLE
 */
export async function makeDataFolder(folder: string): Promise<string[]> {
  try {
    await checkDataFolder(folder)
    const lines = await openToOthers(folder)
    await makeFolder(folder, 0o700)
    await makeFolder(join(folder, 'blocks'), 0o700)
    await makeFolder(join(folder, 'records'), 0o700)
    return lines
  } catch (thrown) {
    throw thrown instanceof PeerError ? thrown : unusable(folder, thrown)
  }
}

/**
 * A folder that was there keeps its mode, for it is not ours to change; what is secret in it is closed to others by itself. Where
 * others may write in it, they could put their own files in place of the peer's: a peer's own folder, or an empty one, is used
 * with a line to the user; one with other things in it is refused.
 */
async function openToOthers(folder: string): Promise<string[]> {
  if (process.platform === 'win32') return []
  const facts = await stat(folder).catch(() => undefined)
  if (!facts || (facts.mode & 0o022) === 0) return []
  const entries = await readdir(folder)
  const shared = (facts.mode & 0o1000) !== 0 || facts.uid !== process.getuid?.()
  const ours = entries.length === 0 || entries.some(name => ownFiles.has(name))
  if (shared || !ours) throw new Error('others may write in it, so it cannot hold secrets')
  return [`others may write in ${folder}, and could put their own files in place of the peer's: chmod 700 closes it`]
}

/**
 * Looks whether the folder is one, or can be made: at last by making a folder in it, or in the nearest one above, and removing
 * it again. @throws PeerError DATA_FOLDER_UNUSABLE, which names what is in the way
 */
export async function checkDataFolder(folder: string): Promise<void> {
  try {
    const nearest = await nearestFolder(folder)
    await access(nearest, constants.W_OK | constants.X_OK)
    await tryOut(nearest, nearest === folder)
    if (nearest !== folder) return
    await checkContents(folder)
    const blocks = await stat(join(folder, 'blocks')).catch(() => undefined)
    if (blocks && !blocks.isDirectory()) throw new Error(`${join(folder, 'blocks')} is not a folder`)
    for (const part of ['records', 'blocks/small']) await checkContents(join(folder, part))
  } catch (thrown) {
    throw unusable(folder, thrown)
  }
}

/** Not every folder that grants it can be written to, such as /proc. A full disk is no reason not to start: the peer pauses. */
async function tryOut(folder: string, exists: boolean): Promise<void> {
  try {
    await rmdir(await mkdtemp(join(folder, '.shardmesh-')))
  } catch (thrown) {
    const full = ['ENOSPC', 'EDQUOT'].includes((thrown as NodeJS.ErrnoException).code ?? '')
    if (!full || !exists) throw thrown
  }
}

/** The folder itself, or the nearest one above it that exists; anything else in its place is in the way. */
async function nearestFolder(folder: string): Promise<string> {
  for (let at = folder; ; at = dirname(at)) {
    const facts = await stat(at).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code === 'ENOTDIR') return undefined // a file above it: the next step says which
      if (thrown.code !== 'ENOENT' || at === dirname(at)) throw thrown
      return undefined
    })
    if (facts?.isDirectory()) return at
    if (facts) throw new Error(`${at} is not a folder`)
    if (await isLink(at)) throw new Error(`${at} is a link to what does not exist`)
  }
}

async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    facts => facts.isSymbolicLink(),
    () => false,
  )
}

/** Opening a pipe waits for whoever writes into it: nothing but files and folders may lie here, and the peer's socket. */
async function checkContents(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') return []
    throw thrown
  })
  for (const entry of entries) {
    const path = join(folder, entry.name)
    const facts = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry
    if (entry.name === socketName) {
      if (facts && !facts.isSocket()) throw new Error(`${path} is in the way of the peer's socket: remove it`)
    } else if (!facts?.isFile() && !facts?.isDirectory()) throw new Error(`${path} is neither a file nor a folder`)
    else if (facts.isDirectory() && ownFiles.has(basename(path))) throw new Error(`${path} is not a file`)
  }
}

const ownFiles = new Set(['identity', 'mesh.json', 'rates.json', 'config.json', 'socket-path'])
