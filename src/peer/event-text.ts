/** An event as one line for people. Texts of others are made harmless: no control character reaches a terminal or a log. */
import { shortId, shortPeer } from '../base/ids.ts'
import type { JobEnd, PeerEvent } from './events.ts'

const whole = new Intl.NumberFormat('en-US')
const shownMax = 5

export function eventText(event: PeerEvent): string {
  return oneLine(textOf(event))
}

function textOf(event: PeerEvent): string {
  switch (event.type) {
    case 'peer-joined':
      return `${event.name} joined (${shortPeer(event.peer)}): ${event.device}`
    case 'peer-gone':
      return `${event.name} is gone (${shortPeer(event.peer)})`
    case 'job-begun':
      return `job ${shortId(event.job)} ${event.resumed ? 'goes on' : 'begun'}: ${event.workload}, submitted by ${event.ownerName}`
    case 'job-done':
      return `job ${shortId(event.job)} done: ${amount(event)} in ${time(event.elapsedMs)}${by(event)}`
    case 'job-failed':
      return `job ${shortId(event.job)} failed after ${time(event.elapsedMs)}: ${event.reason}`
    case 'job-cancelled':
      return `job ${shortId(event.job)} cancelled by ${event.ownerName} after ${time(event.elapsedMs)}`
    case 'shards-returned':
      return `job ${shortId(event.job)}: gave ${count(event.shards, 'shard')} back to its leader`
    case 'paused':
      return `paused: ${event.reason}`
    case 'resumed':
      return 'resumed: there is room on the disk again'
    case 'stranger-refused':
      return `refused a connection from ${event.from}: it did not prove that it belongs to this mesh, or went away`
    case 'backend-lost':
      return `${event.device} stopped (${event.reason}); its work goes to the other lanes`
    case 'warning':
      return event.message
  }
}

const count = (value: number, one: string) => `${whole.format(value)} ${one}${value === 1 ? '' : 's'}`

function amount({ workload, items, errors }: JobEnd): string {
  return `${workload} of ${count(items, 'item')}${errors > 0 ? ` (${whole.format(errors)} could not be read)` : ''}`
}

function by({ by: peers }: JobEnd): string {
  if (peers.length === 0) return ''
  const named = peers.slice(0, shownMax).map(({ name }) => name)
  const rest = peers.length - named.length
  return `, by ${named.join(', ')}${rest > 0 ? ` and ${count(rest, 'other')}` : ''}`
}

/** `3.2 s`, `4:05 min`, `1:02:03 h`. */
function time(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (ms < 59_500) return `${(ms / 1000).toFixed(1)} s`
  const two = (value: number) => String(value).padStart(2, '0')
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)} min`
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)} h`
}

/** Control characters and what turns the direction of text become spaces. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu, ' ').trim()
}
