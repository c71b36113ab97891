/** Sizes and ages as people write them on the command line. */
import { InvalidArgumentError } from 'commander'

const sizes: Record<string, number> = {
  b: 1,
  k: 1e3,
  kb: 1e3,
  kib: 2 ** 10,
  m: 1e6,
  mb: 1e6,
  mib: 2 ** 20,
  g: 1e9,
  gb: 1e9,
  gib: 2 ** 30,
  t: 1e12,
  tb: 1e12,
  tib: 2 ** 40,
}
const ages: Record<string, number> = { s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3, w: 7 * 86_400e3 }

function quantity(text: string, units: Record<string, number>): number | undefined {
  const [, digits, unit] = /^(\d{1,12}(?:\.\d{1,6})?)\s*([a-z]*)$/i.exec(text.trim()) ?? []
  const factor = digits === undefined ? undefined : units[unit.toLowerCase()]
  return factor === undefined ? undefined : Number(digits) * factor
}

/** `500MB`, `20GiB`; without a unit it would be anybody's guess. Throws what commander shows. */
export function sizeBytes(text: string): number {
  const bytes = quantity(text, sizes)
  if (bytes !== undefined && bytes >= 1 && Number.isSafeInteger(Math.floor(bytes))) return Math.floor(bytes)
  throw new InvalidArgumentError('a size with its unit is expected, such as 500MB or 20GiB.')
}

/** `30m`, `12h`, `7d` in milliseconds. Throws what commander shows. */
export function ageMs(text: string): number {
  const ms = quantity(text, ages)
  if (ms !== undefined && ms <= 100 * 366 * 86_400e3) return Math.floor(ms)
  throw new InvalidArgumentError('an age is expected, such as 30m, 12h or 7d.')
}
