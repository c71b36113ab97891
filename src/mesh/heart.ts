/**
 * What this peer says of itself, and when: an announcement every second, and at once when its status changed
 * in more than load and throughput. Each has a greater number than the one before.
 */
import { type Announcement, addressesMax, encodeAnnouncement } from './messages.ts'
import type { PeerStatus } from './types.ts'

const heartbeatMs = 1_000
/** Announcements that do not wait for the heartbeat are at least this far apart. */
const announceMsMin = 100

export interface Heart {
  announce(): Announcement
  setStatus(status: PeerStatus): void
  /** Begins to beat. `publish` may fail: a heartbeat is a hint, the next one follows. */
  start(publish: (bytes: Uint8Array) => Promise<void>): void
  stop(): void
}

export function createHeart(first: PeerStatus, addresses: () => string[]): Heart {
  const boot = Date.now()
  let status = first
  let seq = 0
  let publish: ((bytes: Uint8Array) => Promise<void>) | undefined
  let beating: NodeJS.Timeout | undefined
  let soon: NodeJS.Timeout | undefined

  function announce(): Announcement {
    return { boot, seq: seq++, status, addresses: addresses().slice(0, addressesMax) }
  }

  function beat(): void {
    publish?.(encodeAnnouncement(announce())).catch(() => {})
  }

  return {
    announce,
    setStatus(next) {
      const changed = changedMuch(status, next)
      status = next
      if (!changed || !beating) return
      soon ??= setTimeout(() => {
        soon = undefined
        beat()
      }, announceMsMin)
    },
    start(publishWith) {
      publish = publishWith
      beating = setInterval(beat, heartbeatMs)
    },
    stop() {
      publish = undefined
      clearInterval(beating)
      clearTimeout(soon)
      beating = undefined
    },
  }
}

/** Load and throughput change all the time, and may wait for the heartbeat; the start of a throughput may not. */
function changedMuch(before: PeerStatus, after: PeerStatus): boolean {
  const lasting = ({ name, version, device, backend, slots, itemsPerSecond }: PeerStatus) =>
    JSON.stringify([name, version, device, backend, slots, itemsPerSecond > 0])
  return lasting(before) !== lasting(after)
}
