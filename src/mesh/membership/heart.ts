/**
 * What this peer says of itself, and when: an announcement every second, more slowly in a large mesh, and at once when
 * its status changed in more than load and throughput. Each has a greater number than the one before.
 */

import type { PeerStatus } from '../types.ts'
import { heartbeatMs } from './membership-state.ts'
import { type Announcement, addressesMax, encodeAnnouncement } from './messages.ts'

/** Announcements that do not wait for the heartbeat are at least this far apart. */
const announceMsMin = 100

export interface Heart {
  announce(): Announcement
  /** Beats now, or as soon as the last beat is not too near. */
  beat(): void
  setStatus(status: PeerStatus): void
  /** Begins to beat. `publish` may fail: a heartbeat is a hint, the next one follows. */
  start(publish: (bytes: Uint8Array) => Promise<void>): void
  stop(): void
}

export interface HeartDeps {
  addresses: () => string[]
  /** Members that this peer hears, and how many of them over a connection of their own. */
  reach: () => { members: number; neighbours: number }
  /** The forms of messages that this release reads; tests give others. */
  wire: [number, number]
}

export function createHeart(first: PeerStatus, { addresses, reach, wire }: HeartDeps): Heart {
  const boot = Date.now()
  let status = first
  let seq = 0
  let publish: ((bytes: Uint8Array) => Promise<void>) | undefined
  let beating: NodeJS.Timeout | undefined
  let soon: NodeJS.Timeout | undefined

  function announce(): Announcement {
    return {
      boot,
      seq: seq++,
      everyMs: everyMs(),
      degree: reach().neighbours,
      status,
      addresses: addresses().slice(0, addressesMax),
      wire,
    }
  }

  const everyMs = () => heartbeatMs(reach().members)

  function beat(): void {
    publish?.(encodeAnnouncement(announce())).catch(() => {})
  }

  function beatOn(): void {
    beating = setTimeout(() => {
      beat()
      beatOn()
    }, everyMs())
  }

  function beatSoon(): void {
    if (!beating) return
    soon ??= setTimeout(() => {
      soon = undefined
      beat()
    }, announceMsMin)
  }

  return {
    announce,
    beat: beatSoon,
    setStatus(next) {
      const changed = changedMuch(status, next)
      status = next
      if (changed) beatSoon()
    },
    start(publishWith) {
      publish = publishWith
      beatOn()
    },
    stop() {
      publish = undefined
      clearTimeout(beating)
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
