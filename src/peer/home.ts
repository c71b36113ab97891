/**
 * A peer's data folder: who it is (`identity`), which mesh it belongs to (`mesh.json`), what it remembers of its jobs
 * (`records`), its blocks and its control socket. What is secret is readable by its owner alone (0600, in a folder of 0700).
 */
import { createHash, randomBytes } from 'node:crypto'
import { chmod, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { homedir, tmpdir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { PeerError } from '../base/errors.ts'
import { makeDataFolder, unusable } from './data-folder.ts'

export interface Home {
  readonly folder: string
  readonly blocksFolder: string
  readonly socketPath: string
  readonly identity: Uint8Array
  /** This peer's id, from its identity. */
  readonly self: string
  readonly secret: Uint8Array
  /** Two words derived from the secret. */
  readonly meshName: string
  /** Addresses of peers of the mesh, from the join token or an earlier run. */
  readonly dial: string[]
  /** True when this call made the mesh. */
  readonly created: boolean
  /** Makes a joined mesh this folder's own; until then a wrong token leaves no trace. */
  confirm(): Promise<void>
  /** Remembers addresses that worked, for the next start. */
  remember(addresses: string[]): Promise<void>
  /** The join token, with these addresses to dial. */
  token(addresses: string[]): string
}

/** Where a peer listens unless told otherwise. */
export const defaultPort = 4601

const meshFile = z.object({ secret: z.string().min(1), dial: z.array(z.string()).max(64).default([]) })

/** `--data`, else `SHARDMESH_DATA`, else `~/.shardmesh`. Throws PeerError DATA_FOLDER_UNUSABLE for an empty name. */
export function dataFolder(option?: string): string {
  if (option === '') throw unusable('""', 'its name is empty')
  // An empty variable is as good as none: the folder that a command stands in is nobody's choice.
  return resolve(option ?? (process.env.SHARDMESH_DATA || join(homedir(), '.shardmesh')))
}

/** A Unix socket's path is at most 107 bytes: a deep data folder gets a short name in the temporary folder. */
export function socketPathOf(folder: string): string {
  const inside = join(folder, 'peer.sock')
  if (Buffer.byteLength(inside) <= 100) return inside
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 16)
  return join(tmpdir(), `shardmesh-${userInfo().uid}`, `${name}.sock`)
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw cause
  }
}

/** Whole or not at all: a crash in the middle leaves the old file. */
async function writeSecret(file: string, bytes: Uint8Array | string): Promise<void> {
  await writeFile(`${file}.new`, bytes, { mode: 0o600 })
  await rename(`${file}.new`, file)
}

/** Whether a mesh was ever made or joined in this folder. */
export async function hasMesh(folder: string): Promise<boolean> {
  return stat(join(folder, 'mesh.json')).then(
    () => true,
    () => false,
  )
}

/**
 * Opens the data folder, making what is missing. With a join token the folder is (or becomes) part of
 * the token's mesh; without one, of the mesh it has, else of a new one, which is kept unless `keepNew` is false.
 */
export async function openHome(folder: string, token?: string, keepNew = true): Promise<Home> {
  // Loaded when it is needed: a command that only asks a running peer does without the network's packages.
  const { createIdentity, peerKeyOf } = await import('../mesh/identity.ts')
  const { decodeToken, encodeToken, meshName } = await import('../mesh/token.ts')
  const invited = token === undefined ? undefined : decodeToken(token)
  try {
    await makeDataFolder(folder)
    await chmod(folder, 0o700)
    const identityFile = join(folder, 'identity')
    let identity: Uint8Array | undefined = await readIfThere(identityFile)
    if (identity === undefined) {
      identity = createIdentity()
      await writeSecret(identityFile, identity)
    }
    const file = join(folder, 'mesh.json')
    const text = await readIfThere(file)
    const known = text === undefined ? undefined : meshFile.parse(JSON.parse(text.toString()))
    const knownSecret = known && new Uint8Array(Buffer.from(known.secret, 'base64url'))
    if (invited && knownSecret && Buffer.compare(knownSecret, invited.secret) !== 0)
      throw otherMesh(folder, meshName(knownSecret))
    const secret = invited?.secret ?? knownSecret ?? new Uint8Array(randomBytes(32))
    const dial = [...new Set([...(invited?.addresses ?? []), ...(known?.dial ?? [])])].slice(0, 64)
    // One after the other: two at once would write into one draft, and the folder could not be opened again.
    let saved: Promise<void> = Promise.resolve()
    const save = (addresses: string[]) => {
      const text = JSON.stringify({ secret: Buffer.from(secret).toString('base64url'), dial: addresses })
      const next = saved.then(() => writeSecret(file, text))
      saved = next.catch(() => {}) // it is the caller's; the next one is tried all the same
      return next
    }
    if (!invited && (keepNew || knownSecret)) await save(dial)
    return {
      folder,
      blocksFolder: join(folder, 'blocks'),
      socketPath: socketPathOf(folder),
      identity,
      self: peerKeyOf(identity),
      secret,
      meshName: meshName(secret),
      dial,
      created: knownSecret === undefined && invited === undefined,
      confirm: () => save(dial),
      remember: addresses => save([...new Set(addresses)].slice(0, 64)),
      token: addresses => encodeToken({ secret, addresses }),
    }
  } catch (thrown) {
    throw thrown instanceof PeerError ? thrown : unusable(folder, thrown)
  }
}

function otherMesh(folder: string, mesh: string): PeerError {
  return new PeerError({
    code: 'OTHER_MESH',
    kind: 'input',
    message:
      `${folder} already belongs to the mesh ${mesh}, and the token is another mesh's; ` +
      'use another folder with --data, or delete mesh.json there to leave the old mesh',
  })
}
