/**
 * What a peer does when its disk refuses (full, read-only, broken): it pauses, says so, and goes on by itself once it can write. Invariant: work
 * that the disk refused is neither lost nor counted as failed; it waits, or another peer takes it. A small file kept in
 * reserve is given up first, so that what frees space (a job that ended, a record of it) can still be written.
 */
import { rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PeerError } from '../../base/errors.ts'
import type { BlockStore } from '../../data/store/types.ts'

export interface DiskRoomInit {
  folder: string
  /** The peer pauses (a line for the user) or goes on (undefined). */
  onChange: (paused: string | undefined) => void
  /** Whether there is room again; tests give their own. */
  probe?: () => Promise<boolean>
}

export interface DiskRoom {
  /** Why this peer pauses; undefined while it does not. */
  readonly paused: string | undefined
  /** The same in a few words, for other peers: `its disk is full`. */
  readonly short: string | undefined
  /** Looks whether the disk refused, and pauses if so. */
  refused(thrown: unknown): void
  /** Runs `work`; when the disk refuses, again once there is room. Throws what else it throws, and PEER_STOPPED. */
  patiently<T>(work: () => Promise<T>): Promise<T>
  stop(): Promise<void>
}

const probeMs = 1000
/** Given up when the disk is full; of a small disk a small part. */
const reserveBytesMax = 4 * 1024 * 1024
const reservePart = 1 / 32
/** Free before work goes on: enough for some blocks, so that the next one does not stop it again. */
const roomBytesMax = 20 * 1024 * 1024
const roomPart = 1 / 4
const codes = ['STORE_FULL', 'STORE_UNUSABLE']

function shortOf({ code, details }: PeerError): string {
  if (code === 'STORE_FULL') return 'its disk is full'
  return details.system === 'EROFS' ? 'its disk is read-only' : 'its disk refuses'
}

const isRefusal = (thrown: unknown): thrown is PeerError => thrown instanceof PeerError && codes.includes(thrown.code)

export async function openDiskRoom({ folder, onChange, probe }: DiskRoomInit): Promise<DiskRoom> {
  const reserve = join(folder, 'reserve')
  let paused: string | undefined
  let short: string | undefined
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let waiting: { resolve: () => void; reject: (error: PeerError) => void }[] = []
  let working: Promise<void> = setAside()

  async function space(): Promise<{ free: number; all: number }> {
    const { bavail, bsize, blocks } = await statfs(folder)
    return { free: bavail * bsize, all: blocks * bsize }
  }

  async function writeReserve(): Promise<void> {
    const bytes = Math.min(reserveBytesMax, Math.floor((await space()).all * reservePart))
    await writeFile(reserve, new Uint8Array(bytes), { mode: 0o600 })
  }

  /** A disk that takes nothing does not give up anything either. */
  async function giveUp(): Promise<void> {
    await rm(reserve, { force: true }).catch(() => {})
  }

  /** Not having a reserve is no reason to stop. */
  async function setAside(): Promise<void> {
    await writeReserve().catch(giveUp)
  }

  async function hasRoom(): Promise<boolean> {
    if (probe) return probe()
    try {
      const { free, all } = await space()
      if (free < Math.min(roomBytesMax, all * roomPart)) return false
      await writeReserve()
      return true
    } catch {
      return false
    }
  }

  async function look(): Promise<void> {
    const room = await hasRoom()
    if (stopped) return
    if (!room) {
      timer = setTimeout(lookAgain, probeMs)
      return
    }
    paused = undefined
    onChange(undefined)
    for (const one of waiting.splice(0)) one.resolve()
  }
  const lookAgain = () => {
    working = look()
  }

  function refused(thrown: unknown): void {
    if (!isRefusal(thrown) || paused !== undefined || stopped) return
    paused = thrown.message
    short = shortOf(thrown)
    working = working.then(giveUp)
    timer = setTimeout(lookAgain, probeMs)
    onChange(paused)
  }

  return {
    get paused() {
      return paused
    },
    get short() {
      return paused === undefined ? undefined : short
    },
    refused,
    async patiently(work) {
      for (;;) {
        try {
          return await work()
        } catch (thrown) {
          if (!isRefusal(thrown) || stopped) throw thrown
          refused(thrown)
          if (paused !== undefined) await new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }))
        }
      }
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      const error = new PeerError({
        code: 'PEER_STOPPED',
        kind: 'aborted',
        message: 'the peer was stopped',
        retry: 'elsewhere',
      })
      for (const one of waiting.splice(0)) one.reject(error)
      waiting = []
      await working
    },
  }
}

/** The store, whose refusals pause the peer. */
export function withRoom(store: BlockStore, room: DiskRoom): BlockStore {
  const watched = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (thrown) {
      room.refused(thrown)
      throw thrown
    }
  }
  const { take } = store
  return {
    ...store,
    // What cannot be removed now stays for the next sweep.
    delete: id => store.delete(id).catch(thrown => (isRefusal(thrown) ? room.refused(thrown) : Promise.reject(thrown))),
    put: (...block) => watched(store.put(...block)),
    take: take && ((...block) => watched(take(...block))),
  }
}
