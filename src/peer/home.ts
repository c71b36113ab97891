/**
 * A peer's data folder: who it is (`identity`), which mesh it belongs to (`mesh.json`), what it remembers of its jobs
 * (`records`), its blocks and its control socket. What is secret is readable by its owner alone (0600, in a folder of 0700).
 */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { z } from 'zod'
import { PeerError } from '../base/errors.ts'
import { kindAt, readNamed } from '../base/named-file.ts'
import { writeWhole } from '../base/whole-file.ts'
import { goneFrom, makeDataFolder, unusable } from './data-folder.ts'
import { makeSocketPath } from './socket-path.ts'

export { socketPathOf } from './socket-path.ts'

/** A peer’s data folder, opened. */
export interface Home {
  /** Its absolute path. */
  readonly folder: string
  /** Where its blocks are. */
  readonly blocksFolder: string
  /** The control socket that `connect` and the commands use. */
  readonly socketPath: string
  /** Ed25519 private key in libp2p’s protobuf form. Secret. */
  readonly identity: Uint8Array
  /** This peer's id, from its identity. */
  readonly self: string
  /** What admits to the mesh, 32 bytes. Secret. */
  readonly secret: Uint8Array
  /** Two words derived from the secret. */
  readonly meshName: string
  /** Addresses of peers of the mesh, from the join token or an earlier run. */
  readonly dial: string[]
  /** True when this call made the mesh. */
  readonly created: boolean
  /** This call made an identity, though a peer was here before. */
  readonly lostIdentity: boolean
  /** This call had a join token. */
  readonly invited: boolean
  /** The mesh is this folder's at the next start as well. */
  readonly kept: boolean
  /** What is not there any more beside files that are, and who else may write here: lines for the user. */
  readonly notes: string[]
  /** Makes a joined mesh this folder's own; until then a wrong token leaves no trace. */
  confirm(): Promise<void>
  /** Remembers addresses that worked, for the next start. */
  remember(addresses: string[]): Promise<void>
  /** The join token, with these addresses to dial. */
  token(addresses: string[]): string
}

/** Where a peer listens unless told otherwise. */
export const defaultPort = 4601

const meshFile = z.object({
  secret: z.string().min(1),
  /** Of the secret: a damaged one would be another mesh's. Older releases wrote none. */
  sum: z.string().optional(),
  dial: z.array(z.string()).max(64).default([]),
})
const sumOf = (secret: string) => createHash('sha256').update(secret).digest('hex').slice(0, 16)

/**
 * `--data`, else `SHARDMESH_DATA`, else `~/.shardmesh`; an empty one is as good as none, for scripts and units have variables
 * without a value. A shell does not expand `~` in `--data=~/peer` nor in a unit: it is the home folder here too.
 * Throws PeerError NO_HOME where the usual folder is meant and this user has none.
 */
export function dataFolder(option?: string): string {
  const named = option || process.env.SHARDMESH_DATA
  if (!named) return join(homeFolder(), '.shardmesh')
  if (/^~[^\\/]/.test(named)) throw otherHome(named)
  return resolve(/^~(?=$|[\\/])/.test(named) ? join(homeFolder(), named.slice(1)) : named)
}

/** A shell knows where other users' folders are. */
function otherHome(named: string): PeerError {
  const message = `${named} begins with another user's ~, which only a shell expands: write the whole path, or ./${named} for a folder of that name`
  return new PeerError({ code: 'DATA_FOLDER_HOME', kind: 'input', message })
}

/** os.homedir throws where the user has neither HOME nor an entry in the system's list of users, as in containers. */
function homeFolder(): string {
  let home: string | undefined
  try {
    home = process.env.HOME === '' ? userInfo().homedir : homedir()
  } catch {
    // Said below.
  }
  if (home && isAbsolute(home)) return home
  throw new PeerError({
    code: 'NO_HOME',
    kind: 'input',
    message: 'this user has no home folder: say where the data is with --data DIR or SHARDMESH_DATA',
  })
}

/** Neither the identity nor the mesh's file comes near it. */
const ownBytesMax = 1024 * 1024

async function readIfThere(file: string): Promise<Buffer | undefined> {
  return (await kindAt(file)) === undefined ? undefined : Buffer.from(await readNamed(file, { bytesMax: ownBytesMax }))
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
    const gone = await goneFrom(folder)
    const hadRecords = existsSync(join(folder, 'records', 'CURRENT'))
    const open = await makeDataFolder(folder)
    const identityFile = join(folder, 'identity')
    const kept = await readIfThere(identityFile)
    const identity: Uint8Array = kept ?? createIdentity()
    if (kept === undefined) await writeWhole(identityFile, identity)
    const self = keyOf(identityFile, () => peerKeyOf(identity))
    const file = join(folder, 'mesh.json')
    const text = await readIfThere(file)
    const known = text === undefined ? undefined : readMesh(file, text.toString(), invited !== undefined)
    const knownSecret = known && new Uint8Array(Buffer.from(known.secret, 'base64url'))
    if (invited && knownSecret && Buffer.compare(knownSecret, invited.secret) !== 0)
      throw otherMesh(folder, meshName(knownSecret))
    const secret = invited?.secret ?? knownSecret ?? new Uint8Array(randomBytes(32))
    const dial = [...new Set([...(invited?.addresses ?? []), ...(known?.dial ?? [])])].slice(0, 64)
    // One after the other: two at once would write into one draft, and the folder could not be opened again.
    let saved: Promise<void> = Promise.resolve()
    const save = (addresses: string[]) => {
      const told = Buffer.from(secret).toString('base64url')
      const text = JSON.stringify({ secret: told, sum: sumOf(told), dial: addresses })
      const next = saved.then(() => writeWhole(file, text))
      saved = next.catch(() => {}) // it is the caller's; the next one is tried all the same
      return next
    }
    if (!invited && (keepNew || knownSecret)) await save(dial)
    return {
      folder,
      blocksFolder: join(folder, 'blocks'),
      socketPath: await makeSocketPath(folder),
      identity,
      self,
      secret,
      meshName: meshName(secret),
      dial,
      created: knownSecret === undefined && invited === undefined,
      invited: invited !== undefined,
      lostIdentity: kept === undefined && hadRecords,
      kept: keepNew || knownSecret !== undefined || invited !== undefined,
      notes: [...gone, ...open],
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
      'use another folder with --data, which is another peer without the jobs of this one; or remove mesh.json there to leave the ' +
      'old mesh (its secret is in it: peer token, run before, prints what brings you back)',
  })
}

/** With a token at hand a damaged file is replaced: it held the same secret, or another mesh's that is lost. */
function readMesh(file: string, text: string, replaceable: boolean): z.infer<typeof meshFile> | undefined {
  try {
    const known = meshFile.parse(JSON.parse(text))
    if (Buffer.from(known.secret, 'base64url').byteLength !== 32) throw new Error('its secret is not whole')
    if (known.sum !== undefined && known.sum !== sumOf(known.secret)) throw new Error('its secret is another one')
    return known
  } catch (cause) {
    if (replaceable) return undefined
    throw new PeerError({
      code: 'MESH_FILE_DAMAGED',
      kind: 'resource',
      message:
        `${file} is damaged, and with it the mesh's secret: start with --join TOKEN (peer token prints it on a machine of ` +
        'the mesh); where there is no other machine, delete the file, and a new mesh is made',
      details: { file },
      cause,
    })
  }
}

function keyOf(file: string, key: () => string): string {
  try {
    return key()
  } catch (cause) {
    throw new PeerError({
      code: 'IDENTITY_DAMAGED',
      kind: 'resource',
      message: `${file} is damaged: restore it from a copy, or delete it; this peer is a new one then: results that are kept here can still be fetched, but it does not own the jobs any more that were submitted from it`,
      details: { file },
      cause,
    })
  }
}
