/**
 * A LevelDB that goes on when its files are damaged. LevelDB finds damage where it reads, not where it opens: whatever is asked
 * of it may fail, hours after the start. Then it is repaired, else set aside and begun anew, and asked again. Invariant: what is
 * lost is said in one line; an error that is left is the file system's own (full, read-only, not permitted).
 */
import { rename, stat } from 'node:fs/promises'
import { ClassicLevel } from 'classic-level'
import { PeerError } from '../../base/errors.ts'
import { makeFolder } from '../../base/make-folder.ts'
import { storeError, systemCode } from './errors.ts'
import { changedSinceClosed, hasData, lacksCurrent, noteClosed, saidDropping } from './level-files.ts'
import { mendTables } from './level-tables.ts'
import { watchTables } from './level-watch.ts'

export type Database = ClassicLevel<string, Uint8Array>

export interface Level {
  /** Runs `work`, and again after a repair; it may have been done in part before. Throws what is no damage. */
  run<T>(work: (db: Database) => Promise<T>): Promise<T>
  /** After a failed write LevelDB's log may end in half a record: it is opened anew before it is written to again. */
  reopen(): Promise<void>
  close(): Promise<void>
}

export interface LevelWords {
  /** What is in the folder. */
  what: string
  /** What a repair may cost. */
  partLost: string
  /** What is lost when all of it is. */
  allLost: string
}

/** A repair and a new beginning are two; more only where several read at once. */
const triesMax = 4

/** Throws PeerError PEER_RUNNING when another process has it open, and of kind `resource` when the folder cannot be used. */
export async function openLevel(folder: string, words: LevelWords, warn: (line: string) => void): Promise<Level> {
  /** A new object each time: it opens the folder by itself as soon as it is there. */
  let db: Database | undefined
  const isOpen = () => db?.status === 'open'
  const open = async () => {
    db = new ClassicLevel<string, Uint8Array>(folder, { keyEncoding: 'utf8', valueEncoding: 'view' })
    await db.open()
    everOpen = true
  }
  const shut = async () => {
    await db?.close()
    db = undefined
  }
  const watch = watchTables(folder, () => void reopen().catch(() => {})) // the next call meets it again
  /** Closed for a moment, to be opened anew or repaired. */
  let mending: Promise<void> | undefined
  let openings = 0
  let everOpen = false
  let closed = false

  /** One at a time; `opening` is the one that the caller found wanting. */
  function mend(opening: number, work: () => Promise<void>): Promise<void> {
    if (mending) return mending
    if (opening !== openings) return Promise.resolve()
    mending = work().finally(() => {
      openings++
      mending = undefined
    })
    return mending
  }

  async function repair(): Promise<void> {
    await shut().catch(() => {}) // it is damaged; what matters is that it opens
    await openOrMend(true)
  }

  async function openOrMend(known: boolean): Promise<void> {
    // LevelDB would make new files without a word.
    if (everOpen && !(await hasData(folder))) {
      await beginAnew()
      return watch.begin()
    }
    const mended = await mendTables(folder)
    const damaged = known || mended.length > 0 || (await lacksCurrent(folder))
    if (!damaged) {
      try {
        await open()
        return watch.begin()
      } catch (thrown) {
        if (levelCode(thrown) === 'LEVEL_LOCKED') throw inUse(thrown)
        if (!isDamage(thrown)) throw thrown
      }
    }
    if (await repaired()) warn(`the ${words.what} in ${folder} were damaged and have been repaired: ${words.partLost}`)
    else await beginAnew()
    await watch.begin()
  }

  /** A repair keeps what can be read; whether all can be read then is tried now, so that the damage is not met again. */
  async function repaired(): Promise<boolean> {
    try {
      await ClassicLevel.repair(folder)
      await open()
      for await (const _ of (db as Database | undefined)?.iterator() ?? []);
      return true
    } catch (thrown) {
      if (levelCode(thrown) === 'LEVEL_LOCKED') throw inUse(thrown)
      if (!isDamage(thrown) && !isOpen()) throw thrown
      return false
    }
  }

  async function beginAnew(): Promise<void> {
    await shut().catch(() => {}) // as above
    const aside = `${folder}-damaged-${Date.now()}`
    const there = await stat(folder).catch(() => undefined)
    if (there) await rename(folder, aside)
    await makeFolder(folder, 0o700)
    await open()
    const where = there ? `cannot be read: they are set aside as ${aside}` : 'are gone'
    warn(`the ${words.what} in ${folder} ${where}, and new ones begun: ${words.allLost}`)
  }

  const reopen = () =>
    mend(openings, async () => {
      await shut()
      await openOrMend(false)
    }).catch(thrown => {
      throw levelError(folder, thrown)
    })

  const changed = await changedSinceClosed(folder)
  try {
    // Of another list LevelDB would take tables for old ones and remove them.
    await openOrMend(!changed.every(isLog))
    if (changed.length > 0 && changed.every(isLog))
      warn(`${changed.join(', ')} of the ${words.what} in ${folder} changed while no peer ran: ${words.partLost}`)
    else if (changed.length === 0 && (await saidDropping(folder)))
      warn(`the ${words.what} in ${folder} were damaged, and what could not be read is left out: ${words.partLost}`)
  } catch (thrown) {
    throw levelError(folder, thrown)
  }

  return {
    async run(work) {
      for (let tries = 1; ; tries++) {
        await mending?.catch(() => {}) // whoever began it is told
        const opening = openings
        try {
          if (!isOpen() && !closed) await reopen()
          if (!db) throw closedError()
          return await work(db)
        } catch (thrown) {
          if (closed || tries >= triesMax) throw levelError(folder, thrown)
          // It was closed under the work.
          if (mending || opening !== openings) continue
          if (thrown instanceof PeerError || !isDamage(thrown)) throw levelError(folder, thrown)
          await mend(opening, repair).catch(failed => {
            throw levelError(folder, failed)
          })
        }
      }
    },
    reopen,
    async close() {
      closed = true
      watch.close()
      await mending?.catch(() => {}) // whoever waited for it is told
      // What is in the log alone goes into a table, which is checked: a log that was cut says nothing.
      if (isOpen()) await db?.compactRange('~', '~').catch(() => {}) // then it stays in the log
      await shut()
      await noteClosed(folder)
    },
  }
}

const isLog = (name: string) => name.endsWith('.log')

/** LevelDB's own error is the cause of the one that is thrown. */
function levelCode(thrown: unknown): string | undefined {
  return systemCode(thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown)
}

function textOf(thrown: unknown): string {
  return [thrown, thrown instanceof Error ? thrown.cause : undefined]
    .map(one => (one instanceof Error ? one.message : ''))
    .join(': ')
}

/** LevelDB says only in words why the system refused. */
const systemWords: Record<string, RegExp> = {
  ENOSPC: /no space left/i,
  EDQUOT: /quota exceeded/i,
  EROFS: /read-only file/i,
  EACCES: /permission denied/i,
  EPERM: /operation not permitted/i,
  EMFILE: /too many open files/i,
  ENOMEM: /cannot allocate memory/i,
}

const systemWord = (text: string) => Object.keys(systemWords).find(name => systemWords[name].test(text))

/** What LevelDB says of files of its own that are missing, wrong or not to be read. */
function isDamage(thrown: unknown): boolean {
  if (thrown instanceof PeerError) return false
  const text = textOf(thrown)
  if (systemWord(text) !== undefined) return false
  if (['LEVEL_CORRUPTION', 'LEVEL_IO_ERROR'].includes(levelCode(thrown) ?? '')) return true
  return /corrupt|io error|does not exist|missing files|not an sstable|CURRENT|MANIFEST/i.test(text)
}

function levelError(folder: string, thrown: unknown): PeerError {
  if (thrown instanceof PeerError) return thrown
  const code = systemWord(textOf(thrown))
  return storeError(folder, code === undefined ? thrown : Object.assign(new Error(textOf(thrown)), { code }))
}

/** What comes after the end. */
export function closedError(): PeerError {
  return new PeerError({ code: 'STORE_CLOSED', kind: 'aborted', message: 'the peer stops: nothing more is kept' })
}

function inUse(cause: unknown): PeerError {
  return new PeerError({
    code: 'PEER_RUNNING',
    kind: 'resource',
    message: 'a peer already runs with this data folder; stop it, or give this one a folder of its own with --data',
    cause,
  })
}
