/**
 * File names that are not UTF-8, such as Latin-1 ones of an old disk. Systems take any bytes; strings here hold a byte that is no
 * UTF-8 as the lone surrogate U+DC80 + byte - 0x80, as Python does (PEP 383), which survives JSON and threads. Invariant:
 * `systemPath(nameFromBytes(bytes))` names the same file, and two files never have one name.
 */
import { readFileSync, readlinkSync } from 'node:fs'

const escapeBase = 0xdc00
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function nameFromBytes(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes)
  } catch {
    return escaped(bytes)
  }
}

/** The longest sound characters, and each byte between them by itself. */
function escaped(bytes: Uint8Array): string {
  let name = ''
  for (let at = 0; at < bytes.length; ) {
    const length = soundAt(bytes, at)
    name += length > 0 ? strict.decode(bytes.subarray(at, at + length)) : String.fromCharCode(escapeBase + bytes[at])
    at += Math.max(1, length)
  }
  return name
}

/** The length of the UTF-8 character that begins at `at`; 0 for none. */
function soundAt(bytes: Uint8Array, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    try {
      strict.decode(bytes.subarray(at, at + length))
      return length
    } catch {
      // It may be longer.
    }
  }
  return 0
}

const lone = /[\udc80-\udcff]/u

/** What the system's calls take for the name. */
export function systemPath(name: string): string | Buffer {
  if (!lone.test(name)) return name
  const parts = [...name].map(character =>
    lone.test(character) ? Buffer.from([character.charCodeAt(0) - escapeBase]) : Buffer.from(character),
  )
  return Buffer.concat(parts)
}

/** For people and for files: `caf\xe9.jpg`. */
export function shownName(name: string): string {
  if (!lone.test(name)) return name
  return [...name]
    .map(character => (lone.test(character) ? `\\x${(character.charCodeAt(0) - escapeBase).toString(16)}` : character))
    .join('')
}

/** The arguments as the user gave them: Node decodes them as UTF-8, and loses other bytes. */
export function givenArguments(decoded: readonly string[]): string[] {
  if (!decoded.some(one => one.includes('\ufffd'))) return [...decoded]
  try {
    // Where an older Node started this one, its own line has the bytes.
    const from = process.env.SHARDMESH_LAUNCHED ? process.ppid : 'self'
    const line = nameFromBytes(readFileSync(`/proc/${from}/cmdline`))
    const given = line.split('\0').slice(0, -1).slice(-decoded.length)
    return given.length === decoded.length ? given : [...decoded]
  } catch {
    return [...decoded] // no /proc here
  }
}

/** The working folder, likewise. */
export function workingFolder(): string {
  const folder = process.cwd()
  if (!folder.includes('\ufffd')) return folder
  try {
    return nameFromBytes(readlinkSync('/proc/self/cwd', { encoding: 'buffer' }))
  } catch {
    return folder
  }
}
