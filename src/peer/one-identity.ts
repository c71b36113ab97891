/**
 * One identity, one peer: a copied data folder is noticed before it meets the mesh, where two peers under one id would take each
 * other's messages. Every peer of this user leaves a note by its id; invariant: a note of a process that is gone, or of a folder
 * that is gone or has another identity now, stops nobody.
 */
import { createHash } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { PeerError } from '../base/errors.ts'
import type { Home } from './home.ts'
import { runtimeFolder } from './socket-path.ts'

const form = z.object({ pid: z.int().positive(), folder: z.string() })

/** Returns what takes the note away again. @throws PeerError IDENTITY_IN_USE */
export async function claimIdentity({ self, folder, identity }: Home): Promise<() => Promise<void>> {
  const runtime = await runtimeFolder()
  if (runtime === undefined) return async () => {}
  const file = join(runtime, `${createHash('sha256').update(self).digest('hex').slice(0, 16)}.peer`)
  const other = await noteIn(file)
  if (other && other.folder !== folder && isAlive(other.pid) && (await sameIdentity(other.folder, identity))) {
    throw new PeerError({
      code: 'IDENTITY_IN_USE',
      kind: 'input',
      message:
        `${folder} is a copy of ${other.folder}, whose peer runs (process ${other.pid}): two peers cannot have one identity. ` +
        `Delete ${join(folder, 'identity')} to make the copy a peer of its own; results stay in both, and jobs that were ` +
        'submitted before belong to the original alone',
      details: { folder, other: other.folder, pid: other.pid },
    })
  }
  const note = JSON.stringify({ pid: process.pid, folder })
  // A full disk is no reason not to start.
  await writeFile(file, note, { mode: 0o600 }).catch(() => {})
  return async () => {
    const last = await noteIn(file)
    if (last?.pid === process.pid && last.folder === folder) await rm(file, { force: true })
  }
}

async function noteIn(file: string): Promise<z.infer<typeof form> | undefined> {
  try {
    return form.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch {
    return undefined
  }
}

async function sameIdentity(folder: string, identity: Uint8Array): Promise<boolean> {
  return readFile(join(folder, 'identity')).then(
    bytes => Buffer.compare(bytes, identity) === 0,
    () => false,
  )
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM'
  }
}
